"""The environment of what runs against the loopback Azure: nothing of the user's own accounts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinelone_source.demo.dce.azure import Azure

_OTHERS = ("AZURE_", "SENTINELONE_", "IDENTITY_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_")


def surroundings(azure: Azure) -> dict[str, str]:
    """This environment, with the loopback Azure's identity and authority in place of others."""
    known = azure.behaviour
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OTHERS)}
    return kept | {
        "AZURE_TENANT_ID": known.tenant_id,
        "AZURE_CLIENT_ID": known.client_id,
        "AZURE_CLIENT_SECRET": known.client_secret,
        "AZURE_AUTHORITY_HOST": azure.endpoint,
        "SSL_CERT_FILE": str(azure.ca_file),
        "NO_PROXY": "127.0.0.1,localhost",
    }
