"""The deployment template: what has to exist in Azure before the first row, from the mappings.

`tables` says which tables and streams the mappings need, and `limits` checks them. `arm` and
`arm_rule` write the ARM template. `hand_written` puts the tables into the Bicep and Terraform files
of deploy/azure. `generate` chooses among them.
"""
