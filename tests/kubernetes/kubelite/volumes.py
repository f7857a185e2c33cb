"""Volumes as folders of this machine, laid out as the kubelet does."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from kubernetes.kubelite.manifest import Manifest, Object, quantity


class Volumes:
    """The volumes of one pod. Claims outlive the pod, everything else goes with it."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self._manifest = manifest
        self._folder = folder
        self._group = manifest.pod["spec"].get("securityContext", {}).get("fsGroup")
        self.paths: dict[str, Path] = {}

    def make(self) -> None:
        """Lay out every volume.

        Raises:
            KeyError: a ConfigMap, a Secret or a key that the manifests do not have.
        """
        for volume in self._manifest.pod["spec"].get("volumes", []):
            self.paths[volume["name"]] = self._volume(volume)

    def refresh(self) -> None:
        """Take over what has changed in ConfigMaps and Secrets, all keys at once."""
        for volume in self._manifest.pod["spec"].get("volumes", []):
            if "emptyDir" not in volume:
                self._volume(volume)

    def remove(self) -> None:
        """The pod has gone."""
        for path in self._mounted():
            subprocess.run(["umount", path], check=True)
        shutil.rmtree(self._folder / "volumes", ignore_errors=True)
        self.paths.clear()

    def source(self, mount: Object) -> Path:
        """What a volumeMount brings into the container.

        Raises:
            KeyError: no volume of this name.
        """
        path = self.paths[mount["name"]]
        if sub := mount.get("subPath"):
            path = path / sub
            if not path.exists():
                path.mkdir(parents=True)
                self._own(path)
        return path.resolve()

    def _volume(self, volume: Object) -> Path:
        path: Path = self._folder / "volumes" / volume["name"]
        if "emptyDir" in volume:
            self._empty(path, volume["emptyDir"] or {})
        elif "persistentVolumeClaim" in volume:
            path = self._claim(volume["persistentVolumeClaim"]["claimName"])
        elif "projected" in volume:
            self._publish(path, dict(self._projected(volume["projected"])), volume["projected"])
        else:
            self._publish(path, self._files(volume), _data(volume))
        return path

    def _empty(self, path: Path, wanted: Object) -> None:
        path.mkdir(parents=True, exist_ok=True)
        if wanted.get("medium") == "Memory":
            size = quantity(wanted.get("sizeLimit", "64Mi"))
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True
            )
        path.chmod(0o777)
        self._own(path, 0o2777)

    def _claim(self, name: str) -> Path:
        path = self._folder / "claims" / name
        path.mkdir(parents=True, exist_ok=True)
        self._own(path)
        return path

    def _own(self, path: Path, mode: int = 0o2775) -> None:
        if self._group is not None:
            os.chown(path, 0, self._group)
            path.chmod(mode)

    def _files(self, volume: Object) -> dict[str, bytes]:
        kind = "Secret" if "secret" in volume or "secretRef" in volume else "ConfigMap"
        wanted = _data(volume)
        name = wanted.get("secretName") or wanted["name"]
        data = self._manifest.data(kind, name, optional=wanted.get("optional", False))
        if "items" not in wanted:
            return data
        return {item["path"]: data[item["key"]] for item in wanted["items"]}

    def _projected(self, wanted: Object) -> Iterator[tuple[str, bytes]]:
        for source in wanted["sources"]:
            if "serviceAccountToken" in source:
                wanted = source["serviceAccountToken"]
                yield wanted["path"], _token(wanted.get("audience", "kubelite"))
            else:
                yield from self._files(source).items()

    def _publish(self, path: Path, files: dict[str, bytes], wanted: Object) -> None:
        """New files in a new folder, which one rename makes the current one."""
        path.mkdir(parents=True, exist_ok=True)
        folder = path / f"..{len(list(path.glob('..[0-9]*')))}"
        mode = wanted.get("defaultMode", 0o644)
        folder.mkdir()
        for name, content in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(mode)
            if self._group is not None:
                os.chown(file, 0, self._group)
            if not (path / name).is_symlink():
                (path / name).symlink_to(Path("..data", name))
        (path / "..new").symlink_to(folder.name)
        (path / "..new").rename(path / "..data")

    def _mounted(self) -> list[Path]:
        return [path for path in (self._folder / "volumes").glob("*") if path.is_mount()]


def _token(audience: str) -> bytes:
    """What a service account would be given, but for the signature."""
    claims = {"aud": [audience], "exp": int(time.time()) + 3600, "sub": "system:serviceaccount"}
    parts = [json.dumps({"alg": "RS256"}), json.dumps(claims), "unsigned"]
    return b".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in parts)


def _data(volume: Object) -> Object:
    found = volume.get("configMap") or volume.get("secret")
    if found is None:
        raise NotImplementedError(f"a volume of this kind: {sorted(volume)}")
    assert isinstance(found, dict)
    return found
