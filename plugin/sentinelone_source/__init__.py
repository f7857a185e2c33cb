"""A SentinelOne source for log shippers: console records in, Microsoft Sentinel rows out."""

__version__ = "0.1.0"
