"""What the configurations inside a manifest say, against what the manifest has.

Each check gives a sentence for each thing that is wrong.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from kubernetes.kubelite.containers import environment
from kubernetes.kubelite.manifest import Manifest, Object, containers
from sentinelone_source.cli import commands
from sentinelone_source.config.settings import Settings, load_settings
from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.spec.files import HEALTH, load_mappings

CONFIG = "/etc/sentinelone-source/config.toml"
BACKED = "/var/lib"
"""Where shippers and the source keep what has to survive."""


def container_of(manifest: Manifest, name: str) -> Object:
    """A container by its name."""
    [found] = [one for one in containers(manifest.pod) if one["name"] == name]
    return found


def content(manifest: Manifest, container: Object, path: str) -> bytes | None:
    """A file of a ConfigMap or Secret as a container sees it; None if there is none."""
    volumes = {one["name"]: one for one in manifest.pod["spec"]["volumes"]}
    for mount in container.get("volumeMounts", []):
        inside = path.removeprefix(mount["mountPath"] + "/")
        volume = volumes.get(mount["name"], {})
        if inside == path or not {"configMap", "secret"} & volume.keys():
            continue
        wanted = volume.get("configMap") or volume["secret"]
        kind = "ConfigMap" if "configMap" in volume else "Secret"
        name = wanted.get("name") or wanted["secretName"]
        data = manifest.data(kind, name, optional=wanted.get("optional", False))
        items = {item["path"]: item["key"] for item in wanted.get("items", [])}
        return data.get(items.get(inside, "") if items else inside)
    return None


def settings_of(manifest: Manifest, container: Object) -> Settings:
    """The configuration of one of our containers, read as the program reads it."""
    text = content(manifest, container, CONFIG)
    assert text is not None, f"{container['name']}: no {CONFIG}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.toml")
        path.write_bytes(text)
        return load_settings(path, environment(manifest, container))


def source(manifest: Manifest) -> Iterator[str]:
    """The poller's paths and ports are the pod's."""
    container = container_of(manifest, "source")
    try:
        settings = settings_of(manifest, container)
    except ConfigError as error:
        yield str(error)
        return
    for console in settings.consoles:
        if not content(manifest, container, console.token_file):
            yield f"no token in {console.token_file}"
    kept = {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "data"}
    if str(settings.state_path) not in kept:
        yield f"the state in {settings.state_path} is not on the volume"
    if str(settings.mappings.path) not in {one["mountPath"] for one in container["volumeMounts"]}:
        yield f"no mappings in {settings.mappings.path}"
    ports = {one["containerPort"] for one in container["ports"]}
    if (
        settings.listen is None
        or settings.listen.host != "0.0.0.0"
        or settings.listen.port not in ports
    ):
        yield f"probes do not reach {settings.listen}"


def listener(manifest: Manifest) -> Iterator[str]:
    """The shipper listens on loopback only, where the source hands over."""
    own, shipper = container_of(manifest, "source"), container_of(manifest, "shipper")
    wanted = urlsplit(settings_of(manifest, own).handover.to)
    environ = environment(manifest, shipper)
    listening = set()
    for text in _configurations(manifest, shipper):
        document = yaml.safe_load(_filled(text, environ))
        for one in document.get("pipeline", {}).get("inputs", []):
            listening.add(f"{one['listen']}:{one['port']}")
        for one in document.get("sources", {}).values():
            listening |= {one["address"]} if "address" in one else set()
    if listening != {wanted.netloc}:
        yield f"handed over to {wanted.netloc}, taken at {sorted(listening)}"


def outputs(manifest: Manifest) -> Iterator[str]:
    """The shipper delivers every built-in table, also those that are off by default."""
    shipper = container_of(manifest, "shipper")
    delivered = set()
    for text in _configurations(manifest, shipper):
        document = yaml.safe_load(text)
        for one in document.get("pipeline", {}).get("outputs", []):
            delivered.add((one.get("match"), one.get("table_name")))
        routes = document.get("transforms", {}).get("tables", {}).get("route", {})
        for one in document.get("sinks", {}).values():
            name = one["inputs"][0].removeprefix("tables.")
            delivered.add((routes.get(name), one.get("stream_name")))
    for table in (*load_mappings().values(), HEALTH):
        for_fluent_bit = (f"sentinelone.{table.name}.*", table.table)
        for_vector = (f'._table == "{table.table}"', table.stream)
        if not delivered & {for_fluent_bit, for_vector}:
            yield f"{table.table} is not delivered"


def variables(manifest: Manifest) -> Iterator[str]:
    """Whatever the shipper's configuration asks for is given."""
    shipper = container_of(manifest, "shipper")
    given = set(environment(manifest, shipper))
    asked: set[str] = set()
    for text in _configurations(manifest, shipper):
        for one in yaml.safe_load(text).get("env", []):
            given.add(one["name"])
            path = one["uri"].removeprefix("file://")
            if not content(manifest, shipper, path):
                yield f"nothing in {path}"
        if "pipeline:" in text:
            asked |= set(re.findall(r"\$\{(\w+)\}", text))
        for name in re.findall(r"SECRET\[azure\.(\w+)\]", text):
            if not content(manifest, shipper, f"/etc/vector/secrets/{name}"):
                yield f"no secret {name}"
    yield from (f"{name} is not given" for name in asked - given)


def storage(manifest: Manifest) -> Iterator[str]:
    """Buffers and state are on the volume, apart from each other."""
    parts = {}
    for container in containers(manifest.pod):
        for mount in container["volumeMounts"]:
            if mount["name"] == "data":
                parts[mount.get("subPath")] = mount["mountPath"]
            elif mount["mountPath"].startswith(BACKED):
                yield f"{mount['mountPath']} is not on the volume"
    if len(parts) != 2 or None in parts:
        yield f"state and buffers share {sorted(map(str, parts))}"


def programs(manifest: Manifest) -> Iterator[str]:
    """What is run in our image is a command of ours, in containers and in exec probes."""
    for container in containers(manifest.pod):
        if container["image"] != "sentinelone-source":
            continue
        for words in _commands(container):
            if words[0] not in commands.list_commands(None):  # type: ignore[arg-type]
                yield f"{container['name']}: no command {words[0]}"


def broker(manifest: Manifest) -> Iterator[str]:
    """With a broker: the shipper asks it, with its secret; it alone has the pod's identity."""
    shipper = container_of(manifest, "shipper")
    url = urlsplit(environment(manifest, shipper).get("AZURE_AUTH_URL", ""))
    if "broker" not in [one["name"] for one in containers(manifest.pod)]:
        if url.hostname == "127.0.0.1":
            yield "the shipper asks a broker that is not there"
        return
    one = container_of(manifest, "broker")
    settings = settings_of(manifest, one).azure.broker
    if settings.listen != url.netloc:
        yield f"the broker is at {settings.listen}, the shipper asks {url.netloc}"
    secret = content(manifest, one, settings.secret_file)
    if not secret or secret != content(manifest, shipper, "/run/secrets/azure/client-secret"):
        yield "the shipper has another secret than the broker"
    skipped = manifest.pod["metadata"]["annotations"]
    if skipped.get("azure.workload.identity/skip-containers") != "source;shipper":
        yield "others than the broker get the pod's identity"


def _commands(container: Object) -> Iterator[list[str]]:
    yield container.get("args", ["run"])
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        words = container.get(kind, {}).get("exec", {}).get("command")
        if words:
            yield words[1:] if words[0] == "sentinelone-source" else words


def _configurations(manifest: Manifest, shipper: Object) -> Iterator[str]:
    """The files that the shipper is started with, and those that they include."""
    for word in shipper["args"]:
        found = content(manifest, shipper, word) if word.startswith("/") else b""
        if found is None:
            raise AssertionError(f"no {word}")
        text = found.decode()
        if text:
            yield text
            for name in yaml.safe_load(text).get("includes", []):
                more = content(manifest, shipper, str(Path(word).parent / name))
                assert more is not None, f"no {name}"
                yield more.decode()


def _filled(text: str, environ: dict[str, str]) -> str:
    return re.sub(
        r"\$\{(\w+)(?::-([^}]*))?\}", lambda found: environ.get(found[1], found[2] or ""), text
    )
