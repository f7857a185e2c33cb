"""What a listener of the real Vector answers, and when."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from doubles import azure_faults as faults
from doubles.azure import Azure
from shippers.vector_run import PASSWORD, USER, Vector, adapted, command
from support.waiting import until

NOW = datetime.now(UTC).isoformat()
TABLE = "SentinelOneGroups_CL"
ROW = {"_table": TABLE, "TimeGenerated": NOW, "Id": "7", "Name": "Größe 🗂"}


@pytest.fixture
def vector(azure: Azure, tmp_path: Path) -> Iterator[Vector]:
    """A Vector that listens."""
    document = adapted("http", tmp_path, azure, tmp_path)
    with Vector(command("vector"), document, tmp_path, azure) as vector:
        yield vector


def post(vector: Vector, *rows: Any, **how: Any) -> requests.Response:
    """A batch, as the source sends one."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    request: dict[str, Any] = {"data": gzip.compress(lines), "headers": headers, "timeout": 100}
    return requests.post(vector.url + "sentinelone.groups.1f", **{**request, **how})


def test_accepted_when_azure_has_it(azure: Azure, vector: Vector) -> None:
    """A batch is acknowledged only once Azure has it."""
    azure.faults.add(faults.hang(f"Custom-{TABLE}", 600))
    answers: list[int] = []
    sender = threading.Thread(target=lambda: answers.append(post(vector, ROW, ROW).status_code))
    sender.start()
    until(lambda: not azure.faults._queues[f"Custom-{TABLE}"], "a request that hangs")
    assert answers == []
    azure.plain.stop()  # ends the silence; what was sent into it must be sent again
    azure.plain.start()
    sender.join(60)
    assert answers == [200]
    assert len(azure.rows[TABLE]) == 2
    assert azure.rows[TABLE][0] == {k: v for k, v in ROW.items() if k != "_table"}


@pytest.mark.parametrize("path", ["", "a", "sentinelone.threats.0123", "a/b/c"])
def test_every_path(azure: Azure, vector: Vector, path: str) -> None:
    """A batch is taken at any path."""
    answer = requests.post(vector.url + path, json.dumps(ROW).encode(), timeout=100)
    assert answer.status_code == 200
    until(lambda: len(azure.rows[TABLE]) == 1, "the row")


@pytest.mark.parametrize("status", [400, 413])
def test_refused_by_azure(azure: Azure, vector: Vector, status: int) -> None:
    """A batch that Azure refuses gets 400, after one try."""
    azure.faults.add(faults.refuse(f"Custom-{TABLE}", status, times=1))
    answer = post(vector, ROW)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Contents failed to deliver to sink"
    assert len([one for one in azure.requests if one.stream == f"Custom-{TABLE}"]) == 1


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b'{"_table":"SentinelOneGroups_CL"}\n{"broken', "identity", 400),
        (b"7\n", "identity", 400),
        (b"not gzip", "gzip", 422),
        (b"{}", "compress", 415),
        (b"", "identity", 200),
        (b"\n\n", "identity", 200),
    ],
)
def test_bodies(azure: Azure, vector: Vector, body: bytes, encoding: str, status: int) -> None:
    """A body that cannot be read is refused whole; an empty one is taken."""
    answer = post(vector, data=body, headers={"Content-Encoding": encoding})
    assert answer.status_code == status
    assert len(azure.rows[TABLE]) == 0


def test_get_is_no_batch(vector: Vector) -> None:
    """A GET is refused."""
    assert requests.get(vector.url, timeout=10).status_code in (404, 405)


def test_password(azure: Azure, vector: Vector) -> None:
    """A listener with a password takes a batch only with it."""
    vector.kill()
    vector.document["sources"]["sentinelone"]["auth"] = {
        "strategy": "basic",
        "username": USER,
        "password": "SECRET[azure.listener]",
    }
    vector.start()
    assert post(vector, ROW).status_code == 401
    assert post(vector, ROW, auth=(USER, "other")).status_code == 401
    assert post(vector, ROW, auth=(USER, PASSWORD)).status_code == 200
    assert len(azure.rows[TABLE]) == 1


def test_stopping_answers_what_is_under_way(azure: Azure, vector: Vector) -> None:
    """A Vector that is stopped acknowledges a batch under way only if Azure has it."""
    azure.faults.add(faults.refuse(f"Custom-{TABLE}", 503, times=1))
    answers: list[int] = []

    def send() -> None:
        try:
            answers.append(post(vector, ROW).status_code)
        except requests.RequestException:
            answers.append(0)

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: azure.requests, "a first try")
    assert vector.stop() == 0
    sender.join(60)
    assert answers != [200] or len(azure.rows[TABLE]) == 1
