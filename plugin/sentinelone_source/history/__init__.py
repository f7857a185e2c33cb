"""The past: `backfill` reads a span of it, `verify` compares it with what was handed over.

For `backfill`: `span` says what is read, `plan` keeps the windows over a crash, `schedule` gives
them out, `window` reads one, `backfill` runs them all.

For `verify`: `verify_reading` reads a span once more, `verify_workspace` asks for what is in a
table, `verify` compares.
"""
