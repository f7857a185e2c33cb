"""The documentation and the program say the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from doubles.azure import Azure
from sentinelone_source import errors
from sentinelone_source.config import defaults
from sentinelone_source.config.addresses import is_loopback
from sentinelone_source.config.settings import load_settings
from sentinelone_source.demo.dce.errors import DemoFault
from sentinelone_source.demo.dce.report import shell_lines
from sentinelone_source.feed.counts import Counts
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.stdout import StdoutSink
from sentinelone_source.mapping.rows.types import TYPES
from sentinelone_source.mapping.spec import conditions, model, schema
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.telemetry.metrics import Exposition
from sentinelone_source.telemetry.source import Source
from support import reference
from support.pages import blocks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def text_of(page: str) -> str:
    """A page, by its name: no two have the same, whichever folder they are in."""
    [path] = DOCS.rglob(page)
    return path.read_text()


def section(page: str, title: str) -> str:
    """One section of a page, by its heading."""
    parts = re.split(r"^## (.+)$", text_of(page), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return sections[title]


@pytest.mark.parametrize("page", reference.PAGES, ids=lambda page: page.name)
def test_generated_parts(page: Path) -> None:
    """What a page has of the code is what the code has; `make reference` writes it."""
    text = page.read_text()
    assert text == reference.page_text(page)
    lines = "".join(part[3] for part in reference.PART.finditer(text)).splitlines()
    assert [line for line in lines if line.endswith("| |")] == []


def test_every_command_and_table_has_its_part() -> None:
    """The pages have a part for each command, and for each table of the configuration."""
    parts = {
        kind: re.findall(rf"generated: {kind} (.+) -->", text_of(page))
        for kind, page in (("command", "commands.md"), ("keys", "configuration.md"))
    }
    assert sorted(parts["command"]) == sorted(words for words, _ in reference.every_command())
    tables = {
        one.__name__
        for one in msgspec.Struct.__subclasses__()
        if one.__module__ == defaults.__name__
    }
    assert set(parts["keys"]) == tables - {"File"}


def test_environment_variables() -> None:
    """The page names every variable that the program reads."""
    source = "".join(path.read_text() for path in (ROOT / "plugin").rglob("*.py"))
    read = set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', source))
    read |= set(re.findall(r'"(SENTINELONE_[A-Z_]+)"', source))
    assert read
    assert read <= set(re.findall(r"`([A-Z_]+)`", section("configuration.md", "Environment")))


def test_loopback_azure(tmp_path: Path) -> None:
    """The page shows what `demo dce` prints, and the members of a fault."""
    text = section("commands.md", "demo dce")
    ports: dict[str, Any] = {"listen": ("127.0.0.1", 8690), "listen_tls": ("127.0.0.1", 8691)}
    azure = Azure([], **ports, ca_file=tmp_path / "ca.pem")
    [block] = blocks(text, "sh")
    assert block.strip() == shell_lines(azure).replace(str(tmp_path), "/tmp")
    for field in msgspec.structs.fields(DemoFault):
        assert f"`{field.name}`" in text


PLACE = re.compile(r"""(?:\burl|endpoint|_URL)(?: ?= ?|: |=)["']?(https?://[^\s"'`]+)""")


@pytest.mark.parametrize("folder", ["README.md", "docs", "deploy", "vector", "fluent-bit"])
def test_placeholders(folder: str) -> None:
    """Addresses that a user replaces are below `.invalid`."""
    top = ROOT / folder
    files = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
    texts = {path: path.read_text() for path in files if path.suffix != ".png"}
    assert [path for path, text in texts.items() if re.search(r"\w\.sentinelone\.net", text)] == []
    found = {address for text in texts.values() for address in PLACE.findall(text)}
    hosts = {address: urlsplit(address).hostname or "" for address in found if "..." not in address}
    assert [one for one, host in hosts.items() if not _is_nobodys(host)] == []


def _is_nobodys(host: str) -> bool:
    return is_loopback(host) or host.endswith((".invalid", "…")) or "…" in host


def test_installation() -> None:
    """No page and no message installs the package by its name from PyPI."""
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", *DOCS.rglob("*.md")]
    for path in [*pages, *(ROOT / "plugin").rglob("*.py"), *(ROOT / "deploy").rglob("*")]:
        if path.is_file():
            assert not re.search(r"pip3? install\s+['\"]?sentinelone", path.read_text()), path


def test_exit_statuses() -> None:
    """The page has every exit status, and no other."""
    known = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    text = section("commands.md", "Exit status")
    assert {int(status) for status in re.findall(r"^\| (\d) \|", text, re.MULTILINE)} == known


def test_fields_of_swept() -> None:
    """The page has everything that a sweep counts."""
    shown = set(re.findall(r"`(\w+)`", section("logs.md", "The fields of swept")))
    assert set(Counts.__struct_fields__) <= shown


def test_metrics(tmp_path: Path) -> None:
    """The page has the metrics that are served, and an example of an alert with each."""
    source = Source(DeadLetters(tmp_path), [], [], StdoutSink())
    text = Exposition(source).page("").body.decode()
    exposed = {
        f"{family.name}{'_total' if family.type == 'counter' else ''}": family.type
        for family in text_string_to_metric_families(text)
    }
    page = text_of("telemetry.md")
    rows = re.findall(r"^\| `((?:sentinelone|process)_\w+)` \| (\w+) \|", page, re.MULTILINE)
    assert dict(rows) == exposed
    [alerts] = blocks(page, "promql")
    assert set(re.findall(r"\b(?:sentinelone_source|process)_\w+", alerts)) == exposed.keys()
    assert set(re.findall(r"\b(?:sentinelone_source|process)_\w+", page)) == exposed.keys()


def test_mapping_keys_and_types() -> None:
    """The page explains every key and type of mapping files."""
    text = text_of("mappings.md")
    assert set(TYPES) <= set(re.findall(r"`(\w+)`", section("mappings.md", "The format")))
    for struct in (schema._Document, model.RequestSpec, model.Ordering):
        for field in msgspec.structs.fields(struct):
            assert re.search(rf"^\[*(request\.)?{field.encode_name}\b", text, flags=re.MULTILINE), (
                field.name
            )
    for field in msgspec.structs.fields(schema._Column):
        assert f"| `{field.encode_name}` |" in text, field.name
    for test in conditions.TESTS:
        assert f"| `{test}` |" in text


def test_index() -> None:
    """The index leads to every page, and every page says first whom it is for."""
    linked = set(re.findall(r"\]\(([\w/-]+\.md)\)", text_of("index.md")))
    pages = list(DOCS.glob("*/*.md"))
    assert linked == {str(path.relative_to(DOCS)) for path in pages}
    for page in pages:
        assert re.match(r"# .+\n\nThis page is for ", page.read_text()), page


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/reference/mappings.md",
        "docs/how-to/content.md",
        "docs/how-to/unified-alerts.md",
    ],
)
def test_mapping_examples(page: str, tmp_path: Path) -> None:
    """The mapping files of the pages can be copied."""
    mappings = [b for b in blocks((ROOT / page).read_text(), "toml") if "table =" in b]
    assert mappings
    for number, block in enumerate(mappings):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "mine.toml").write_text(block)
        load_mappings(folder)


def test_configuration_example(tmp_path: Path) -> None:
    """The config.toml of the README can be copied."""
    [block] = [b for b in blocks((ROOT / "README.md").read_text(), "toml") if "[state]" in b]
    path = tmp_path / "config.toml"
    path.write_text(block)
    settings = load_settings(path, {})
    assert [console.name for console in settings.consoles] == ["acme"]
    assert settings.feed("agents").interval == 900


def test_links() -> None:
    """Every link leads to a file, and to a heading of it."""
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target, anchor in re.findall(r"\]\((?!http)([^)#]*)(#[^)]*)?\)", page.read_text()):
            linked = (page.parent / target).resolve() if target else page
            assert linked.is_file(), f"{page.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", linked.read_text(), flags=re.MULTILINE)
                slugs = {
                    re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings
                }
                assert anchor[1:] in slugs, f"{page.name}: {target}{anchor}"


def test_version_in_readme() -> None:
    """The README shows the version of the program."""
    command = [sys.executable, "-m", "sentinelone_source", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert shown in (ROOT / "README.md").read_text()
