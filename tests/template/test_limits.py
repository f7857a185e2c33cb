"""Tables that Azure would refuse are found before anything is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mapping.files import GOOD, write
from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.rows.types import TYPES
from sentinelone_source.mapping.spec.model import Column
from sentinelone_source.template.tables import (
    MAX_COLUMNS,
    MAX_STREAMS,
    Table,
    check_limits,
    plan_tables,
)

if TYPE_CHECKING:
    from pathlib import Path


def column(name: str, kind: str = "string") -> Column:
    return Column(name, TYPES[kind], ())


TIME = column("TimeGenerated", "datetime")
THINGS = Table("Things_CL", "Custom-Things_CL", "things.toml", (TIME, column("Name")))


def refusal(*tables: Table) -> str:
    """What is said about these tables."""
    with pytest.raises(ConfigError) as caught:
        check_limits(tables)
    return str(caught.value)


def test_good_tables() -> None:
    """The built-in tables, and the table that the other tests change, are within the limits."""
    check_limits([THINGS])
    check_limits(plan_tables())


@pytest.mark.parametrize("stream", ["Things_CL", "Microsoft-Things_CL", "Custom-", "Custom-1"])
def test_names_of_streams(stream: str) -> None:
    """A stream that no rule can declare is an error that names file and table."""
    assert refusal(THINGS._replace(stream=stream)) == (
        f"things.toml: Things_CL: stream: {stream!r} must begin with Custom-, "
        "such as 'Custom-Things_CL'"
    )


def many(count: int) -> list[Table]:
    """Tables with names of their own."""
    return [
        THINGS._replace(name=f"T{n}_CL", stream=f"Custom-T{n}_CL", file=f"t{n}.toml")
        for n in range(1, count + 1)
    ]


def test_as_many_as_azure_takes() -> None:
    """A rule with 10 streams and a table with 500 columns are accepted."""
    check_limits(many(MAX_STREAMS))
    check_limits([THINGS._replace(columns=(TIME, *(column(f"C{n}") for n in range(499))))])


def test_one_too_many() -> None:
    """One stream or one column more is an error."""
    assert refusal(*many(MAX_STREAMS + 1)).startswith(
        "t11.toml: T11_CL: one data collection rule takes 10 streams and this is number 11; "
    )
    wide = THINGS._replace(columns=(TIME, *(column(f"C{n}") for n in range(MAX_COLUMNS))))
    assert refusal(wide) == "things.toml: Things_CL: 501 columns; a table takes 500"


def test_a_stream_of_two_tables() -> None:
    """Two tables with one stream are an error."""
    other = THINGS._replace(name="Others_CL", file="others.toml")
    assert refusal(THINGS, other) == (
        "others.toml: Others_CL: stream: 'Custom-Things_CL' is the stream of Things_CL already; "
        "every table needs its own"
    )


def test_a_mapping_of_ones_own(tmp_path: Path) -> None:
    """A table and a column of your own mapping are in the tables, and name their file."""
    write(tmp_path, GOOD)
    text = 'table = "SentinelOneThreats_CL"\n[columns]\nSha1 = "$.threatInfo.sha1"\n'
    write(tmp_path, text + 'Seen = { path = "$.x", type = "long" }\n', "threats.toml")
    tables = {table.name: table for table in plan_tables(tmp_path)}
    assert len(tables) == len(plan_tables()) + 1
    assert tables["Things_CL"].file == str(tmp_path / "things.toml")
    assert [one.name for one in tables["Things_CL"].columns] == ["TimeGenerated", "Name"]
    threats = tables["SentinelOneThreats_CL"]
    assert threats.file == str(tmp_path / "threats.toml")
    assert [(one.name, one.type) for one in threats.columns[-2:]] == [
        ("Sha1", "string"),
        ("Seen", "long"),
    ]


def names(folder: Path | None = None) -> dict[str, list[str]]:
    """The columns of each table."""
    return {table.name: [one.name for one in table.columns] for table in plan_tables(folder)}


def test_a_column_less_stays_in_the_table(tmp_path: Path) -> None:
    """A built-in column that a mapping leaves out stays in its table."""
    text = 'table = "SentinelOneThreats_CL"\n[columns]\nWhiteningOptions = false\n'
    write(tmp_path, text, "threats.toml")
    assert names(tmp_path) == names()


def test_a_column_less_and_one_that_differs_by_case(tmp_path: Path) -> None:
    """A column that differs only by case from a built-in one is an error."""
    text = 'table = "SentinelOneThreats_CL"\n[columns]\nUsername = false\nUserName = "$.x"\n'
    file = write(tmp_path, text, "threats.toml") / "threats.toml"
    message = refusal(*plan_tables(tmp_path))
    assert message.startswith(f"{file}: SentinelOneThreats_CL: column UserName: there is a column")


def test_replaced_mappings_keep_the_tables(tmp_path: Path) -> None:
    """A mapping that replaces a built-in one keeps the columns of the table."""
    text = GOOD.replace("Things_CL", "SentinelOneGroups_CL")
    write(tmp_path, f"replace = true\n{text}", "mine.toml")
    assert names(tmp_path)["SentinelOneGroups_CL"] == names()["SentinelOneGroups_CL"]


def test_another_type(tmp_path: Path) -> None:
    """A built-in column with another Azure type is reported."""
    text = (
        'table = "SentinelOneActivities_CL"\n[columns]\n'
        'ActivityType = { path = "$.activityType", type = "string" }\n'
        'Data = { path = "$.data", type = "string" }\n'
    )
    write(tmp_path, text, "activities.toml")
    [table] = [table for table in plan_tables(tmp_path) if table.retyped]
    [(retyped, before)] = table.retyped
    assert table.name == "SentinelOneActivities_CL"
    assert (retyped.name, retyped.type, before) == ("ActivityType", "string", "real")
