"""HTML from Python, with every text escaped that is not markup already."""

from __future__ import annotations

from html import escape


class Html(str):
    """Markup; it is not escaped again."""

    __slots__ = ()


def text(*parts: str) -> Html:
    """Texts and markup one after another."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def element(name: str, *content: str, **attributes: str) -> Html:
    """An element; `class_` and `http_equiv` are written without and with what Python forbids."""
    known = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    written = "".join(f' {key}="{escape(value)}"' for key, value in known.items())
    return Html(f"<{name}{written}>{text(*content)}</{name}>")
