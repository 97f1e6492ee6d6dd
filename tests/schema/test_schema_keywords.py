"""Tests that the page of schema keywords shows what the compiler does."""

from __future__ import annotations

import json

import pytest
from schema_judge import find_unexplained
from schema_keywords import COMMAND, DEFINITIONS, PAGE, ROWS, compile_row, find_drafts, print_page

from langchain_gemini_compat._schema.functions import compile_parameters

OPENAPI = {"nullable", "discriminator", "example", "xml", "externalDocs"}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.keyword} {json.dumps(row.probe)}" for row in ROWS])
def test_the_example_compiles_as_the_row_says(row):
    compiled, says = compile_row(row)
    assert json.dumps(compiled) == json.dumps(row.compiled)
    assert says == row.says


def test_every_keyword_of_every_draft_has_a_row():
    """The meta-schemas of the drafts list the keywords."""
    assert len(find_drafts()) > 50
    assert {row.keyword for row in ROWS} == set(find_drafts()) | OPENAPI
    assert all(
        row.keyword in row.probe or f'"{row.keyword}":' in json.dumps(row.probe) or row.keyword == "items"
        for row in ROWS
    )


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == print_page(), f"Run `{COMMAND}` to update the page."


#: No sample value violates these keywords. So the test below cannot show that they are lost, and leaves them out.
UNSEEN = {
    "enum", "contentEncoding", "contentMediaType", "unevaluatedItems", "properties", "unevaluatedProperties",
    "patternProperties", "propertyNames", "maxProperties", "dependencies", "not", "$ref",
    "contentSchema", "maxItems", "discriminator", "readOnly", "writeOnly", "xml", "externalDocs",
}  # fmt: skip
BROKEN = [row for row in ROWS if row.says and row.keyword not in UNSEEN and row.probe != {"type": "array"}]


@pytest.mark.parametrize("row", BROKEN, ids=[f"{row.keyword} {json.dumps(row.probe)}" for row in BROKEN])
def test_samples_of_a_dropped_keyword_fail_and_the_loss_explains_it(row):
    """A value that fits the compiled schema violates the dropped keyword. Only the recorded loss explains this."""
    whole = {"type": "object", "properties": {"p": row.probe}, "$defs": DEFINITIONS}
    compiled, losses = compile_parameters(whole)
    assert find_unexplained(whole, compiled, losses) == []
    assert find_unexplained(whole, compiled, []) != []
