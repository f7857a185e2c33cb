"""A small HTTP proxy on loopback that leads everything to one address."""

from __future__ import annotations

import socket
import socketserver
import threading
from typing import Self


class Proxy:
    """Takes CONNECT and absolute addresses; `seen` has the first line of each request."""

    def __init__(self, port: int) -> None:
        seen: list[str] = []

        class ProxyHandler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                first = self.rfile.readline()
                head = b""
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    head += line
                seen.append(first.decode().strip())
                with socket.create_connection(("127.0.0.1", port)) as onward:
                    if first.startswith(b"CONNECT"):
                        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    else:
                        method, address, version = first.split()
                        path = b"/" + address.split(b"/", 3)[3]
                        closing = b"Connection: close\r\n\r\n"
                        onward.sendall(b" ".join((method, path, version)) + b"\r\n")
                        onward.sendall(head.replace(b"Connection: keep-alive\r\n", b"") + closing)
                    back = threading.Thread(target=_pump, args=(onward, self.connection))
                    back.start()
                    _pump(self.connection, onward)
                    back.join()

        self.seen = seen
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), ProxyHandler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
