"""From a mapping file to rows: TOML -> Mapping -> one compiled mapper a table.

The way through the room: `spec` finds, merges and checks the TOML; a `Mapping` comes out. `request`
says what to ask a console for: the query of a list, or a document with places. `paths` says what a
path finds, `rows` what a column takes and how rows become lines. `compile` makes code of a mapping:
typed decoders for the tree of its paths, and a function that makes rows of what they read. `mapper`
runs it over pages, which `page_reader` takes apart. `interpreter` does the same
slowly, one record at a time, for what the typed decoders refuse. `explain` accounts for columns.

Nothing here knows of a network.
"""
