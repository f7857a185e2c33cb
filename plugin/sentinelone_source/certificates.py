"""Whose certificates to trust: those of a named file, else the environment's, else the usual."""

from __future__ import annotations

import os
from pathlib import Path

from sentinelone_source.errors import ConfigError


def trusted(ca_file: str, key: str) -> str | bool:
    """What requests takes as `verify`. A session's own `verify` yields to the environment's.

    Args:
        ca_file: a file of certificates; empty if none is named.
        key: the configuration key that named it, for errors.

    Raises:
        ConfigError: the file does not exist.
    """
    named = {
        key: ca_file,
        "REQUESTS_CA_BUNDLE": os.environ.get("REQUESTS_CA_BUNDLE"),
        "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE"),
    }
    for name, path in named.items():
        if path:
            if not Path(path).exists():
                raise ConfigError(f"{name}: {path}: no such file")
            return path
    return True
