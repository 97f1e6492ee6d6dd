"""The file of facts about models, and the errors for a file that is not valid."""

import json
from datetime import date
from urllib.parse import urlsplit

import pytest

from langchain_gemini_compat._catalog.catalog_file import FACTS, GRADES, parse_catalog
from langchain_gemini_compat._catalog.models import ModelFamily, known_families, read_facts

SOURCES = {"page": {"url": "https://example.com/models", "read": "2026-11-29"}}
FAMILIES = [*read_facts()]


def document(key="levels", fact=None, **changes):
    """Return the content of a catalog file with one fact. `changes` replaces keys of this fact."""
    whole = {"value": ["low", "high"], "source": "page", "grade": "documented", **changes}
    return {"sources": SOURCES, "families": {"gemini-x": {key: whole if fact is None else fact}}}


def test_every_field_of_a_family_can_be_a_fact():
    """Two fields are not facts: `name` is the key of the family, and `known` says whether a catalog file lists it."""
    assert FACTS.keys() == ModelFamily.__dataclass_fields__.keys() - {"name", "known"}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_fact_has_a_source_a_date_and_a_grade(name):
    for fact in read_facts()[name].values():
        assert fact.grade in GRADES
        assert fact.sources
        for source in fact.sources:
            assert urlsplit(source.url).scheme == "https"
            assert date(2026, 1, 1) < date.fromisoformat(source.read)


def test_each_fact_reaches_its_family():
    for family in known_families():
        for key, fact in read_facts()[family.name].items():
            assert getattr(family, key) == fact.value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "f.json is not valid JSON"),
        ([], "f.json: the document is []. Set it to a table with `sources`, `families`."),
        ({"family": {}}, "the document has the unknown key `family`. Did you mean `families`?"),
        ({"families": []}, "`families` is []."),
        ({"families": {"google/gemini-x": {}}}, "`families.google/gemini-x` has a prefix. Write `families.gemini-x`."),
        ({"families": {"gemini-x": {}, "Gemini-X": {}}}, "`families.gemini-x` occurs twice"),
        ("[" * 100_000, "f.json is not valid JSON"),
        ({"sources": {"page": {"url": "https://example.com"}}}, "`read` of `sources.page` is None. Set it to a string."),
        ({"families": {"gemini-x": None}}, "`families.gemini-x` is None."),
        (document("level"), "`families.gemini-x` has the unknown key `level`. Did you mean `levels`?"),
        (document(fact=["low"]), "`families.gemini-x.levels` is ['low']. Set it to a table with `value`, `source`"),
        (document(sauce=1), "`families.gemini-x.levels` has the unknown key `sauce`. Did you mean `source`?"),
        (document(grade="sure"), "`grade` of `families.gemini-x.levels` is 'sure'. Set it to one of `documented`,"),
        (document(source="book"), "`source` of `families.gemini-x.levels` is 'book'. Set it to one or more names from `sources`."),
        (document(fact={"source": "page", "grade": "observed"}), "`families.gemini-x.levels` has no `value`."),
        (document(value=["hihg"]), "`families.gemini-x.levels` is ['hihg']. Set it to a list of some of `minimal`,"),
        (document(value=["high", "low"]), "in this order"),
        (document(value=[]), "a list of some of"),
        (document("thinking", value="levels"), "one of `budget`, `level`, `none`"),
        (document("image_output", value="yes"), "`true` or `false`"),
        (document("max_input_tokens", value=True), "is True. Set it to a whole number above 0."),
        (document("max_input_tokens", value=0), "a whole number above 0"),
        (document("budgets", value=[0, 5]), "the lowest and the highest number of tokens"),
        (document("budgets", value=[5, 5]), "the lowest and the highest number of tokens"),
        (document("budgets", value=[1, 2, 3]), "the lowest and the highest number of tokens"),
        (document("locations", value="global"), "a list of locations"),
        (document("generation", value=""), "a string"),
        (document("end_on_vertex", value={"date": "2027-02-30"}), "a table with `date`"),
        (document("end_on_vertex", value={"date": "2027-02-03", "by": 1}), "a table with `date`"),
        (document("end_on_vertex", value={}), "a table with `date`"),
        (document("end_on_vertex", value={"successor": 1}), "a table with `date`"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_that_names_the_place(given, said):
    text = given if isinstance(given, str) else json.dumps(given)
    with pytest.raises(ValueError, match=r"f\.json") as caught:
        parse_catalog(text, "f.json")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "last", "successor"),
    [
        ({"date": "2027-02-03"}, date(2027, 2, 3), ""),
        ({"successor": "gemini-y"}, None, "gemini-y"),
        ({"date": "2027-02-03", "successor": "gemini-y"}, date(2027, 2, 3), "gemini-y"),
    ],
)
def test_an_end_has_a_date_or_a_successor_and_the_grade_of_its_fact(given, last, successor):
    facts = parse_catalog(json.dumps(document("end_on_vertex", value=given, grade="reported")), "f.json")
    end = facts["gemini-x"]["end_on_vertex"].value
    assert (end.date, end.successor, end.grade) == (last, successor, "reported")
