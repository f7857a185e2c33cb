"""What an answer stands for, whatever it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinelone_source import errors
from sentinelone_source.console.responses import failure
from sentinelone_source.http.retry import retry_after


def api_error(code: Any, title: str | None = "Title", detail: str | None = None) -> bytes:
    return json.dumps({"errors": [{"code": code, "title": title, "detail": detail}]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", errors.Refused),
        (401, b"An error occurred.", errors.Refused),
        (401, api_error(4010010), errors.Refused),
        (403, api_error(4030010), errors.FeedRefused),
        (403, api_error("4030010"), errors.FeedRefused),
        (403, api_error(4030010).replace(b"Title", b"f\xfcr"), errors.FeedRefused),
        (401, b"\xff", errors.Refused),
        (403, b"<html>Blocked</html>", errors.Unavailable),
        (403, api_error(4030099), errors.Unavailable),
        (429, b"<html>429</html>", errors.Throttled),
        (400, api_error(4000010, detail="Invalid cursor value received"), errors.CursorLost),
        (400, api_error(4000010, detail="updatedAt__gte: Unknown field"), errors.BadRequest),
        (400, b"<html>Bad Request</html>", errors.Unavailable),
        (404, api_error(4040010), errors.BadRequest),
        (404, b"<html>Not Found</html>", errors.FeedRefused),
        (404, b"", errors.Unavailable),
        (302, b"", errors.Unavailable),
        (500, api_error(5000010), errors.Overloaded),
        (501, api_error(5010010), errors.FeedRefused),
        (504, b"", errors.Overloaded),
    ],
)
def test_failures(status: int, body: bytes, kind: type[Exception]) -> None:
    """Status and code decide what an answer means."""
    error = failure("groups", status, {}, body)
    assert type(error) is kind
    assert str(error).startswith(f"groups: HTTP {status}")


def test_words_of_the_console_are_passed_on() -> None:
    """The error quotes the console's code, title and detail."""
    error = failure("groups", 403, {}, api_error(4030010, "Insufficient permissions", "Ask Bob"))
    assert "code 4030010, Insufficient permissions: Ask Bob" in str(error)


def test_words_of_a_graphql_server_are_passed_on() -> None:
    """The error quotes the message of an error without a code."""
    body = json.dumps({"errors": [{"message": "Cannot query field 'colour'"}]}).encode()
    error = failure("graphql", 400, {}, body)
    assert str(error) == "graphql: HTTP 400, Cannot query field 'colour'"


HOSTILE = st.one_of(
    st.binary(max_size=40),
    st.builds(
        api_error,
        st.one_of(st.integers(), st.text(max_size=5), st.floats(allow_nan=False), st.none()),
        st.one_of(st.none(), st.text(max_size=5)),
    ),
    st.sampled_from(
        [
            b'{"errors":null}',
            b'{"errors":[null]}',
            b"[" * 60_000,
            b'{"errors":' + b"[" * 60_000,
            b'{"x":' + b"[" * 60_000,
        ]
    ),
    st.sampled_from(["\u00b2", "9" * 5000, "-1", "4e6"]).map(api_error),
)


@given(st.integers(300, 599), HOSTILE, st.text(alphabet="0123456789\u00b2 .-[", max_size=6))
def test_any_failure_is_one_of_ours(status: int, body: bytes, after: str) -> None:
    """Whatever body an error answer has, it becomes an error of the program's own."""
    headers = {"Retry-After": after, "Location": f"https://{after}"}
    error = failure("groups", status, headers, body)
    assert isinstance(error, errors.SourceError)
    waits = getattr(error, "retry_after", None)
    assert waits is None or waits >= 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), (" 7 ", 7.0), ("", None), ("soon", None), ("-3", None), ("\u00b2", None)],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds in `Retry-After` count, anything odd does not."""
    assert retry_after({"Retry-After": text}) == seconds


def test_retry_after_a_date() -> None:
    """A date is read against the answer's own `Date`, else against our clock."""
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    said = {"Retry-After": "Wed, 21 Oct 2015 07:28:09 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after(said) == 9.0
    assert (retry_after({"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}) or 0.0) > 1e9
