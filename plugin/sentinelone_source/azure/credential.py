"""The Azure identity: tokens from msal, as a TokenCredential of Azure's own clients.

`config.azure` chooses among client secret, certificate, workload identity and managed identity. An
answer of msal without a token becomes an error that says whether to try again.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import requests

from sentinelone_source.azure.entra import first_sentence, refusal, unusable
from sentinelone_source.azure.session import Session
from sentinelone_source.config.addresses import is_loopback
from sentinelone_source.config.azure import AzureSettings, Identity
from sentinelone_source.errors import AZURE_EXTRA, ConfigError, SourceError, Unavailable
from sentinelone_source.http.client import reason
from sentinelone_source.secret_file import SecretFile
from sentinelone_source.timings import DEFAULTS, Timings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(
    "-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.*?-----END (?P=kind)-----", re.DOTALL
)


class Token(NamedTuple):
    """An access token; times are seconds since 1970, `refresh_on` is for a new one."""

    value: str
    expires_on: int
    refresh_on: int | None

    def __repr__(self) -> str:
        return f"Token(expires_on={self.expires_on})"


class Credential:
    """A TokenCredential for Azure's clients, usable from several threads at once.

    The first token sets msal up, which sends requests. Files are read again when they change.

    Raises:
        ConfigError: the extra is not installed, or something about the identity is missing.
    """

    def __init__(self, azure: AzureSettings, timings: Timings = DEFAULTS) -> None:
        azure.need()
        need_packages()
        self._azure = azure
        self._web = Session(timings)
        self._lock = threading.Lock()
        self._app: Any = None
        self._built_with: str | None = None
        path, what = {
            Identity.SECRET: (azure.secret_file, "client secret"),
            Identity.CERTIFICATE: (azure.certificate_file, "certificate"),
            Identity.WORKLOAD: (azure.token_file, "federated token (AZURE_FEDERATED_TOKEN_FILE)"),
            Identity.MANAGED: (None, ""),
        }[azure.identity]
        self._file = SecretFile(path, what) if path else None

    def __repr__(self) -> str:
        return f"Credential({self._azure.identity.value})"

    def token(self, scope: str, *, fresh: bool = False) -> Token:
        """An access token, from memory while it lasts; `fresh` if the service refused that one.

        Raises:
            ConfigError: Entra ID refuses the identity for good; the message says what to do.
            Unavailable: it may work later.
        """
        with self._lock:
            if fresh:
                self._app = None
            return self._acquire(scope)

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """What azure.core calls."""
        from azure.core.credentials import AccessToken

        token = self.token(scopes[0], fresh=bool(options.get("claims")))
        return AccessToken(token.value, token.expires_on)

    def _acquire(self, scope: str) -> Token:
        try:
            answer = self._ask(scope)
        except SourceError:
            raise
        except (requests.RequestException, OSError) as error:
            said = f"{self._place}: {reason(error, self._web.timeout)}"
            if self._azure.identity is Identity.MANAGED:  # the default where nothing is configured
                said += "; outside Azure, set client_secret_file or certificate_file"
            raise Unavailable(said) from None
        except ValueError as error:
            if self._web.status in (408, 429):
                raise Unavailable(f"{self._place}: HTTP {self._web.status}") from None
            raise ConfigError(f"{self._place}: {unusable(error, self._azure)}") from None
        except Exception as error:  # noqa: BLE001 - msal's own errors have no common base
            raise Unavailable(f"{self._place}: {first_sentence(str(error))}") from None
        if "access_token" not in answer:
            raise refusal(self._place, answer)
        return _token(answer)

    @property
    def _place(self) -> str:
        who = self._azure.identity
        return who.value if who is Identity.MANAGED else f"Entra ID ({who.value})"

    def _ask(self, scope: str) -> dict[str, Any]:
        """msal's answer, with an `access_token` or an `error`; from a new msal if files changed."""
        is_ours = self._azure.identity in (Identity.SECRET, Identity.CERTIFICATE)
        secret = self._text() if is_ours else None  # msal reads a federated token itself
        if self._app is None or secret != self._built_with:
            self._app, self._built_with = self._build(), secret
        answer: dict[str, Any] = (
            self._app.acquire_token_for_client(resource=scope.removesuffix("/.default"))
            if self._azure.identity is Identity.MANAGED
            else self._app.acquire_token_for_client([scope])
        )
        return answer

    def _build(self) -> Any:
        """Set msal up; this sends requests."""
        import msal

        azure = self._azure
        if azure.identity is Identity.MANAGED:
            identity = (
                msal.UserAssignedManagedIdentity(client_id=azure.client_id)
                if azure.client_id
                else msal.SystemAssignedManagedIdentity()
            )
            return msal.ManagedIdentityClient(identity, http_client=self._web)
        host = urlsplit(azure.authority).hostname or ""
        return msal.ConfidentialClientApplication(
            azure.client_id,
            client_credential=self._credential(),
            authority=f"{azure.authority}/{azure.tenant_id}",
            instance_discovery=False if is_loopback(host) else None,
            http_client=self._web,
        )

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


def need_packages() -> None:
    """Raise ConfigError unless the packages of the extra `azure` are there."""
    try:
        import_module("azure.monitor.ingestion")
        import_module("msal")
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed; {AZURE_EXTRA}") from None
    for library in ("azure", "msal"):
        logging.getLogger(library).addHandler(logging.NullHandler())


def _token(answer: dict[str, Any]) -> Token:
    now = int(time.time())
    refresh_in = answer.get("refresh_in")
    refresh_on = now + int(refresh_in) if refresh_in else answer.get("refresh_on")
    return Token(answer["access_token"], now + int(answer.get("expires_in", 0)), refresh_on)
