"""Rows and dead letters to the Data Collection Rule, past the shipper.

`job` is the whole way of a file: `parsing` reads some lines at a time and makes rows of them,
`sender` sends these, and `checkpoint` remembers how far it came.
"""
