"""The checks of the overlays: each finds what it is for."""

from __future__ import annotations

import pytest

from kubernetes import settings
from kubernetes.mistakes import BROKERED, MISTAKES, check_of, make
from kubernetes.overlays import copied, rendered
from kubernetes.test_overlays import CHECKS


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
    assert {check_of(mistake) for mistake in MISTAKES} == set(CHECKS)
    assert len(CHECKS) == 17
