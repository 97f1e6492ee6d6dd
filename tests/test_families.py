"""Model names to facts, and facts to LangChain's profile."""

import pytest
from outgoing import PLACES, endpoint

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._families import FAMILIES, bare_model_name, family_of
from langchain_gemini_compat._profiles import build_profile
from langchain_gemini_compat.testing._models import rules_for


@pytest.mark.parametrize(
    ("model", "name", "generation"),
    [
        ("gemini-3.8-flash", "gemini-3.8-flash", "gemini-3"),
        ("google/gemini-3.8-flash-cyber", "gemini-3.8-flash", "gemini-3"),
        ("models/gemini-3.5-flash-lite", "gemini-3.5-flash-lite", "gemini-3"),
        ("gemini-3.5-flash-001", "gemini-3.5-flash", "gemini-3"),
        ("publishers/google/models/gemini-3.1-pro-preview", "gemini-3.1-pro", "gemini-3"),
        ("gemini-3-pro-image-preview", "gemini-3-pro-image", "gemini-3"),
        ("gemini-2.5-flash-image", "gemini-2.5-flash-image", "gemini-2.5"),
        ("gemini-2.5-flash-preview-04-17", "gemini-2.5", "gemini-2.5"),
        ("gemini-2.0-flash-001", "gemini-2.0", "gemini-2.0"),
        ("gemini-flash-latest", "gemini", "gemini-3"),
        ("gemini-4-argon", "gemini", "gemini-3"),
        ("openrouter/google/gemini-3.8-flash", "gemini-3.8-flash", "gemini-3"),
        ("gemma-3-270m", "", ""),
        ("meta/llama-4", "", ""),
        ("", "", ""),
    ],
)
def test_each_name_has_its_family(model, name, generation):
    """Prefixes and version suffixes do not count; what comes later follows the newest rules."""
    family = family_of(model)
    assert (family.name, family.generation) == (name, generation)


def test_no_row_hides_another():
    """The first row that fits wins, so a longer name stands before a shorter one it begins with."""
    assert [family_of(family.name).name for family in FAMILIES] == [family.name for family in FAMILIES]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_table_agrees_with_the_fake_endpoint_s_own(family):
    """Two tables made apart: a slip in one shows."""
    rules = rules_for(family.name)
    assert family.signatures_demanded == rules.demands_signatures
    assert family.text_beside_calls == rules.text_beside_calls
    assert family.takes_penalties == rules.penalties
    if family.thinking == "level" and not family.image_output:
        assert set(family.levels) == rules.levels
    if family.thinking == "budget" and rules.budget:
        assert (*family.budgets, family.may_stop_thinking) == rules.budget


def test_bare_names_lose_google_s_prefixes_only():
    """However often they were put on."""
    assert bare_model_name("models/google/gemini-x") == "gemini-x"
    assert bare_model_name("meta/llama") == "meta/llama"


def test_profiles_tell_agents_what_a_model_can_do():
    """`create_agent` chooses its way to structured output by them; summaries need the token limits."""
    profile = build_profile(family_of("gemini-3.8-flash"), endpoint())
    assert profile["max_input_tokens"] == 1_048_576
    assert profile["max_output_tokens"] == 65_536
    assert profile["structured_output"]
    assert profile["tool_calling"]
    assert profile["reasoning_output"]
    assert profile["image_tool_message"]
    assert not profile["image_outputs"]
    assert not build_profile(family_of("gemini-2.5-pro"), endpoint())["image_tool_message"]
    assert build_profile(family_of("gemini-3-pro-image"), endpoint())["image_outputs"]
    assert "max_input_tokens" not in build_profile(family_of("gemini-flash-latest"), endpoint())
    assert build_profile(family_of("gemma"), endpoint()) is None


@pytest.mark.parametrize("name", ["gemini-3.8-flash", "google/gemini-3.8-flash", "models/gemini-3.8-flash"])
@pytest.mark.parametrize("surface", PLACES)
def test_the_model_has_the_profile_of_its_family(name, surface):
    """Under every spelling of its name, and the caller's own wins."""
    chat = ChatGeminiCompat(model=name, **PLACES[surface])
    assert chat.profile["max_input_tokens"] == 1_048_576
    own = ChatGeminiCompat(model=name, profile={"max_input_tokens": 5}, **PLACES[surface])
    assert own.profile["max_input_tokens"] == 5
