"""A real browser without a window."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")


Picture = list[list[bytes]]
"""Lines of pixels, each pixel as red, green and blue."""


class Chromium:
    """Debian's Chromium; the test is skipped where there is none."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("chromium")
        if not found:
            pytest.skip("chromium is not installed")
        self._command = [found, *FLAGS, f"--user-data-dir={folder / 'profile'}"]
        self._folder = folder

    def dom(self, url: str) -> str:
        """The page as the browser understands it."""
        return self._run("--dump-dom", url)

    def look(self, url: str, width: int, *, dark: bool) -> Picture:
        """A screenshot of the top of a page; `dark` is what the user prefers."""
        file = self._folder / "screenshot.png"
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        self._run(f"--window-size={width},{240_000 // width}", f"--screenshot={file}", scheme, url)
        return decode_png(file.read_bytes())

    def _run(self, *arguments: str) -> str:
        command = [*self._command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def decode_png(data: bytes) -> Picture:
    """The pixels of a PNG with eight bits a channel."""
    width, height, _, kind = struct.unpack(">IIBB", data[16:26])
    channels = {2: 3, 6: 4}[kind]
    raw, at = b"", 8
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        raw += data[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        at += length + 12
    flat, size = zlib.decompress(raw), width * channels
    before, lines = bytearray(size), list[list[bytes]]()
    for row in range(height):
        line = bytearray(flat[row * (size + 1) + 1 : (row + 1) * (size + 1)])
        _unfilter(flat[row * (size + 1)], line, before, channels)
        lines.append([bytes(line[n : n + 3]) for n in range(0, size, channels)])
        before = line
    return lines


def _unfilter(kind: int, line: bytearray, up: bytearray, step: int) -> None:
    for n in range(len(line)):
        a, b = (line[n - step] if n >= step else 0), up[n]
        c = up[n - step] if n >= step else 0
        nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        line[n] = (line[n] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
