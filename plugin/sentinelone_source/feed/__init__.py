"""One mapping on one console: swept, again and again, without a gap.

`sweep` decides where a sweep begins, what is new, and how far the feed is complete; `state` keeps
that over a crash; `feed` does it for real, page after page. Neither HTTP nor TOML is known here.
"""
