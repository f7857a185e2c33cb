"""The tables of the state, what is stored of a page in them, and which rows are known."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection
from hashlib import blake2b
from typing import NamedTuple

from sentinelone_source.feed.progress import Progress

SCHEMA_VERSION = 4
BEYOND_POSITIONS = 1 << 62
"""Where version 1 kept the keys of dead letters."""
PROGRESS = "watermark, origin, signpost, swept_at, rescanned_at, forgotten, rechecked"
"""The columns of a `Progress`, in the order of its attributes."""

_KEYS = """
CREATE TABLE keys (
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    PRIMARY KEY (feed, position, hash)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead (
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (feed, key)
) WITHOUT ROWID;
"""
_LAST_ROWS = """
CREATE TABLE last_rows (
    number INTEGER PRIMARY KEY,
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    rows BLOB NOT NULL
);
CREATE INDEX last_rows_feed ON last_rows (feed);
"""
SCHEMA = f"""
CREATE TABLE feeds (
    id INTEGER PRIMARY KEY,
    console TEXT NOT NULL,
    mapping TEXT NOT NULL,
    watermark INTEGER,
    origin INTEGER,
    signpost INTEGER,
    swept_at INTEGER,
    rescanned_at INTEGER,
    forgotten INTEGER,
    rechecked TEXT NOT NULL DEFAULT '[]',
    UNIQUE (console, mapping)
);
{_KEYS}
{_LAST_ROWS}
PRAGMA user_version = {SCHEMA_VERSION};
"""
_FROM_1 = """
BEGIN IMMEDIATE;
ALTER TABLE feeds ADD COLUMN forgotten INTEGER;
ALTER TABLE keys RENAME TO keys_1;
{keys}
INSERT OR IGNORE INTO keys
    SELECT feed, position, key_hash(key) FROM keys_1 WHERE position < 1 << 62;
UPDATE feeds SET forgotten = min(
    ifnull(min(watermark, signpost), watermark) - 1200000000,
    ifnull((SELECT min(position) FROM keys WHERE feed = feeds.id), watermark)
);
DROP TABLE keys_1;
PRAGMA user_version = 2;
COMMIT;
""".replace("{keys}", _KEYS)
"""Version 1 had keys as text and did not store how far they had been deleted. It kept keys for at
least twice the look-back, by default 20 minutes."""
_FROM_2 = """
BEGIN IMMEDIATE;
ALTER TABLE feeds ADD COLUMN rechecked TEXT NOT NULL DEFAULT '[]';
CREATE TABLE last_rows (feed, id, position, digest);
PRAGMA user_version = 3;
COMMIT;
"""
_FROM_3 = """
BEGIN IMMEDIATE;
ALTER TABLE last_rows RENAME TO last_rows_3;
{last_rows}
INSERT INTO last_rows (feed, rows) SELECT feed, last_row(id, position, digest) FROM last_rows_3;
DROP TABLE last_rows_3;
PRAGMA user_version = 4;
COMMIT;
""".replace("{last_rows}", _LAST_ROWS)
"""Version 3 had a row for each id, which made a page of new rows expensive."""
MIGRATIONS = (_FROM_1, _FROM_2, _FROM_3)
"""Each migrates from one version to the next, beginning with version 1."""
UNSETTLED = """
PRAGMA scratch.journal_mode = MEMORY;
PRAGMA scratch.synchronous = OFF;
CREATE TABLE scratch.unsettled (
    feed INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    page INTEGER NOT NULL,
    PRIMARY KEY (feed, position, hash)
) WITHOUT ROWID;
CREATE INDEX scratch.unsettled_page ON unsettled (page);
CREATE TABLE scratch.unsettled_rows (
    page INTEGER PRIMARY KEY,
    feed INTEGER NOT NULL,
    rows BLOB NOT NULL
);
"""
_ROOM = 4
"""One range query is used if the range has fewer than this many times the wanted keys."""
_AT_ONCE = 32
"""How many keys one statement looks up otherwise."""
_SUMS = """
SELECT count(*), sum(hash >> 32), sum(hash & 0xffffffff), sum(position & 0xffffffff) FROM (
    SELECT position, hash FROM keys WHERE feed = ?1 AND position BETWEEN ?2 AND ?3 LIMIT ?4
)
"""
_NEAR = """
SELECT position, hash FROM keys WHERE feed = ?1 AND position BETWEEN ?2 AND ?3 UNION ALL
SELECT position, hash FROM unsettled WHERE feed = ?1 AND position BETWEEN ?2 AND ?3 LIMIT ?4
"""
_ONE_BY_ONE = """
WITH wanted (position, hash) AS (VALUES {rows})
SELECT position, hash FROM wanted CROSS JOIN keys USING (position, hash) WHERE feed = ? UNION ALL
SELECT position, hash FROM wanted CROSS JOIN unsettled USING (position, hash) WHERE feed = ?
""".replace("{rows}", ", ".join(["(?, ?)"] * _AT_ONCE))


def key_hash(key: str) -> int:
    """The hash of a key in the state: 64 bits, the same in every process."""
    return key_hashes([key])[0]


def key_hashes(keys: Collection[str]) -> tuple[int, ...]:
    """The hash of each of these keys, in the same order."""
    try:
        digests = [blake2b(key.encode(), digest_size=8).digest() for key in keys]
    except UnicodeEncodeError:
        texts = [key.encode("utf-8", "surrogatepass") for key in keys]
        digests = [blake2b(text, digest_size=8).digest() for text in texts]
    return struct.unpack(f"<{len(keys)}q", b"".join(digests))


class RowKeys(NamedTuple):
    """What is stored of a page's rows.

    With a heartbeat, it has what is logged of them, too.
    """

    keys: list[str]
    positions: list[int]
    last_rows: bytes = b""


class SettledPage(NamedTuple):
    """What is stored of a page of a feed, by its number, when it is settled.

    With the page the feed has this progress. Keys before a position are deleted; None keeps all.
    """

    feed: int
    rows: RowKeys
    progress: Progress
    prune_before: int | None


class UnsettledPage(NamedTuple):
    """A page whose rows wait in the scratch file, under the number that they got there."""

    number: int
    feed: int
    progress: Progress
    prune_before: int | None


def find_known(
    db: sqlite3.Connection, feed: int, keys: list[str], positions: list[int]
) -> set[str]:
    """The keys of these rows that were handed over before; every page needs this once."""
    hashes = key_hashes(keys)
    first, last = min(positions), max(positions)
    sums = db.execute(_SUMS, (feed, first, last, len(keys) + 1)).fetchone()
    if _are_sums(sums, hashes, positions):  # the usual case of a recheck
        return set(keys)
    rows = list(zip(positions, hashes, strict=True))
    enough = _ROOM * len(rows)
    near = db.execute(_NEAR, (feed, first, last, enough)).fetchall()
    if len(near) == enough:  # many other rows lie between them
        near = _one_by_one(db, feed, rows)
    wanted = dict(zip(rows, keys, strict=True))
    return {wanted[one] for one in wanted.keys() & near}


def _are_sums(
    sums: tuple[int, int, int, int], hashes: tuple[int, ...], positions: list[int]
) -> bool:
    """Whether the rows of a range are these, so that they need not be fetched.

    A sum of hashes tells sets apart as surely as a hash tells keys.
    """
    count, high, low, places = sums
    same = count == len(hashes) and (high << 32) + low == sum(hashes)
    return same and (places - sum(positions)) & 0xFFFFFFFF == 0


def _one_by_one(
    db: sqlite3.Connection, feed: int, rows: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The position and hash of each of these rows that was handed over before."""
    found = []
    for start in range(0, len(rows), _AT_ONCE):
        values: list[int | None] = [part for row in rows[start : start + _AT_ONCE] for part in row]
        values += [None] * (2 * _AT_ONCE - len(values))
        found += db.execute(_ONE_BY_ONE, (*values, feed, feed)).fetchall()
    return found
