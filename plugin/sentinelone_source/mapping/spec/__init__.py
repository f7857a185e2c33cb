"""What a mapping file says: TOML -> Mapping."""
