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

    from sentinelone_source.mapping.spec.model import Mapping

BUILT_IN = load_mappings()


def merged(folder: Path, name: str, text: str) -> Mapping:
    """A built-in mapping with a user's file over it."""
    return load_mappings(write(folder, f'table = "{BUILT_IN[name].table}"\n{text}'))[name]


def test_an_empty_folder_changes_nothing(tmp_path: Path) -> None:
    """An empty folder leaves the built-in mappings; all of them but `alertsv2` are enabled."""
    enabled = {name: one.enabled for name, one in load_mappings(tmp_path).items()}
    names = ("activities", "agents", "alerts", "alertsv2", "groups", "threats")
    assert enabled == {name: name != "alertsv2" for name in names}


def test_one_column_more_and_one_less(tmp_path: Path) -> None:
    """A user's file adds, removes and replaces single columns; the others stay."""
    over = 'Sha1 = "$.threatInfo.sha1"\nWhiteningOptions = false\nThreatName = "$.x"\n'
    threats = merged(tmp_path, "threats", f"[columns]\n{over}")
    before = [column.name for column in BUILT_IN["threats"].columns]
    after = {column.name: column.paths[0].text for column in threats.columns}
    assert list(after) == [name for name in before if name != "WhiteningOptions"] + ["Sha1"]
    assert after["ThreatName"] == "$.x"
    assert threats.ordering == BUILT_IN["threats"].ordering


def test_volatile_columns_and_windows() -> None:
    """Every built-in feed can be read in windows; agents and groups change with time alone."""
    feeds = {name: one.ordering for name, one in BUILT_IN.items() if not one.request.body}
    assert all(str(one.until).replace("__lt", "__gte") == str(one.filter) for one in feeds.values())
    assert {name for name, one in feeds.items() if one.lookback == 600.0} == {"agents", "groups"}
    assert {name for name, one in feeds.items() if one.volatile} == {"agents", "groups"}


def test_a_removed_column_is_not_volatile(tmp_path: Path) -> None:
    """A user can remove a column that the built-in mapping calls volatile, or set other ones."""
    over = "[columns]\nLastActiveDate = false\n"
    agents = merged(tmp_path, "agents", over)
    assert agents.ordering.volatile == ("TimeGenerated", "UpdatedAt")
    agents = merged(tmp_path, "agents", over + '[walk]\nvolatile = ["Domain"]\n')
    assert agents.ordering.volatile == ("Domain",)


def test_columns_of_every_table(tmp_path: Path) -> None:
    """Columns of the configuration are in every table, and replace one of the same name."""
    over = 'Name = { console = "url" }\nSite = { console = "name" }\n'
    write(tmp_path, f'table = "SentinelOneGroups_CL"\n[columns]\n{over}')
    columns = {"Tenant": {"console": "name"}, "Site": {"path": "$.siteName"}}
    mappings = load_mappings(tmp_path, columns, "config.toml: mappings.columns")
    sources = {
        name: {column.name: column.sources for column in mapping.columns}
        for name, mapping in mappings.items()
    }
    for of_table in sources.values():
        assert of_table["Tenant"] == ("name of the console",)
        assert of_table["Site"] == ("$.siteName",)
    assert sources["groups"]["Name"] == ("url of the console",)
    assert list(sources["groups"])[-2:] == ["Site", "Tenant"]


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


def test_redaction(tmp_path: Path) -> None:
    """Registration tokens and licence keys are redacted; a user's file changes what is."""
    secret = {path.text for mapping in BUILT_IN.values() for path in mapping.secret_paths}
    assert secret == {"$.registrationToken", "$.licenseKey"}
    off = 'RegistrationToken = { path = "$.registrationToken", redact = false }\n'
    groups = merged(tmp_path, "groups", f"[columns]\n{off}Name = {{ redact = true }}\n")
    assert [path.text for path in groups.secret_paths] == ["$.name"]
    assert {"RegistrationToken", "Name"} <= {column.name for column in groups.columns}


def test_query_parameters_are_added(tmp_path: Path) -> None:
    """A user's parameters are added to the built-in ones, in the console's spelling."""
    over = (
        '[request]\npage_size = 200\n[request.params]\nosTypes = ["linux", "macos"]\n'
        'infected = true\ncoreCount__gt = 4\nisUninstalled = "False"\n'
    )
    agents = merged(tmp_path, "agents", over)
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
    at = {"id": "1", "createdAt": "2026-03-14"}
    records = [at | {"activityType": kind} for kind in (90, 91, 92)]
    page, rows = run(Mapper(load_mappings(tmp_path)["activities"]), page_of(*records))
    assert (page.dropped, [row["ActivityType"] for row in rows]) == (2, [92])


def test_replacing_a_whole_mapping(tmp_path: Path) -> None:
    """A file with `replace` has its own columns and request only."""
    over = GOOD.replace('table = "Things_CL"', "replace = true")
    threats = merged(tmp_path, "threats", over)
    assert [column.name for column in threats.columns] == ["TimeGenerated", "Name"]
    assert threats.request.path == "things"


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


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('[columns]\nTHREATNAME = "$.x"', "column THREATNAME: duplicate of column ThreatName"),
        (
            "[columns]\nWhitenigOptions = false",
            "unknown column 'WhitenigOptions' (did you mean 'WhiteningOptions'?): none to remove",
        ),
        *((f"{key} = 7", f"{key}: expected `") for key in ("columns", "request", "walk", "drop")),
    ],
)
def test_mistakes_of_a_merged_file(tmp_path: Path, text: str, wanted: str) -> None:
    """A mistake in a user's file is an error that names this file, table and place."""
    message = refusal(write(tmp_path, f'table = "SentinelOneThreats_CL"\n{text}\n'))
    assert message.startswith(f"{tmp_path / 'things.toml'}: SentinelOneThreats_CL: {wanted}")


def test_two_files_for_one_new_table(tmp_path: Path) -> None:
    """A new table can be split over two files."""
    head, columns = GOOD.split("[columns]")
    write(tmp_path, head, "a.toml")
    write(tmp_path, f'table = "Things_CL"\n[columns]{columns}', "b.toml")
    assert len(load_mappings(tmp_path)["a"].columns) == 2
