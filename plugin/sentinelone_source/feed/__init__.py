"""A feed is one mapping on one console. It is swept again and again, without a gap.

Read `feed` from top to bottom, then `reader`: pages, rows, hand-over, settlement. A `reading`
decides what is asked for, what is new, and how far the feed is complete; a `sweep` is one, a
`recheck` is another. `settlement` decides when a page is settled and writes dead letters, and
`state` keeps that through a crash. `progress` says how a feed is to be swept and how far it is
complete, `counts` has its numbers, and `repeats` finds rows that say nothing new. `runner` does
again and again what is due. Nothing here depends on HTTP or TOML.
"""
