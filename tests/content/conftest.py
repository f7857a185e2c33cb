"""Workspaces, made when they are first asked for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

import pytest

from content.settings import SETTINGS, folder_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from content.stories import Story
    from content.workspace import KqlWorkspace

    class Workspaces(Protocol):
        """Gives a workspace."""

        def __call__(
            self, tell: Callable[[], Story], setting: str, without: frozenset[str] = frozenset()
        ) -> KqlWorkspace: ...


@pytest.fixture(scope="session")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Workspaces:
    """A workspace of a story (by what tells it) in a setting (by name), without some tables."""
    pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    from content.workspace import KqlWorkspace

    @cache
    def workspace(
        tell: Callable[[], Story], setting: str, without: frozenset[str] = frozenset()
    ) -> KqlWorkspace:
        folder = folder_of(setting, tmp_path_factory.mktemp("mappings"))
        return KqlWorkspace(tell(), folder, SETTINGS[setting].parser(), without)

    return workspace
