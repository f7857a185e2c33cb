"""Mapping -> code: typed decoders, and the function that makes rows of what they read."""
