"""One mapping on one console: swept, again and again, without a gap.

Read `feed` from top to bottom, then `reader`: pages, rows, hand-over, settlement. What is read is
a `reading`: `sweep` decides where a sweep begins, what is new, and how far the feed is complete.
`page_run` keeps account of a page; `dead_records` writes what can never be delivered; `settlement`
says when a page may be forgotten, and `state` keeps that over a crash. `runner` sweeps a feed again
and again. Neither HTTP nor TOML is known here.
"""
