"""What the pages of the documentation show."""

from __future__ import annotations

import re


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, those of numbered steps too."""
    fence = re.compile(rf"^( *)```{language}\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
    return [
        re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in fence.findall(text)
    ]
