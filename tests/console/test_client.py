"""What goes to a console, and over which way: scope, certificates, proxies, names and passwords."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from doubles.console import ScriptedConsole
from doubles.world import World
from sentinelone_source.config.settings import load_settings
from sentinelone_source.console.client import ConsoleClient
from sentinelone_source.console.responses import Response
from sentinelone_source.errors import ConfigError, Unavailable
from sentinelone_source.mapping.request import PageRequest
from support.certificates import Authority
from support.proxy import Proxy
from support.tenancy import TOKEN, Tenancy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.conftest import Swept

HOST = "usea1-acme.sentinelone.example"
VARIABLES = (
    "ALL_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
)
CONFIG = """
[[consoles]]
name = "acme"
url = "{url}"
token_file = "token"
{more}
"""


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own proxies and certificates."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def asked(folder: Path, url: str, more: str = "") -> Response:
    """The answer to a request for groups, by a configuration file."""
    (folder / "token").write_text(TOKEN)
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=url, more=more))
    (console,) = load_settings(config, {}).consoles
    return ConsoleClient(console).page("groups", PageRequest(5))


@contextmanager
def secure(host: str, authority: Authority) -> Iterator[ScriptedConsole]:
    world = World(seed=3)
    world.populate(groups=2)
    with ScriptedConsole(world, {TOKEN}, tls=authority.server(host)) as console:
        yield console


def test_query_of_each_feed(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """Every feed asks for 1000 records at a time in order of position, those out of service too."""
    assert sweep().status == 0
    queries = {request.endpoint: request.query for request in tenancy.console.requests}
    common = {"limit": ["1000"], "skipCount": ["true"], "sortOrder": ["asc"]}
    assert all(common.items() <= query.items() for query in queries.values())
    sorts = {name: query["sortBy"] for name, query in queries.items()}
    assert sorts == {
        "activities": ["createdAt"],
        "agents": ["updatedAt"],
        "alerts": ["alertInfoReportedAt"],
        "groups": ["updatedAt"],
        "threats": ["updatedAt"],
    }
    filters = {
        name: [key for key in query if key.endswith("__gte")] for name, query in queries.items()
    }
    assert filters == {
        "activities": ["createdAt__gte"],
        "agents": [],
        "alerts": ["reportedAt__gte"],
        "groups": [],
        "threats": ["updatedAt__gte"],
    }
    assert queries["agents"]["isDecommissioned"] == ["True,False"]
    assert queries["agents"]["isUninstalled"] == ["True,False"]


def test_out_of_service(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """A decommissioned agent is a row as well."""
    tenancy.populate(5)
    agent = tenancy.world.decommission_agent()
    assert f'"Id":"{agent["id"]}"'.encode() in b"".join(sweep("agents").lines)


def test_scope(tmp_path: Path) -> None:
    """The ids of sites, accounts and groups are sent with each request."""
    world = World(seed=3)
    more = 'site_ids = ["1", "2"]\naccount_ids = ["3"]\ngroup_ids = ["4"]'
    with ScriptedConsole(world, {TOKEN}) as console:
        asked(tmp_path, console.url, more)
    query = console.requests[0].query
    assert (query["siteIds"], query["accountIds"], query["groupIds"]) == (["1,2"], ["3"], ["4"])
    assert query["limit"] == ["5"]


@pytest.mark.parametrize("tail", ["", "/", "/web/api/v2.1", "/login?next=x"])
def test_address(tmp_path: Path, tail: str) -> None:
    """An address copied from the browser is good, whatever follows the host."""
    with ScriptedConsole(World(seed=3), {TOKEN}) as console:
        assert asked(tmp_path, console.url + tail).clock
    assert [request.endpoint for request in console.requests] == ["groups"]


def test_netrc_is_ignored(
    tmp_path: Path, tenancy: Tenancy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password in `.netrc` does not take the token's place."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert asked(tmp_path, tenancy.console.url).content
    assert tenancy.console.requests[0].status == 200


def test_own_authority(tmp_path: Path) -> None:
    """`ca_file` is trusted, and nothing beside it."""
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    with secure("127.0.0.1", ours) as console:
        assert asked(tmp_path, console.url, 'ca_file = "ours.pem"').content
        for more in ("", f'ca_file = "{other.file}"'):
            with pytest.raises(Unavailable, match="groups: TLS: "):
                asked(tmp_path, console.url, more)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_authority_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The environment's certificates are trusted, unless there is a `ca_file`."""
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    with secure("127.0.0.1", ours) as console:
        monkeypatch.setenv(variable, str(ours.file))
        assert asked(tmp_path, console.url).content
        monkeypatch.setenv(variable, str(other.file))
        assert asked(tmp_path, console.url, 'ca_file = "ours.pem"').content
        with pytest.raises(Unavailable, match="TLS"):
            asked(tmp_path, console.url)


def test_certificate_of_another_host(tmp_path: Path) -> None:
    """A trusted certificate of another host is refused."""
    with (
        secure(HOST, Authority(tmp_path, "ours")) as console,
        pytest.raises(Unavailable, match="TLS"),
    ):
        asked(tmp_path, console.url, 'ca_file = "ours.pem"')


def test_missing_ca_file(tmp_path: Path, tenancy: Tenancy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `ca_file` that does not exist is an error that names it."""
    with pytest.raises(ConfigError, match=r"acme: ca_file: .*none\.pem: no such file"):
        asked(tmp_path, tenancy.console.url, 'ca_file = "none.pem"')
    monkeypatch.setenv("SSL_CERT_FILE", "/none.pem")
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE: /none\.pem: no such file"):
        asked(tmp_path, tenancy.console.url)


def test_proxy(tmp_path: Path, tenancy: Tenancy) -> None:
    """A configured proxy is asked."""
    with Proxy(tenancy.console.port) as proxy:
        answer = asked(tmp_path, tenancy.console.url, f'proxy = "{proxy.url}"')
        assert answer.content
    assert proxy.seen[0].startswith(f"GET {tenancy.console.url}/web/api/v2.1/groups?")


@pytest.mark.parametrize("configured", [True, False])
def test_proxy_to_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: bool) -> None:
    """A console with https is asked through a tunnel of the proxy, which sees only its host."""
    authority = Authority(tmp_path, "ours")
    with secure(HOST, authority) as console, Proxy(console.port) as proxy:
        more = 'ca_file = "ours.pem"\n'
        if configured:
            more += f'proxy = "{proxy.url}"'
        else:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert asked(tmp_path, f"https://{HOST}", more).content
    assert [line.rpartition(" ")[0] for line in proxy.seen] == [f"CONNECT {HOST}:443"]


def test_proxy_is_not_for_loopback(
    tmp_path: Path, tenancy: Tenancy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console on loopback is asked without the environment's proxy."""
    with Proxy(tenancy.console.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert asked(tmp_path, tenancy.console.url).content
    assert proxy.seen == []


def test_proxy_is_gone(tmp_path: Path, tenancy: Tenancy) -> None:
    """An error says that it is the proxy that is away."""
    with Proxy(1) as proxy:
        pass
    with pytest.raises(Unavailable, match="no connection to the proxy: Connection refused"):
        asked(tmp_path, tenancy.console.url, f'proxy = "{proxy.url}"')


@pytest.mark.parametrize(
    ("variable", "proxy", "says"),
    [
        ("HTTPS_PROXY", "socks5://me:secret@127.0.0.1:1080", "socks5 proxies are not supported"),
        ("ALL_PROXY", "socks5://me:secret@127.0.0.1:1080", "socks5 proxies are not supported"),
        ("HTTPS_PROXY", "http://me:secret@[::1", "HTTPS_PROXY or ALL_PROXY: is not a URL"),
        ("HTTPS_PROXY", "me:secret@proxy:99999", "HTTPS_PROXY or ALL_PROXY: is not a URL"),
        ("HTTPS_PROXY", "http://me:secret@pro xy:80", "HTTPS_PROXY or ALL_PROXY: is not a URL"),
    ],
)
def test_unusable_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, says: str
) -> None:
    """A SOCKS proxy, or one that is no URL, is an error at the start that hides its password."""
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(ConfigError, match=says) as caught:
        asked(tmp_path, f"https://{HOST}")
    assert "secret" not in str(caught.value)


def test_certificates_in_der(tmp_path: Path, tenancy: Tenancy) -> None:
    """Certificates in another form than PEM are an error at the start."""
    pem = Authority(tmp_path, "ours").file
    (tmp_path / "ours.der").write_bytes(ssl.PEM_cert_to_DER_cert(pem.read_text()))
    with pytest.raises(ConfigError, match=r"ours\.der: holds no certificate in PEM form"):
        asked(tmp_path, tenancy.console.url, 'ca_file = "ours.der"')
