"""Which tables there are: files of the package, a folder of the user's over them, health rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.rows.types import TYPES
from sentinelone_source.mapping.spec.model import Column, Document, Mapping, TableSpec
from sentinelone_source.mapping.spec.schema import build, build_columns, normal_column
from sentinelone_source.toml import read_toml, unknown

_COLUMNS = {
    "TimeGenerated": "datetime",
    "Console": "string",
    "Feed": "string",
    "Table": "string",
    "Version": "string",
    "Host": "string",
    "Status": "string",
    "BehindSeconds": "real",
    "Rows": "long",
    "Bytes": "long",
    "LateRows": "long",
    "SuppressedRows": "long",
    "DeadLetters": "long",
    "LastSuccess": "datetime",
    "LastError": "string",
    "TokenExpires": "datetime",
}
HEALTH = TableSpec(
    name="health",
    file="[health]",
    table="SentinelOneSource_CL",
    stream="Custom-SentinelOneSource_CL",
    columns=tuple(Column(name, TYPES[kind], ()) for name, kind in _COLUMNS.items()),
)


def built_in_folder() -> Path:
    """The mappings that come with the package: inside the wheel, or beside the source tree."""
    package = Path(__file__).parents[2]
    inside = package / "mappings"
    return inside if inside.is_dir() else package.parents[1] / "mappings"


def load_mappings(
    folder: Path | None = None, columns: Document | None = None, where: str = "mappings.columns"
) -> dict[str, Mapping]:
    """All mappings by name, the user's folder merged over the built-in ones by table.

    Every table gets `columns` beside its own; `where` these are is for errors.

    Raises:
        ConfigError: a file is wrong; the message names file, table and column or key.
    """
    files = _toml_files(built_in_folder())
    if folder:
        files += _toml_files(folder, f"{where.removesuffix('columns')}path")
    documents = _read_documents(files)
    columns = columns or {}
    build_columns(columns, TYPES, where)
    mappings: dict[str, Mapping] = {}
    for table, (name, file, document) in documents.items():
        if name in mappings:
            raise ConfigError(f"{file}: another table is called {name!r}; rename the file")
        _refuse_other_case(columns, document, f"{where}: {table}")
        over = {"columns": columns} if columns else {}
        mappings[name] = build(name, merge(document, over, f"{where}: {table}"), file)
    return mappings


def _read_documents(files: list[Path]) -> dict[str, tuple[str, str, Document]]:
    """By table: the mapping's name, the file that was read last, and what all files say of it."""
    found: dict[str, tuple[str, str, Document]] = {}
    for path in files:
        document = read_toml(path)
        table = document.get("table")
        if not isinstance(table, str):
            raise ConfigError(f"{path}: table: missing; name the table, as 'SentinelOneThreats_CL'")
        if HEALTH.table == table or HEALTH.name == path.stem:
            raise ConfigError(
                f"{path}: {table}: {HEALTH.table} and the name {HEALTH.name!r} belong to the "
                "health rows of this program; choose others"
            )
        name, _, before = found.get(table, (path.stem, "", None))
        found[table] = name, str(path), merge(before, document, f"{path}: {table}")
    return found


def _refuse_other_case(columns: Document, document: Document, where: str) -> None:
    """Azure ignores case: a column of every table has the name of the table's own, or another."""
    own = document.get("columns")
    names = {name.lower(): name for name in own} if isinstance(own, dict) else {}
    for name in columns:
        if (there := names.get(name.lower(), name)) != name:
            raise ConfigError(f"{where}: column {name}: write {there!r} to replace that column")


def load_tables(
    folder: Path | None = None, columns: Document | None = None, where: str = "mappings.columns"
) -> list[TableSpec]:
    """Every table that gets rows: those of `load_mappings`, and that of the health rows."""
    mappings = load_mappings(folder, columns, where).values()
    return [*mappings, health_table(columns or {}, where)]


def health_table(columns: Document, where: str) -> TableSpec:
    """The table of health rows, with the columns that every table gets."""
    own = {column.name.lower() for column in HEALTH.columns}
    more = {name: spec for name, spec in columns.items() if name.lower() not in own}
    return replace(HEALTH, columns=(*HEALTH.columns, *build_columns(more, TYPES, where)))


def _toml_files(folder: Path, key: str = "") -> list[Path]:
    """The files of a folder that `key` of the configuration names."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{key}: {folder} is not a folder") from None
    except OSError as error:
        raise ConfigError(f"{key}: {folder} cannot be read: {error.strerror}") from None


def merge(base: Document | None, over: Document, where: str) -> Document:
    """Lay a user's document over the built-in one of the same table.

    What it names is merged, key by key; its drops come after the built-in ones; a column that is
    `false` goes; `replace = true` keeps nothing of the built-in document.
    """
    if base is None or over.get("replace"):
        return over
    merged = dict(base)
    for key, value in over.items():
        before = base.get(key, {})
        if key == "columns" and isinstance(value, dict) and isinstance(before, dict):
            merged[key] = _merge_columns(before, value, where)
        elif key == "drop" and isinstance(value, list):
            merged[key] = [*base.get(key, []), *value]
        else:
            merged[key] = _merge_tables(base.get(key), value)
    return merged


def _merge_tables(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {key: _merge_tables(base.get(key), value) for key, value in over.items()}


def _merge_columns(base: Document, over: Document, where: str) -> Document:
    merged = dict(base)
    for name, spec in over.items():
        if isinstance(spec, dict) and name in base and base[name] is not False:
            before = normal_column(base[name], where)
            is_replaced = "console" in spec or ("path" in spec and "console" in before)
            merged[name] = spec if is_replaced else before | spec
        elif spec is False and name not in base:
            raise ConfigError(f"{where}: {unknown('column', name, base)}: none to remove")
        else:
            merged[name] = spec
    return merged


def find_mapping(mappings: dict[str, Mapping], wanted: str) -> Mapping:
    """A mapping by its own name or its table's; ConfigError names the nearest one."""
    for mapping in mappings.values():
        if wanted in (mapping.name, mapping.table):
            return mapping
    known = [name for mapping in mappings.values() for name in (mapping.name, mapping.table)]
    raise ConfigError(unknown("table", wanted, known))
