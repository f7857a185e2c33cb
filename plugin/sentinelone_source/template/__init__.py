"""The deployment template: what has to exist in Azure before the first row, from the mappings.

`tables` says which tables and streams the mappings need, and checks them. `generate` puts them into
`arm.json`, or into the Bicep or Terraform file of deploy/azure.
"""
