"""A feed is one mapping on one console. It is swept again and again, without a gap.

Read `feed` from top to bottom, then `reader`: pages, rows, hand-over, settlement. A `reading`
decides what is asked for, what is new, and how far the feed is complete; `sweep` and `recheck` are
the two kinds. `page_run` counts what became of a page's records, and `dead_records` writes dead
letters. `settlement` decides when a page is settled, and `state` keeps that through a crash.
`runner` sweeps a feed again and again. Nothing here depends on HTTP or TOML.
"""
