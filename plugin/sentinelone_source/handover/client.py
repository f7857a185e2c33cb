"""The shipper's HTTP listener: one batch is one request, and the status says what became of it."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sentinelone_source.config.checks import render_tag
from sentinelone_source.config.defaults import HandoverTable
from sentinelone_source.errors import ConfigError, Declined, Unavailable
from sentinelone_source.http.client import HttpClient
from sentinelone_source.http.connections import trusted
from sentinelone_source.http.retry import retry_after
from sentinelone_source.http.slots import Share, Slots
from sentinelone_source.secret_file import SecretFile
from sentinelone_source.timings import DEFAULTS, Timings
from sentinelone_source.worker_threads import in_thread

if TYPE_CHECKING:
    import requests

_READ, _SHOWN = 1 << 16, 200
"""Bytes of a refusal that are read, and characters of it that are shown."""
_NOT_ABOUT_ROWS = frozenset({401, 403, 404, 405, 407, 408, 429})
"""Of 4xx: about who asks, where and when. All others may be about what is in the body."""
_HINTS = {
    "Connection refused": ": nothing listens there",
    "TLS": "; see ca_file of [handover]",
}


class ShipperClient:
    """An `in_http` of Fluent Bit, an `http_server` of Vector, or what behaves like them.

    An answer may take `longest` seconds, or as long as is sensible. Raises ConfigError if a file
    that the settings name cannot be used.
    """

    def __init__(
        self,
        settings: HandoverTable,
        longest: float | None,
        timings: Timings = DEFAULTS,
        slots: Slots | None = None,
    ) -> None:
        self.url = settings.to.rstrip("/")
        self._tag = settings.tag
        self._user = settings.username
        secret = settings.token_file or settings.password_file
        what = "token file" if settings.token_file else "password file"
        self._secret = SecretFile(Path(secret), f"handover: {what}") if secret else None
        answer = min(longest or timings.shipper_answer, timings.shipper_answer)
        self._http = HttpClient(
            (timings.shipper_connect, answer),
            trust=trusted(settings.ca_file, "handover.ca_file", settings.to),
            proxies={},  # a shipper is on this machine or close: no proxy
        )
        self._http.headers["Content-Type"] = "application/json"
        self._http.headers["Content-Encoding"] = "gzip"
        self._authorization()
        self._slots = slots or Slots(20, shared=True)
        self._shares: dict[str, Share] = {}
        self._slow_after = timings.shipper_slow
        self._slow: set[str] = set()
        self._idle = timings.shipper_idle
        self._sending = 0
        self._closing: asyncio.TimerHandle | None = None

    def tag(self, console: str, mapping: str) -> str:
        """Under which rows are handed over, but for the part that names the batch."""
        return render_tag(self._tag, console, mapping)

    async def send(self, tag: str, body: bytes) -> None:
        """`post` beside the event loop, when there is a slot.

        Rows that a shipper takes its time with leave slots for those with other tags.
        """
        if tag not in self._shares:
            self._shares[tag] = self._slots.share()
        slow = [self._slots.slow] if tag in self._slow else []
        await self._slots.run(partial(self._send, tag, body), self._shares[tag], *slow)

    async def _send(self, tag: str, body: bytes) -> None:
        if self._closing:
            self._closing.cancel()
        self._sending += 1
        began = time.monotonic()
        try:
            await in_thread(self.post, tag, body)
        finally:
            self._sending -= 1
            is_slow = time.monotonic() - began > self._slow_after
            (self._slow.add if is_slow else self._slow.discard)(tag)
            if not self._sending:
                loop = asyncio.get_running_loop()
                self._closing = loop.call_later(self._idle, self._http.close)

    def post(self, tag: str, body: bytes) -> None:
        """Hand a batch over, as gzipped NDJSON, under a tag that no other attempt ever had.

        Fluent Bit makes one chunk of what comes under one tag, and of each chunk one request.

        Raises:
            Declined: 4xx that may be about the rows.
            Unavailable: no answer, or one that is not about the rows.
        """
        path = f"{self.url}/{tag}.{uuid.uuid4().hex}"
        try:
            headers = self._authorization()
            with self._http.answer(self.url, "POST", path, data=body, headers=headers) as answer:
                self._judge(answer, headers.get("Authorization", "").partition(" ")[2])
        except ConfigError as error:  # the secret was readable at start
            raise Unavailable(str(error)) from None
        except Unavailable as error:
            hint = next((hint for words, hint in _HINTS.items() if words in str(error)), "")
            raise Unavailable(f"{error}{hint}", error.retry_after) from None

    def _judge(self, answer: requests.Response, sent: str) -> None:
        status = answer.status_code
        if 200 <= status < 300:
            answer.raw.read(decode_content=False)  # so that the connection can be used again
            return
        said = answer.raw.read(_READ, decode_content=True).decode("utf-8", "replace")
        said = self._without_secret(said, sent)[:_SHOWN]
        words = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        message = f"{self.url}: HTTP {status}{f': {words}' if words else ''}"
        if status in (401, 403):
            message += "; see token_file, username and password_file of [handover]"
        if 400 <= status < 500 and status not in _NOT_ABOUT_ROWS:
            raise Declined(message)
        raise Unavailable(message, retry_after(answer.headers))

    def _without_secret(self, said: str, sent: str) -> str:
        """What an answer says, without the credentials that the request was sent with."""
        password = base64.b64decode(sent).decode().partition(":")[2] if self._user else ""
        for secret in filter(None, (sent, password)):
            said = said.replace(secret, "***")
        return said

    def _authorization(self) -> dict[str, str]:
        if self._secret is None:
            return {}
        secret = self._secret.value()
        if not self._user:
            return {"Authorization": f"Bearer {secret}"}
        both = base64.b64encode(f"{self._user}:{secret}".encode()).decode()
        return {"Authorization": f"Basic {both}"}
