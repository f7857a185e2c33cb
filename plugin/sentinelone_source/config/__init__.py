"""config.toml and the environment, as frozen settings.

`defaults` has the tables and keys. `addresses`, `checks` and `azure` check their values. `settings`
reads the file and the environment. Whatever is wrong is a ConfigError, which names the file, the
table, the key, what was found and what would be right.
"""
