"""What survives a crash: how far each feed is complete, and what was handed over.

`schema` has the tables and the files, `state` the queries, `snapshot` a look from outside.
"""
