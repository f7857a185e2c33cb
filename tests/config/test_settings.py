"""config.toml and the environment, as settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sentinelone_source.config.settings import check_feed_names, load_settings
from sentinelone_source.errors import ConfigError
from sentinelone_source.times import parse_moment

if TYPE_CHECKING:
    from sentinelone_source.config.settings import Settings

CONSOLE = '[[consoles]]\nname="acme"\nurl="https://a.example"\ntoken_file="token"\n'
ENVIRON = {
    "SENTINELONE_URL": "https://b.example/",
    "SENTINELONE_TOKEN": "t",
    "SENTINELONE_SOURCE_STATE": "/state/of/environ",
    "SENTINELONE_SOURCE_LISTEN": "127.0.0.1:9464",
    "SENTINELONE_SOURCE_TO": "http://127.0.0.1:8687/",
}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `config.toml` here."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def of(folder: Path, text: str, **environ: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text)
    return load_settings(path, environ)


def test_defaults(tmp_path: Path) -> None:
    """A short file has the documented defaults."""
    settings = of(tmp_path, CONSOLE)
    assert settings.state_path == Path("/var/lib/sentinelone-source")
    assert (settings.handover.to, settings.settle) == ("stdout", 30.0)
    assert settings.mappings.path is None
    assert settings.listen is None
    feed = settings.feed("alerts")
    assert (feed.enabled, feed.interval, feed.lookback) == (True, 60.0, None)
    assert (feed.start_back, feed.start_at) == (86_400.0, None)
    assert (feed.rescan, feed.rescan_interval) == (604_800.0, 900.0)


def test_environment_alone() -> None:
    """The environment alone is enough for one console."""
    settings = load_settings(None, ENVIRON)
    (console,) = settings.consoles
    assert (console.name, console.url) == ("default", "https://b.example")
    assert (console.token_env, console.token_file) == ("SENTINELONE_TOKEN", "")
    assert settings.state_path == Path("/state/of/environ")
    assert settings.handover.to == "http://127.0.0.1:8687/"
    (console,) = load_settings(None, ENVIRON | {"SENTINELONE_TOKEN_FILE": "/t"}).consoles
    assert (console.token_env, console.token_file) == ("", "/t")


def test_file_wins(tmp_path: Path) -> None:
    """A key of the file wins over the environment."""
    text = CONSOLE + '[state]\npath="/of/file"\n[handover]\nto="stdout"\n'
    settings = of(tmp_path, text + '[telemetry]\nlisten=""\n', **ENVIRON)
    assert [console.name for console in settings.consoles] == ["acme"]
    assert settings.listen is None
    assert settings.state_path == Path("/of/file")
    assert settings.handover.to == "stdout"


def test_environment_fills(tmp_path: Path) -> None:
    """The environment fills what the file leaves out."""
    settings = of(tmp_path, "[handover]\nsettle='2s'\n", **ENVIRON)
    assert settings.consoles[0].url == "https://b.example"
    assert settings.state_path == Path("/state/of/environ")
    assert (settings.handover.to, settings.settle) == ("http://127.0.0.1:8687/", 2.0)
    assert settings.listen == ("127.0.0.1", 9464)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SENTINELONE_SOURCE_TO", "stdoub"), ("SENTINELONE_SOURCE_LISTEN", "9464")],
)
def test_mistakes_in_the_environment(tmp_path: Path, variable: str, value: str) -> None:
    """A mistake in the environment names the variable."""
    with pytest.raises(ConfigError, match=f"environment: {variable}: '{value}'"):
        of(tmp_path, CONSOLE, **{variable: value})


def test_relative_paths(tmp_path: Path) -> None:
    """Relative paths start at the file, and those of the environment at the working directory."""
    text = '[state]\npath="state"\n[mappings]\npath="more"\n'
    settings = of(tmp_path, text + CONSOLE + 'ca_file="ca.pem"\n')
    assert settings.state_path == tmp_path / "state"
    assert settings.mappings.path == tmp_path / "more"
    assert settings.consoles[0].token_file == str(tmp_path / "token")
    assert settings.consoles[0].ca_file == str(tmp_path / "ca.pem")
    relative = {"SENTINELONE_SOURCE_STATE": "s", "SENTINELONE_URL": "https://b.example"}
    settings = of(tmp_path, "", **relative, SENTINELONE_TOKEN_FILE="t")
    assert settings.state_path.resolve() == Path.cwd() / "s"
    assert settings.consoles[0].token_file == "t"


def test_which_file(tmp_path: Path) -> None:
    """The named file is read, else the environment's, else config.toml here."""
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text("[handover]\nsettle='1s'\n")
    other.write_text("[handover]\nsettle='2s'\n")
    environ = {"SENTINELONE_SOURCE_CONFIG": str(other)}
    assert load_settings(None, {}).source == "environment"
    assert load_settings(one, environ).settle == 1.0
    assert load_settings(None, environ).settle == 2.0
    Path("config.toml").write_text("[handover]\nsettle='3s'\n")
    assert load_settings(None, {}).settle == 3.0
    assert load_settings(None, environ).settle == 2.0
    with pytest.raises(ConfigError, match=r"none\.toml: no such configuration file"):
        load_settings(tmp_path / "none.toml", {})


def test_feeds(tmp_path: Path) -> None:
    """A feed has the defaults and its own settings over them."""
    settings = of(
        tmp_path,
        "[feeds]\ninterval='5m'\nstart='all'\n[feeds.groups]\nenabled=false\nstart='2h'\n"
        "[feeds.threats]\nstart='2026-01-31T08:00:00+01:00'\nlookback='1500ms'\n",
    )
    groups, threats, agents = (settings.feed(name) for name in ("groups", "threats", "agents"))
    assert (groups.enabled, groups.interval, groups.start_back) == (False, 300.0, 7200.0)
    assert (threats.enabled, threats.interval, threats.lookback) == (True, 300.0, 1.5)
    assert (threats.start_back, threats.start_at) == (None, parse_moment("2026-01-31T07:00:00Z"))
    assert (agents.enabled, agents.start_back, agents.start_at) == (True, None, None)


@pytest.mark.parametrize(
    ("text", "by_mapping", "enabled"),
    [
        ("", True, True),
        ("", False, False),
        ("[feeds]\nenabled=true", False, False),
        ("[feeds.threats]\ninterval='5m'", False, False),
        ("[feeds.threats]\nenabled=true", False, True),
        ("[feeds]\nenabled=false\n[feeds.threats]\nenabled=true", False, True),
        ("[feeds]\nenabled=false", True, False),
        ("[feeds.threats]\nenabled=false", True, False),
    ],
)
def test_enabled(tmp_path: Path, text: str, by_mapping: bool, enabled: bool) -> None:
    """A feed that its mapping leaves off is on only if its own table says so."""
    assert of(tmp_path, text).is_enabled("threats", by_mapping) is enabled


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://a.example", "https://a.example"),
        ("a.example", "https://a.example"),
        ("https://a.example/", "https://a.example"),
        ("https://a.example:8443/web/api/v2.1/", "https://a.example:8443"),
        ("https://a.example/dashboard?x=1#y", "https://a.example"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_address(tmp_path: Path, url: str, normal: str) -> None:
    """Every usual form of a console's address is accepted."""
    settings = of(tmp_path, CONSOLE.replace("https://a.example", url))
    assert settings.consoles[0].url == normal


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CONSOLE + CONSOLE, "consoles.acme: name: every console needs a unique name"),
        (CONSOLE.replace("acme", ""), "a unique name"),
        (CONSOLE + 'token_env = "T"', "consoles.acme: give either token_file or token_env"),
        (CONSOLE.replace("token_file", "tokenfile"), "did you mean 'token_file'"),
        (CONSOLE.replace("https://a.", "http://a."), "acme: url: plain http is for loopback"),
        (CONSOLE.replace("https://a.", "http://127.0.0.1."), "plain http is for loopback"),
        (CONSOLE.replace("https://a.example", ""), "acme: url: '' is not a URL"),
        (CONSOLE.replace("https://a.example", "https://a:b"), "is not a URL"),
        (CONSOLE.replace("https://a.", "https://a .b."), "acme: url: 'https://a .b.example'"),
        (CONSOLE.replace("https://a.", "https://a..b."), "acme: url: 'https://a..b.example'"),
        (CONSOLE.replace("https://a.", f"https://{'a' * 64}."), "is not a URL"),
        (CONSOLE.replace("https://a.", "https://me:pw@a."), "holds a user name or password"),
        (CONSOLE.replace('"token"', '"' + "x" * 80 + '"'), "not the token itself"),
        (CONSOLE.replace('file="token"', 'env="a-token"'), "takes the name of a variable"),
        (CONSOLE + "site_ids = [1]", "expected `str`, got `int`"),
        ("[handover]\nusername='me'", "username and password_file must be given together"),
        ("[handover]\ntoken_file='t'\nusername='me'", "either token_file, or username"),
        ("[handover]\nto='http://me:pw@127.0.0.1/'", "handover.to: holds a password"),
        ("[handover]\nto='http://127.0.0.1/?x'", "must end with the path, without ? and #"),
        ("[handover]\nto='stdoub'", "handover.to: 'stdoub' is neither 'stdout' nor a URL"),
        ("[handover]\nto='http://a.example/'", "handover.to: plain http is for loopback"),
        ("[handover]\nto='http://[/'", "handover.to: 'http://[/' is neither"),
        ("[handover]\nsettle='soon'", "handover.settle: 'soon' is not a duration"),
        ("[handover]\nsettle='-1s'", "handover.settle: '-1s' is not a duration"),
        (
            "[handover]\ntag='{maping}'",
            "handover.tag: unknown placeholder 'maping' (did you mean 'mapping'",
        ),
        ("[handover]\ntag='s1-{mapping}'", "handover.tag: 's1-{mapping}': takes letters, digits"),
        ("[handover]\ntag='s1..{mapping}'", "takes letters, digits"),
        ("[handover]\ntag='{mapping'", "takes letters, digits"),
        (
            (
                f"{CONSOLE}{CONSOLE.replace('acme', 'a.b')}{CONSOLE.replace('acme', 'a-b')}"
                "[handover]\ntag='{console}'"
            ),
            "handover.tag: consoles 'a.b' and 'a-b' would both be 'a_b' in the tag; rename one",
        ),
        ("[requests]\nconcurrency=0", "requests.concurrency: expected `int` >= 1"),
        ("[feeds]\ninterval='1 h'", "feeds.interval: '1 h' is not a duration"),
        (f"[feeds]\nheartbeat='{'9' * 20}d'", "d' is longer than 36500d"),
        ("[feeds]\nstart='0001-01-01T00:00:00+14:00'", "feeds.start: '0001-01-01T00:00:00+14:00'"),
        ("[feeds]\nintervall='1h'", "feeds: intervall: unknown key 'intervall'"),
        ("[feeds]\nenabled='yes'", "feeds: enabled: expected `bool`"),
        ("[state]\npaht='x'", "state.paht: unknown key 'paht' (did you mean 'path'?)"),
        ("[stat]\n", "unknown key 'stat' (did you mean 'state'?)"),
        ("state = 1\n", "state: expected `object`, got `int`"),
        ("a = [", "is not valid TOML"),
        ("[state]\npath='a'\n[mappings]\npath=\"a\\u0000b\"", "a text holds a NUL character"),
        (CONSOLE.replace("https", "ftp"), "acme: url: 'ftp://a.example' is not a URL"),
        (CONSOLE.replace("a.example", "a.example:port"), "is not a URL"),
        (CONSOLE.replace('url="https://a.example"\n', ""), "missing key `url`"),
        (CONSOLE.replace('token_file="token"\n', ""), "acme: give either token_file or token_env"),
        ("[telemetry]\nlisten_on=1", "telemetry.listen_on: unknown key"),
        ("[azure]\ncloud='moon'", "azure.cloud: "),
    ],
)
def test_mistakes(tmp_path: Path, text: str, says: str) -> None:
    """A mistake is an error that names file, table and key, and shows no secret."""
    with pytest.raises(ConfigError) as caught:
        of(tmp_path, text)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "config.toml"))
    assert "pw@" not in str(caught.value)
    assert "xxxx" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[feeds.threats]\ninterval=60", "feeds.threats: interval: expected `str`, got `int`"),
        ("[feeds.threats]\nstart='yesterday'", "feeds.threats.start: 'yesterday'"),
        ("[feeds.threats]\nrescan='7w'", "feeds.threats.rescan: '7w' is not a duration"),
        ("[feeds.threads]\n", "feeds.threads: unknown feed 'threads' (did you mean 'threats'?)"),
    ],
)
def test_mistakes_in_feeds(tmp_path: Path, text: str, says: str) -> None:
    """A mistake in the settings of one feed is found at start."""
    settings = of(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        check_feed_names(settings, ["threats", "groups"])
    assert says in str(caught.value)


def test_byte_order_mark(tmp_path: Path) -> None:
    """A file that an editor began with a byte order mark is read."""
    assert of(tmp_path, "\ufeff" + CONSOLE).consoles[0].name == "acme"


def test_unreadable(tmp_path: Path) -> None:
    """A file that is not text is an error."""
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_settings(tmp_path / "config.toml", {})
