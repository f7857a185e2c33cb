"""What the API's records look like, one module an endpoint."""
