"""What is wrong with a mapping file is said in one sentence that names file, table and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mapping.files import GOOD, refusal, write
from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.spec.files import load_mappings

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = '[request]\npath = "things"\n'
WALK = '[walk]\nid = "$.id"\nposition = "$.at"\nfilter = "at__gte"\nsort_by = "at"\n'
TIME = 'TimeGenerated = { path = "$.at", type = "datetime" }\n'
NAME = 'Name = "$.name"\n'


def test_a_good_file_alone(tmp_path: Path) -> None:
    """The file that the other tests change is accepted as it is."""
    mapping = load_mappings(write(tmp_path, GOOD))["things"]
    assert (mapping.table, mapping.stream) == ("Things_CL", "Custom-Things_CL")
    assert (mapping.request.path, mapping.request.page_size) == ("things", 1000)
    assert [column.name for column in mapping.columns] == ["TimeGenerated", "Name"]


def check(folder: Path, before: str, after: str, wanted: str) -> None:
    """A mistake is an error of one line that names the file, the place and what is wrong."""
    assert before in GOOD
    message = refusal(write(folder, GOOD.replace(before, after, 1)))
    assert message.startswith(str(folder / "things.toml"))
    assert wanted in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("path =", "pth =", "request.pth: unknown key 'pth' (did you mean 'path'?)"),
        ("[walk]", "[wlak]", "wlak: unknown key 'wlak' (did you mean 'walk'?)"),
        ("sort_by", "sortby", "walk.sortby: unknown key 'sortby' (did you mean 'sort_by'?)"),
        (REQUEST, "", "missing key `request`"),
        (WALK, "", "missing key `walk`"),
        ('id = "$.id"\n', "", "walk: missing key `id`"),
        ('position = "$.at"\n', "", "walk: missing key `position`"),
        ('"$.id"', '"$.ids[*]"', "walk.id: '$.ids[*]' can match more than once"),
        ('position = "$.at"', 'position = "$..at"', "walk.position: '$..at' can match more than"),
        ('position = "$.at"', 'position = "$.at["', "walk.position: '$.at[' is not a JSONPath"),
        (TIME, "", "column TimeGenerated: every table needs it, as a datetime"),
        ('"datetime"', '"string"', "column TimeGenerated: every table needs it, as a datetime"),
        ("TimeGenerated =", "timegenerated =", "column TimeGenerated: every table needs it"),
        (NAME, f'{NAME}NAME = "$.x"', "column NAME: duplicate of column Name"),
        (NAME, f'{NAME}Name = "$.x"', "is not valid TOML: Cannot overwrite a value (at "),
        ("Name =", "Type =", "column Type: the name is reserved by Azure Monitor"),
        ("Name =", "id =", "column id: the name is reserved by Azure Monitor"),
        ("Name =", "_Name =", "column _Name: a name has 2 to 45 letters, digits and _"),
        ("Name =", '"Näme" =', "column Näme: a name has 2 to 45 letters"),
        ("Name =", "N =", "column N: a name has 2 to 45 letters"),
        ("Name =", '"Na-me" =', "column Na-me: a name has 2 to 45 letters"),
        ("Name =", "N" * 46 + " =", f"column {'N' * 46}: a name has 2 to 45 letters"),
        (REQUEST, f"{REQUEST}page_size = 0", "request.page_size: 0 is not 1 to 1000"),
        (REQUEST, f"{REQUEST}page_size = 1001", "request.page_size: 1001 is not 1 to 1000"),
        (REQUEST, f'{REQUEST}page_size = "all"', "request.page_size: expected `int`, got `str`"),
        (REQUEST, f'{REQUEST}records = "$.data[0]"', "request.records: takes a path of member"),
        (REQUEST, f'{REQUEST}records = "$"', "request.records: takes a path of member names"),
        (REQUEST, f"{REQUEST}records = 7", "request.records: expected `str`, got `int`"),
        (REQUEST, f"{REQUEST}params = {{ a = 1.5 }}", "request.params[...]: expected"),
        ("sort_by", 'until = "at__lt&x"\nsort_by', "walk.until: 'at__lt&x': takes letters"),
        ("sort_by", 'lookback = "1 day"\nsort_by', "walk.lookback: '1 day' is not a duration"),
        ("sort_by", "lookback = 7\nsort_by", "walk.lookback: expected `str`, got `int`"),
        (
            *("sort_by", 'volatile = ["name"]\nsort_by'),
            "walk.volatile: unknown column 'name' (did you mean 'Name'?)",
        ),
        ("Things_CL", "Things", "table: a name of letters, digits and _ that ends in _CL"),
        ('table = "Things_CL"', "table = 7", "table: missing; name the table"),
        ('table = "Things_CL"', "", "table: missing; name the table"),
        ("[columns]", "[columns", "is not valid TOML"),
    ],
    ids=lambda value: value[:40],
)
def test_mistakes(tmp_path: Path, before: str, after: str, wanted: str) -> None:
    """A mistake is an error of one line that names the file, the place and what is wrong."""
    check(tmp_path, before, after, wanted)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ('"$.name["', "'$.name[' is not a JSONPath: "),
        ('"$.name["', "; a member path looks like '$.threatInfo.sha1'"),
        ('""', "'' is not a JSONPath"),
        ('["$.name", "$.[[", "$.x"]', "'$.[[' is not a JSONPath"),
        ("[]", "path: the list of paths is empty"),
        ("7", "takes a path, a list of paths, a table with `path`, or false"),
        ("true", "takes a path"),
        ('{ type = "json" }', "missing key `path` or `console`"),
        ('{ path = "$.n", type = "sting" }', "unknown type 'sting' (did you mean 'string'?)"),
        ('{ path = "$.n", typ = "string" }', "typ: unknown key 'typ' (did you mean 'type'?)"),
        ('{ console = "id" }', "console: invalid enum value 'id'"),
        ('{ console = "url", path = "$.name" }', "console: takes no other key beside it"),
        ('{ path = "$.n", type = "real", redact = true }', "redact: only guid, json, string can"),
        ('{ path = "$.n", aliases = { a = "b" } }', "aliases: only json columns"),
        ('{ path = "$.n", type = "dynamic", aliases = { a = "b" } }', "aliases: only json columns"),
        (
            '{ path = "$.n", type = "json", aliases = { a = 1 } }',
            "aliases[...]: expected `str`, got `int`",
        ),
        (
            '{ path = "$.n", type = "json", aliases = ["a"] }',
            "aliases: expected `object`, got `array`",
        ),
    ],
)
def test_mistakes_in_a_column(tmp_path: Path, spec: str, wanted: str) -> None:
    """A mistake in a column names it."""
    path = "" if wanted.startswith(";") else "Things_CL: column Name: "
    check(tmp_path, '"$.name"', spec, f"{path}{wanted}")


BODY = """body = {after = "{cursor}", first = "{page_size}", from = "{from}"}
cursor = "$.next"
"""


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            "{cursor}",
            "{curser}",
            "request.body: unknown placeholder 'curser' (did you mean 'cursor'?)",
        ),
        ("{cursor}", "cursor", "request.body: needs a placeholder '{cursor}'"),
        ("{from}", "x", "request.body: needs a placeholder '{from}' or '{from_ms}'"),
        ('from = "{from}"', 'from = "{from}", at = 2026-01-01', "request.body.at: takes text,"),
        ('from = "{from}"', 'from = "{from}", at = nan', "request.body.at: takes text, numbers,"),
        ("cursor =", 'passes = [{a = "b"}]\ncursor =', "request.passes: 'a' needs a placeholder"),
        (BODY, 'passes = [{a = "b"}]\n', "request.passes: needs a body with placeholders"),
        ("$.next", "$.data.next", "request.cursor: $.data.next and records, $.data, overlap"),
        ("cursor =", 'more = "$.more[*]"\ncursor =', "request.more: takes a path of member names"),
        ("[walk]", "[walk]\nfilter = 'x'", "walk.filter: has no use beside request.body"),
    ],
)
def test_mistakes_in_bodies(tmp_path: Path, before: str, after: str, says: str) -> None:
    """A mistake in a request's body or its keys is an error that names the key."""
    text = GOOD.replace('"things"\n', f'"things"\n{BODY}').replace('sort_by = "at"\n', "")
    text = text.replace('filter = "at__gte"\n', "")
    load_mappings(write(tmp_path, text))
    assert says in refusal(write(tmp_path, text.replace(before, after, 1)))


@pytest.mark.parametrize(
    ("drop", "wanted"),
    [
        ('path = "$.a"', "drop 1: needs one of equals, in, not_in, matches, exists beside `path`"),
        ('equals = "a"', "missing key `path`"),
        ('path = "$.a["\nexists = true', "drop 1: '$.a[' is not a JSONPath"),
        ('path = "$.a"\nmatches = "("', "drop 1: matches: '(' is not a regular expression"),
        ('path = "$.a"\nmatches = 7', "drop 1: matches: takes a str, not 7"),
        ('path = "$.a"\nin = "x"', "drop 1: in: takes a list, not 'x'"),
        ('path = "$.a"\nexists = "yes"', "drop 1: exists: takes a bool, not 'yes'"),
        ('path = "$.a"\nequal = "x"', "unknown key 'equal' (did you mean 'equals'?)"),
        ('path = "$.a"\nequals = 2026-03-14', "drop 1: equals: takes text, a number or a boolean"),
        ('path = "$.a"\nequals = 1\n[[drop]]\npath = "$.b"', "drop 2: needs one of equals, in,"),
    ],
)
def test_mistakes_in_drops(tmp_path: Path, drop: str, wanted: str) -> None:
    """A mistake in a drop is an error that names file, table and key."""
    message = refusal(write(tmp_path, f"{GOOD}\n[[drop]]\n{drop}\n"))
    assert message.startswith(f"{tmp_path / 'things.toml'}: Things_CL: drop")
    assert wanted in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file or folder that cannot be read is an error that says why."""
    assert "is not UTF-8 text" in refusal(write(tmp_path, b'table = "\xff"'))
    (tmp_path / "things.toml").unlink()
    (tmp_path / "things.toml").mkdir()
    assert "cannot be read" in refusal(tmp_path)
    assert f"mappings.path: {tmp_path / 'no'} is not a folder" in refusal(tmp_path / "no")
    with pytest.raises(ConfigError, match=r"^config\.toml: mappings\.path: .* is not a folder$"):
        load_mappings(tmp_path / "no", where="config.toml: mappings.columns")
    assert "cannot be read: File name too long" in refusal(tmp_path / ("x" * 300))
