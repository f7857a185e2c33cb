"""`backfill` as a real process: a span of the past, whole and once, beside a running `run`."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from doubles import faults
from doubles.in_http import InHttp, status
from sentinelone_source.demo.golden import text
from support.processes import Running
from support.tenancy import NAMES, TABLES, table_of
from support.waiting import until

if TYPE_CHECKING:
    from datetime import datetime

    from support.tenancy import Tenancy

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def backfill(tenancy: Tenancy, *arguments: object, **how: Any) -> Running:
    """The command, begun."""
    return Running("backfill", "--config", tenancy.config, *arguments, folder=tenancy.folder, **how)


def read(tenancy: Tenancy, *arguments: object, status: int = 0) -> Running:
    """The command, to its end."""
    with backfill(tenancy, *arguments) as running:
        assert running.wait() == status, running.errors
    assert "Traceback" not in running.errors
    return running


def wait_for_lines(running: Running, number: int) -> None:
    """Returns when more lines than this were read, or the process has ended."""
    until(lambda: len(running.lines) > number or running.process.poll() is not None)


def before(tenancy: Tenancy, moment: datetime) -> set[bytes]:
    """The lines of all records whose position is before a moment."""
    return {line for line in tenancy.shown() if _position(line) < text(moment)}


def _position(line: bytes) -> str:
    row = json.loads(line)
    alert = json.loads(row.get("AlertInfo", "{}"))
    return str(alert.get("reportedAt", row["TimeGenerated"]))


def test_whole_span_once_and_resumable_by_name(tenancy: Tenancy) -> None:
    """All five tables are read in parallel windows, each record once; a second call does nothing.

    `--restart` reads all of it again.
    """
    tenancy.populate(25, over=3 * HOUR)
    tenancy.configure(page_size=4)
    running = read(tenancy, "--since", "4h", "--parallel", 3)
    assert Counter(running.lines) == Counter(tenancy.shown())
    windows = json.loads((tenancy.state / "backfill" / "plan.json").read_bytes())["windows"]
    assert len(windows) > len(NAMES)
    untils = {key for one in tenancy.console.requests for key in one.query if key.endswith("__lt")}
    assert untils == {"createdAt__lt", "updatedAt__lt", "reportedAt__lt"}

    again = read(tenancy, "--since", "4h")
    assert (again.lines, [one["event"] for one in again.logs]) == ([], ["backfill_complete"])
    assert Counter(read(tenancy, "--since", "4h", "--restart").lines) == Counter(tenancy.shown())


def test_to_a_shipper(tenancy: Tenancy) -> None:
    """Over HTTP, too, each row arrives once, however many windows send rows of one table."""
    tenancy.populate(60, over=3 * HOUR)
    tenancy.configure(page_size=10)
    with InHttp(faults=[status("sentinelone.activities", 503, times=2)]) as shipper:
        assert not read(tenancy, "--since", "4h", "--to", shipper.url).out
        rows = Counter(msgspec.json.encode(row) for row in shipper.stored())
    assert rows == Counter(msgspec.json.encode(json.loads(line)) for line in tenancy.shown())


def test_pages_of_one_record(tenancy: Tenancy) -> None:
    """The smallest page that a mapping can ask for is read, too."""
    tenancy.populate(3, over=3 * HOUR)
    tenancy.configure(page_size=1)
    assert Counter(read(tenancy, "--since", "4h").lines) == Counter(tenancy.shown())


def test_several_passes(tenancy: Tenancy) -> None:
    """A feed that is read in two passes is read in parallel windows, each record once."""
    tenancy.populate(20, over=3 * HOUR)
    tenancy.configure(start="4h")
    rows = read(tenancy, "--since", "4h", "--table", "alertsv2", "--parallel", 3).lines
    assert rows
    assert Counter(rows) == Counter(tenancy.once("--table", "alertsv2").lines)


@pytest.mark.parametrize("settle", ["0s", "3s"])
def test_ends_where_run_began(tenancy: Tenancy, settle: str) -> None:
    """Beside a `run` that holds its lock, backfill hands over what is older, and nothing twice.

    It waits for a `run` that has not settled its first pages.
    """
    tenancy.populate(20, over=4 * HOUR)
    tenancy.configure(start="2h", settle=settle)
    with tenancy.start() as run:
        run.wait_for("swept", count=len(NAMES))
        past = read(tenancy, "--since", "5h")
    assert past.lines
    assert Counter([*run.lines, *past.lines]) == Counter(tenancy.shown())
    skipped = {one["feed"] for one in past.events("backfill_not_needed")}
    assert skipped == {"agents", "groups"}  # of which `run` took the whole inventory


def test_until(tenancy: Tenancy) -> None:
    """`--until` is exclusive and wins over where `run` began; rows of one table only."""
    tenancy.populate(20, over=4 * HOUR)
    tenancy.once()
    middle = tenancy.world.now() - HOUR
    running = read(tenancy, "--since", "5h", "--until", text(middle), "--table", "threats")
    assert running.lines
    assert set(running.lines) == before(tenancy, middle) & tenancy.shown(["threats"])


def test_console_that_ignores_until(tenancy: Tenancy) -> None:
    """Records beyond the end are left to others, also where the console does not know the end."""
    tenancy.populate(20, over=4 * HOUR)
    tenancy.configure(page_size=3)
    fault = faults.ignores_filter("activities", "createdAt__lt", times=None)
    tenancy.console.faults.add(fault)
    middle = tenancy.world.now() - HOUR
    running = read(tenancy, "--since", "5h", "--until", text(middle), "--table", "activities")
    expected = before(tenancy, middle) & tenancy.shown(["activities"])
    assert Counter(running.lines) == Counter(expected)


def test_other_arguments(tenancy: Tenancy) -> None:
    """An unfinished backfill goes on with the same arguments only, and says which those are."""
    tenancy.populate(20, over=3 * HOUR)
    tenancy.configure(page_size=2)
    tenancy.console.faults.add(faults.hang("activities", 600, after=2))
    with backfill(tenancy, "--since", "4h", "--table", "activities") as running:
        wait_for_lines(running, 3)
        assert running.stop() == 1
    assert "the same command continues from there" in running.logs[-1]["error"]
    other = read(tenancy, "--since", "5h", "--table", "activities", status=2)
    assert "was begun with --since 4h --table activities" in other.logs[-1]["error"]
    rest = read(tenancy, "--since", "4h", "--table", "activities")
    assert Counter([*running.lines, *rest.lines]) == Counter(tenancy.shown(["activities"]))
    (tenancy.state / "backfill" / "plan.json").write_text("{")
    damaged = read(tenancy, "--since", "4h", "--table", "activities", status=1)
    assert "plan.json: is damaged" in damaged.logs[-1]["error"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since", "soon"], "--since: 'soon' is not a timestamp"),
        (["--since", "2h", "--until", "2999-01-01"], "--until: 2999-01-01"),
        (["--since", "2h", "--until", "3h"], "is not after --since"),
        (["--since", "2h", "--table", "threads"], "did you mean 'threats'"),
        (["--since", "2h", "--to", "http://a.example"], "--to: "),
    ],
)
def test_usage(tenancy: Tenancy, arguments: list[str], says: str) -> None:
    """A wrong argument is status 2 and one sentence."""
    running = read(tenancy, *arguments, status=2)
    assert says in running.logs[-1]["error"]


def test_statuses(tenancy: Tenancy) -> None:
    """3 when the console refuses the token or every feed, 4 beside another backfill, else 0."""
    tenancy.populate(5)
    tenancy.console.behaviour.forbidden.add("threats")
    assert read(tenancy, "--since", "2h", "--table", "threats", status=3).lines == []
    rest = read(tenancy, "--since", "2h", "--restart")
    assert {table_of(line) for line in rest.lines} == {*TABLES.values()} - {TABLES["threats"]}
    tenancy.console.faults.add(faults.hang("activities", 600))
    with backfill(tenancy, "--since", "3h", "--restart") as first:
        first.wait_for("started")
        assert "in use by another instance" in read(tenancy, "--since", "3h", status=4).errors
    tenancy.console.tokens.clear()
    read(tenancy, "--since", "2h", "--restart", status=3)


def test_old_rows_and_dead_letters(tenancy: Tenancy) -> None:
    """Rows that Azure gives another time are announced and counted; dead letters go to those of
    `run`."""
    tenancy.populate(12, over=4 * DAY)
    record = tenancy.world.all("threats")[0]
    tenancy.world.delete("threats", record["id"])
    tenancy.world.insert("threats", record | {"id": None})
    running = read(tenancy, "--since", "5d", "--table", "activities", "--table", "threats")
    limit = tenancy.world.now() - 2 * DAY
    old = Counter(table_of(line) for line in running.lines if _position(line) < text(limit))
    found = {one["feed"]: one for one in running.events("old_rows") if "records" in one}
    assert found["activities"]["records"] == old[TABLES["activities"]]
    assert found["threats"]["records"] >= old[TABLES["threats"]]
    rows = {one["feed"]: one["rows"] for one in running.events("old_rows") if "rows" in one}
    assert rows == {name: old[TABLES[name]] for name in ("activities", "threats")}
    [letter] = (tenancy.state / "dead-letters.ndjson").read_text().splitlines()
    assert record["threatInfo"]["threatName"] in letter


PAGE = 50


@pytest.mark.parametrize(
    ("records", "kills", "seed"),
    [(3000, 4, 1), pytest.param(50_000, 100, 2, marks=pytest.mark.slow)],
)
def test_kills(tenancy: Tenancy, records: int, kills: int, seed: int) -> None:
    """SIGKILL at any moment: nothing is lost, and at most one page a window comes twice."""
    rng, parallel = random.Random(seed), 4
    for over in (5 * HOUR, HOUR / 60):  # half of them are of the last minute
        tenancy.world.populate(over=over, activities=records // 2)
    tenancy.configure(page_size=PAGE)
    arguments = ("--since", "6h", "--table", "activities", "--parallel", parallel)
    seen: Counter[bytes] = Counter()
    for _ in range(kills):
        with backfill(tenancy, *arguments) as running:
            wait_for_lines(running, rng.randrange(2 * records // kills))
            running.process.kill()
            running.wait()
        assert "Traceback" not in running.errors
        repeated = sum(line in seen for line in running.lines)
        assert repeated <= parallel * PAGE
        assert len(running.lines) == len(set(running.lines))
        seen.update(running.lines)
    last = read(tenancy, *arguments).lines
    assert sum(line in seen for line in last) <= parallel * PAGE
    assert {*seen, *last} == tenancy.shown(["activities"])
