"""Secrets of a record that is kept as it is: a fingerprint in the place of each."""

from __future__ import annotations

import re

import msgspec

from sentinelone_source.mapping.numbers import UNREADABLE, mend_surrogates
from sentinelone_source.mapping.rows.convert import fingerprint
from sentinelone_source.mapping.spec.model import Mapping

_NAMES = r"(?i:[a-z_]*(?:token|licen[cs]e_?key|passphrase|password|secret|api_?key))"
"""Members that hold a secret: registration tokens, licence keys, uninstall passphrases."""


class Redactor:
    """Redacts records as a mapping redacts columns: equal secrets stay equal, in both.

    A secret is a text or a number whose member's name says so, or from which a column with
    `redact` takes its value. Records that are not JSON are redacted, too.
    """

    def __init__(self, mapping: Mapping) -> None:
        members = {(path.each or path.members)[-1] for path in mapping.secret_paths}
        names = "|".join([_NAMES, *map(re.escape, sorted(members))])
        # A broken record may lack a quote, or have one too many.
        text = r'"(?:[^"\\]|\\.|"(?!\s*(?:[,}\]]|\Z)))*"?'
        value = rf"{text}|-?[0-9][0-9.eE+-]*"
        self._secret = re.compile(rf'("(?:{names})"\s*:\s*)({value})'.encode())

    def redact(self, record: bytes) -> bytes:
        """The record with fingerprints instead of secrets."""
        return self._secret.sub(_redacted, record)


def _redacted(found: re.Match[bytes]) -> bytes:
    return found[1] + msgspec.json.encode(fingerprint(_text(found[2])))


def _text(value: bytes) -> str:
    try:
        return str(msgspec.json.decode(mend_surrogates(value), type=str))
    except UNREADABLE:  # a number, or no JSON
        return value.decode("utf-8", "replace")
