"""The pages that are generated from tables in the code are up to date."""

import pytest
from families import CHAT_FAMILIES
from reference_tables import COMMAND, DOCS, PAGES, SAMPLES

from langchain_gemini_compat._settings.fields import RequestFields


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_up_to_date(page):
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page](), f"Run `{COMMAND}` to update the page."


def test_every_parameter_has_a_sample():
    assert RequestFields.model_fields.keys() <= SAMPLES.keys()


def test_every_family_is_in_all_six_tables():
    lines = PAGES["families.md"]().splitlines()
    assert {sum(line.startswith(f"| `{family.name}` |") for line in lines) for family in CHAT_FAMILIES} == {6}
