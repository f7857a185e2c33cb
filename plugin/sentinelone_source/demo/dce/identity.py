"""Tokens: Entra's v2.0 endpoint, and managed identity as virtual machines and App Service know it.

Answers as values; no sockets here.
"""

from __future__ import annotations

import hmac
from time import time
from typing import TYPE_CHECKING, Final

from sentinelone_source.demo.dce.answers import json, refused_token
from sentinelone_source.demo.dce.tokens import claims_of

if TYPE_CHECKING:
    from sentinelone_source.demo.answers import Answer
    from sentinelone_source.demo.dce.behaviour import Behaviour
    from sentinelone_source.demo.dce.calls import Call
    from sentinelone_source.demo.dce.tokens import Mint

VIRTUAL_MACHINE: Final = "/metadata/identity/oauth2/token"
APP_SERVICE: Final = "/msi/token"
RESOURCES: Final = frozenset(
    f"https://{service}.{domain}"
    for service, domain in (
        ("monitor", "azure.com"),
        ("monitor", "azure.us"),
        ("monitor", "azure.cn"),
        ("management", "azure.com"),
        ("management", "usgovcloudapi.net"),
        ("management", "chinacloudapi.cn"),
    )
)
"""What tokens are issued for; the Data Collection Endpoint accepts one of them."""
_ASSERTED: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DISCOVERY: Final = "/v2.0/.well-known/openid-configuration"
_LOGIN: Final = "/oauth2/v2.0/token"


class Identity:
    """Knows one application of one tenant, which also is the managed identity."""

    def __init__(self, behaviour: Behaviour, mint: Mint) -> None:
        self._behaviour = behaviour
        self._mint = mint

    def handle(self, call: Call) -> Answer:
        """What the service would answer to a call that `is_for_tokens`."""
        path = call.path
        if path == VIRTUAL_MACHINE:
            return self._virtual_machine(call)
        if path == APP_SERVICE:
            return self._app_service(call)
        if is_discovery(call):
            return self._discovery(call, path.removesuffix(_DISCOVERY).strip("/"))
        return self._login(call, path.removesuffix(_LOGIN).strip("/"))

    def _discovery(self, call: Call, tenant: str) -> Answer:
        base = f"{call.base}/{tenant}"
        return self._unknown_tenant(tenant) or json(
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

    def _unknown_tenant(self, tenant: str) -> Answer | None:
        if tenant.lower() == self._behaviour.tenant_id.lower():
            return None
        text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        return refused_token(400, "invalid_request", 90002, text)

    def _login(self, call: Call, tenant: str) -> Answer:
        form = call.form
        refusal = (
            self._unknown_tenant(tenant)
            or self._wrong_form(form)
            or self._wrong_credential(form, f"{call.base}/{tenant}")
        )
        if refusal:
            return refusal
        resource = form["scope"].removesuffix("/.default")
        token, claims = self._mint.issue(resource, form["client_id"])
        life = claims["exp"] - claims["iat"]
        return json(
            {
                "token_type": "Bearer",
                "expires_in": life,
                "ext_expires_in": life,
                "access_token": token,
            }
        )

    def _wrong_form(self, form: dict[str, str]) -> Answer | None:
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                text = f"The request body must contain the following parameter: '{name}'."
                return refused_token(400, "invalid_request", 900144, text)
        if form["grant_type"] != "client_credentials":
            text = f"The app requested an unsupported grant type '{form['grant_type']}'."
            return refused_token(400, "unsupported_grant_type", 70003, text)
        scope = form["scope"]
        if not scope.endswith("/.default"):
            text = f"The provided value for scope {scope} is not valid: it must end in '/.default'."
            return refused_token(400, "invalid_scope", 1002012, text)
        if scope.removesuffix("/.default").rstrip("/") not in RESOURCES:
            text = f"The resource principal named {scope} was not found in the tenant."
            return refused_token(400, "invalid_resource", 500011, text)
        return None

    def _wrong_credential(self, form: dict[str, str], tenant: str) -> Answer | None:
        client_id = form["client_id"]
        if client_id.lower() != self._behaviour.client_id.lower():
            text = f"Application with identifier '{client_id}' was not found in the directory."
            return refused_token(400, "unauthorized_client", 700016, text)
        if form.get("client_assertion_type") == _ASSERTED:
            return self._wrong_assertion(form.get("client_assertion", ""), client_id, tenant)
        if "client_secret" not in form:
            text = "The request must contain 'client_assertion' or 'client_secret'."
            return refused_token(401, "invalid_client", 7000218, text)
        if not _same(form["client_secret"], self._behaviour.client_secret):
            text = f"Invalid client secret provided for app '{client_id}'."
            return refused_token(401, "invalid_client", 7000215, text)
        return None

    def _wrong_assertion(self, assertion: str, client_id: str, tenant: str) -> Answer | None:
        claims = claims_of(assertion)
        if claims is None:
            text = "The client assertion is not a valid JWT."
            return refused_token(401, "invalid_client", 50027, text)
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or expires <= time():
            text = "Client assertion is not within its valid time range."
            return refused_token(401, "invalid_client", 700024, text)
        is_certificate = claims.get("iss") == client_id
        if is_certificate and claims.get("aud") != f"{tenant}{_LOGIN}":
            text = "Client assertion contains an invalid audience."
            return refused_token(401, "invalid_client", 700023, text)
        known = self._behaviour.assertions
        if is_certificate or not known or any(_same(assertion, each) for each in known):
            return None
        text = "No matching federated identity record found for the presented assertion."
        return refused_token(401, "invalid_client", 700213, text)

    def _virtual_machine(self, call: Call) -> Answer:
        if call.headers.get("metadata", "").lower() != "true":
            return _refused_identity(400, "Required metadata header not specified")
        return self._managed(call)

    def _app_service(self, call: Call) -> Answer:
        if not _same(call.headers.get("x-identity-header", ""), self._behaviour.identity_header):
            return _refused_identity(401, "X-Identity-Header is missing or wrong")
        return self._managed(call)

    def _managed(self, call: Call) -> Answer:
        asked = call.query
        resource = asked.get("resource", "")
        if not asked.get("api-version"):
            return _refused_identity(400, "Required query variable 'api-version' is missing")
        if resource.rstrip("/") not in RESOURCES:
            return _refused_identity(400, f"The resource {resource!r} is not known")
        client_id = self._behaviour.client_id
        if asked.get("client_id", client_id).lower() != client_id.lower():
            return _refused_identity(400, "Identity not found")
        token, claims = self._mint.issue(resource, client_id)
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


def is_for_tokens(call: Call) -> bool:
    """Whether a call is for the token endpoint, its discovery or managed identity."""
    if call.method == "POST":
        return call.path.endswith(_LOGIN)
    return call.path in (VIRTUAL_MACHINE, APP_SERVICE) or call.path.endswith(_DISCOVERY)


def is_discovery(call: Call) -> bool:
    """Whether a call asks where the token endpoint is, as msal does once."""
    return call.path.endswith(_DISCOVERY)


def _refused_identity(status: int, text: str) -> Answer:
    return json({"error": "invalid_request", "error_description": text}, status)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
