"""`python -m bench [PART]...`: everything, or some parts."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from bench.report import Row, table

PARTS = {
    "hot": "bench.hot",
    "mapper": "bench.mapper",
    "peers": "bench.peers",
    "end-to-end": "bench.endtoend",
    "backfill": "bench.backfill",
    "keys": "bench.keys",
    "rechecks": "bench.rechecks",
    "memory": "bench.memory",
    "volume": "bench.volume",
    "consoles": "bench.consoles",
    "start": "bench.start",
}


def main() -> None:
    """Run the parts and print their table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parts = parser.parse_args().parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    print(_machine(), flush=True)
    rows: list[Row] = []
    for part in parts:
        began = time.monotonic()
        rows += import_module(PARTS[part]).run()
        print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if "hot" in parts:
        print(f"\n{import_module(PARTS['hot']).shapes()}")
    print(f"\n{table(rows)}\nload at the end {os.getloadavg()[0]:.1f}")


def _machine() -> str:
    libraries = ("msgspec", "orjson", "jsonpath-ng", "requests")
    versions = ", ".join(f"{name} {version(name)}" for name in libraries)
    return (
        f"{os.cpu_count()} CPUs, {_processor()}, {platform.system()} {platform.release()}, "
        f"load {os.getloadavg()[0]:.1f}\n"
        f"Python {platform.python_version()}, {versions}\n"
        f"times: median (minimum) of interleaved rounds; ratios: median of the rounds' ratios"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


if __name__ == "__main__":
    main()
