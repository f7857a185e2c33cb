"""From a mapping file to rows: TOML -> Mapping -> one compiled mapper a table.

The way through the room: `files` finds and merges the TOML, `schema` checks it, `model` is what
comes out; `paths` and `columns` say what a path finds and what a column takes. `trie` gathers all
paths of a table, `decoder` makes typed decoders of them, `glue` writes the code that builds a row
with `tools`, `compiled` puts both together, and `mapper` runs it over pages. `interpreter` does the
same slowly, one record at a time, for what the typed decoders refuse.

Nothing here knows of a network.
"""
