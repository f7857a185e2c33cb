"""Whose certificates to trust: those of a named file, else the environment's, else the usual."""

from __future__ import annotations

import functools
import os
import ssl
from pathlib import Path

from sentinelone_source.errors import ConfigError


def trusted(ca_file: str, key: str) -> str | bool:
    """What requests takes as `verify`. A session's own `verify` yields to the environment's.

    Args:
        ca_file: a file of certificates; empty if none is named.
        key: the configuration key that named it, for errors.

    Raises:
        ConfigError: the file does not exist, or holds no certificate in PEM.
    """
    named = {
        key: ca_file,
        "REQUESTS_CA_BUNDLE": os.environ.get("REQUESTS_CA_BUNDLE"),
        "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE"),
    }
    for name, path in named.items():
        if path:
            if fault := _fault(path):
                raise ConfigError(f"{name}: {path}: {fault}")
            return path
    return True


@functools.cache
def _fault(path: str) -> str:
    """Why nothing can be trusted by a file, or a directory of certificates; empty if it can."""
    if not Path(path).exists():
        return "no such file"
    if Path(path).is_dir():
        return ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    except OSError as error:
        return error.strerror or "cannot be read"
    return ""
