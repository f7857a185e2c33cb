"""Azure on loopback over TLS, for every test of its side."""

from support.cloud_fixtures import cloud, plain_environment

__all__ = ["cloud", "plain_environment"]
