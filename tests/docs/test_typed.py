"""Pages that a new user follows, typed from top to bottom."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import pages
from support.processes import surroundings

pytestmark = pytest.mark.timeout(900)
DOCS = Path(__file__).parents[2] / "docs"
FREE_PORTS = {
    "demo dce": "demo dce --listen 127.0.0.1:0 --listen-tls 127.0.0.1:0",
    "demo console": "demo console --port 0",
}
CONSOLE_READY = "until grep -q TOKEN console.env; do sleep 0.1; done"
AZURE_READY = "until grep -q IDENTITY_HEADER dce.env; do sleep 0.1; done"
CONSOLE = f"""sentinelone-source demo console --port 0 --token the-token 2> console.env &
{CONSOLE_READY}; export $(head -1 console.env) SENTINELONE_SOURCE_STATE=state
"""
HERE = {r"https://\w+\.example\.invalid": "$SENTINELONE_URL", r"/run/secrets/\w+": "token"}


def blocks(page: str, language: str, first: str = "", last: str = "\0") -> list[str]:
    """The blocks of a language between two headings, those of numbered steps too."""
    text = (DOCS / page).read_text()
    text = text.partition(first)[2] if first else text
    return pages.blocks(text.partition(last)[0], language)


def commands(page: str, first: str = "", last: str = "\0") -> str:
    """What a reader types between two headings, lines that go into a file too."""
    shown = "".join(blocks(page, "console", first and f"## {first}", last and f"## {last}"))
    typed = re.findall(r"^\$ (.+<<'END'\n(?:.*\n)*?END|.+)$", shown, re.MULTILINE)
    return "\n".join(line for line in typed if not re.search(r"\baz ", line))


def into(file: str, *texts: str) -> str:
    """The command that writes blocks of a page into a file, with the addresses of this test."""
    text = "".join(texts)
    for before, after in HERE.items():
        text = re.sub(before, after, text)
    return f"cat > {file} <<END\n{text}END\n"


def type_in(folder: Path, typed: str, replaced: dict[str, str]) -> str:
    """The output of commands, with ports that are free and waits for what they wait for."""
    for before, after in replaced.items():
        assert before in typed
        typed = typed.replace(before, after)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", typed],
        cwd=folder,
        env=surroundings({"PATH": path}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        shown, errors = process.communicate(timeout=800)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    sys.stderr.write(errors)
    return shown


def test_first_run(tmp_path: Path) -> None:
    """Rows, the state, doctor's checks and a new column are shown as the page says."""
    shown = type_in(
        tmp_path,
        commands("tutorial/first-run.md", "2. ", "5. ") + "\nkill %1",
        {
            ". .venv/bin/activate": "true",
            "cd $(mktemp -d)": "true",
            "sleep 3": CONSOLE_READY,
            "demo console": FREE_PORTS["demo console"],
        },
    )
    rows = len((tmp_path / "rows.ndjson").read_bytes().splitlines())
    assert f"{rows} rows.ndjson" in shown
    for line in ("console  feed ", "ok       console default", '"Sha1":"', "skipped  azure"):
        assert line in shown, shown


def test_first_row(tmp_path: Path) -> None:
    """The rehearsal brings every row of the demo console to the endpoint."""
    shown = type_in(
        tmp_path,
        commands("tutorial/first-row.md", "1. ", "2. "),
        {
            "sleep 3": AZURE_READY,
            "sleep 1": "wait %1",
            "--seconds 10": "--seconds 3",
            "demo dce": FREE_PORTS["demo dce"],
        },
    )
    rows = len((tmp_path / "rows.ndjson").read_bytes().splitlines())
    assert f"\n{rows} rows in " in shown, shown
    assert shown.count("accepts rows") == 5


def test_prove_that_nothing_is_missing(tmp_path: Path) -> None:
    """What is lost behind a 204 is named, sent, and found."""
    pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    typed = commands(
        "how-to/prove-nothing-is-missing.md", "Try it without an account", "What verify"
    )
    shown = type_in(
        tmp_path,
        re.sub(r"(verify .+)", r"\1; echo status $?", typed),
        {"sleep 3": f"{AZURE_READY}; {CONSOLE_READY}", **FREE_PORTS},
    )
    assert re.findall(r"status (\d)", shown) == ["1", "0"], shown
    first, _, second = shown.partition("status 1")
    assert "default/activities: missing " in first
    assert "missing" not in second.replace("  missing", "")


def test_backfill(tmp_path: Path) -> None:
    """The past is read beside a poller, without a row that both have."""
    shown = type_in(
        tmp_path,
        commands("how-to/backfill.md", "Try it", "In production"),
        {
            "sleep 3": CONSOLE_READY,
            "sleep 5": "until [ $(grep -c swept run.log) -ge 5 ]; do sleep 0.1; done",
            "demo console": FREE_PORTS["demo console"],
        },
    )
    past = len((tmp_path / "past.ndjson").read_bytes().splitlines())
    assert past
    found = re.match(rf" *{past} past.ndjson\n.* run.ndjson\n.* total\n(\d+)\n$", shown)
    assert found, shown
    assert 0 < int(found[1]) <= past  # threats may have changed since


def test_connect_a_console(tmp_path: Path) -> None:
    """doctor accepts the console and each of its feeds."""
    page = "how-to/connect-a-console.md"
    typed = CONSOLE + "printf the-token > token\n" + into("config.toml", *blocks(page, "toml"))
    shown = type_in(tmp_path, f"{typed}{commands(page)}\nkill %1", {})
    assert "ok       console acme token" in shown, shown
    assert shown.count("can be read") == 5


def test_rotate_a_token(tmp_path: Path) -> None:
    """A poller whose token is refused continues with the new one, without a restart."""
    settings = blocks("how-to/connect-a-console.md", "toml")
    waits = "until grep -q {} run.log; do sleep 0.1; done\n"
    typed = (
        CONSOLE + "printf an-old-token > token\n" + into("config.toml", *settings) + ""
        "sentinelone-source run > rows.ndjson 2> run.log &\n" + waits.format("refused")
    )
    replaced = {
        "cat > token.new": "printf the-token > token.new",
        "/run/secrets/sentinelone": "token",
    }
    typed += f"{commands('how-to/rotate-a-token.md')}\n{waits.format('swept')}kill %1 %2; wait"
    shown = type_in(tmp_path, typed, replaced)
    assert "ok       console acme token" in shown, shown
    rows = (tmp_path / "rows.ndjson").read_bytes().splitlines()
    assert len(rows) == len(set(rows)) > 0


def test_add_a_column(tmp_path: Path) -> None:
    """The new columns are in the rows and in the template, the removed one is not in the rows."""
    page = "how-to/add-a-column.md"
    config, mapping = blocks(page, "toml")
    files = f"mkdir mappings\n{into('config.toml', config)}{into('mappings/threats.toml', mapping)}"
    shown = type_in(tmp_path, f"{CONSOLE}{files}{commands(page)}\nkill %1", {})
    rows = [line for line in shown.splitlines() if line.startswith("{")]
    assert any('"Sha1":"' in row for row in rows)
    assert not any("WhiteningOptions" in row for row in rows)
    assert '"Sha1"' in (tmp_path / "main.json").read_text()


def test_drop_noise(tmp_path: Path) -> None:
    """`map` with the mapping of the page counts on stderr what it removes."""
    page = "how-to/drop-noise.md"
    files = f"mkdir mappings\n{into('mappings/activities.toml', *blocks(page, 'toml'))}"
    files += into("config.toml", '[mappings]\npath = "mappings"\n')
    signed_on = "sed -i s/mgmt/sso/ activities.json; sentinelone-source map"
    shown = type_in(
        tmp_path,
        f"exec 2>&1\n{CONSOLE}{files}{commands(page)}\nkill %1",
        {"sentinelone-source map": signed_on},
    )
    assert '"event":"dropped"' in shown, shown


def test_reduce_volume(tmp_path: Path) -> None:
    """Two downloads of agents show what a heartbeat would save."""
    typed = commands("how-to/reduce-volume.md")
    until_changed = "until download > agents-2.json; ! cmp -s agents-[12].json; do sleep 0.1; done"
    replaced = {"sleep 300; download > agents-2.json": until_changed}
    assert "heartbeat = " in type_in(tmp_path, f"{CONSOLE}{typed}\nkill %1", replaced)


def test_replay(tmp_path: Path) -> None:
    """Rows and dead letters are delivered, and a second replay sends nothing."""
    [dead_letters] = blocks("how-to/replay.md", "sh")
    typed = f"""
sentinelone-source demo --seconds 1 > rows.ndjson
sed 's/.*"_table":"\\([^"]*\\)".*/{{"table":"\\1","row":&}}/' rows.ndjson > dead-letters.ndjson
cp dead-letters.ndjson dead-letters-0001.ndjson
sentinelone-source demo dce --ca-file ca.pem 2> dce.env &
{AZURE_READY}; . ./dce.env; export SSL_CERT_FILE=$PWD/ca.pem
printf '[azure]\nendpoint = "%s"\ndcr_immutable_id = "%s"\n' $DCE_URL $DCR_ID > config.toml
sentinelone-source replay rows.ndjson
{dead_letters}{dead_letters}kill %1; wait; tail -8 dce.env
"""
    shown = type_in(tmp_path, typed, {"demo dce": FREE_PORTS["demo dce"]})
    rows = len((tmp_path / "rows.ndjson").read_bytes().splitlines())
    assert f"\n{3 * rows} rows in " in shown, shown


def test_unified_alerts(tmp_path: Path) -> None:
    """doctor's line for the feed is the one of the page; its mapping file leaves alerts out."""
    page = "how-to/unified-alerts.md"
    settings = blocks("how-to/connect-a-console.md", "toml") + blocks(page, "toml")[:1]
    files = into("config.toml", *settings, "[mappings]\npath = 'mappings'\n") + "mkdir mappings\n"
    files += into("mappings/alertsv2.toml", *blocks(page, "toml")[1:])
    run = "sentinelone-source run --once --table alertsv2 2> run.log"
    typed = f"{CONSOLE}printf the-token > token\n{files}{commands(page)}\n{run}\nkill %1"
    shown = type_in(tmp_path, typed, {})
    assert "unifiedalerts/graphql can be read" in shown, shown
    assert '"_table":"SentinelOneAlertsV2_CL"' in shown
    assert "INFORMATIONAL" not in shown


def test_many_consoles(tmp_path: Path) -> None:
    """Each row names its console."""
    settings = blocks("how-to/many-consoles.md", "toml")[:2]
    typed = f"{CONSOLE}printf the-token > token\n{into('config.toml', *settings)}"
    shown = type_in(tmp_path, f"{typed}sentinelone-source run --once\nkill %1", {})
    found = re.findall(r'"SourceConsole":"(\w+)"}$', shown, re.MULTILINE)
    assert set(found) == {"acme", "globex"}
    assert len(found) == len(shown.splitlines())
