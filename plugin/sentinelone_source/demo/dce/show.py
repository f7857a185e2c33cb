"""The loopback Azure alone, for a shipper to be pointed at."""

from __future__ import annotations

import shlex
import signal
import sys
from threading import Event
from typing import TYPE_CHECKING

from sentinelone_source.demo.dce import certificates

if TYPE_CHECKING:
    from sentinelone_source.demo.dce.azure import DemoAzure


def serve(azure: DemoAzure) -> None:
    """Run until SIGTERM or SIGINT; where everything is goes to stderr, and at the end a summary.

    Raises:
        OSError: a port is taken.
    """
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with azure:
        _say(surroundings(azure))
        stop.wait()
    _say(summary(azure))


def surroundings(azure: DemoAzure) -> str:
    """Shell lines that point a shipper, or this program, at it."""
    known = azure.behaviour
    variables = {
        "AZURE_TENANT_ID": known.tenant_id,
        "AZURE_CLIENT_ID": known.client_id,
        "AZURE_CLIENT_SECRET": known.client_secret,
        "AZURE_AUTHORITY_HOST": azure.endpoint,
        "AZURE_AUTH_URL": azure.token_url,
        "DCE_URL": azure.endpoint,
        "DCE_URL_PLAIN": azure.plain.url,
        "DCR_ID": known.dcr_id,
        "WORKSPACE_ID": known.workspace_id,
        "DCE_CA_FILE": str(azure.ca_file or ""),
    }
    managed = {
        "IDENTITY_ENDPOINT": azure.identity_endpoint,
        "IDENTITY_HEADER": known.identity_header,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    if azure.ca_file:
        trusted = shlex.quote(str(azure.ca_file))
        lines += [
            "# so that sentinelone-source trusts it, too:",
            f"# export SSL_CERT_FILE={trusted}",
        ]
    lines += ["# instead of the secret, managed identity as in App Service:"]
    lines += [f"# export {name}={shlex.quote(value)}" for name, value in managed.items()]
    if azure.tls is None:
        reason = "--no-tls" if certificates.is_possible() else certificates.MISSING
        lines += [f"# without TLS ({reason}): Fluent Bit and msal need it"]
    return "\n".join(lines)


def summary(azure: DemoAzure) -> str:
    """What arrived by table, and what Azure would have lost."""
    shown = azure.summary()
    rows = shown["rows"]
    width = max(map(len, rows), default=0)
    lines = [
        "",
        f"{sum(rows.values())} rows in {len(azure.journal['ingestion'])} requests:",
        *(f"  {table:<{width}}  {count:>7} rows" for table, count in rows.items()),
    ]
    for kind, counts in shown["losses"].items():
        lines += [f"{kind}: {name} {count}" for name, count in sorted(counts.items())]
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - what was asked for
