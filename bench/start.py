"""From nothing to the first request."""

from __future__ import annotations

import compileall
import sys
from importlib.util import find_spec
from pathlib import Path

from bench.poller import console
from bench.report import Goal, Row, compare
from bench.rounds import child

ROUNDS = 15


def run() -> list[Row]:
    """Measure one-shot runs that find nothing, in turn with `import requests`."""
    _compile()
    reached: list[float] = []
    whole: list[float] = []
    imported: list[float] = []
    with console(0) as bench:
        bench.run()
        for _ in range(ROUNDS):
            imported.append(child([sys.executable, "-c", "import requests"]).wall)
            polled = bench.run()
            reached.append(polled.reached)
            whole.append(polled.used.wall)
    against = ("python -c 'import requests'", imported)
    return [
        compare("start", "until the first request arrives", reached, against, Goal(2.0)),
        compare("start", "a whole run of five empty polls", whole, against),
    ]


def _compile() -> None:
    spec = find_spec("sentinelone_source")
    if spec and spec.origin:
        compileall.compile_dir(Path(spec.origin).parent, quiet=1)
