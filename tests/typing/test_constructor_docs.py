"""The typed constructors have every parameter under each of its names, with the documentation of its field."""

import pytest
from constructor_docs import COMPOSITES, LANGCHAIN, MODELS, path_of, print_module, read_arguments

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings
from langchain_gemini_compat._model.connection import _argument_names
from langchain_gemini_compat._settings import aliases


@pytest.mark.parametrize("model", MODELS)
def test_typed_constructor_has_every_name_of_every_parameter(model):
    """The parameters of LangChain's base classes depend on its version, so only those in `LANGCHAIN` are checked."""
    names = read_arguments(model)
    assert len(names) == len(set(names))
    assert set(names) - LANGCHAIN.keys() == _argument_names(model) - _langchain_names(model)
    if model is ChatGeminiCompat:
        assert LANGCHAIN.keys() <= {*names}
        assert LANGCHAIN.keys() <= model.model_fields.keys()


def _langchain_names(model):
    """Return the names of the fields that LangChain's base classes have."""
    bases = [base for base in model.__mro__ if base.__module__.startswith("langchain_core")]
    return {name for base in bases for name in getattr(base, "model_fields", {})}


@pytest.mark.parametrize("model", MODELS)
def test_docstring_of_the_typed_constructor_has_the_descriptions(model):
    """`python tests/support/constructor_docs.py` writes the docstring."""
    assert path_of(model).read_text(encoding="utf-8") == print_module(model)


def test_composite_arguments_are_documented():
    """An argument that sets several parameters has no field, so `COMPOSITES` contains its description."""
    assert COMPOSITES.keys() == aliases.COMPOSITES.keys()
    assert aliases.OPTION_COMPOSITES.isdisjoint(read_arguments(GeminiCompatEmbeddings))
