"""What Fluent Bit's `in_http` takes, refuses and loses: what the source may send to it."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from shippers.program import ShipperProgram, free_port
from support.waiting import until

CONFIG = """
service:
  flush: 0.1
  grace: 1
  storage.path: storage
  json.escape_unicode: false
pipeline:
  inputs:
    - name: http
      listen: 127.0.0.1
      port: {port}
      storage.type: filesystem
  outputs:
    - name: file
      match: '*'
      path: rows
      format: plain
      mkdir: true
"""
GOOD = b'{"n":1}\n{"n":2}\n'
ZIPPED = gzip.compress(GOOD)
ONE, TWO, THREE = {"n": 1}, {"n": 2}, {"n": 3}


def ids(value: object) -> str | None:
    """Cases go by their names."""
    return value if isinstance(value, str) and value.isidentifier() else ""


class Listener:
    """Fluent Bit, which writes a file for each tag."""

    def __init__(self, program: str, folder: Path) -> None:
        port = free_port()
        config = folder / "fluent-bit.yaml"
        config.write_text(CONFIG.format(port=port))
        self.url = f"http://127.0.0.1:{port}/"
        self.shipper = ShipperProgram([program, "--config", str(config)], folder, {}, port)
        self.folder = folder / "rows"
        self.posts = 0

    def rows(self, tag: str) -> list[dict[str, Any]]:
        """The rows of a tag, once everything that was posted before has been written."""
        self.posts += 1
        mark = f"mark{self.posts}"
        assert post(self, mark, b'{"n":0}').status_code == 201
        until((self.folder / mark).exists)
        path = self.folder / tag
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory, fluent_bit: str) -> Iterator[Listener]:
    """One for all tests."""
    listener = Listener(fluent_bit, tmp_path_factory.mktemp("fluent-bit"))
    with listener.shipper:
        yield listener


def post(listener: Listener, path: str, body: bytes, **headers: str) -> requests.Response:
    """A request with a connection of its own."""
    sent = {"Content-Type": "application/json", "Connection": "close"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(listener.url + path, body, headers=sent, timeout=30)


def nested(depth: int) -> bytes:
    """A row of so many objects, one in another."""
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("name", "body", "status", "rows"),
    [
        ("lines", GOOD, 201, [ONE, TWO]),
        ("array", b'[{"n":1},{"n":2}]', 201, [ONE, TWO]),
        ("empty", b"", 400, []),
        ("damaged", b'{"n":1}\n{"n":x}\n{"n":3}\n', 400, []),
        ("broken_off", GOOD + b'{"n":', 201, [ONE, TWO]),
        ("scalar", b'{"n":1}\n5\n{"n":3}\n', 400, [ONE]),
        ("element_no_object", b'[{"n":1},5,{"n":3}]', 201, [ONE]),
        ("deep", b'{"n":1}\n' + nested(63) + b"\n", 201, [ONE, json.loads(nested(63))]),
        ("too_deep", b'{"n":1}\n' + nested(64) + b'\n{"n":3}\n', 201, [ONE]),
        ("big", b'{"n":18446744073709551615}', 201, [{"n": 2**64 - 1}]),
        ("text", '{"n":"ü😀\\u0000\\u2028"}'.encode(), 201, [{"n": "ü😀\0\u2028"}]),
    ],
    ids=ids,
)
def test_bodies(
    listener: Listener, name: str, body: bytes, status: int, rows: list[dict[str, Any]]
) -> None:
    """Bodies are taken, refused or stored in part as docs/how-to/fluent-bit.md says."""
    assert post(listener, name, body).status_code == status
    assert listener.rows(name) == rows


def test_answers_are_empty(listener: Listener) -> None:
    """A batch that is taken is answered with 201 and no body."""
    answer = post(listener, "answer", GOOD)
    assert (answer.status_code, answer.content) == (201, b"")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("Application/JSON; charset=utf-8", 201),
        ("application/x-ndjson", 400),
        ("text/plain", 400),
    ],
)
def test_content_types(listener: Listener, kind: str, status: int) -> None:
    """Batches are taken as application/json only."""
    assert post(listener, "kinds", GOOD, Content_Type=kind).status_code == status


def test_a_refused_type_is_answered_twice(listener: Listener) -> None:
    """A request with a refused type gets two answers of 400."""
    with socket.create_connection(("127.0.0.1", int(listener.url.split(":")[2][:-1]))) as client:
        head = b"POST /twice HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        client.sendall(head + b"Content-Length: 16\r\n\r\n" + GOOD)
        client.settimeout(30)
        answers = b""
        while answers.count(b"HTTP/1.1 400 Bad Request") < 2:
            answers += client.recv(4096)


@pytest.mark.parametrize(
    ("name", "body", "encoding", "status"),
    [
        ("gzip", ZIPPED, "gzip", 201),
        ("gzip_cut", ZIPPED[:-6], "gzip", 400),
        ("gzip_unmarked", ZIPPED, "identity", 400),
        ("plain_marked", GOOD, "gzip", 201),
        ("gzip_twice", ZIPPED * 2, "gzip", 201),
        ("gzip_then_more", ZIPPED + gzip.compress(b'{"n":3}'), "gzip", 400),
    ],
    ids=ids,
)
def test_gzip(listener: Listener, name: str, body: bytes, encoding: str, status: int) -> None:
    """A compressed batch is stored whole, or refused where it is damaged."""
    assert post(listener, name, body, Content_Encoding=encoding).status_code == status
    assert listener.rows(name) == ([ONE, TWO] if status == 201 else [])


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("sentinelone.threats.a1_b2", "sentinelone.threats.a1_b2"),
        ("a-b/c%20d?x=1&y", "a_b_c_20d"),
        ("", "http.0"),
    ],
)
def test_the_path_is_the_tag(listener: Listener, path: str, tag: str) -> None:
    """The tag of a batch is its path, with `_` for some characters."""
    assert post(listener, path, GOOD).status_code == 201
    assert listener.rows(tag)[-2:] == [ONE, TWO]


@pytest.mark.parametrize(("size", "status"), [(3_999_000, 201), (4_000_000, 413)])
def test_limit_of_a_body(listener: Listener, size: int, status: int) -> None:
    """A body that exceeds the limit gets 413, and nothing of it is stored."""
    body = b'{"n":"' + b"x" * (size - 8) + b'"}'
    try:
        answer = post(listener, f"size{size}", body).status_code
    except requests.ConnectionError:  # the answer comes before the body has been read
        answer = 413
    assert answer == status
    assert len(listener.rows(f"size{size}")) == (1 if status == 201 else 0)


def test_same_tag_same_chunk(listener: Listener) -> None:
    """Batches under one tag are all stored, in their order."""
    for body in (b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n'):
        assert post(listener, "shared", body).status_code == 201
    assert listener.rows("shared") == [ONE, TWO, THREE]
