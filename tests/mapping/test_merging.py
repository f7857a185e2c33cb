"""A user's folder, merged over the built-in mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mapping.files import GOOD, refusal, write
from mapping.helpers import page_of, run
from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.request import page_requests
from sentinelone_source.mapping.spec.files import find_mapping, load_mappings

if TYPE_CHECKING:
    from pathlib import Path


def test_an_empty_folder_changes_nothing(tmp_path: Path) -> None:
    """An empty folder leaves the built-in mappings; all of them but `alertsv2` are enabled."""
    assert load_mappings(tmp_path).keys() == load_mappings().keys()
    names = {"activities", "agents", "alerts", "alertsv2", "groups", "threats"}
    assert {name: one.enabled for name, one in load_mappings().items()} == {
        name: name != "alertsv2" for name in names
    }


def test_one_column_more_and_one_less(tmp_path: Path) -> None:
    """A user's file adds, removes and replaces single columns; the others stay."""
    over = (
        'table = "SentinelOneThreats_CL"\n[columns]\nSha1 = "$.threatInfo.sha1"\n'
        'WhiteningOptions = false\nThreatName = "$.x"\n'
    )
    before = [column.name for column in load_mappings()["threats"].columns]
    threats = load_mappings(write(tmp_path, over, "mine.toml"))["threats"]
    after = {column.name: column.paths[0].text for column in threats.columns}
    assert list(after) == [name for name in before if name != "WhiteningOptions"] + ["Sha1"]
    assert after["ThreatName"] == "$.x"
    assert threats.ordering == load_mappings()["threats"].ordering


def test_volatile_columns_and_windows() -> None:
    """Every built-in feed can be read in windows; agents and groups change with time alone."""
    feeds = {name: one.ordering for name, one in load_mappings().items() if not one.request.body}
    assert all(str(one.until).replace("__lt", "__gte") == str(one.filter) for one in feeds.values())
    assert {name for name, one in feeds.items() if one.lookback == 600.0} == {"agents", "groups"}
    assert {name for name, one in feeds.items() if one.volatile} == {"agents", "groups"}


def test_a_removed_column_is_not_volatile(tmp_path: Path) -> None:
    """A user can remove a column that the built-in mapping calls volatile, or set other ones."""
    over = 'table = "SentinelOneAgents_CL"\n[columns]\nLastActiveDate = false\n'
    agents = load_mappings(write(tmp_path, over))["agents"]
    assert agents.ordering.volatile == ("TimeGenerated", "UpdatedAt")
    agents = load_mappings(write(tmp_path, over + '[walk]\nvolatile = ["Domain"]\n'))["agents"]
    assert agents.ordering.volatile == ("Domain",)


def test_columns_of_every_table(tmp_path: Path) -> None:
    """Columns of the configuration are in every table, and replace one of the same name."""
    over = (
        'table = "SentinelOneGroups_CL"\n[columns]\nName = { console = "url" }\n'
        'Site = { console = "name" }\n'
    )
    columns = {"Tenant": {"console": "name"}, "Site": {"path": "$.siteName"}}
    mappings = load_mappings(write(tmp_path, over), columns, "config.toml: mappings.columns")
    for mapping in mappings.values():
        sources = {column.name: column.sources for column in mapping.columns}
        assert sources["Tenant"] == ("name of the console",)
        assert sources["Site"] == ("$.siteName",)
    groups = {column.name: column.sources for column in mappings["groups"].columns}
    assert groups["Name"] == ("url of the console",)
    assert list(groups)[-2:] == ["Site", "Tenant"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"Tenant": {"consol": "name"}}, "here: column Tenant: consol: unknown key"),
        ({"Type": {"console": "name"}}, "here: column Type: the name is reserved"),
        ({"Tenant": False}, "here: SentinelOneActivities_CL: unknown column 'Tenant'"),
        ({"hash": "$.id"}, "here: SentinelOneActivities_CL: column hash: write 'Hash' to replace"),
    ],
)
def test_mistakes_in_columns_of_every_table(columns: dict[str, Any], says: str) -> None:
    """A mistake in `[mappings.columns]` names its place in the configuration."""
    with pytest.raises(ConfigError, match=f"^{says}"):
        load_mappings(None, columns, "here")


def test_redaction_can_be_switched_off(tmp_path: Path) -> None:
    """Redaction can be switched off or on for a column, which keeps its path."""
    over = (
        'table = "SentinelOneGroups_CL"\n[columns]\n'
        'RegistrationToken = { path = "$.registrationToken", redact = false }\n'
        "Name = { redact = true }\n"
    )
    groups = load_mappings(write(tmp_path, over))["groups"]
    columns = {column.name: column for column in groups.columns}
    assert not columns["RegistrationToken"].redact
    assert columns["Name"].redact
    assert columns["Name"].paths[0].text == "$.name"
    assert [path.text for path in groups.secret_paths] == ["$.name"]


def test_built_in_secrets_are_redacted() -> None:
    """Registration tokens and licence keys are redacted by the built-in mappings."""
    mappings = load_mappings()
    secret = {path.text for mapping in mappings.values() for path in mapping.secret_paths}
    assert secret == {"$.registrationToken", "$.licenseKey"}


def test_query_parameters_are_added(tmp_path: Path) -> None:
    """A user's parameters are added to the built-in ones, in the console's spelling."""
    over = (
        'table = "SentinelOneAgents_CL"\n[request]\npage_size = 200\n[request.params]\n'
        'osTypes = ["linux", "macos"]\ninfected = true\ncoreCount__gt = 4\n'
        'isUninstalled = "False"\n'
    )
    agents = load_mappings(write(tmp_path, over))["agents"]
    [request] = page_requests(agents, None, None)
    assert (agents.request.path, request.size) == ("agents", 200)
    assert request.query == {
        "sortBy": "updatedAt",
        "sortOrder": "asc",
        "skipCount": "true",
        "isDecommissioned": "True,False",
        "isUninstalled": "False",
        "osTypes": "linux,macos",
        "infected": "true",
        "coreCount__gt": "4",
    }


def test_drops_are_appended(tmp_path: Path) -> None:
    """The drops of several files are all applied."""
    drop = 'table = "SentinelOneActivities_CL"\n[[drop]]\npath = "$.activityType"\nin = [{}]\n'
    write(tmp_path, drop.replace("{}", "90"), "a.toml")
    write(tmp_path, drop.replace("{}", "91"), "b.toml")
    activities = load_mappings(tmp_path)["activities"]
    records = [
        {"id": "1", "createdAt": "2026-03-14", "activityType": kind} for kind in (90, 91, 92)
    ]
    page, rows = run(Mapper(activities), page_of(*records))
    assert (page.dropped, [row["ActivityType"] for row in rows]) == (2, [92])


def test_replacing_a_whole_mapping(tmp_path: Path) -> None:
    """A file with `replace` has its own columns and request only."""
    over = "replace = true\n" + GOOD.replace("Things_CL", "SentinelOneThreats_CL")
    mappings = load_mappings(write(tmp_path, over))
    assert [column.name for column in mappings["threats"].columns] == ["TimeGenerated", "Name"]
    assert mappings["threats"].request.path == "things"


def test_a_new_table(tmp_path: Path) -> None:
    """A user's file adds a table, which is found by either of its names."""
    mappings = load_mappings(write(tmp_path, GOOD))
    assert find_mapping(mappings, "things") is find_mapping(mappings, "Things_CL")
    with pytest.raises(ConfigError, match=r"unknown table 'thing' \(did you mean 'things'\?\)"):
        find_mapping(mappings, "thing")


def test_two_tables_of_one_name(tmp_path: Path) -> None:
    """A file that has another mapping's name and a table of its own is an error."""
    message = refusal(write(tmp_path, GOOD, "threats.toml"))
    assert message.startswith(str(tmp_path / "threats.toml"))
    assert "another table is called 'threats'; rename the file" in message


def test_mistakes_of_a_merged_file_name_the_users_file(tmp_path: Path) -> None:
    """A mistake in a user's file is an error that names this file, table and column."""
    over = 'table = "SentinelOneThreats_CL"\n[columns]\nTHREATNAME = "$.x"\n'
    message = refusal(write(tmp_path, over))
    assert message.startswith(
        f"{tmp_path / 'things.toml'}: SentinelOneThreats_CL: column THREATNAME"
    )
    assert "duplicate of column ThreatName" in message


def test_a_column_that_does_not_exist_cannot_be_removed(tmp_path: Path) -> None:
    """Removing an unknown column is an error that says the nearest name."""
    over = 'table = "SentinelOneThreats_CL"\n[columns]\nWhitenigOptions = false\n'
    assert (
        "unknown column 'WhitenigOptions' (did you mean 'WhiteningOptions'?): none to remove"
        in refusal(write(tmp_path, over))
    )


@pytest.mark.parametrize("section", ["columns = 7", "request = []", "walk = true", "drop = 1"])
def test_sections_of_another_type(tmp_path: Path, section: str) -> None:
    """A section of another type is an error that names it."""
    over = f'table = "SentinelOneThreats_CL"\n{section}\n'
    assert section.split(maxsplit=1)[0] in refusal(write(tmp_path, over))


def test_two_files_for_one_new_table(tmp_path: Path) -> None:
    """A new table can be split over two files."""
    head, columns = GOOD.split("[columns]")
    write(tmp_path, head, "a.toml")
    write(tmp_path, f'table = "Things_CL"\n[columns]{columns}', "b.toml")
    assert len(load_mappings(tmp_path)["a"].columns) == 2
