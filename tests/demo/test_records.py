"""Records look like the API's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sentinelone_source.demo.golden import golden
from sentinelone_source.demo.records import Records
from sentinelone_source.demo.timestamps import coarsened, micros, parse

NOON = datetime(2026, 3, 14, 12, 0, 0, 589_793, UTC)
SIZES = {"activity": 1175, "agent": 4035, "alert": 4211, "group": 503, "threat": 8300}


def make(records: Records, shape: str, count: int) -> list[dict[str, Any]]:
    return [getattr(records, shape)(NOON + timedelta(seconds=n)) for n in range(count)]


def ms(text: str) -> int:
    return micros(parse(text)) // 1000


def texts(value: Any) -> list[str]:
    """Every string within a record."""
    if isinstance(value, dict):
        return [text for child in value.values() for text in texts(child)]
    if isinstance(value, list):
        return [text for child in value for text in texts(child)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("shape", SIZES)
def test_size(shape: str, seed: int) -> None:
    """Benchmarks would measure records that are lighter or heavier than real ones."""
    sizes = [len(msgspec.json.encode(record)) for record in make(Records(seed), shape, 400)]
    assert sum(sizes) / len(sizes) == pytest.approx(SIZES[shape], rel=0.1)


@pytest.mark.parametrize("shape", SIZES)
def test_same_seed_same_records(shape: str) -> None:
    """A failing test could not be repeated."""
    assert make(Records(4), shape, 50) == make(Records(4), shape, 50)


def test_other_seed_other_records() -> None:
    """Every run would look at the same few cases."""
    assert make(Records(4), "threat", 5) != make(Records(5), "threat", 5)


def test_ids_are_unique() -> None:
    """Records would replace each other."""
    records = Records(1)
    ids = [records.activity(NOON)["id"] for _ in range(5000)]
    assert len(set(ids)) == len(ids)


def test_alerts_are_created_before_they_are_reported() -> None:
    """A client that polls alerts by createdAt would not be caught."""
    for record in make(Records(1), "alert", 200):
        info = record["alertInfo"]
        assert 100 <= ms(info["reportedAt"]) - ms(info["createdAt"]) <= 300


def test_fraction_digits_vary() -> None:
    """A client that expects six digits would not be caught."""
    records = Records(1)
    stamps = [records.activity(coarsened(NOON, records.rng))["createdAt"] for _ in range(1000)]
    digits = [len(stamp.partition(".")[2].rstrip("Z")) for stamp in stamps]
    assert set(digits) == {0, 3, 6}
    assert digits.count(6) > 800


@pytest.mark.parametrize("shape", ["activity", "agent", "alert", "group", "threat"])
def test_non_ascii(shape: str) -> None:
    """Nobody would notice a client that garbles names."""
    found = [text for record in make(Records(1), shape, 300) for text in texts(record)]
    assert any(not text.isascii() for text in found)


def test_integers_beyond_a_double() -> None:
    """Nobody would notice a client that rounds big integers."""
    values = [v for r in make(Records(1), "activity", 300) for v in r["data"].values()]
    assert any(type(v) is int and v > 2**53 and int(float(v)) != v for v in values)


@pytest.mark.parametrize("kind", [int(kind) for kind in golden("activities").kinds])
def test_every_activity_type(kind: int) -> None:
    """A type asked for would come out as another or without its text."""
    record = Records(1).activity(NOON, kind)
    assert record["activityType"] == kind
    assert record["primaryDescription"]
    assert record["data"]["accountName"] == record["accountName"]


def test_rule_hits_can_be_parsed() -> None:
    """Hunting queries read rule, host and process out of this sentence."""
    sentence = Records(1).activity(NOON, 3608)["primaryDescription"]
    assert re.search(r"Alert created for\s+(.*?)\sfrom Custom", sentence)
    assert re.search(r"Custom Rule:\s(.*?)\sin Group", sentence)
    assert re.search(r"detected on\s(\S+)\.", sentence)


def test_log_ins_name_user_and_address() -> None:
    """Queries on console log-ins read both."""
    record = Records(1).activity(NOON, 27)
    assert record["data"]["username"] in record["primaryDescription"]
    assert re.search(r"Address\s\d+\.\d+\.\d+\.\d+\.", record["primaryDescription"])


def test_threats_are_of_known_agents() -> None:
    """Joins between the tables would come out empty."""
    records = Records(1)
    agents = {agent["id"]: agent["computerName"] for agent in make(records, "agent", 5)}
    for threat in make(records, "threat", 20):
        info = threat["agentRealtimeInfo"]
        assert agents[info["agentId"]] == info["agentComputerName"]


def test_groups_hold_a_secret() -> None:
    """Redaction would have nothing to redact."""
    assert all(len(record["registrationToken"]) > 40 for record in make(Records(1), "group", 20))
