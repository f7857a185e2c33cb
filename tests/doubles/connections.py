"""Connections that are held, reset or cut off."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Final, Literal

from sentinelone_source.demo.http_server import Answer, Call

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Raw(Answer):
    """An answer whose body goes out as it is, whatever encoding the client accepts."""


@dataclass(frozen=True)
class Ended(Raw):
    """An answer after which the connection ends; with status 0 there is none."""

    ending: Literal["close", "reset"] = "close"

    def send(self, handler: BaseHTTPRequestHandler, headers: Mapping[str, str]) -> None:
        """Write it, and end the connection."""
        handler.close_connection = True
        if self.status:
            super().send(handler, headers)
        if self.ending == "reset":
            reset(handler.connection)


def reset(connection: socket.socket) -> None:
    """End a connection with a RST, once nothing reads or writes it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    connection.close()


def hold(call: Call, seconds: float) -> bool:
    """Stay silent; says whether the client still waits, and the server has not been stopped."""
    poll = select.poll()
    poll.register(call.handler.connection, select.POLLIN)
    return not poll.poll(seconds * 1000)
