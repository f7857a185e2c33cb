"""What survives a crash: how far each feed is complete, and what was handed over.

`schema` has the tables, `files` opens them, `state` has the queries, and
`last_rows` those of feeds with a heartbeat.
"""
