"""The network of a pod: a namespace that outlives its containers, and a way in from outside."""

from __future__ import annotations

import ctypes
import fcntl
import http.client
import os
import socket
import struct
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Self, TypeVar

POD = "127.0.0.2"
"""Stands for the pod's own address: what listens on 127.0.0.1 only does not answer there."""
_SET_FLAGS, _UP = 0x8914, 0x1
Result = TypeVar("Result")


class Network:
    """A loopback device that nothing outside can reach; a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        self.path.touch()
        subprocess.run(["unshare", f"--net={self.path}", "true"], check=True)
        self.inside(_wake_loopback)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", self.path], check=True)

    def inside(self, action: Callable[[], Result]) -> Result:
        """Do something in a thread that has entered; sockets that it makes stay inside."""
        with ThreadPoolExecutor(1, initializer=self._enter) as thread:
            return thread.submit(action).result()

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection inside.

        Raises:
            OSError: nobody listens there.
        """
        return self.inside(lambda: socket.create_connection((host, port), timeout))

    def get(self, host: str, port: int, path: str, timeout: float = 5.0) -> tuple[int, bytes]:
        """Status and body of an answer to a GET inside.

        Raises:
            OSError: no answer.
        """
        return self.request("GET", (host, port), path, None, timeout)

    def request(
        self,
        method: str,
        address: tuple[str, int],
        path: str,
        body: str | None,
        timeout: float = 5.0,
    ) -> tuple[int, bytes]:
        """Status and body of an answer to a request inside.

        Raises:
            OSError: no answer.
        """
        host, port = address
        with closing(http.client.HTTPConnection(host, port, timeout=timeout)) as connection:
            connection.sock = self.connect(host, port, timeout)
            try:
                connection.request(method, path, body)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except http.client.HTTPException as error:
                raise ConnectionError(f"{type(error).__name__}: {error}") from error

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        namespace = os.open(self.path, os.O_RDONLY)
        try:
            if libc.setns(namespace, 0):  # of this thread alone
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
        finally:
            os.close(namespace)


def _wake_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
