"""Which proxy a request takes: the configured one, else the environment's, else none."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import requests.utils

from sentinelone_source.config import is_loopback
from sentinelone_source.errors import ConfigError


def proxies_for(url: str, configured: str = "") -> dict[str, str]:
    """What requests takes as `proxies`; none for loopback and link-local addresses.

    Args:
        url: what is asked.
        configured: the proxy that the configuration names, if it does.

    Raises:
        ConfigError: the environment names a proxy that is neither http:// nor https://.
    """
    if configured:
        return {"http": configured, "https": configured}
    if _is_near(urlsplit(url).hostname or ""):
        return {}
    proxies = dict(requests.utils.get_environ_proxies(url))
    proxy = requests.utils.select_proxy(url, proxies) or ""
    kind, separator, _ = proxy.partition("://")
    if separator and kind.lower() not in ("http", "https"):
        variable = f"{urlsplit(url).scheme.upper()}_PROXY or ALL_PROXY"
        raise ConfigError(
            f"environment: {variable}: {kind} proxies are not supported; "
            "name one with http:// or https://, or exclude the host by NO_PROXY"
        )
    return proxies


def _is_near(host: str) -> bool:
    """Whether a host is asked without a proxy by its nature: this machine, or its metadata."""
    try:
        return is_loopback(host) or ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False
