"""Tokens: Entra's v2.0 endpoint, and managed identity as virtual machines and App Service know it.

Answers as values; no sockets here.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec

from sentinelone_source.demo.transport import Answer
from sentinelone_source.jwt import read_claims

if TYPE_CHECKING:
    from sentinelone_source.demo.dce.behaviour import Behaviour
    from sentinelone_source.demo.dce.token_issuer import TokenIssuer
    from sentinelone_source.demo.transport import Call

VIRTUAL_MACHINE: Final = "/metadata/identity/oauth2/token"
APP_SERVICE: Final = "/msi/token"
_CLOUDS: Final = {
    "monitor": ("azure.com", "azure.us", "azure.cn"),
    "management": ("azure.com", "usgovcloudapi.net", "chinacloudapi.cn"),
    "api.loganalytics": ("io", "us", "azure.cn"),
}
RESOURCES: Final = frozenset(
    f"https://{service}.{domain}" for service, domains in _CLOUDS.items() for domain in domains
)
"""What tokens are issued for; the Data Collection Endpoint accepts one of them."""
_ASSERTED: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DISCOVERY: Final = "/v2.0/.well-known/openid-configuration"
_LOGIN: Final = "/oauth2/v2.0/token"


class TokenRequestRefused(Exception):
    """Status, error, the number after AADSTS, and a sentence."""

    def answer(self) -> Answer:
        """As Entra ID words it."""
        return refused_token(*self.args)


def json(value: object, status: int = 200) -> Answer:
    """Any JSON."""
    return Answer(status, msgspec.json.encode(value))


def refused_token(
    status: int, error: str, code: int, text: str, *headers: tuple[str, str]
) -> Answer:
    """An error of the token endpoint; `code` is the number after AADSTS."""
    trace, correlation = str(uuid4()), str(uuid4())
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    described = f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation}"
    body = {
        "error": error,
        "error_description": f"{described} Timestamp: {at}",
        "error_codes": [code],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return Answer(status, msgspec.json.encode(body), headers=headers)


def is_for_tokens(call: Call) -> bool:
    """Whether a call is for the token endpoint, its discovery or managed identity."""
    if call.method == "POST":
        return call.path.endswith(_LOGIN)
    return call.path in (VIRTUAL_MACHINE, APP_SERVICE) or is_discovery(call)


def is_discovery(call: Call) -> bool:
    """Whether a call asks where the token endpoint is, as msal does once."""
    return call.path.endswith(_DISCOVERY)


class DemoIdentity:
    """Knows one application of one tenant, which also is the managed identity."""

    def __init__(self, behaviour: Behaviour, issuer: TokenIssuer) -> None:
        self._behaviour = behaviour
        self._issuer = issuer

    def handle(self, call: Call) -> Answer:
        """What the service would answer to a call that `is_for_tokens`."""
        if call.path in (VIRTUAL_MACHINE, APP_SERVICE):
            return self._managed(call)
        try:
            return self._discovery(call) if is_discovery(call) else self._login(call)
        except TokenRequestRefused as refused:
            return refused.answer()

    def _tenant(self, call: Call, end: str) -> str:
        tenant = call.path.removesuffix(end).strip("/")
        if tenant.lower() != self._behaviour.tenant_id.lower():
            text = f"Tenant '{tenant}' not found. Check that you have the correct tenant ID."
            raise TokenRequestRefused(400, "invalid_request", 90002, text)
        return f"{call.base}/{tenant}"

    def _discovery(self, call: Call) -> Answer:
        base = self._tenant(call, _DISCOVERY)
        return json(
            {
                "issuer": f"{base}/v2.0",
                "token_endpoint": f"{base}{_LOGIN}",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "scopes_supported": ["openid"],
            }
        )

    def _login(self, call: Call) -> Answer:
        form, base = call.form, self._tenant(call, _LOGIN)
        _check_form(form)
        self._check_credential(form, f"{base}{_LOGIN}")
        resource = form["scope"].removesuffix("/.default")
        token, claims = self._issuer.issue(resource, form["client_id"])
        life = claims["exp"] - claims["iat"]
        expiry = {"expires_in": life, "ext_expires_in": life}
        return json({"token_type": "Bearer", **expiry, "access_token": token})

    def _check_credential(self, form: dict[str, str], endpoint: str) -> None:
        known, client_id = self._behaviour, form["client_id"]
        is_asserted = form.get("client_assertion_type") == _ASSERTED
        found: tuple[int, str] | None = None
        if client_id.lower() != known.client_id.lower():
            text = f"Application with identifier '{client_id}' was not found in the directory."
            raise TokenRequestRefused(400, "unauthorized_client", 700016, text)
        if is_asserted:
            found = self._assertion_refusal(form.get("client_assertion", ""), client_id, endpoint)
        elif "client_secret" not in form:
            found = 7000218, "The request must contain 'client_assertion' or 'client_secret'."
        elif not _same(form["client_secret"], known.client_secret):
            found = 7000215, f"Invalid client secret provided for app '{client_id}'."
        if found:
            raise TokenRequestRefused(401, "invalid_client", *found)

    def _assertion_refusal(
        self, assertion: str, client_id: str, endpoint: str
    ) -> tuple[int, str] | None:
        claims = read_claims(assertion, dict[str, Any])
        known = self._behaviour.assertions
        if claims is None:
            return 50027, "The client assertion is not a valid JWT."
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or expires <= time():
            return 700024, "Client assertion is not within its valid time range."
        if claims.get("iss") == client_id:  # signed with a certificate's key
            is_meant = claims.get("aud") == endpoint
            return None if is_meant else (700023, "Client assertion has an invalid audience.")
        if known and not any(_same(assertion, each) for each in known):
            return 700213, "No matching federated identity record found for the assertion."
        return None

    def _managed(self, call: Call) -> Answer:
        if refusal := self._managed_refusal(call):
            status, text = refusal
            return json({"error": "invalid_request", "error_description": text}, status)
        resource, client_id = call.query["resource"], self._behaviour.client_id
        token, claims = self._issuer.issue(resource, client_id)
        return json(
            {
                "access_token": token,
                "client_id": client_id,
                "expires_in": str(claims["exp"] - claims["iat"]),
                "expires_on": str(claims["exp"]),
                "not_before": str(claims["nbf"]),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def _managed_refusal(self, call: Call) -> tuple[int, str] | None:
        known, asked = self._behaviour, call.query
        header = call.headers.get("x-identity-header", "")
        if call.path == VIRTUAL_MACHINE:
            if call.headers.get("metadata", "").lower() != "true":
                return 400, "Required metadata header not specified"
        elif not _same(header, known.identity_header):
            return 401, "X-Identity-Header is missing or wrong"
        if not asked.get("api-version"):
            return 400, "Required query variable 'api-version' is missing"
        if asked.get("resource", "").rstrip("/") not in RESOURCES:
            return 400, f"The resource {asked.get('resource', '')!r} is not known"
        if asked.get("client_id", known.client_id).lower() != known.client_id.lower():
            return 400, "Identity not found"
        return None


def _check_form(form: dict[str, str]) -> None:
    scope, kind = form.get("scope", ""), form.get("grant_type")
    found: tuple[str, int, str] | None = None
    missing = [name for name in ("grant_type", "client_id", "scope") if not form.get(name)]
    if missing:
        text = f"The request body must contain the following parameter: '{missing[0]}'."
        found = "invalid_request", 900144, text
    elif kind != "client_credentials":
        found = "unsupported_grant_type", 70003, f"The grant type '{kind}' is not supported."
    elif not scope.endswith("/.default"):
        found = "invalid_scope", 1002012, f"The scope {scope} must end in '/.default'."
    elif scope.removesuffix("/.default").rstrip("/") not in RESOURCES:
        text = f"The resource principal named {scope} was not found in the tenant."
        found = "invalid_resource", 500011, text
    if found:
        raise TokenRequestRefused(400, *found)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
