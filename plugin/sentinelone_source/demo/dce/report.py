"""Where the loopback Azure is, and what has arrived there, for people and shells."""

from __future__ import annotations

import shlex

from sentinelone_source.aligned import aligned
from sentinelone_source.demo.dce.azure import TLS_MISSING, DemoAzure, has_tls


def variables(azure: DemoAzure) -> dict[str, str]:
    """What points a shipper, or this program, at it."""
    known = azure.behaviour
    return {
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


def managed_identity(azure: DemoAzure) -> dict[str, str]:
    """Variables in place of the secret."""
    header = azure.behaviour.identity_header
    return {"IDENTITY_ENDPOINT": azure.identity_endpoint, "IDENTITY_HEADER": header}


def shell_lines(azure: DemoAzure) -> str:
    """The variables, for a shell."""
    lines = _exports(variables(azure))
    if azure.ca_file:
        trusted = _exports({"SSL_CERT_FILE": str(azure.ca_file)}, "# ")
        lines += ["# so that sentinelone-source trusts it, too:", *trusted]
    lines += ["# instead of the secret, managed identity as in App Service:"]
    lines += _exports(managed_identity(azure), "# ")
    if azure.tls is None:
        reason = "--no-tls" if has_tls() else TLS_MISSING
        lines += [f"# without TLS ({reason}): Fluent Bit and msal need it"]
    return "\n".join(lines)


def _exports(values: dict[str, str], before: str = "") -> list[str]:
    return [f"{before}export {name}={shlex.quote(value)}" for name, value in values.items()]


def summary(azure: DemoAzure) -> str:
    """What arrived by table, and what Azure would have lost."""
    rows = azure.received.counts()
    requests = azure.statuses["ingestion"].total()
    lines = ["", f"{sum(rows.values())} rows in {requests} requests:", *row_lines(rows, 7)]
    for kind, counts in azure.received.losses.items():
        lines += [f"{kind}: {name} {count}" for name, count in sorted(counts.items())]
    return "\n".join(lines)


def row_lines(rows: dict[str, int], width: int) -> list[str]:
    """Rows by table, one below the other."""
    cells = [(f"  {table}", f"{count:>{width}} rows") for table, count in rows.items()]
    return list(aligned(cells)) if cells else []
