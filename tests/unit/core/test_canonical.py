"""Canonical JSON has one written form and one strict, bounded way of being read."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core import canonical
from archive_core.errors import MalformedDocumentError

_text = st.text(st.characters(exclude_categories=["Cs"]))
_scalars = st.none() | st.booleans() | st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER) | _text
_values = st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(_text, inner), max_leaves=20)


@given(_values)
def test_what_is_written_reads_back_as_the_same_value(value: object) -> None:
    """write and read_canonical are inverses."""
    assert canonical.read_canonical(canonical.write(value)) == value


def test_keys_are_sorted_letters_kept_and_one_line_feed_ends_the_document() -> None:
    """The written form is fixed, byte for byte."""
    assert canonical.write({"b": [1, None], "a": "č"}) == '{"a":"č","b":[1,null]}\n'.encode()


@pytest.mark.parametrize("value", [1.5, 2**63, {1: "a"}, "\ud800", {"\udfff": 1}, b"bytes", [object()]])
def test_a_value_without_canonical_form_is_refused(value: object) -> None:
    """Floats, large integers, foreign keys and lone surrogates have no single written form."""
    with pytest.raises(ValueError, match=r"form|key"):
        canonical.write(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1, "b":2}\n',  # a space
        b'{"b":1,"a":2}\n',  # order
        b'{"a":1}',  # no line feed
        b'{"a":1}\n\n',
        b'{"a":"\\u0041"}\n',  # an escape that is not needed
        b'{"a":-0}\n',
        b"\n",
    ],
)
def test_another_spelling_of_the_same_value_is_not_canonical(data: bytes) -> None:
    """A document under a digest has exactly one spelling."""
    with pytest.raises(MalformedDocumentError):
        canonical.read_canonical(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":1,"a":2}',
        b'{"a":{"x":1,"x":1}}',
        b'{"a":NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[1.5]",
        b"[1e3]",
        b"[9223372036854775808]",
        b"[" + b"9" * 5000 + b"]",
        b'["\\ud800"]',
        b'{"\\udc00":1}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        b"[1]x",
        b"'a'",
        "[1]".encode("utf-16"),
    ],
)
def test_what_is_not_strict_json_is_refused(data: bytes) -> None:
    """Duplicate keys, non-numbers, fractions, surrogates, marks and other encodings are refused."""
    with pytest.raises(MalformedDocumentError):
        canonical.read(data)


def test_fractions_are_read_only_where_they_are_asked_for() -> None:
    """Depositors' metadata may hold fractions, and no infinity by way of a large exponent."""
    assert canonical.read(b"[1.5]", fractions=True) == [1.5]
    with pytest.raises(MalformedDocumentError):
        canonical.read(b"[1e999]", fractions=True)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"b":['])
def test_deep_nesting_is_refused_before_anything_is_built(opening: bytes) -> None:
    """A million open brackets cost no stack and little time."""
    start = time.monotonic()
    with pytest.raises(MalformedDocumentError, match="deep"):
        canonical.read(opening * 1_000_000)
    assert time.monotonic() - start < 5


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    """The depth check knows strings and escapes."""
    value = {"a": "[[[[" * 100 + '"\\"'}
    assert canonical.read(json.dumps(value).encode(), max_depth=1) == value


@pytest.mark.parametrize("data", [b'"' + b'\\"' * 2_000_000, b'["' + b"\\" * 4_000_001, b'"' * 3_000_001])
def test_unfinished_strings_take_linear_time(data: bytes) -> None:
    """No regular expression runs away on an unfinished string full of escapes."""
    start = time.monotonic()
    with pytest.raises(MalformedDocumentError):
        canonical.read(data)
    assert time.monotonic() - start < 10


def test_the_size_limit_comes_first() -> None:
    """A document over the limit is not looked into."""
    with pytest.raises(MalformedDocumentError, match="larger"):
        canonical.read(b"x" * 11, max_bytes=10)
