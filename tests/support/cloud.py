"""A loopback Azure, and the program's configuration for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from doubles.azure import Azure
from sentinelone_source.config.azure import AzureSettings, azure_settings
from sentinelone_source.config.settings import load_settings
from support.processes import Running

SECRET = "s3cr3t&of+the%app/1"


class AzureTenancy:
    """A loopback Azure, and a folder with a configuration that points at it."""

    def __init__(self, folder: Path, azure: Azure) -> None:
        self.folder = folder
        self.azure = azure
        self.config = folder / "config.toml"
        (folder / "secret").write_text(SECRET + "\n")
        self.configure()

    @property
    def environ(self) -> dict[str, str]:
        """Where tokens come from, and whose certificates to trust."""
        return {
            "AZURE_AUTHORITY_HOST": self.azure.authority,
            "SSL_CERT_FILE": str(self.azure.ca_file),
        }

    def configure(self, more: str = "", broker: str = "", before: str = "", **over: Any) -> None:
        """Write the configuration again; a key that is None is left out."""
        known = self.azure.behaviour
        keys = {
            "tenant_id": known.tenant_id,
            "client_id": known.client_id,
            "client_secret_file": "secret",
            "endpoint": self.azure.endpoint,
            "dcr_immutable_id": known.dcr_id,
        } | over
        lines = [f'{key} = "{value}"' for key, value in keys.items() if value is not None]
        parts = [before, "[azure]", *lines, more]
        parts += ["[azure.broker]", broker] if broker else []
        self.config.write_text("\n".join(parts))

    def settings(self) -> AzureSettings:
        """As the commands read it."""
        return azure_settings(load_settings(self.config))

    def start(self, command: str, *arguments: object, **environ: str) -> Running:
        """A command in a process of its own."""
        return Running(
            command,
            "--config",
            self.config,
            *arguments,
            folder=self.folder,
            environ=self.environ | environ,
        )

    def call(self, command: str, *arguments: object, status: int = 0, **environ: str) -> Running:
        """A command to its end; nothing it says holds the secret, or a token."""
        with self.start(command, *arguments, **environ) as running:
            assert running.wait() == status, running.errors
        said = running.errors + running.out.decode()
        assert SECRET not in said
        assert "eyJ" not in said
        assert "Traceback" not in said
        return running


def certificate(path: Path, *, key: bool = True, own: bool = True, days: int = 90) -> None:
    """A PEM file with a certificate, its key, or both."""
    expires = datetime.now(UTC) + timedelta(days=days)
    rsa = trustme.KeyType.RSA
    made = trustme.CA(key_type=rsa).issue_cert(common_name="app", not_after=expires, key_type=rsa)
    parts = [made.private_key_pem] * key + made.cert_chain_pems[:1] * own
    path.write_bytes(b"".join(part.bytes() for part in parts))
