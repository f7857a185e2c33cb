"""The kinds of Azure identity, each as msal takes it."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sentinelone_source.azure.session import Session
from sentinelone_source.config import is_loopback
from sentinelone_source.config.azure import Identity
from sentinelone_source.errors import ConfigError
from sentinelone_source.secret_file import SecretFile

if TYPE_CHECKING:
    from sentinelone_source.config.azure import AzureSettings

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(
    "-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.*?-----END (?P=kind)-----", re.DOTALL
)


class Application(ABC):
    """An application of Entra ID, by secret, certificate or federated token."""

    def __init__(self, azure: AzureSettings, web: Session) -> None:
        self._azure = azure
        self.web = web

    def stamp(self) -> object:
        """A value that changes when msal has to be set up again."""
        return None

    @abstractmethod
    def secret(self) -> Any:
        """What msal calls `client_credential`."""

    def build(self) -> Any:
        """Set msal up; this sends requests."""
        import msal

        host = urlsplit(self._azure.authority).hostname or ""
        return msal.ConfidentialClientApplication(
            self._azure.client_id,
            client_credential=self.secret(),
            authority=f"{self._azure.authority}/{self._azure.tenant_id}",
            instance_discovery=False if is_loopback(host) else None,
            http_client=self.web,
        )

    def ask(self, app: Any, scope: str) -> dict[str, Any]:
        """msal's answer, with an `access_token` or an `error`."""
        answer: dict[str, Any] = app.acquire_token_for_client([scope])
        return answer


class Secret(Application):
    """A client secret, from a file or from `AZURE_CLIENT_SECRET`."""

    def __init__(self, azure: AzureSettings, web: Session) -> None:
        super().__init__(azure, web)
        self._file = SecretFile(azure.secret_file, "client secret") if azure.secret_file else None

    def stamp(self) -> object:
        return self.secret()

    def secret(self) -> str:
        return self._file.value() if self._file else os.environ["AZURE_CLIENT_SECRET"].strip()


class Certificate(Application):
    """A certificate with its key."""

    def __init__(self, azure: AzureSettings, web: Session) -> None:
        super().__init__(azure, web)
        assert azure.certificate_file is not None
        self._file = SecretFile(azure.certificate_file, "certificate")

    def stamp(self) -> object:
        return self._file.value()

    def secret(self) -> dict[str, str]:
        """Key and certificates of one PEM file; the chain is sent too, for trust by issuer."""
        text = self._file.value()
        key, certificates = _KEY.search(text), _CERTIFICATE.findall(text)
        if key is None or not certificates:
            lacking = "private key" if key is None else "certificate"
            raise ConfigError(f"{self._file}: holds no {lacking}; it needs both, as PEM")
        return {"private_key": key[0], "public_certificate": "\n".join(certificates)}


class Workload(Application):
    """A federated token; its file is read for each access token."""

    def secret(self) -> dict[str, Callable[[], str]]:
        assert self._azure.token_file is not None
        file = SecretFile(self._azure.token_file, "federated token (AZURE_FEDERATED_TOKEN_FILE)")
        return {"client_assertion": file.value}


class Managed:
    """The identity of the platform that this program runs on."""

    def __init__(self, azure: AzureSettings, web: Session) -> None:
        self._client_id = azure.client_id
        self.web = web

    def stamp(self) -> object:
        return None

    def build(self) -> Any:
        """Set msal up; this sends requests."""
        import msal

        identity = (
            msal.UserAssignedManagedIdentity(client_id=self._client_id)
            if self._client_id
            else msal.SystemAssignedManagedIdentity()
        )
        return msal.ManagedIdentityClient(identity, http_client=self.web)

    def ask(self, app: Any, scope: str) -> dict[str, Any]:
        """msal's answer, with an `access_token` or an `error`."""
        answer: dict[str, Any] = app.acquire_token_for_client(
            resource=scope.removesuffix("/.default")
        )
        return answer


SOURCES: dict[Identity, Callable[[AzureSettings, Session], Application | Managed]] = {
    Identity.SECRET: Secret,
    Identity.CERTIFICATE: Certificate,
    Identity.WORKLOAD: Workload,
    Identity.MANAGED: Managed,
}
