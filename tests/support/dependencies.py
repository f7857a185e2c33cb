"""Lets another virtual environment use the packages of this one.

    python dependencies.py OTHER

A `.pth` file adds one folder and reads no `.pth` file within it. What is installed editable here is
not there, so that the other environment finds the wheel alone.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

if __name__ == "__main__":
    other = sysconfig.get_path("purelib", vars={"base": sys.argv[1]})
    Path(other, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
