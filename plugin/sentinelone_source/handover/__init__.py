"""To the shipper: whole lines, and the word when they may be forgotten. Knows no SentinelOne."""
