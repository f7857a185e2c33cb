"""What a row holds: column types, limits, lines."""
