"""The whole way of a record on one machine: console, source, shipper, Data Collection Endpoint."""
