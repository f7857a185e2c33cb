"""The past of feeds: `backfill` reads a span of it, `verify` compares it with what was handed over.

`plan` has the windows of a backfill, in a file so that a crash loses none. `windows` gives them to
readers, and reads them. `verify` reads a span from the console again, and `verify_workspace`
queries the keys that a workspace table has.
"""
