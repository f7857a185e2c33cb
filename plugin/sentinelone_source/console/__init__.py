"""The SentinelOne side: one session a console, its token, its limits, its pages.

Nothing here knows of tables: a request goes in, a body comes out, or an error that says what to do.
"""
