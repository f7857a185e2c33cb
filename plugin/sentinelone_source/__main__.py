"""`sentinelone-source`, and `python -m sentinelone_source`."""

from __future__ import annotations

import errno
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def main() -> None:
    """Run the command line; errors become one sentence on stderr and an exit status."""
    _on_interrupt(_end_at_once)
    _keep_standard_descriptors()
    _obey_sigterm()
    from sentinelone_source.cli import commands
    from sentinelone_source.errors import EXIT_FAILED, EXIT_OK, SourceError, lacks_descriptors

    status = EXIT_OK
    try:
        _on_interrupt(signal.default_int_handler)
        commands.main(prog_name="sentinelone-source")
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except SourceError as error:
        status = error.exit_status
        _fail(str(error), status)
    except OSError as error:
        if lacks_descriptors(error):
            _fail("no file descriptor is left; raise the limit (ulimit -n)", EXIT_FAILED)
            os._exit(EXIT_FAILED)  # asyncio is half built, and would end in a traceback
        if error.errno not in _UNWRITABLE:
            raise
        status = EXIT_FAILED
        _fail(f"the output cannot be written: {error.strerror}", status)
    finally:
        _on_interrupt(_end_at_once)
        _drop_unwritten()
    sys.exit(status)


def _fail(error: str, status: int) -> None:
    import structlog

    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    structlog.get_logger().error("failed", error=error, exit_status=status)


def _on_interrupt(handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle Ctrl-C like this, unless we were started to ignore it."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


def _end_at_once(number: int, _: FrameType | None) -> None:
    """End while modules are imported, or objects destroyed: an exception there is a traceback."""
    os._exit(128 + number)


def _drop_unwritten() -> None:
    """Let go of text that cannot be written: at the end Python would try again, with status 120."""
    import contextlib

    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _obey_sigterm() -> None:
    """End by SIGTERM as process 1 of a container too: there the kernel has no default for it.

    Commands that stop in good order replace this handler.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _keep_standard_descriptors() -> None:
    """Fill 0, 1 and 2 where they are closed: rows must not go into the next file that is opened.

    What stands for a closed stdout cannot be written, so that rows are refused and not swallowed.
    """
    for descriptor, way in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, way)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


if __name__ == "__main__":
    main()
