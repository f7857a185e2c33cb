"""What answers without a token mean: the errors of Entra ID and managed identity, with advice."""

from __future__ import annotations

import re
from typing import Any

from sentinelone_source.config.azure import AzureSettings, Identity
from sentinelone_source.errors import ConfigError, SourceError, Unavailable

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


def refusal(place: str, answer: dict[str, Any]) -> SourceError:
    """The error that an answer without a token stands for."""
    words = first_sentence(str(answer.get("error_description") or answer.get("error") or ""))
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


def unusable(error: ValueError, azure: AzureSettings) -> str:
    """Why msal sends no request. Its message may quote a secret and is not repeated."""
    words = str(error)
    if "authority" in words or "OIDC" in words:
        return f"{azure.authority} does not know tenant_id {azure.tenant_id!r}"
    if azure.identity is Identity.CERTIFICATE:
        return f"{azure.certificate_file}: its key or certificate cannot be read"
    if azure.identity is Identity.MANAGED:
        return "the answer is not from a managed identity endpoint"
    return "the answer cannot be read"


def first_sentence(text: str) -> str:
    """The first line of Entra's message, without trace ids."""
    return re.split(r"[\r\n]|\s*Trace ID:", text.strip(), maxsplit=1)[0][:300].rstrip(" .")
