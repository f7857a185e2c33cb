"""Bearer tokens that look like Entra's, and that their issuer knows again."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from time import time
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec

if TYPE_CHECKING:
    from sentinelone_source.demo.dce.behaviour import Behaviour

_HEADER: Final = {"typ": "JWT", "alg": "HS256", "kid": "loopback"}


class TokenIssuer:
    """Issues tokens for one tenant, checks and revokes them; safe to use from many threads."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._issued: dict[str, dict[str, Any]] = {}

    def issue(self, audience: str, client_id: str) -> tuple[str, dict[str, Any]]:
        """A token, and its claims."""
        now, tenant = int(time()), self._behaviour.tenant_id
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + int(self._behaviour.token_life),
            "appid": client_id,
            "tid": tenant,
            "idtyp": "app",
            "roles": [],
            "ver": "1.0",
            "uti": str(uuid4()),
        }
        parts = msgspec.json.encode(_HEADER), msgspec.json.encode(claims), secrets.token_bytes(32)
        token = ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        self._issued[token] = claims
        return token, claims

    def revoke(self) -> None:
        """No token issued so far is accepted any more."""
        self._issued.clear()

    def refusal(self, authorization: str, audiences: frozenset[str] = frozenset()) -> str | None:
        """Why an Authorization header is not accepted; None when it is.

        Args:
            audiences: what the token may be for, if not the Data Collection Endpoint.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "The request has no bearer token."
        claims = self._issued.get(token.strip())
        if claims is None:
            return "The token is not one of this service's, or has been revoked."
        if claims["exp"] <= time():
            return "The token has expired."
        wanted = audiences or {self._behaviour.audience.rstrip("/")}
        if claims["aud"].rstrip("/") not in wanted:
            return f"The token's audience {claims['aud']!r} is not this service's."
        return None
