"""What the stand-in for `in_http` does on demand."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import requests

from support.in_http import InHttp, InHttpFault, hang, lost_answer, reset, slow, status
from support.waiting import until

LINE = b'{"n":1}\n'
TAG = "sentinelone.threats"


def send(shipper: InHttp, tag: str = TAG, timeout: float = 30.0, **headers: str) -> int:
    """The status of a request with one row; 0 for none."""
    head = {"Content-Type": "application/json", "Connection": "close", **headers}
    try:
        return requests.post(shipper.url + tag, LINE, headers=head, timeout=timeout).status_code
    except (requests.ConnectionError, requests.Timeout):
        return 0


def test_script() -> None:
    """A scripted fault is met by the tag, the times and the place that it names."""
    script = [status(TAG, 503, times=2, after=1), status("sentinelone.alerts", 400, times=None)]
    with InHttp(script) as shipper:
        assert [send(shipper) for _ in range(4)] == [201, 503, 503, 201]
        assert [send(shipper, "sentinelone.alerts.9") for _ in range(3)] == [400, 400, 400]
        assert len(shipper.stored(TAG)) == 2
        assert not shipper.stored("sentinelone.alerts")
        assert [post.status for post in shipper.posts] == [201, 503, 503, 201, 400, 400, 400]


@pytest.mark.parametrize(
    ("fault", "answer", "stored"),
    [(reset(TAG), 0, 0), (lost_answer(TAG), 0, 1), (slow(TAG, 0.05), 201, 1)],
    ids=["reset", "lost_answer", "slow"],
)
def test_answers_that_do_not_come(fault: InHttpFault, answer: int, stored: int) -> None:
    """After a reset nothing is stored; after a lost or a late answer the batch is."""
    with InHttp([fault]) as shipper:
        assert send(shipper) == answer
        assert len(shipper.stored()) == stored


def test_hanging() -> None:
    """A batch that gets no answer is not stored, and the next one is."""
    with InHttp([hang(TAG)]) as shipper:
        assert send(shipper, timeout=0.2) == 0
        assert send(shipper) == 201
        assert len(shipper.stored()) == 1


def test_paused_and_away() -> None:
    """A shipper that is paused or stopped takes nothing, and comes back at the same address."""
    with InHttp() as shipper:
        shipper.paused = True
        assert send(shipper) == 0
        shipper.paused = False
        assert send(shipper) == 201
        url = shipper.url
        shipper.stop()
        assert send(shipper) == 0
        shipper.start()
        assert shipper.url == url
        assert send(shipper) == 201
        assert len(shipper.stored()) == 2


def test_disk_full() -> None:
    """Without room a batch gets 400; with room again it is stored."""
    with InHttp(room=1) as shipper:
        assert [send(shipper), send(shipper)] == [201, 400]
        shipper.room = None
        assert send(shipper) == 201
        assert len(shipper.stored()) == 2


@pytest.mark.parametrize(
    ("asked", "sent", "answer"),
    [
        ({"token": "t0ken"}, "Bearer t0ken", 201),
        ({"token": "t0ken"}, "Bearer other", 401),
        ({"token": "t0ken"}, "", 401),
        ({"basic": ("user", "word")}, "Basic dXNlcjp3b3Jk", 201),
        ({"basic": ("user", "word")}, "Basic dXNlcjpvdGhlcg==", 401),
    ],
)
def test_authentication(asked: dict[str, Any], sent: str, answer: int) -> None:
    """A batch is stored only with the token or the password that is asked for."""
    with InHttp(**asked) as shipper:
        assert send(shipper, Authorization=sent) == answer
        assert len(shipper.stored()) == (answer == 201)


def test_a_sender_that_dies() -> None:
    """A batch whose sender dies before its end is not stored."""
    with InHttp() as shipper:
        with socket.create_connection(("127.0.0.1", shipper.port)) as client:
            head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            client.sendall(head + b"Content-Length: 999\r\n\r\n" + LINE)
        assert send(shipper) == 201
        until(lambda: len(shipper.posts) == 1)
        assert shipper.stored("x") == []
