"""Bearer tokens that look like Entra's, and that their maker knows again."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec

if TYPE_CHECKING:
    from sentinelone_source.demo.dce.behaviour import Behaviour

_HEADER: Final = {"typ": "JWT", "alg": "HS256", "kid": "loopback"}


class TokenIssuer:
    """Issues tokens for one tenant, checks and revokes them."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._key = secrets.token_bytes(32)
        self._valid: set[str] = set()
        self._lock = Lock()

    def issue(self, audience: str, client_id: str) -> tuple[str, dict[str, Any]]:
        """A token, and its claims."""
        now, tenant = int(time()), self._behaviour.tenant_id
        token_id = str(uuid4())
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
            "uti": token_id,
        }
        with self._lock:
            self._valid.add(token_id)
        signed = f"{_part(_HEADER)}.{_part(claims)}"
        return f"{signed}.{self._signature(signed)}", claims

    def revoke(self) -> None:
        """No token issued so far is accepted any more."""
        with self._lock:
            self._valid.clear()

    def refusal(self, authorization: str) -> str | None:
        """Why an Authorization header is not accepted; None when it is."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "The request has no bearer token."
        claims = claims_of(token)
        signed, _, signature = token.strip().rpartition(".")
        if claims is None or not hmac.compare_digest(signature, self._signature(signed)):
            return "The token's signature is not valid."
        if claims["exp"] <= time():
            return "The token has expired."
        if claims["aud"].rstrip("/") != self._behaviour.audience.rstrip("/"):
            return f"The token's audience {claims['aud']!r} is not this service's."
        return None if claims["uti"] in self._valid else "The token has been revoked."

    def _signature(self, signed: str) -> str:
        return _text(hmac.digest(self._key, signed.encode(), hashlib.sha256))


def claims_of(token: str) -> dict[str, Any] | None:
    """What a JWT claims, its signature not looked at; None when it is no JWT."""
    parts = token.strip().split(".")
    if len(parts) != 3:
        return None
    try:
        encoded = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(encoded, type=dict[str, Any])
    except ValueError:
        return None


def _part(value: object) -> str:
    return _text(msgspec.json.encode(value))


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
