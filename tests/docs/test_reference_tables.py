"""The pages that are made from the code's tables are what the code says today."""

import pytest
from reference_tables import COMMAND, DOCS, PAGES, SAMPLES

from langchain_gemini_compat._catalog.models import FAMILIES
from langchain_gemini_compat._settings.fields import RequestFields


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_what_the_tables_say(page):
    """It is written by the command and not by hand."""
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page](), f"`{COMMAND}` writes the page anew."


def test_every_parameter_is_on_the_page():
    """A new field of the model needs a sample."""
    assert RequestFields.model_fields.keys() <= SAMPLES.keys()


def test_every_family_is_in_every_table():
    """Five of them."""
    lines = PAGES["families.md"]().splitlines()
    assert {sum(line.startswith(f"| `{family.name}` |") for line in lines) for family in FAMILIES} == {5}
