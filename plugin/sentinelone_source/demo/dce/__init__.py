"""Azure on loopback: Entra's token endpoint, managed identity, and a Data Collection Endpoint.

`server.Azure` is the way in. `identity` answers for tokens that `tokens` makes, `ingestion` for
rows; `bodies` unpacks what came over the wire, `streams` says which columns a row may have,
`received` keeps rows and counts what Azure would lose in silence. `faults` spoils answers,
`inspection` shows other processes what has arrived.
"""
