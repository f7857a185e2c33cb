"""The kinds of Azure identity, each as msal takes it."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from sentinelone_source.azure.session import Session
from sentinelone_source.config.addresses import is_loopback
from sentinelone_source.config.azure import AzureSettings, Identity
from sentinelone_source.errors import ConfigError
from sentinelone_source.secret_file import SecretFile

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(
    "-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.*?-----END (?P=kind)-----", re.DOTALL
)


class IdentitySource:
    """Sets msal up for the identity that is configured, and asks it for tokens."""

    def __init__(self, azure: AzureSettings, web: Session) -> None:
        self.web = web
        self._azure = azure
        path, what = {
            Identity.SECRET: (azure.secret_file, "client secret"),
            Identity.CERTIFICATE: (azure.certificate_file, "certificate"),
            Identity.WORKLOAD: (azure.token_file, "federated token (AZURE_FEDERATED_TOKEN_FILE)"),
            Identity.MANAGED: (None, ""),
        }[azure.identity]
        self._file = SecretFile(path, what) if path else None

    def stamp(self) -> object:
        """Changes when msal has to be set up again; it reads a federated token itself."""
        is_ours = self._azure.identity in (Identity.SECRET, Identity.CERTIFICATE)
        return self._text() if is_ours else None

    def build(self) -> Any:
        """Set msal up; this sends requests."""
        import msal

        azure = self._azure
        if azure.identity is Identity.MANAGED:
            identity = (
                msal.UserAssignedManagedIdentity(client_id=azure.client_id)
                if azure.client_id
                else msal.SystemAssignedManagedIdentity()
            )
            return msal.ManagedIdentityClient(identity, http_client=self.web)
        host = urlsplit(azure.authority).hostname or ""
        return msal.ConfidentialClientApplication(
            azure.client_id,
            client_credential=self._credential(),
            authority=f"{azure.authority}/{azure.tenant_id}",
            instance_discovery=False if is_loopback(host) else None,
            http_client=self.web,
        )

    def ask(self, app: Any, scope: str) -> dict[str, Any]:
        """msal's answer, with an `access_token` or an `error`."""
        answer: dict[str, Any] = (
            app.acquire_token_for_client(resource=scope.removesuffix("/.default"))
            if self._azure.identity is Identity.MANAGED
            else app.acquire_token_for_client([scope])
        )
        return answer

    def _text(self) -> str:
        return self._file.value() if self._file else os.environ["AZURE_CLIENT_SECRET"].strip()

    def _credential(self) -> Any:
        """What msal calls `client_credential`."""
        if self._azure.identity is Identity.WORKLOAD:
            return {"client_assertion": self._text}
        if self._azure.identity is Identity.SECRET:
            return self._text()
        text = self._text()
        key, certificates = _KEY.search(text), _CERTIFICATE.findall(text)
        if key is None or not certificates:
            lacking = "private key" if key is None else "certificate"
            raise ConfigError(f"{self._file}: holds no {lacking}; it needs both, as PEM")
        # the whole chain, for trust by issuer
        return {"private_key": key[0], "public_certificate": "\n".join(certificates)}
