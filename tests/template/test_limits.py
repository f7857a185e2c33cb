"""Tables that Azure would refuse are found before anything is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mapping.files import GOOD, write
from sentinelone_source.errors import ConfigError
from sentinelone_source.template.tables import (
    MAX_COLUMNS,
    MAX_STREAMS,
    Table,
    TableColumn,
    check_limits,
    plan_tables,
)

if TYPE_CHECKING:
    from pathlib import Path

TIME = TableColumn("TimeGenerated", "datetime")
THINGS = Table(
    "Things_CL", "Custom-Things_CL", "things", "things.toml", (TIME, TableColumn("Name", "string"))
)


def refusal(*tables: Table) -> str:
    """What is said about these tables."""
    with pytest.raises(ConfigError) as caught:
        check_limits(tables)
    return str(caught.value)


def test_a_good_table() -> None:
    """The built-in tables, and the table that the other tests change, are within the limits."""
    check_limits([THINGS])
    check_limits(plan_tables())


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"name": "Things"}, "table: takes at most 63 letters"),
        ({"name": "T" * 61 + "_CL"}, "table: takes at most 63 letters"),
        ({"name": "1Things_CL"}, "table: takes at most 63 letters"),
        (
            {"stream": "Things_CL"},
            "stream: 'Things_CL' must begin with Custom-, such as 'Custom-Things_",
        ),
        ({"stream": "custom-Things_CL"}, "must begin with Custom-"),
        ({"stream": "Custom-"}, "must begin with Custom-"),
    ],
)
def test_names_of_tables_and_streams(change: dict[str, Any], wanted: str) -> None:
    """A wrong name of a table or stream is an error that names file and table."""
    message = refusal(THINGS._replace(**change))
    assert message.startswith(f"things.toml: {change.get('name', 'Things_CL')}: ")
    assert wanted in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (TableColumn("N", "string"), "column N: a name has 2 to 45 letters"),
        (TableColumn("N" * 46, "string"), "a name has 2 to 45 letters"),
        (TableColumn("_Name", "string"), "column _Name: a name has 2 to 45 letters"),
        (TableColumn("1Name", "string"), "a name has 2 to 45 letters"),
        (TableColumn("Na-me", "string"), "a name has 2 to 45 letters"),
        (TableColumn("Näme", "string"), "column Näme: a name has 2 to 45 letters"),
        (TableColumn("Type", "string"), "column Type: the name is reserved by Azure Monitor"),
        (TableColumn("TenantId", "string"), "column TenantId: the name is reserved"),
        (TableColumn("id", "string"), "column id: the name is reserved"),
        (
            TableColumn("Size", "strng"),
            "column Size: unknown type 'strng' (did you mean 'string'?)",
        ),
        (TableColumn("NAME", "string"), "column NAME: there is a column Name already"),
        (TableColumn("timegenerated", "datetime"), "there is a column TimeGenerated already"),
    ],
    ids=lambda value: value.name if isinstance(value, TableColumn) else "",
)
def test_columns(column: TableColumn, wanted: str) -> None:
    """A wrong column is an error that names file, table and column."""
    message = refusal(THINGS._replace(columns=(*THINGS.columns, column)))
    assert message.startswith("things.toml: Things_CL: column ")
    assert wanted in message


@pytest.mark.parametrize("time", [None, "string", "long"])
def test_time(time: str | None) -> None:
    """A table needs TimeGenerated as a datetime."""
    columns = (TableColumn("TimeGenerated", time),) if time else ()
    message = refusal(THINGS._replace(columns=(*columns, TableColumn("Name", "string"))))
    assert message == (
        "things.toml: Things_CL: column TimeGenerated: every table needs it, as a datetime"
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
    check_limits(
        [THINGS._replace(columns=(TIME, *(TableColumn(f"C{n}", "int") for n in range(499))))]
    )


def test_one_too_many() -> None:
    """One stream or one column more is an error."""
    assert refusal(*many(MAX_STREAMS + 1)).startswith(
        "t11.toml: T11_CL: one data collection rule takes 10 streams and this is number 11; "
    )
    wide = THINGS._replace(
        columns=(TIME, *(TableColumn(f"C{n}", "int") for n in range(MAX_COLUMNS)))
    )
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
    assert tables["Things_CL"] == THINGS._replace(file=str(tmp_path / "things.toml"))
    threats = tables["SentinelOneThreats_CL"]
    assert threats.file == str(tmp_path / "threats.toml")
    assert threats.columns[-2:] == (TableColumn("Sha1", "string"), TableColumn("Seen", "long"))
    assert threats.columns[-1].in_table == {"name": "Seen", "type": "long"}


def test_a_column_less_stays_in_the_table(tmp_path: Path) -> None:
    """A built-in column that a mapping leaves out stays in its table."""
    text = 'table = "SentinelOneThreats_CL"\n[columns]\nWhiteningOptions = false\n'
    write(tmp_path, text, "threats.toml")
    assert [t.columns for t in plan_tables(tmp_path)] == [t.columns for t in plan_tables()]


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
    found = {table.name: table for table in plan_tables(tmp_path)}
    groups = {table.name: table for table in plan_tables()}["SentinelOneGroups_CL"]
    assert found["SentinelOneGroups_CL"].columns == groups.columns


def test_another_type(tmp_path: Path) -> None:
    """A built-in column with another Azure type is reported."""
    text = (
        'table = "SentinelOneActivities_CL"\n[columns]\n'
        'ActivityType = { path = "$.activityType", type = "string" }\n'
        'Data = { path = "$.data", type = "string" }\n'
    )
    write(tmp_path, text, "activities.toml")
    retyped = {table.name: table.retyped for table in plan_tables(tmp_path) if table.retyped}
    assert retyped == {
        "SentinelOneActivities_CL": ((TableColumn("ActivityType", "string"), "real"),)
    }
