"""What the loopback Azure knows and how it behaves."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Behaviour:
    """Who may come in and what is done with rows; may be changed while it runs.

    Attributes:
        identity_header: what `X-Identity-Header` must be, as in App Service.
        assertions: federated tokens that are accepted as they are; when empty, any that is shaped
            like a JWT and has not expired.
        audience: what tokens must be for at the Data Collection Endpoint.
        token_life: seconds; with 0 every token is expired when it arrives.
        has_role: whether the application may send to the rule; else 403.
        workspace_id: of the workspace whose tables the rows go to.
        may_query: whether the application may read the workspace; else 403.
        most_rows: of a query's answer; what is more is left out, and the answer says so.
        keep_times: `TimeGenerated` stays as it came; what Azure would replace is counted all the
            same.
    """

    tenant_id: str = "7d1a4a52-0d6c-4a3e-9c1b-5e2f4c8a9b10"
    client_id: str = "2b9d6c1e-84f7-4c55-b0a3-1f6e7d8c9a21"
    client_secret: str = field(default="demo-secret", repr=False)
    identity_header: str = field(default="demo-identity", repr=False)
    assertions: frozenset[str] = field(default=frozenset(), repr=False)
    dcr_id: str = "dcr-5e1c0f4e9a7b4d2f8c6a3b1d0e9f8a7c"
    audience: str = "https://monitor.azure.com"
    token_life: float = 3600.0
    has_role: bool = True
    workspace_id: str = "0c6f9a3e-41d7-4b8a-9e52-7d3b1f8a6c04"
    may_query: bool = True
    most_rows: int = 500_000
    keep_times: bool = False
