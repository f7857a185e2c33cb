"""The workflows: nothing that changes under us, no rights, no foreign text in a shell."""

from __future__ import annotations

import copy
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
IMAGE = re.compile(r"[\w./-]+(:\d+\.\d+\.\d+[\w.-]*|@sha256:[0-9a-f]{64})")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
RIGHTS = {
    "publish": {"contents": "write", "id-token": "write", "attestations": "write"},
    "image": {"contents": "read", "packages": "write"},
}
"""What the jobs that publish a release may do."""
Workflow = dict[Any, Any]


def load(path: Path) -> Workflow:
    """A workflow; YAML reads its `on` as a boolean."""
    document: Workflow = yaml.safe_load(path.read_text())
    document["on"] = document.pop(True)
    return document


def steps(workflow: Workflow) -> Iterator[dict[str, Any]]:
    """The steps of all jobs."""
    for job in workflow["jobs"].values():
        yield from job["steps"]


def problems(workflow: Workflow) -> list[str]:
    """Everything that is wrong, in sentences."""
    return [*_rights(workflow), *_foreign(workflow), *_shells(workflow), *_targets(workflow)]


def _rights(workflow: Workflow) -> Iterator[str]:
    if workflow.get("permissions") != {"contents": "read"}:
        yield "permissions: more than to read"
    if "pull_request_target" in workflow["on"] or "workflow_run" in workflow["on"]:
        yield "on: others' code with our rights"
    for name, job in workflow["jobs"].items():
        if "permissions" in job and not _publishes(workflow, name):
            yield f"{name}: permissions of its own"
        if "timeout-minutes" not in job:
            yield f"{name}: runs for ever"
        if workflow.get("defaults") != {"run": {"shell": "bash"}}:
            yield "defaults: a shell in which a failing pipe is none"
        if job["runs-on"].endswith("latest"):
            yield f"{name}: on whatever is the latest"
    for step in steps(workflow):
        is_checkout = step.get("uses", "").startswith("actions/checkout@")
        if is_checkout and step.get("with", {}).get("persist-credentials") is not False:
            yield "checkout: leaves its token behind"


def _publishes(workflow: Workflow, name: str) -> bool:
    """Whether a job may write: at a tag only, what is listed here only."""
    is_tag: bool = workflow["on"] == {"push": {"tags": ["v*"]}}
    rights: object = workflow["jobs"][name]["permissions"]
    return is_tag and rights == RIGHTS.get(name)


def _foreign(workflow: Workflow) -> Iterator[str]:
    for step in steps(workflow):
        if "uses" in step and not PINNED.fullmatch(step["uses"]):
            yield f"{step['uses']}: not pinned to a commit"
    for name, job in workflow["jobs"].items():
        containers = [job["container"]] if "container" in job else []
        for container in [*containers, *job.get("services", {}).values()]:
            if not IMAGE.fullmatch(container["image"]):
                yield f"{name}: {container['image']} may be another one tomorrow"


def _shells(workflow: Workflow) -> Iterator[str]:
    for step in steps(workflow):
        for expression in EXPRESSION.findall(step.get("run", "")):
            yield f"run: {expression.strip()} is put into a shell"
    for expression in EXPRESSION.findall(yaml.safe_dump(workflow)):
        if not re.fullmatch(r"\s*(matrix\.\w+|github\.ref|github\.token)\s*", expression):
            yield f"{expression.strip()}: not known to be harmless"


def _targets(workflow: Workflow) -> Iterator[str]:
    known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for step in steps(workflow):
        for line in step.get("run", "").splitlines():
            words = shlex.split(line, comments=True) if "make " in line else []
            if "make" in words and "install" not in words:
                target = words[words.index("make") + 1]
                if target not in known:
                    yield f"make {target}: no such target"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_wrong(path: Path) -> None:
    """No check finds a mistake in a workflow."""
    assert problems(load(path)) == []


@pytest.mark.parametrize("command", ["zizmor --offline .github/workflows", "actionlint"])
def test_linters_find_nothing(command: str) -> None:
    """The linters of workflows that are installed find nothing."""
    words = command.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]}")
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_runs() -> None:
    """The workflows run every make target of tests, on each supported Python."""
    loaded = [load(path) for path in FILES]
    said = " ".join(step.get("run", "") for workflow in loaded for step in steps(workflow))
    wanted = {"make test", "make test-long", "make unit", "make coverage", "make test-shippers"}
    assert wanted <= {" ".join(found) for found in re.findall(r"\b(make) ([\w-]+)", said)}
    assert "--resolution lowest-direct" in said
    [pythons] = [
        job["strategy"]["matrix"]["python"]
        for workflow in loaded
        for job in workflow["jobs"].values()
        if "python" in job.get("strategy", {}).get("matrix", {})
    ]
    project = (ROOT / "pyproject.toml").read_text()
    assert pythons == re.findall(r"Python :: (3\.\d+)", project)


def test_files_of_the_steps() -> None:
    """Every file of this repository that a step names exists; the one that is called can be."""
    found = set()
    for path in FILES:
        text = " ".join(step.get("run", "") for step in steps(load(path)))
        for name in re.findall(r"(?<![\w$/.])(?:deploy|plugin|tests|\.github)/[\w./*-]+", text):
            assert list(ROOT.glob(name.rstrip("/"))), (path.name, name)
            found.add(name)
    assert {"deploy/packages/build", "deploy/requirements/azure.txt", "deploy/Dockerfile"} <= found
    assert os.access(ROOT / "deploy/packages/build", os.X_OK)


def test_release() -> None:
    """A release builds every package with checksums, a bill of materials and provenance."""
    release = load(ROOT / ".github/workflows/release.yml")
    said = " ".join(step.get("run", step.get("uses", "")) for step in steps(release))
    for part in (
        "hatchling build",
        "helm package",
        "deploy/packages/build",
        "cyclonedx-py",
        "sha256sum -- *.*",  # the file that it writes is none of them
        "attest-build-provenance",
        "--sbom=true --provenance=mode=max",
    ):
        assert part in said, part
    writers = {name for name, job in release["jobs"].items() if "permissions" in job}
    assert writers == RIGHTS.keys()
    assert all(release["jobs"][name]["needs"] == "build" for name in writers)


def test_versions_stand_beside_their_commits() -> None:
    """Each action is pinned by commit with its version beside it, in one version each."""
    found: dict[str, set[str]] = {}
    for path in FILES:
        for line in path.read_text().splitlines():
            if "uses:" in line:
                pinned = re.search(r"uses: (\S+)@(\w+) # (v\d+\.\d+\.\d+)$", line)
                assert pinned, line
                found.setdefault(pinned[1], set()).add(f"{pinned[2]} {pinned[3]}")
    assert all(len(versions) == 1 for versions in found.values()), found


def first_uses(workflow: Workflow) -> dict[str, Any]:
    return next(step for step in steps(workflow) if "uses" in step)


def unpin(workflow: Workflow) -> None:
    first_uses(workflow)["uses"] = "actions/checkout@v7"


def keep_token(workflow: Workflow) -> None:
    del first_uses(workflow)["with"]


def write(workflow: Workflow) -> None:
    workflow["permissions"] = "write-all"


def write_in_a_job(workflow: Workflow) -> None:
    next(iter(workflow["jobs"].values()))["permissions"] = {"contents": "write"}


def inject(workflow: Workflow) -> None:
    job = next(iter(workflow["jobs"].values()))
    job["steps"].append({"run": "echo ${{ github.event.pull_request.title }}"})


def inject_by_environment(workflow: Workflow) -> None:
    job = next(iter(workflow["jobs"].values()))
    job["env"] = {"TITLE": "${{ github.event.pull_request.title }}"}


def others_code(workflow: Workflow) -> None:
    workflow["on"]["pull_request_target"] = None


def no_such_target(workflow: Workflow) -> None:
    next(iter(workflow["jobs"].values()))["steps"].append({"run": "make tests"})


def latest(workflow: Workflow) -> None:
    next(iter(workflow["jobs"].values()))["container"] = {"image": "docker.io/debian:latest"}


SPOILED = [
    unpin,
    keep_token,
    write,
    write_in_a_job,
    inject,
    inject_by_environment,
    others_code,
    no_such_target,
    latest,
]


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_mistakes_are_seen(path: Path, spoil: Callable[[Workflow], None]) -> None:
    """The checks find each mistake that is put into a workflow."""
    workflow = copy.deepcopy(load(path))
    spoil(workflow)
    assert problems(workflow)
