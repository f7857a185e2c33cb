"""Checks of everything between a console and the workspace, for `doctor`. They only read.

`checks` says what a check is; `source` looks at SentinelOne's side and at the shipper, `entra` at
who we are for Azure, `ingestion` at the endpoint and its streams, `rule` and `drift` at what is
deployed.
"""
