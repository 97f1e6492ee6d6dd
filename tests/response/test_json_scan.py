"""Tests the scanner of JSON that arrives in pieces: it escapes control characters and detects the end of the value."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_gemini_compat._response.json_scan import JsonScanner

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), json_values, max_size=3)
texts = st.builds(
    json.dumps, objects, ensure_ascii=st.booleans(), indent=st.sampled_from([None, 2]), sort_keys=st.booleans()
)
fragments = st.text(alphabet='{}[]",:\\ab1 \n\t\x00\x1f\x7fé', max_size=30)


def scan(pieces):
    """Return the scanner's output for `pieces`, and whether the JSON value has started and is complete."""
    scanner = JsonScanner()
    safe = "".join([scanner.feed(piece) for piece in pieces])
    return safe, scanner.started, scanner.complete


@given(text=texts)
def test_json_is_unchanged_and_complete_at_its_last_bracket(text):
    """The scanner finds the end of a JSON value, even if its strings contain brackets or quotes."""
    assert scan([text]) == (text, True, True)
    assert scan([text[:-1]]) == (text[:-1], True, False)


@settings(max_examples=300)
@given(text=fragments | texts, places=st.lists(st.integers(0, 30), max_size=6))
def test_pieces_give_the_same_as_the_whole_text(text, places):
    """The text may even be cut between a backslash and the escaped character."""
    ends = [*sorted(places), len(text)]
    pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert scan(pieces) == scan([text])
    assert scan(list(text)) == scan([text])


@given(
    value=st.dictionaries(st.text(alphabet='a\n\t"é', max_size=4), st.text(alphabet='b\n\t\x00\x1f\b"{}', max_size=8))
)
def test_raw_control_characters_in_strings_are_escaped(value):
    """The output parses to the original value, and white space between values is unchanged."""
    raw = json.dumps(value, indent=1, ensure_ascii=False)
    for char, escape in (("\n", "\\n"), ("\t", "\\t"), ("\x00", "\\u0000"), ("\x1f", "\\u001f"), ("\b", "\\b")):
        raw = raw.replace(escape, char)
    safe, _, complete = scan([raw])
    assert json.loads(safe) == value
    assert complete


@pytest.mark.parametrize("code", range(0x20))
def test_every_control_character_is_escaped(code):
    safe, *_ = scan([f'{{"a": "{chr(code)}"}}'])
    assert json.loads(safe) == {"a": chr(code)}


@pytest.mark.parametrize(
    ("text", "started", "complete"),
    [
        ("", False, False),
        (" \n\t", False, False),
        ("{", True, False),
        (" x", True, False),
        ('{"a": "}"', True, False),
        ('{"a": "\\"}', True, False),
        ('{"a": "\\\\"}', True, True),
        ('{"a": {}', True, False),
        ('{"a": [{"b": 1}]', True, False),
        (" {} \n", True, True),
        ("{}x", True, True),
        ("{}{", True, True),
        ('"a"', True, False),
        ("}", True, True),
    ],
)
def test_scanner_knows_started_and_complete(text, started, complete):
    assert scan([text])[1:] == (started, complete)


def test_scanner_keeps_no_text():
    """The scanner stores only numbers and flags, so the time for a new piece does not depend on the earlier text."""
    scanner = JsonScanner()
    scanner.feed('{"a": ["long text", {"b\\')
    assert {type(getattr(scanner, name)) for name in JsonScanner.__slots__} == {int, bool}
