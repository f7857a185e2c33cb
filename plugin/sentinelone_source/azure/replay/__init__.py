"""Rows and dead letters to the Data Collection Rule, past the shipper.

`lines` reads files a window at a time, `rows` makes rows of lines, `refused` keeps what Azure does
not take, `progress` remembers how far a file was delivered, and `replay` puts them together.
"""
