"""`sentinelone-source`, and `python -m sentinelone_source`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; errors become one sentence on stderr and an exit status."""
    from sentinelone_source.cli import commands
    from sentinelone_source.errors import SourceError

    try:
        commands.main(prog_name="sentinelone-source")
    except SourceError as error:
        import structlog

        from sentinelone_source.telemetry.logs import configure_logs

        configure_logs()
        structlog.get_logger().error("failed", error=str(error), exit_status=error.exit_status)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
