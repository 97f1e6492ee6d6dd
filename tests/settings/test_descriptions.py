"""The description of every parameter has a purpose, a default, and the surfaces that accept the parameter."""

import inspect
import re

import pytest
from pydantic_core import PydanticUndefined
from reference_tables import DESCRIPTION, GROUPS, SAMPLES, WORDS_OF_SURFACES, landing, print_parameters

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings
from langchain_gemini_compat._settings.aliases import COMPOSITES
from langchain_gemini_compat._settings.fields import ConnectionFields, RequestFields, aliases_of

CHAT_FIELDS = {
    **ConnectionFields.model_fields,
    **RequestFields.model_fields,
    "catalog": ChatGeminiCompat.model_fields["catalog"],
}
OWN_FIELDS = CHAT_FIELDS | {
    name: field for name, field in GeminiCompatEmbeddings.model_fields.items() if name not in CHAT_FIELDS
}


@pytest.mark.parametrize("name", OWN_FIELDS)
def test_description_of_a_parameter_has_purpose_default_and_surfaces(name):
    """A description must be complete, because the API page and the parameter table show it without other text."""
    field = OWN_FIELDS[name]
    parts = DESCRIPTION.fullmatch(field.description or "")
    assert parts, field.description
    assert len(parts["what"].split()) >= 4
    default = field.get_default(call_default_factory=True)
    shown = "Required" if default is PydanticUndefined else f"Default: `{default}`"
    assert parts["default"].replace('"', "").startswith(shown)
    assert parts["surfaces"] == "all" or set(parts["surfaces"].split(", ")) <= {*WORDS_OF_SURFACES.values()}


@pytest.mark.parametrize("name", RequestFields.model_fields)
def test_description_names_the_surfaces_that_get_the_parameter(name):
    """The surfaces in the text are those whose request changes when the parameter is set."""
    given = {
        word for surface, word in WORDS_OF_SURFACES.items() if landing(name, surface) not in ("left out", "not sent")
    }
    named = DESCRIPTION.fullmatch(RequestFields.model_fields[name].description)["surfaces"]
    # The package handles these two parameters itself, and never sends them. So no surface can refuse them.
    unsent = ("invalid_tool_calls", "include_response_headers")
    expected = {*WORDS_OF_SURFACES.values()} if name in unsent else given
    assert ({*WORDS_OF_SURFACES.values()} if named == "all" else {*named.split(", ")}) == expected


def test_groups_of_the_page_have_every_parameter_once():
    """A new field must be added to a group in `GROUPS`, so that the page of parameters shows it."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(CHAT_FIELDS)
    assert RequestFields.model_fields.keys() <= SAMPLES.keys()


@pytest.mark.parametrize("model", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_docstring_of_the_class_names_every_parameter(model):
    """Editors show the docstring while the constructor is typed."""
    groups = inspect.getdoc(model).partition("group:")[2].partition("Raises:")[0]
    names = {field.alias or name for name, field in model.model_fields.items() if name in OWN_FIELDS}
    assert {name for name in names if f"`{name}`" not in groups} == set()


@pytest.mark.parametrize("model", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_page_of_parameters_has_every_name(model):
    """Each parameter has a row that begins with all its names. Each argument in `COMPOSITES` also has a row."""
    rows = [line.split(" | ")[0] for line in print_parameters().splitlines() if line.startswith("| `")]
    names = {name: {name} for name in OWN_FIELDS.keys() & model.model_fields.keys()}
    for alias, name in aliases_of(model).items():
        names[name].add(alias)
    assert [name for name, every in names.items() if not any(row_names(row) == every for row in rows)] == []
    assert COMPOSITES.keys() <= {name for row in rows for name in row_names(row)}


def row_names(row):
    """Return the names in the first cell of a row."""
    return set(re.findall(r"`(\w+)`", row))
