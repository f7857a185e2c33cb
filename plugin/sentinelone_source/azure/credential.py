"""The Azure identity: tokens from msal, as a TokenCredential of Azure's own clients.

`config.azure` chooses among client secret, certificate, workload identity and managed identity. An
answer of msal without a token becomes an error that says whether to try again.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from sentinelone_source.azure.identities import IdentitySource
from sentinelone_source.azure.session import Session
from sentinelone_source.config.azure import Identity
from sentinelone_source.errors import AZURE_EXTRA, ConfigError, SourceError, Unavailable
from sentinelone_source.http.client import reason
from sentinelone_source.timings import DEFAULTS, Timings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

    from sentinelone_source.config.azure import AzureSettings

_ADVICE = {
    "AADSTS7000215": "the client secret is wrong; use its value, not its id",
    "AADSTS7000222": "the client secret has expired; create a new one",
    "AADSTS700016": "client_id is not known in this tenant",
    "AADSTS700027": "this certificate is not registered with the application",
    "AADSTS90002": "tenant_id is not known in this cloud",
    "AADSTS900023": "tenant_id is neither the id nor the domain of a tenant",
    "AADSTS70021": "no federated credential of the application fits this pod's service account",
    "AADSTS700213": "no federated credential of the application fits this pod's service account",
    "AADSTS700211": "no federated credential of the application has this cluster's issuer",
    "AADSTS500011": "the resource is not known in this tenant; check azure.cloud",
}
_PERMANENT = {
    "access_denied",
    "interaction_required",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_resource",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
}
_CODE = re.compile(r"AADSTS\d+")


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
        self._lock = threading.Lock()
        self._app: Any = None
        self._stamp: object = None
        self._source = IdentitySource(azure, Session(timings))

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
            stamp = self._source.stamp()
            if self._app is None or stamp != self._stamp:
                self._app, self._stamp = self._source.build(), stamp
            answer = self._source.ask(self._app, scope)
        except SourceError:
            raise
        except (requests.RequestException, OSError) as error:
            said = f"{self._place}: {reason(error, self._source.web.timeout)}"
            if self._azure.identity is Identity.MANAGED:  # the default where nothing is configured
                said += "; outside Azure, set client_secret_file or certificate_file"
            raise Unavailable(said) from None
        except ValueError as error:
            if self._source.web.status in (408, 429):
                raise Unavailable(f"{self._place}: HTTP {self._source.web.status}") from None
            raise ConfigError(f"{self._place}: {_unusable(error, self._azure)}") from None
        except Exception as error:  # noqa: BLE001 - msal's own errors have no common base
            raise Unavailable(f"{self._place}: {_first_sentence(str(error))}") from None
        if "access_token" not in answer:
            raise _refusal(self._place, answer)
        return _token(answer)

    @property
    def _place(self) -> str:
        who = self._azure.identity
        return who.value if who is Identity.MANAGED else f"Entra ID ({who.value})"


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


def _refusal(place: str, answer: dict[str, Any]) -> SourceError:
    """The error that an answer without a token stands for."""
    words = _first_sentence(str(answer.get("error_description") or answer.get("error") or ""))
    found = _CODE.search(words)
    advice = _ADVICE.get(found[0], "") if found else ""
    if place == Identity.MANAGED.value:
        words = words.removeprefix("None, None")
        advice = (
            "check that this machine or app has such an identity; client_id selects one of several"
        )
    said = f"{place}: {words or 'no token in the answer'}" + (f": {advice}" if advice else "")
    if answer.get("error") in _PERMANENT and not words.startswith("5"):
        return ConfigError(said)
    return Unavailable(said)


def _unusable(error: ValueError, azure: AzureSettings) -> str:
    """Why msal sends no request. Its message may quote a secret and is not repeated."""
    words = str(error)
    if "authority" in words or "OIDC" in words:
        return f"{azure.authority} does not know tenant_id {azure.tenant_id!r}"
    if azure.identity is Identity.CERTIFICATE:
        return f"{azure.certificate_file}: its key or certificate cannot be read"
    if azure.identity is Identity.MANAGED:
        return "the answer is not from a managed identity endpoint"
    return "the answer cannot be read"


def _first_sentence(text: str) -> str:
    """The first line of Entra's message, without trace ids."""
    return re.split(r"[\r\n]|\s*Trace ID:", text.strip(), maxsplit=1)[0][:300].rstrip(" .")
