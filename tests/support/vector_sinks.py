"""The stand-in for Vector: its sinks, which fail as Vector's do."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Semaphore, Thread
from typing import TYPE_CHECKING, Any, Final

import msgspec
import requests

if TYPE_CHECKING:
    from support.vector_events import Item, Row

_VALUE: Final = 56
"""Bytes in Vector's memory of an empty value and its key."""
_TRANSIENT: Final = {408, 429, 500, 502, 503, 504}
_TOKEN_RETRIES: Final = 8
"""Of Azure's client inside the sink, 0.4 to 30 seconds apart: 80 seconds in all."""
_EARLY: Final = 300
"""Seconds before its end that a token is no longer used."""


class NoToken(Exception):
    """No token: Vector drops the request at once, whatever its retry strategy."""


class ManagedIdentity:
    """A managed identity as in App Service, found through the environment."""

    def __init__(self, scope: str) -> None:
        self._resource = scope.removesuffix("/.default")
        self._lock = Lock()
        self._token, self._expires = "", 0.0

    def token(self, end: float) -> str:
        """A token that is good for a while.

        Raises:
            NoToken: there is none.
            TimeoutError: there was none until the end of the request's time.
        """
        with self._lock:
            if time.time() + _EARLY >= self._expires:
                self._token, self._expires = self._insist(end)
            return self._token

    def _insist(self, end: float) -> tuple[str, float]:
        pause = 0.4
        for _ in range(_TOKEN_RETRIES):
            with contextlib.suppress(requests.RequestException):
                return self._ask()
            time.sleep(max(0.0, min(pause, end - time.time())))
            if time.time() >= end:
                raise TimeoutError
            pause = min(2 * pause, 30.0)
        raise NoToken("retry policy expired")

    def _ask(self) -> tuple[str, float]:
        answer = requests.get(
            os.environ["IDENTITY_ENDPOINT"],
            {"api-version": "2019-08-01", "resource": self._resource},
            headers={"x-identity-header": os.environ["IDENTITY_HEADER"], "metadata": "true"},
            timeout=10,
        )
        if answer.status_code in _TRANSIENT:
            answer.raise_for_status()
        if answer.status_code != 200:
            raise NoToken(f"HTTP {answer.status_code}")
        issued = answer.json()
        if not isinstance(issued["expires_on"], str) or not {"token_type", "resource"} <= set(
            issued
        ):
            raise NoToken("not an answer of App Service")
        return issued["access_token"], float(issued["expires_on"])


class AzureSink:
    """`azure_logs_ingestion` with a memory buffer."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._request = config["request"]
        rule = f"{config['endpoint']}/dataCollectionRules/{config['dcr_immutable_id']}"
        self._url = f"{rule}/streams/{config['stream_name']}?api-version=2023-01-01"
        self._identity = ManagedIdentity("https://monitor.azure.com/.default")
        self._buffer: Queue[Item] = Queue(config["buffer"].get("max_events", 500))
        at_once = int(self._request.get("concurrency", 1))
        self._senders, self._free = ThreadPoolExecutor(at_once), Semaphore(at_once)
        self._pending, self._lock = 0, Lock()
        Thread(target=self._run, daemon=True).start()

    def __call__(self, item: Item) -> None:
        """Take an event; waits while the buffer is full."""
        with self._lock:
            self._pending += 1
        self._buffer.put(item)

    @property
    def is_idle(self) -> bool:
        """Whether every event that was taken has come to its end."""
        return not self._pending

    def _run(self) -> None:
        batch, limit = self._config["batch"], self._config["batch"]["max_bytes"]
        waiting: list[Item] = []
        size, end = 0, 0.0
        while True:
            try:
                item = self._buffer.get(timeout=max(0.0, end - time.time()) if waiting else None)
            except Empty:
                self._flush(waiting)
                waiting, size = [], 0
                continue
            more = _size(item[0])
            if waiting and size + more > limit:
                self._flush(waiting)
                waiting, size = [], 0
            end = end if waiting else time.time() + batch["timeout_secs"]
            waiting.append(item)
            size += more

    def _flush(self, items: list[Item]) -> None:
        self._free.acquire()
        self._senders.submit(self._deliver, items)

    def _deliver(self, items: list[Item]) -> None:
        try:
            delivered = self._insist(msgspec.json.encode([self._encoded(row) for row, _ in items]))
        finally:
            self._free.release()
        for _, batch in items:
            if batch:
                batch.ended(delivered=delivered)
        with self._lock:
            self._pending -= len(items)

    def _encoded(self, row: Row) -> Row:
        gone = {*self._config["encoding"]["except_fields"], "timestamp"}
        stamped = {**row, self._config["timestamp_field"]: "2026-01-01T00:00:00.000000Z"}
        return {name: stamped[name] for name in sorted(stamped) if name not in gone}

    def _insist(self, body: bytes) -> bool:
        pause, following = float(self._request["retry_initial_backoff_secs"]), 1.0
        for left in range(self._request.get("retry_attempts", sys.maxsize), -1, -1):
            try:
                status = self._post(body)
            except NoToken as error:
                _say(f"Unexpected error type; dropping the request. {error}")
                return False
            if 200 <= status < 300:
                return True
            if status and status not in self._config["retry_strategy"]["status_codes"]:
                _say(f"Not retriable; dropping the request. {status}")
                return False
            if left:
                longest = self._request["retry_max_duration_secs"]
                time.sleep(random.uniform(0, min(pause, longest)))
                pause, following = following, pause + following
        _say("retries exhausted; dropping the request.")
        return False

    def _post(self, body: bytes) -> int:
        """The status; 0 for none."""
        seconds = self._request["timeout_secs"]
        try:
            token = self._identity.token(time.time() + seconds)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            return requests.post(self._url, body, headers=headers, timeout=seconds).status_code
        except (requests.RequestException, TimeoutError):
            return 0


class LineSink:
    """`file` and `console`: an event a line."""

    is_idle = True

    def __init__(self, config: dict[str, Any]) -> None:
        self._path = Path(config["path"]) if config["type"] == "file" else None
        self._gone = set(config["encoding"]["except_fields"])
        self._lock = Lock()

    def __call__(self, item: Item) -> None:
        """Write an event."""
        row, batch = item
        line = msgspec.json.encode({k: v for k, v in row.items() if k not in self._gone}) + b"\n"
        with self._lock:
            if self._path:
                with self._path.open("ab") as file:
                    file.write(line)
            else:
                sys.stderr.buffer.write(line)
                sys.stderr.buffer.flush()
        if batch:
            batch.ended(delivered=True)


def _size(row: Row) -> int:
    return sum(
        _VALUE
        + len(name)
        + (len(value) if isinstance(value, str) else len(msgspec.json.encode(value)))
        for name, value in row.items()
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - Vector's log
