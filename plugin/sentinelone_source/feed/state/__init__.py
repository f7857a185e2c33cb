"""What survives a crash: how far each feed is complete, and what was handed over.

`schema` has the tables, `files` opens them, `state` has the queries.
"""
