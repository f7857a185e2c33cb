"""Checks of everything between a console and the workspace, for `doctor`. They only read.

`run` does them in order. `checks` says what a check is. `console` and `local` check SentinelOne,
the state and the shipper. `azure_checks` runs those of Azure: `entra` the identity, `ingestion` the
endpoint and its streams, `rule` and `drift` what is deployed.
"""
