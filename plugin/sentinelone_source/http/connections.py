"""Connections: whose certificates they trust, and how many are kept open for later requests."""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
import threading
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from sentinelone_source.errors import ConfigError

_MOST = 1024
"""Idle connections at most: a pool is made with a place for each, before the first request."""


class Connections:
    """At most so many idle connections to so many hosts, which several clients may share.

    A TLS context with the default certificates takes 0.6 MiB and 30 ms of CPU, so all connections
    that trust the same certificates share one. A certificate file that changes is read again.
    """

    def __init__(self, most: int = 64, hosts: int = 1) -> None:
        most = min(most, _MOST)
        self._pools = min(max(1, most - 1), hosts)
        self._kept = max(1, most // hosts)
        self._adapters: dict[str, tuple[object, HTTPAdapter]] = {}
        self._lock = threading.Lock()

    def adapter(self, url: str, bundle: str | bool) -> HTTPAdapter:
        """What sends requests to a URL, and trusts a bundle of certificates, or the default one.

        Raises OSError if the certificates cannot be read, and were never read before.
        """
        path = ""
        if url.lower().startswith("https"):
            path = bundle if isinstance(bundle, str) else DEFAULT_CA_BUNDLE_PATH
        with self._lock:
            stamp, adapter = self._adapters.get(path, (None, None))
            if adapter is None or stamp != _stamp(path):
                adapter = self._renew(path, adapter)
        return adapter

    def _renew(self, path: str, old: HTTPAdapter | None) -> HTTPAdapter:
        stamp, new = _stamp(path), old
        try:
            new = _Adapter(_context(path) if path else None, self._pools, self._kept)
        except OSError:
            if old is None:
                raise
        assert new is not None
        self._adapters[path] = stamp, new
        return new

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            for _, adapter in self._adapters.values():
                adapter.close()


class _Adapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext | None, pools: int, kept: int) -> None:
        self._tls: dict[str, Any] = {} if context is None else {"ssl_context": context}
        super().__init__(pool_connections=pools, pool_maxsize=kept)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **more: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **more, **self._tls)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        to_proxy = {f"proxy_{name}": value for name, value in self._tls.items()}
        return super().proxy_manager_for(proxy, **more, **self._tls, **to_proxy)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the TLS context has the certificates already."""


def _context(path: str) -> ssl.SSLContext:
    context = create_urllib3_context()
    where = {"capath": path} if Path(path).is_dir() else {"cafile": path}
    context.load_verify_locations(**where)
    return context


def _stamp(path: str) -> object:
    with contextlib.suppress(OSError):
        found = Path(path).stat()
        return found.st_mtime_ns, found.st_ino, found.st_size
    return None


def trusted(ca_file: str, key: str, url: str = "") -> str | bool:
    """The certificates to trust, as requests takes them: a file's, the environment's, the usual.

    Raises ConfigError, with the configuration's key, if the file does not exist, or holds no
    certificate in PEM. For a URL without TLS the environment's file is not read: it takes 30 ms.
    """
    named = {
        key: ca_file,
        "REQUESTS_CA_BUNDLE": os.environ.get("REQUESTS_CA_BUNDLE"),
        "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE"),
    }
    for name, path in named.items():
        if path:
            read = name == key or not url.startswith("http:")
            if fault := _fault(path, read):
                raise ConfigError(f"{name}: {path}: {fault}")
            return path
    return True


@functools.cache
def _fault(path: str, read: bool) -> str:
    """Why nothing can be trusted by a file, or a directory of certificates; empty if it can."""
    try:
        if not Path(path).exists():
            return "no such file"
        if Path(path).is_dir() or not read:
            return ""
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    except OSError as error:
        return error.strerror or "cannot be read"
    return ""
