"""The checks of the overlays: each finds what it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubernetes import hardening, references, settings
from kubernetes.mistakes import BROKERED, MISTAKES, volume
from kubernetes.overlays import copied, rendered

if TYPE_CHECKING:
    from kubernetes.mistakes import Change, Check


@pytest.mark.parametrize(
    ("check", "change"), [one[1:] for one in MISTAKES], ids=[one[0] for one in MISTAKES]
)
def test_finds(check: Check, change: Change) -> None:
    """A check that finds nothing would let this mistake through to a cluster."""
    manifest = copied(rendered(BROKERED))
    change(manifest)
    assert list(check(manifest))


def test_finds_what_vector_lacks() -> None:
    """A secret that Vector's configuration asks for may be missing without anybody noticing."""
    manifest = copied(rendered("vector-client-secret"))
    volume(manifest, "azure")["secret"]["items"][0]["path"] = "secret"
    assert list(settings.variables(manifest))


def test_every_check_is_tried() -> None:
    """A check of which nobody knows whether it finds anything."""
    tried = {check for _, check, _ in MISTAKES}
    for module in (references, hardening, settings):
        for name, found in vars(module).items():
            if callable(found) and getattr(found, "__module__", "") == module.__name__:
                returns = str(found.__annotations__.get("return"))
                if not name.startswith("_") and returns == "Iterator[str]":
                    assert found in tried, name
