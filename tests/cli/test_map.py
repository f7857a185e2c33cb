"""`map`: records from files, rows on stdout."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from doubles.world import World
from support.processes import logs_of
from support.tenancy import lines

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Call


CONSOLE = '[[consoles]]\nname = "acme"\nurl = "https://a.example"\ntoken_file = "token"\n'


@pytest.fixture(scope="module")
def threats() -> list[dict[str, object]]:
    """A few records."""
    world = World(seed=4)
    world.populate(threats=3)
    return world.all("threats")


def forms(records: list[dict[str, object]]) -> dict[str, bytes]:
    """The same records as people have them in files."""
    page = {"data": records, "pagination": {"nextCursor": None, "totalItems": 3}}
    return {
        "page": json.dumps(page).encode(),
        "indented page": json.dumps(page, indent=2).encode(),
        "list": json.dumps(records).encode(),
        "NDJSON": b"\n".join(json.dumps(record).encode() for record in records) + b"\n",
        "pages": json.dumps(page).encode() + b"\n\n" + json.dumps({"data": []}).encode(),
        "byte order mark": b"\xef\xbb\xbf" + json.dumps(page).encode(),
    }


@pytest.mark.parametrize(
    "form", ["page", "indented page", "list", "NDJSON", "pages", "byte order mark"]
)
def test_forms(call: Call, tmp_path: Path, threats: list[dict[str, object]], form: str) -> None:
    """Records are mapped in every form in which they are saved."""
    data = forms(threats)[form]
    (tmp_path / "records").write_bytes(data)
    done = call("map", "SentinelOneThreats_CL", "records")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows == [json.loads(line) for line in lines("threats", threats)]
    assert done.stderr == b""


def test_one_record(call: Call, threats: list[dict[str, object]]) -> None:
    """A single record is a record."""
    done = call("map", "threats", "-", given=json.dumps(threats[0]).encode())
    assert json.loads(done.stdout) == json.loads(lines("threats", threats[:1])[0])


def test_dead(call: Call) -> None:
    """A record that makes no row is named on stderr, with the reason."""
    done = call("map", "groups", given=b'[{"id":"1"},{"id":"2","updatedAt":"2026-01-01"}]')
    assert [json.loads(line)["Id"] for line in done.stdout.splitlines()] == ["2"]
    (told,) = logs_of(done.stderr.decode())
    assert "position" in told["reason"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"{", "line 1: is not JSON"),
        (b'{"id":"1"}\nnonsense\n', "line 2: is not JSON"),
        (b"\xff\xfe", "is not JSON"),
    ],
)
def test_no_json(call: Call, given: bytes, says: str) -> None:
    """A file that is not JSON is an error that names the line."""
    done = call("map", "groups", given=given, status=1)
    (told,) = logs_of(done.stderr.decode())
    assert says in told["error"]


def test_unknown_table(call: Call) -> None:
    """A mistyped table is an error with the nearest name."""
    done = call("map", "threat", status=2)
    assert "did you mean 'threats'" in logs_of(done.stderr.decode())[0]["error"]


def test_no_such_file(call: Call) -> None:
    """A mistyped file name is an error."""
    assert b"No such file" in call("map", "groups", "none.json", status=2).stderr


def test_show_code(call: Call) -> None:
    """The generated function is Python."""
    text = call("map", "groups", "--show-code").stdout.decode()
    compile(text, "generated", "exec")
    assert "def " in text


def test_explain(call: Call, threats: list[dict[str, object]]) -> None:
    """--explain shows the columns."""
    text = call("map", "threats", "--explain", given=json.dumps(threats).encode()).stdout.decode()
    assert "TimeGenerated" in text


def test_own_mapping(call: Call, tmp_path: Path) -> None:
    """A user's own mapping and columns are merged over the built-in one."""
    (tmp_path / "more").mkdir()
    mine = 'table = "SentinelOneGroups_CL"\n[columns]\nMine = "$.name"\n'
    (tmp_path / "more" / "mine.toml").write_text(mine)
    config = tmp_path / "config.toml"
    config.write_text(
        '[mappings]\npath = "more"\n'
        'columns = { At = { console = "name" }, Url = { console = "url" } }\n'
    )
    record = b'{"id":"2","updatedAt":"2026-01-01T00:00:00Z","name":"ours"}'
    row = json.loads(call("map", "groups", given=record).stdout)
    own = ("ours", "default", "https://console.example.invalid")
    assert (row["Mine"], row["At"], row["Url"]) == own
    config.write_text(f"{config.read_text()}{CONSOLE}")
    row = json.loads(call("map", "groups", given=record).stdout)
    assert (row["At"], row["Url"]) == ("acme", "https://a.example")
    text = call("map", "groups", "--explain", given=record).stdout.decode()
    assert re.search(r"At +string +1 of 1 +name of the console", text)


def test_every_record_comes_out(call: Call, tmp_path: Path) -> None:
    """A record with a list called data is a row; the dead are named, the dropped are counted."""
    (tmp_path / "more").mkdir()
    drop = 'table = "SentinelOneActivities_CL"\n[[drop]]\npath = "$.activityType"\nin = [5]\n'
    (tmp_path / "more" / "mine.toml").write_text(drop)
    (tmp_path / "config.toml").write_text('[mappings]\npath = "more"\n')
    record = '"createdAt":"2026-03-02T07:31:08Z","data":[{"id":"7"}]}\n'
    heads = ('{"id":"1","activityType":31,', '{"id":"2","activityType":5,', '{"activityType":31,')
    done = call("map", "activities", given="".join(head + record for head in heads).encode())
    assert json.loads(done.stdout)["Data"] == '[{"id":"7"}]'
    dead, dropped = logs_of(done.stderr.decode())
    assert (dead["event"], dead["reason"]) == ("dead_letter", "no id at $.id")
    assert (dropped["event"], dropped["records"]) == ("dropped", 1)
