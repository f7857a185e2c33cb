"""What the system gives the process: memory, given back early, and file descriptors."""

from __future__ import annotations

import resource

from sentinelone_source.errors import Fatal

_M_MMAP_THRESHOLD = -3
_LARGE = 1 << 20
_OTHER_DESCRIPTORS = 64
"""For the state, the log, probes and libraries that are loaded late."""


def give_back_large_buffers() -> None:
    """Have the C library return every buffer over 1 MiB to the system when it is freed.

    Page bodies are several MiB and come from several threads. Left to itself, glibc raises this
    threshold with the first of them and keeps the rest in a heap a thread: five feeds then take
    95 MiB instead of 65. Other C libraries have no such knob, and are left alone.
    """
    import ctypes

    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
    except (AttributeError, OSError):
        return


def ensure_descriptors(connections: int, where: str) -> None:
    """See that so many connections can be open, and raise our own limit as far as that takes.

    `where` is the place of the configuration that decides how many.

    Raises:
        Fatal: the process may not have as many file descriptors.
    """
    needed = connections + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < needed:
        if resource.RLIM_INFINITY != hard < needed:
            raise Fatal(
                f"{where}: needs {needed} file descriptors, and this process may have {hard}; "
                "raise the limit (ulimit -n), or lower concurrency"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
