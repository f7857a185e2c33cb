"""The past of feeds: `backfill` reads a span of it, `verify` compares it with what was handed over.

`backfill` puts these together: `span` cuts the span into windows, `plan` stores them in a file so
that a crash loses none, `schedule` gives them to readers, and `window` reads one.

`verify` compares. `verify_reading` reads a span from the console again, and `verify_workspace`
queries the keys that a workspace table has.
"""
