"""Looks up which rows of a page are known; every page needs this once."""

from __future__ import annotations

import sqlite3

from sentinelone_source.feed.state.schema import key_hashes

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


def find_known(
    db: sqlite3.Connection, feed: int, keys: list[str], positions: list[int]
) -> set[str]:
    """The keys of these rows that were handed over before.

    Args:
        db: the state.
        feed: the feed's number.
        keys: one for each row.
        positions: one for each row, microseconds.
    """
    hashes = key_hashes(keys)
    first, last = min(positions), max(positions)
    sums = db.execute(_SUMS, (feed, first, last, len(keys) + 1)).fetchone()
    if _are_sums(sums, hashes, positions):  # what most rechecks find
        return set(keys)
    rows = list(zip(positions, hashes, strict=True))
    enough = _ROOM * len(rows)
    near = db.execute(_NEAR, (feed, first, last, enough)).fetchall()
    if len(near) == enough:  # many others lie between them
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
