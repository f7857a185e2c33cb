"""The past: `verify` compares it with what was handed over and with the workspace."""
