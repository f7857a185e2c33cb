"""A threaded HTTP server that knows its connections, so that it can end or reset them."""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from http.server import ThreadingHTTPServer
from threading import Lock
from typing import Any, Final

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class Listener(ThreadingHTTPServer):
    """Serves each connection from a thread of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remembers the connection."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Ends a connection, with a FIN unless it was to be reset."""
        with self._lock:
            self._connections.discard(request)
        # a FIN before the close would spoil the RST that a zero linger asks for
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == _LINGER_ZERO:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away: that is no error, anything else is one."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def disconnect(self) -> None:
        """Ends all connections."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def reset_when_closed(connection: socket.socket) -> None:
    """The connection will end with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
