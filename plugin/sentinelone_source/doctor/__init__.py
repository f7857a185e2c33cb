"""Checks of everything between a console and the workspace, for `doctor`. They only read.

`run` does them in order, those of this machine too. `checks` says what a check is. `console` checks
SentinelOne. `azure_checks` checks identity, endpoint, streams and workspace, and `rule` compares
what `resource_manager` reads with the mappings.
"""
