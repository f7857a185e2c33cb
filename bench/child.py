"""Runs one command and says what it used. Run as a script, `python -I -S`, for its smallness.

The kernel counts the memory of whoever starts a process into that process's peak, so a small
process has to start it. Prints: moment of the start, moment of the end (both of the monotonic
clock), CPU seconds, peak in KiB, exit status. The command's output goes to the file named first.
"""

from __future__ import annotations

import os
import sys
import time


def main(output: str, command: list[str]) -> None:
    """Run the command to its end."""
    redirect = (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    started = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[redirect])
    _, status, used = os.wait4(pid, 0)
    ended = time.monotonic()
    code = os.waitstatus_to_exitcode(status)
    print(started, ended, used.ru_utime + used.ru_stime, used.ru_maxrss, code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
