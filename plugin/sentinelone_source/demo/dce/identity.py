"""Tokens of Entra's v2.0 endpoint and App Service's managed identity, for one application."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from time import time
from typing import Any, Final

import msgspec

from sentinelone_source.demo.dce.errors import json, token_refused
from sentinelone_source.demo.http_server import Answer, Call

APP_SERVICE: Final = "/msi/token"
DISCOVERY: Final = "/v2.0/.well-known/openid-configuration"
LOGIN: Final = "/oauth2/v2.0/token"
_CLOUDS: Final = {
    "monitor": ("azure.com", "azure.us", "azure.cn"),
    "management": ("azure.com", "usgovcloudapi.net", "chinacloudapi.cn"),
    "api.loganalytics": ("io", "us", "azure.cn"),
}
RESOURCES: Final = frozenset(
    f"https://{service}.{domain}" for service, domains in _CLOUDS.items() for domain in domains
)
"""What tokens are issued for."""
_HEADER: Final = {"typ": "JWT", "alg": "HS256", "kid": "loopback"}


@dataclass
class DemoBehaviour:
    """Who may come in and what is done with rows; may be changed while it runs.

    `identity_header` is App Service's `X-Identity-Header`, `audience` what tokens must be for at
    the Data Collection Endpoint. With `keep_times` times stay as they came, and are only counted.
    """

    tenant_id: str = "7d1a4a52-0d6c-4a3e-9c1b-5e2f4c8a9b10"
    client_id: str = "2b9d6c1e-84f7-4c55-b0a3-1f6e7d8c9a21"
    client_secret: str = field(default="demo-secret", repr=False)
    identity_header: str = field(default="demo-identity", repr=False)
    audience: str = "https://monitor.azure.com"
    dcr_id: str = "dcr-5e1c0f4e9a7b4d2f8c6a3b1d0e9f8a7c"
    workspace_id: str = "0c6f9a3e-41d7-4b8a-9e52-7d3b1f8a6c04"
    keep_times: bool = False


class TokenIssuer:
    """Issues tokens that look like Entra's, and knows them again; safe for many threads."""

    life = 3600.0
    """Seconds."""

    def __init__(self, behaviour: DemoBehaviour) -> None:
        self.behaviour = behaviour
        self._issued: dict[str, dict[str, Any]] = {}

    def issue(self, audience: str) -> tuple[str, dict[str, Any]]:
        """A token, and its claims."""
        now, known = int(time()), self.behaviour
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{known.tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": now + int(self.life),
            "appid": known.client_id,
            "tid": known.tenant_id,
        }
        parts = msgspec.json.encode(_HEADER), msgspec.json.encode(claims), secrets.token_bytes(32)
        token = ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        self._issued[token] = claims
        return token, claims

    def refusal(self, authorization: str, audiences: set[str]) -> str | None:
        """Why an Authorization header is not accepted for one of these; None when it is."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "The request has no bearer token."
        claims = self._issued.get(token.strip())
        if claims is None:
            return "The token is not one of this service's, or has been revoked."
        if claims["exp"] <= time():
            return "The token has expired."
        if claims["aud"].rstrip("/") not in audiences:
            return f"The token's audience {claims['aud']!r} is not this service's."
        return None


def issue_token(issuer: TokenIssuer, call: Call) -> Answer:
    """What the service would answer. Raises RequestRefused."""
    if call.path == APP_SERVICE:
        return _managed(issuer, call)
    form, known = call.form, issuer.behaviour
    end = DISCOVERY if call.method == "GET" else LOGIN
    tenant = call.path.removesuffix(end).strip("/")
    if tenant.lower() != known.tenant_id.lower():
        text = f"Tenant '{tenant}' not found. Check that you have the correct tenant ID."
        raise token_refused(400, "invalid_request", 90002, text)
    if call.method == "GET":
        base = f"{call.base}/{tenant}"
        authorize = f"{base}/oauth2/v2.0/authorize"
        endpoints = {"token_endpoint": f"{base}{LOGIN}", "authorization_endpoint": authorize}
        return json({"issuer": f"{base}/v2.0", **endpoints})
    _check_form(form)
    _check_secret(issuer, form)
    resource = form["scope"].removesuffix("/.default")
    token, claims = issuer.issue(resource)
    life = claims["exp"] - claims["iat"]
    expiry = {"expires_in": life, "ext_expires_in": life}
    return json({"token_type": "Bearer", **expiry, "access_token": token})


def _check_form(form: dict[str, str]) -> None:
    for name in ("grant_type", "client_id", "scope"):
        if not form.get(name):
            text = f"The request body must contain the following parameter: '{name}'."
            raise token_refused(400, "invalid_request", 900144, text)
    scope, kind = form["scope"], form["grant_type"]
    if kind != "client_credentials":
        text = f"The grant type '{kind}' is not supported."
        raise token_refused(400, "unsupported_grant_type", 70003, text)
    if not scope.endswith("/.default"):
        text = f"The scope {scope} must end in '/.default'."
        raise token_refused(400, "invalid_scope", 1002012, text)
    if scope.removesuffix("/.default").rstrip("/") not in RESOURCES:
        text = f"The resource principal named {scope} was not found in the tenant."
        raise token_refused(400, "invalid_resource", 500011, text)


def _check_secret(issuer: TokenIssuer, form: dict[str, str]) -> None:
    known, client_id = issuer.behaviour, form["client_id"]
    if client_id.lower() != known.client_id.lower():
        text = f"Application with identifier '{client_id}' was not found in the directory."
        raise token_refused(400, "unauthorized_client", 700016, text)
    if "client_secret" not in form:
        text = "The request must contain 'client_assertion' or 'client_secret'."
        raise token_refused(401, "invalid_client", 7000218, text)
    if not _is_same(form["client_secret"], known.client_secret):
        text = f"Invalid client secret provided for app '{client_id}'."
        raise token_refused(401, "invalid_client", 7000215, text)


def _managed(issuer: TokenIssuer, call: Call) -> Answer:
    known, asked = issuer.behaviour, call.query
    resource, refusal, status = asked.get("resource", ""), "", 400
    if not _is_same(call.headers.get("x-identity-header", ""), known.identity_header):
        refusal, status = "X-Identity-Header is missing or wrong", 401
    elif not asked.get("api-version"):
        refusal = "Required query variable 'api-version' is missing"
    elif resource.rstrip("/") not in RESOURCES:
        refusal = f"The resource {resource!r} is not known"
    elif asked.get("client_id", known.client_id).lower() != known.client_id.lower():
        refusal = "Identity not found"
    if refusal:
        return json({"error": "invalid_request", "error_description": refusal}, status)
    token, claims = issuer.issue(resource)
    return json(
        {
            "access_token": token,
            "client_id": known.client_id,
            "expires_in": str(claims["exp"] - claims["iat"]),
            "expires_on": str(claims["exp"]),
            "not_before": str(claims["nbf"]),
            "resource": resource,
            "token_type": "Bearer",
        }
    )


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
