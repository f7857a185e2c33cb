"""The deployment template: what has to exist in Azure before the first row, from the mappings.

`tables` says which tables and streams the mappings need, `rules` holds that against what Azure
takes, `resources` turns it into resources whose values are said in each of the three languages, and
`arm`, `bicep` and `terraform` write them down.
"""
