"""Azure on loopback: Entra's token endpoint, managed identity, and a Data Collection Endpoint.

`azure.DemoAzure` is the way in. `identity` answers for tokens, `ingestion` for rows, `workspace`
for queries about them. `errors` has all refusals, also those that it gives when it is told to.
"""
