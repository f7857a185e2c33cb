"""Azure on loopback: Entra's token endpoint, managed identity, and a Data Collection Endpoint.

`azure.Azure` is the way in. `identity` answers for tokens that `token_issuer` makes, `ingestion`
for rows: `schema_check` says what Azure makes of them, `received` keeps them and counts what Azure
would lose in silence. `workspace` answers queries about them. `faults` spoils answers, `inspection`
shows other processes what has arrived.
"""
