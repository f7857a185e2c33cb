"""The checks of the overlays: each finds what it is for."""

from __future__ import annotations

import pytest

from kubernetes import hardening, references, settings
from kubernetes.mistakes import BROKERED, MISTAKES, check_of, make
from kubernetes.overlays import copied, rendered


@pytest.mark.parametrize("mistake", MISTAKES)
def test_finds(mistake: str) -> None:
    """Each check finds the mistake that it is for."""
    manifest = copied(rendered(BROKERED))
    make(manifest, mistake)
    assert list(check_of(mistake)(manifest))


def test_finds_what_vector_lacks() -> None:
    """A secret that Vector's configuration asks for and that is missing is found."""
    manifest = copied(rendered("vector-client-secret"))
    make(manifest, "settings.variables pod/volumes/azure/secret/items/0/path = secret")
    assert list(settings.variables(manifest))


def test_finds_what_vector_does_not_deliver() -> None:
    """A table that Vector's configuration sends to no stream of its own is found."""
    manifest = copied(rendered("vector-client-secret"))
    make(
        manifest, "settings.outputs configmap/shipper/vector.yaml ~ tables.health => tables.groups"
    )
    assert list(settings.outputs(manifest)) == ["SentinelOneSource_CL is not delivered"]


def test_every_check_is_tried() -> None:
    """Every check has a mistake that it finds."""
    tried = {check_of(mistake) for mistake in MISTAKES}
    for module in (references, hardening, settings):
        for name, found in vars(module).items():
            if callable(found) and getattr(found, "__module__", "") == module.__name__:
                returns = str(found.__annotations__.get("return"))
                if not name.startswith("_") and returns == "Iterator[str]":
                    assert found in tried, name
