"""What becomes of rows."""

from __future__ import annotations

import gzip
import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.dce.conftest import STREAM, TABLE, Client, row
from doubles.azure import Azure
from sentinelone_source.demo.bodies import MAX_PLAIN, MAX_WIRE
from sentinelone_source.demo.dce.schema_check import Stream, built_in_streams, streams_of
from sentinelone_source.mapping.files import load_mappings


def refusal(answer: Any) -> tuple[int, str]:
    """Status and code of an error."""
    code = answer.json()["error"]["code"]
    assert answer.headers["x-ms-error-code"] == code
    return answer.status_code, code


def test_rows_are_kept(client: Client) -> None:
    """Rows cannot be compared with what was sent, value by value."""
    sent = [
        row(ThreatName="Zürich 🦆 \x00 \u2028", ThreatInfo={"a": [1, None, {"b": 2**64 - 1}]}),
        row(ThreatName="", ThreatInfo={"n": -(2**63), "r": 0.1, "big": 10**25}),
    ]
    assert client.send(sent).status_code == 204
    assert client.azure.rows[TABLE] == sent
    assert [list(row) for row in client.azure.rows[TABLE]] == [list(row) for row in sent]
    assert client.azure.rows[TABLE][1] == sent[1]
    assert client.azure.rows[TABLE][:1] == sent[:1]
    assert not client.azure.rows["SentinelOneAgents_CL"]


def test_streams_are_the_mappings() -> None:
    """A column of a mapping is undeclared here, or of another type."""
    streams = {stream.name: stream for stream in built_in_streams()}
    for mapping in load_mappings().values():
        stream = streams[mapping.stream]
        assert stream.table == mapping.table
        assert list(stream.columns) == [column.name for column in mapping.columns]
        for column in mapping.columns:
            kind = "string" if column.type == "json" else column.type
            assert stream.columns[column.name] == kind
    assert len(streams) == 5


def test_streams_of_a_users_mapping(tmp_path: Any) -> None:
    """A user's own column is dropped."""
    (tmp_path / "mine.toml").write_text(f'table = "{TABLE}"\n[columns]\nSha1 = "$.sha1"\n')
    [stream] = [s for s in streams_of(load_mappings(tmp_path).values()) if s.table == TABLE]
    assert stream.columns["Sha1"] == "string"


def test_answer(client: Client) -> None:
    """204 looks different from Azure's."""
    answer = client.send([])
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers
    assert "Content-Type" not in answer.headers


def test_other_rules_and_streams(client: Client) -> None:
    """A wrong id or stream goes unnoticed."""
    assert refusal(client.send([], client.url(dcr_id="dcr-0"))) == (404, "NotFound")
    assert refusal(client.send([], client.url("Custom-Threats_CL"))) == (404, "NotFound")
    versionless = client.url().partition("?")[0]
    assert refusal(client.send([], versionless)) == (400, "MissingApiVersionParameter")


def test_role(client: Client) -> None:
    """A missing role, or one that does not reach everywhere yet, cannot be played."""
    client.azure.behaviour.has_role = False
    assert refusal(client.send([row()])) == (403, "OperationFailed")
    client.azure.behaviour.has_role = True
    assert client.send([row()]).status_code == 204


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"{}{}", b"[NaN]", b'["\xff"]', b"[" * 100_000, b'[{"a":1}]x', b"\xef\xbb\xbf[]"],
)
def test_malformed(client: Client, body: bytes) -> None:
    """What is no JSON is taken."""
    assert client.send(body).status_code == 400
    assert client.send([row()]).status_code == 204


@pytest.mark.parametrize("body", [{"ThreatName": "a"}, 7, "text", None])
def test_an_object_is_lost(client: Client, body: Any) -> None:
    """A sender that forgets the array is not caught."""
    assert client.send(body).status_code == 204
    assert client.azure.losses.single_objects == {STREAM: 1}
    assert not client.azure.rows[TABLE]


def test_elements_that_are_no_objects(client: Client) -> None:
    """Elements that are no rows go unnoticed, or take the rows beside them along."""
    good = row()
    assert client.send([1, good, "x", [good], None]).status_code == 204
    assert client.azure.rows[TABLE] == [good]
    assert client.azure.losses.elements_not_objects == {STREAM: 4}


def test_undeclared_columns(client: Client) -> None:
    """A column that Azure drops in silence is not seen; the shipper's own additions are such."""
    client.send([row(**{"_table": TABLE, "@timestamp": 1}), row(_table=TABLE)])
    assert client.azure.losses.undeclared_columns == {
        f"{TABLE}._table": 2,
        f"{TABLE}.@timestamp": 1,
    }
    assert [set(row) for row in client.azure.rows[TABLE]] == [{"TimeGenerated"}] * 2


@pytest.mark.parametrize("text", ["a" * 65_537, "é" * 40_000, "🦆" * 17_000])
def test_long_values(client: Client, text: str) -> None:
    """A value that Azure cuts in silence stays whole."""
    client.send([row(ThreatName=text), row(ThreatName=text[:16_000])])
    first, second = client.azure.rows[TABLE]
    assert text.startswith(first["ThreatName"])
    assert 65_533 <= len(first["ThreatName"].encode()) <= 65_536
    assert second["ThreatName"] == text[:16_000]
    assert client.azure.losses.truncated_values == {f"{TABLE}.ThreatName": 1}


def test_long_values_with_structure(client: Client) -> None:
    """A long dynamic value stays whole."""
    client.send([row(ThreatInfo={"a": ["x" * 70_000]}), row(ThreatInfo={"a": ["x" * 60_000]})])
    assert isinstance(client.azure.rows[TABLE][0]["ThreatInfo"], str)
    assert isinstance(client.azure.rows[TABLE][1]["ThreatInfo"], dict)
    assert client.azure.losses.truncated_values == {f"{TABLE}.ThreatInfo": 1}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", "x", 7),
        ("guid", "x", 7),
        ("datetime", "2026-01-01", 1.5),
        ("int", 3, 3.5),
        ("long", 2**63, "3"),
        ("long", 3.0, True),
        ("real", 3.5, True),
        ("real", 3, "3"),
        ("boolean", True, "true"),
        ("boolean", False, 0),
    ],
)
def test_types(kind: str, good: Any, bad: Any) -> None:
    """A value of another type than its column's goes unnoticed, or a right one is complained of."""
    things = Stream("Custom-Things_CL", "Things_CL", {"Thing": kind, "Any": "dynamic"})
    with Azure([things], listen_tls=None) as azure:
        client = Client(azure)
        with client.session:
            client.authorize()
            sent = [{"Thing": good, "Any": bad}, {"Thing": None}, {"Thing": bad, "Any": good}]
            client.send(sent, client.url(things.name))
        assert azure.rows["Things_CL"] == sent
        assert azure.losses.values_of_another_type == {"Things_CL.Thing": 1}


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


@pytest.mark.parametrize("original", [3, -2, "yesterday", 1.5, None])
@pytest.mark.parametrize("keep", [False, True])
def test_times_are_replaced(client: Client, original: Any, keep: bool) -> None:
    """Old rows keep a time here that they lose in Azure."""
    client.azure.behaviour.keep_times = keep
    sent = ago(original) if isinstance(original, int) else original
    client.send([{"TimeGenerated": sent}])
    assert client.azure.losses.times_replaced == {TABLE: 1}
    [kept] = client.azure.rows[TABLE]
    if keep:
        assert kept == {"TimeGenerated": sent}
    else:
        at = datetime.fromisoformat(kept["TimeGenerated"])
        assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)


@pytest.mark.parametrize("days", [1.9, 0, -0.9])
@pytest.mark.parametrize("zone", ["+00:00", "Z", ""])
def test_times_stay(client: Client, days: float, zone: str) -> None:
    """A good time is replaced."""
    original = ago(days).removesuffix("+00:00") + zone
    client.send([{"TimeGenerated": original}])
    assert client.azure.rows[TABLE] == [{"TimeGenerated": original}]
    assert not client.azure.losses.times_replaced


def test_a_row_without_a_time_gets_one(client: Client) -> None:
    """A row is shown without the column that every table has."""
    client.send([{"ThreatName": "x"}])
    assert client.azure.losses.times_replaced == {TABLE: 1}
    assert client.azure.rows[TABLE][0]["TimeGenerated"]


def padded(size: int) -> bytes:
    """A JSON array of so many bytes, with one row."""
    encoded = json.dumps([row()]).encode()
    return encoded + b" " * (size - len(encoded))


def test_limit_on_the_wire(client: Client) -> None:
    """A body that Azure's gateway refuses is taken, or one that just fits is not."""
    assert client.send(padded(MAX_WIRE)).status_code == 204
    answer = client.send(padded(MAX_WIRE + 1))
    assert refusal(answer) == (413, "ContentLengthLimitExceeded")
    assert "Provided content length: 1048577 bytes" in answer.json()["error"]["message"]
    assert len(client.azure.rows[TABLE]) == 1
    assert [request.wire for request in client.azure.requests] == [MAX_WIRE, MAX_WIRE + 1]


def packed(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)


def test_gzip(client: Client) -> None:
    """Compressed rows are not taken, or their two sizes are confused."""
    body = padded(3 * MAX_WIRE)
    assert client.send(packed(body), **{"Content-Encoding": "gzip"}).status_code == 204
    [request] = client.azure.requests
    assert (request.plain, request.wire) == (len(body), len(packed(body)))
    assert (request.encoding, request.rows) == ("gzip", 1)


def test_gzip_of_several_members(client: Client) -> None:
    """A gzip stream of several members loses all but the first."""
    body = json.dumps([row(), row()]).encode()
    wire = packed(body[:9]) + packed(body[9:])
    assert client.send(wire, **{"Content-Encoding": "gzip"}).status_code == 204
    assert len(client.azure.rows[TABLE]) == 2


def test_limit_once_decompressed(client: Client) -> None:
    """A body that bursts behind the gateway is taken."""
    gzipped = {"Content-Encoding": "gzip"}
    assert client.send(packed(padded(MAX_PLAIN)), **gzipped).status_code == 204
    answer = client.send(packed(padded(MAX_PLAIN + 1)), **gzipped)
    assert refusal(answer) == (413, "PayloadSizeLimitExceeded")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"[]", "gzip"),
        (packed(b"[]" * 100)[:-9], "gzip"),
        (b"[]", "br"),
        (packed(b"[]") + b"x", "gzip"),
    ],
)
def test_broken_encoding(client: Client, body: bytes, encoding: str) -> None:
    """A body that is not what it says is taken."""
    answer = client.send(body, **{"Content-Encoding": encoding})
    assert refusal(answer) == (400, "InvalidContent")


def test_chunked(client: Client) -> None:
    """A body without a length, as some clients send it, is not understood or not limited."""
    sent = [row(ThreatName="a"), row(ThreatName="b")]
    body = json.dumps(sent).encode()
    assert client.send(iter([body[:5], body[5:]])).status_code == 204
    assert client.azure.rows[TABLE] == sent
    assert client.azure.requests[0].wire == len(body)
    answer = client.send(iter([b" " * 65_536] * 17))
    assert refusal(answer) == (413, "ContentLengthLimitExceeded")


def spoken(client: Client, target: str, rest: str) -> bytes:
    """The answer to a request line and the rest, over a socket of its own."""
    door = client.azure.plain
    with socket.create_connection((door.host, door.port), 5) as connection:
        token = client.session.headers["Authorization"]
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {token!s}\r\n"
        connection.sendall(f"{head}{rest}".encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_absolute_form(client: Client) -> None:
    """Fluent Bit, which names scheme and host in the request line, gets 404."""
    target = client.url().replace(client.azure.plain.url, "https://dce.example")
    answer = spoken(client, target, "Content-Length: 2\r\n\r\n[]")
    assert answer.startswith(b"HTTP/1.1 204 ")
    [request] = client.azure.requests
    assert request.absolute
    assert request.stream == STREAM


@pytest.mark.parametrize(
    "rest",
    [
        "Content-Length: x\r\n\r\n[]",
        "Transfer-Encoding: chunked\r\n\r\nx\r\n[]\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-2\r\n[]\r\n0\r\n\r\n",
    ],
)
def test_broken_framing(client: Client, rest: str) -> None:
    """A body that cannot be told from the next request keeps a thread for ever."""
    path = client.url().removeprefix(client.azure.plain.url)
    assert spoken(client, path, rest).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "rest",
    [
        "Content-Length: 9\r\n\r\n[{}]",
        "Transfer-Encoding: chunked\r\n\r\n9\r\n[{}]",
        "Transfer-Encoding: chunked\r\n\r\n4\r\n[{}]\r\n",
    ],
)
def test_half_a_body(client: Client, rest: str) -> None:
    """What a killed sender has sent of a body is taken for the whole."""
    path = client.url().removeprefix(client.azure.plain.url)
    assert spoken(client, path, rest) == b""
    assert not client.azure.rows[TABLE]
    assert not client.azure.requests


def test_requests_are_remembered(client: Client) -> None:
    """Tests cannot see what a shipper sent."""
    client.send([row()], client.url(version="2021-11-01-preview"), **{"User-Agent": "shipper/1"})
    client.send([row()], client.url("Custom-None"))
    good, bad = client.azure.requests
    assert (good.stream, good.status, good.rows) == (STREAM, 204, 1)
    assert (good.api_version, good.user_agent) == ("2021-11-01-preview", "shipper/1")
    assert good.wire == good.plain
    assert not good.absolute
    assert (bad.stream, bad.status, bad.rows) == ("Custom-None", 404, 0)
    assert good.time <= bad.time
