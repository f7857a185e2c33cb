"""The shipper's HTTP listener: one request, one word about it."""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from pathlib import Path

import requests
import urllib3.exceptions

from sentinelone_source import __version__
from sentinelone_source.certificates import trusted
from sentinelone_source.config import Handover
from sentinelone_source.errors import ConfigError, Declined, Unavailable
from sentinelone_source.secrets_on_disk import SecretFile
from sentinelone_source.threads import in_thread

_CONNECT = 10.0
_ANSWER = 600.0
"""Seconds: Vector answers when Azure has taken the rows, and that after tries of its own."""
_IDLE = 2.0
"""Seconds: Fluent Bit logs an error for each connection that is idle for 10."""
_SHOWN = 200
_NOT_ABOUT_ROWS = frozenset({401, 403, 404, 405, 407, 408, 429})
"""Of 4xx: about who asks, where and when. All others may be about what is in the body."""
_NO_TAG = re.compile(r"[^A-Za-z0-9_]")


class Listener:
    """An `in_http` of Fluent Bit, an `http_server` of Vector, or what behaves like them.

    Args:
        settings: its address, and what it wants to see.
        longest: seconds to wait for an answer at most; None for as long as is sensible.
        idle: seconds until connections that nobody uses are closed.

    Raises:
        ConfigError: a file that is named cannot be used.
    """

    def __init__(self, settings: Handover, longest: float | None, idle: float = _IDLE) -> None:
        self._idle = idle
        self._sending = 0
        self._closing: asyncio.TimerHandle | None = None
        self.url = settings.to.rstrip("/")
        self._timeout = (_CONNECT, min(longest or _ANSWER, _ANSWER))
        self._user = settings.username
        secret = settings.token_file or settings.password_file
        what = "token file" if settings.token_file else "password file"
        self._secret = SecretFile(Path(secret), f"handover: {what}") if secret else None
        self._verify = trusted(settings.ca_file, "handover.ca_file")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between us and a shipper
        self._session.headers.update(
            {
                "Content-Type": "application/json",
                "Content-Encoding": "gzip",
                "User-Agent": f"sentinelone-source/{__version__}",
            }
        )
        self._authorization()

    async def send(self, mapping: str, body: bytes) -> None:
        """`post` beside the event loop; afterwards connections do not stay open for long."""
        if self._closing:
            self._closing.cancel()
        self._sending += 1
        try:
            await in_thread(self.post, mapping, body)
        finally:
            self._sending -= 1
            if not self._sending:
                loop = asyncio.get_running_loop()
                self._closing = loop.call_later(self._idle, self._session.close)

    def post(self, mapping: str, body: bytes) -> None:
        """Hand a batch over, under a tag that no other attempt ever had.

        Fluent Bit makes one chunk of what comes under one tag, and of each chunk one request.

        Args:
            mapping: whose rows they are.
            body: NDJSON, gzipped.

        Raises:
            Declined: 4xx that may be about the rows.
            Unavailable: no answer, or one that is not about the rows.
        """
        tag = f"sentinelone.{_NO_TAG.sub('_', mapping)}.{uuid.uuid4().hex}"
        try:
            with self._session.post(
                f"{self.url}/{tag}",
                data=body,
                headers=self._authorization(),
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                self._judge(response)
        except ConfigError as error:  # the secret was there when we started
            raise Unavailable(str(error)) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{self.url}: {_reason(error)}") from None

    def _judge(self, response: requests.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            response.raw.read(decode_content=False)  # so that the connection can be used again
            return
        said = response.raw.read(_SHOWN, decode_content=True).decode("utf-8", "replace")
        words = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        message = f"{self.url}: HTTP {status}{f': {words}' if words else ''}"
        if status in (401, 403):
            message += "; see token_file, username and password_file of [handover]"
        if 400 <= status < 500 and status not in _NOT_ABOUT_ROWS:
            raise Declined(message)
        after = response.headers.get("Retry-After", "")
        raise Unavailable(message, float(after) if after.isdecimal() else None)

    def _authorization(self) -> dict[str, str]:
        if self._secret is None:
            return {}
        secret = self._secret.value()
        if not self._user:
            return {"Authorization": f"Bearer {secret}"}
        both = base64.b64encode(f"{self._user}:{secret}".encode()).decode()
        return {"Authorization": f"Basic {both}"}


def _reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS: its certificate is not trusted; see handover.ca_file"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {_CONNECT:.0f} seconds"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    text = str(error)
    if "refused" in text:
        return "connection refused: nobody listens there"
    return "the connection broke off" if "reset" in text or "abort" in text else "no connection"
