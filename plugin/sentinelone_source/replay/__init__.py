"""Rows and dead letters to the Data Collection Rule, past the shipper.

`chunks` reads files some lines at a time, `parsing` makes rows of lines, `refused` keeps what Azure
does not take, `checkpoint` remembers how far a file was delivered, and `job` puts them together.
"""
