"""Who gets a token, and which tokens the Data Collection Endpoint accepts."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from demo.dce.conftest import STREAM, row

if TYPE_CHECKING:
    from demo.dce.conftest import Client

ASSERTED = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MONITOR = "https://monitor.azure.com"


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def jwt(**claims: Any) -> str:
    """A federated token of somebody else; good for a long time."""
    return f"{part({'alg': 'RS256'})}.{part({'exp': 2**33, **claims})}.c2ln"


def claims_of(token: str) -> dict[str, Any]:
    _, payload, _ = token.split(".")
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


def test_token_looks_like_entras(stranger: Client) -> None:
    """A check of the token's claims has nothing to check."""
    answer = stranger.ask().json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    claims = claims_of(answer["access_token"])
    known = stranger.azure.behaviour
    assert claims["aud"] == MONITOR
    assert (claims["tid"], claims["appid"]) == (known.tenant_id, known.client_id)
    assert claims["roles"] == []
    assert 3500 < claims["exp"] - time.time() <= 3600


@pytest.mark.parametrize(
    ("changes", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"client_id": "somebody"}, 400, "unauthorized_client", 700016),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"scope": MONITOR}, 400, "invalid_scope", 1002012),
        ({"scope": "https://example.com/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_refusals(
    stranger: Client, changes: dict[str, str | None], status: int, error: str, code: int
) -> None:
    """A wrong credential works here and nowhere else, or is refused in other words than Entra's."""
    answer = stranger.ask(**changes)
    assert answer.status_code == status
    body = answer.json()
    assert (body["error"], body["error_codes"]) == (error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert "access_token" not in body


def test_another_tenant(stranger: Client) -> None:
    """A mistyped tenant works."""
    url = stranger.azure.token_url.replace(stranger.azure.behaviour.tenant_id, "common")
    answer = stranger.session.post(url, data={}, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error_codes"] == [90002]


def test_form_is_decoded(stranger: Client) -> None:
    """A secret that has to be encoded, and is not, is taken all the same: in life it breaks."""
    known = stranger.azure.behaviour
    known.client_secret = "a&b+c%"
    assert stranger.ask().status_code == 200
    raw = (
        f"grant_type=client_credentials&client_id={known.client_id}"
        f"&client_secret={known.client_secret}&scope={MONITOR}/.default"
    )
    url = stranger.azure.token_url
    assert stranger.session.post(url, data=raw, timeout=5).status_code == 401
    known.client_secret = "plain"
    raw = raw.replace("a&b+c%", "plain")
    assert stranger.session.post(url, data=raw, timeout=5).status_code == 200


def assertion(stranger: Client, text: str) -> int:
    return stranger.ask(
        client_secret=None, client_assertion_type=ASSERTED, client_assertion=text
    ).status_code


def test_federated_tokens(stranger: Client) -> None:
    """Workload identity cannot be tried, or a token file that is not read again goes unnoticed."""
    first, second = jwt(sub="first"), jwt(sub="second")
    assert assertion(stranger, first) == 200
    stranger.azure.behaviour.assertions = frozenset({second})
    assert assertion(stranger, first) == 401
    assert assertion(stranger, second) == 200


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é.ü.ä", jwt(exp=1), jwt(exp="late")])
def test_broken_assertions(stranger: Client, text: str) -> None:
    """A credential that is none gets a token."""
    assert assertion(stranger, text) == 401


def test_certificates_name_the_token_endpoint(stranger: Client) -> None:
    """A certificate's assertion for another endpoint gets a token."""
    own = stranger.azure.behaviour.client_id
    there = stranger.azure.token_url
    assert assertion(stranger, jwt(iss=own, aud="https://elsewhere/")) == 401
    assert assertion(stranger, jwt(iss=own, aud=there)) == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", f"Bearer {jwt(aud=MONITOR)}"],
)
def test_strangers_are_refused(stranger: Client, authorization: str) -> None:
    """Rows are taken from whoever comes."""
    stranger.session.headers["Authorization"] = authorization
    answer = stranger.send([row()])
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "AuthenticationFailed"
    assert not stranger.azure.rows["SentinelOneThreats_CL"]


def test_forged_claims(client: Client) -> None:
    """A token can be changed by its owner."""
    head, _, signature = str(client.session.headers["Authorization"]).split(".")
    claims = claims_of(f"{head}..{signature}".replace("..", f".{part({'aud': MONITOR})}."))
    client.session.headers["Authorization"] = f"{head}.{part(claims)}.{signature}"
    assert client.send([row()]).status_code == 401


@pytest.mark.parametrize(
    "scope", ["https://monitor.azure.us/.default", "https://management.azure.com/.default"]
)
def test_audience(stranger: Client, scope: str) -> None:
    """A token of another cloud, or for another service, is accepted."""
    stranger.authorize(scope=scope)
    assert stranger.send([row()]).status_code == 401
    stranger.azure.behaviour.audience = scope.removesuffix("/.default")
    assert stranger.send([row()]).status_code == 204


def test_double_slash_in_the_scope(stranger: Client) -> None:
    """A scope that some clients write with a double slash is refused; Entra takes it."""
    stranger.authorize(scope=f"{MONITOR}//.default")
    assert stranger.send([row()]).status_code == 204


def test_expiry(stranger: Client) -> None:
    """A token never expires."""
    stranger.azure.behaviour.token_life = 0
    stranger.authorize()
    answer = stranger.send([row()])
    assert answer.status_code == 401
    assert "expired" in answer.json()["error"]["message"]


def test_revocation(client: Client) -> None:
    """A client that keeps a token although it is refused is not caught."""
    assert client.send([row()]).status_code == 204
    client.azure.revoke()
    assert client.send([row()]).status_code == 401
    client.authorize()
    assert client.send([row()]).status_code == 204


def managed(stranger: Client, path: str, headers: dict[str, str], **changes: str) -> Any:
    query = {"api-version": "2019-08-01", "resource": MONITOR, **changes}
    url = f"{stranger.azure.plain.url}{path}"
    return stranger.session.get(url, params=query, headers=headers, timeout=5)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/metadata/identity/oauth2/token", {"Metadata": "true"}),
        ("/msi/token", {"X-Identity-Header": "demo-identity"}),
    ],
)
def test_managed_identity(stranger: Client, path: str, headers: dict[str, str]) -> None:
    """Managed identity cannot be tried, or is answered in a form that clients do not read."""
    answer = managed(stranger, path, headers)
    assert answer.status_code == 200
    body = answer.json()
    assert body["resource"] == MONITOR
    assert int(body["expires_on"]) - time.time() > 3500
    assert all(isinstance(body[name], str) for name in ("expires_on", "expires_in"))
    stranger.session.headers["Authorization"] = f"Bearer {body['access_token']}"
    assert stranger.send([row()]).status_code == 204
    assert managed(stranger, path, headers, resource="https://example.com").status_code == 400
    assert managed(stranger, path, headers, client_id="somebody").status_code == 400
    assert managed(stranger, path, headers, **{"api-version": ""}).status_code == 400
    assert managed(stranger, path, {}).status_code in (400, 401)


def test_token_requests_are_remembered(stranger: Client) -> None:
    """Tests cannot see how often and with what a client asks, or can see its secret."""
    stranger.ask()
    stranger.ask(client_secret="wrong")
    assertion(stranger, jwt())
    managed(stranger, "/msi/token", {"X-Identity-Header": "demo-identity"})
    seen = stranger.azure.token_requests
    assert [request.status for request in seen] == [200, 401, 200, 200]
    assert [request.credential for request in seen] == ["secret", "secret", "assertion", ""]
    assert seen[0].resource == f"{MONITOR}/.default"
    assert seen[3].resource == MONITOR
    shown = repr((seen, stranger.azure.behaviour))
    assert "demo-secret" not in shown
    assert "wrong" not in shown
    assert "eyJ" not in shown


def test_tokens_stay_secret(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    """A token ends up in a log or in what is kept of requests."""
    client.send([row()])
    client.send([row()], client.url("Custom-None"))
    token = str(client.session.headers["Authorization"]).split()[1]
    azure = client.azure
    assert token not in repr((azure.requests, azure.token_requests, azure.summary()))
    assert capfd.readouterr() == ("", "")
    assert STREAM in repr(azure.requests)
