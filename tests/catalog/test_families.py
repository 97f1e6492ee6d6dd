"""The table of model families, and the LangChain profiles that are built from it."""

from typing import get_type_hints

import pytest
from families import CHAT_FAMILIES
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.language_models import ModelProfile
from outgoing import PLACES, SURFACES
from pydantic import BaseModel

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._catalog import models
from langchain_gemini_compat._catalog.langchain_profile import build_profile
from langchain_gemini_compat._catalog.models import LATER_GEMINI, bare_model_name, family_of, known_families
from langchain_gemini_compat.testing import Call, FakeGemini
from langchain_gemini_compat.testing._rules.models import rules_for


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
        ("gemini-4-argon", "gemini-4-argon", "gemini-3"),
        ("gemini-4-hydrogen", "gemini-4-hydrogen", "gemini-3"),
        ("google/gemini-4-neon-001", "gemini-4-neon", "gemini-3"),
        ("gemini-4-carbon-cyber-permissive", "gemini-4-carbon-cyber-permissive", "gemini-3"),
        ("gemini-4-radon", "gemini-4", "gemini-3"),
        ("nano-banana-pro-preview", "nano-banana-pro-preview", "gemini-3"),
        ("gemini-3.8-flash-tts", "gemini-3.8-flash-tts", ""),
        ("gemini-3.1-flash-lite-image", "gemini-3.1-flash-lite-image", "gemini-3"),
        ("gemini-nano-banana-2.1", "gemini-nano-banana", "gemini-3"),
        ("gemini-5-xenon", "gemini", "gemini-3"),
        ("openrouter/google/gemini-3.8-flash", "gemini-3.8-flash", "gemini-3"),
        ("gemma-3-270m", "", ""),
        ("models/gemma-4-31b-it", "gemma-4", ""),
        ("meta/llama-4", "", ""),
        ("", "", ""),
    ],
)
def test_each_name_has_its_family(model, name, generation):
    """Prefixes and version suffixes do not matter. A model that is newer than the table gets the newest rules."""
    family = family_of(model)
    assert (family.name, family.generation) == (name, generation)


@pytest.mark.parametrize("turn", [1, -1], ids=["as written", "reversed"])
def test_the_longest_prefix_wins_in_any_order_of_the_table(turn, monkeypatch):
    names = [family.name for family in known_families()]
    rows = models._load_families("")[::turn]
    monkeypatch.setattr(models, "_load_families", lambda _: rows)
    for name in (*names, *(f"{name}-preview-09-2026" for name in names)):
        found = models._find_family.__wrapped__(name, "")
        assert found.name == max((one for one in names if name.startswith(one)), key=len)


@pytest.mark.parametrize("family", CHAT_FAMILIES, ids=lambda family: family.name)
def test_the_table_agrees_with_the_table_of_the_fake_endpoint(family):
    """The catalog and the fake have separate tables of facts. A mistake in one of them makes this test fail."""
    rules = rules_for(family.name)
    assert family.signatures_demanded == rules.demands_signatures
    assert family.text_beside_calls == rules.text_beside_calls
    assert family.takes_penalties <= rules.penalties
    assert family.takes_effort_on_ai_studio != rules.refuses_efforts
    assert family.max_output_tokens == rules.longest_output
    assert family.takes_cached_content == rules.cached_content
    assert (family.locations or ()) == rules.locations
    if family.thinking == "level":
        assert set(family.levels) <= rules.levels
    if family.thinking == "budget" and rules.budget:
        least, most, may_stop = rules.budget
        assert (family.budgets, family.may_stop_thinking) == ((least or 1, most), may_stop)


@pytest.mark.parametrize("family", [*CHAT_FAMILIES, LATER_GEMINI], ids=lambda family: family.name)
def test_a_row_does_not_contradict_itself(family):
    """The thinking levels of a family are in order, its default is one of them, and its budget range is not empty."""
    assert [word for word in ("minimal", "low", "medium", "high", "xhigh") if word in family.levels] == [*family.levels]
    if family.thinking == "level":
        assert family.default_thinking in (None, *family.levels)
    if family.thinking == "budget":
        assert family.default_thinking in (None, "dynamic")
        assert 0 < family.budgets[0] < family.budgets[1]
    assert family.max_output_tokens is None or family.max_output_tokens <= family.max_input_tokens
    assert {"text", "image"} <= set(family.inputs) <= {"text", "image", "audio", "video", "pdf"}
    assert not family.image_output or "image" in family.name or "banana" in family.name
    assert family.generation in family.name or family.generation == "gemini-3"


def test_bare_model_name_removes_only_google_s_prefixes():
    """All prefixes are removed, even if there are several."""
    assert bare_model_name("models/google/gemini-x") == "gemini-x"
    assert bare_model_name("meta/llama") == "meta/llama"


def test_a_changed_profile_does_not_change_the_profiles_of_other_models():
    """The profiles share no lists, so changing a list changes only one profile."""
    mine, theirs = (build_profile(family_of("gemini-3.8-flash")) for _ in range(2))
    mine["reasoning_effort_levels"].append("all")
    mine["max_input_tokens"] = 1
    assert theirs["reasoning_effort_levels"][-1] != "all"
    assert theirs["max_input_tokens"] != 1


def test_a_profile_has_the_facts_that_agents_read():
    """`create_agent` reads the profile to choose how to ask for structured output. Summaries need the token limits."""
    profile = build_profile(family_of("gemini-3.8-flash"))
    assert profile["max_input_tokens"] == 1_048_576
    assert profile["max_output_tokens"] == 65_536
    assert profile["structured_output"]
    assert profile["tool_calling"]
    assert profile["reasoning_output"]
    assert profile["reasoning_effort_levels"] == ["low", "medium", "high"]
    assert profile["reasoning_effort_default"] == "medium"
    assert profile["image_tool_message"]
    assert not profile["temperature"]
    assert not profile["image_outputs"]
    assert build_profile(family_of("gemma")) is None


def test_profiles_differ_between_model_families():
    pro, image, alias = (
        build_profile(family_of(model)) for model in ("gemini-2.5-pro", "gemini-3-pro-image", "gemini-flash-latest")
    )
    assert pro["image_tool_message"]
    assert "reasoning_effort_default" not in pro
    assert build_profile(family_of("gemini-2.5-flash"))["reasoning_effort_levels"][0] == "none"
    assert image["image_outputs"]
    assert not image["tool_calling"]
    assert not image["audio_inputs"]
    assert alias["max_input_tokens"] == 1_048_576
    assert build_profile(family_of("gemini-3.5-flash"))["temperature"]
    assert build_profile(family_of("gemini-2.0-flash"))["reasoning_output"] is False


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("family", CHAT_FAMILIES, ids=[family.name for family in CHAT_FAMILIES])
def test_profiles_say_which_media_a_tool_message_may_have(family, surface):
    """Without these keys of the profile, agents replaced the images of tools by a sentence. Field case C11."""
    profile = build_profile(family)
    assert profile["image_tool_message"] == (profile["image_inputs"] and profile["tool_calling"])
    assert profile["pdf_tool_message"] == (profile["pdf_inputs"] and profile["tool_calling"])


@pytest.mark.parametrize("model", [family.name for family in CHAT_FAMILIES] + ["gemini-flash-latest"])
def test_profiles_have_only_keys_that_langchain_knows(model):
    """LangChain warns of other keys."""
    profile = build_profile(family_of(model))
    assert profile.keys() <= get_type_hints(ModelProfile).keys()
    assert None not in profile.values()


@pytest.mark.parametrize("name", ["gemini-3.8-flash", "google/gemini-3.8-flash", "models/gemini-3.8-flash"])
@pytest.mark.parametrize("surface", PLACES)
def test_a_model_has_the_profile_of_its_family(name, surface):
    """This applies to every spelling of the name. A profile of the caller overrides the profile of the family."""
    chat = ChatGeminiCompat(model=name, **PLACES[surface])
    assert chat.profile["max_input_tokens"] == 1_048_576
    own = ChatGeminiCompat(model=name, profile={"max_input_tokens": 5}, **PLACES[surface])
    assert own.profile["max_input_tokens"] == 5


class Answer(BaseModel):
    """A number."""

    value: int


def get_number() -> int:
    """A number."""
    return 42


#: Each row has a model and two flags. They say whether `create_agent` sends a schema as `response_format`: the first
#: flag for an agent without tools, the second for an agent with tools.
STRATEGIES = [
    ("gemini-3.8-flash", True, True),
    ("models/gemini-3.7-flash", True, True),
    ("gemini-3.6-flash", True, True),
    ("gemini-3.5-flash-lite", True, True),
    ("gemini-3.5-flash", True, True),
    ("google/gemini-3.1-pro-preview", True, True),
    ("gemini-3.1-flash-lite", True, True),
    ("gemini-3-flash-preview", True, True),
    ("gemini-3-pro-preview", True, True),
    ("gemini-4-argon", True, False),
    ("gemini-4-carbon", True, False),
    ("gemini-4-carbon-cyber-permissive", True, False),
    ("gemini-4-hydrogen", True, False),
    ("gemini-4-neon", True, False),
    ("gemini-4-radon", True, False),
    ("nano-banana-pro-preview", True, True),
    ("gemini-flash-latest", True, False),
    ("gemini-flash-lite-latest", True, False),
    ("gemini-pro-latest", True, False),
    ("gemini-2.5-pro", True, False),
    ("gemini-2.5-flash-lite", True, False),
    ("google/gemini-2.5-flash", True, False),
    ("gemini-2.0-flash", True, False),
    ("gemini-1.5-pro", True, False),
    ("gemini-3-pro-image", False, False),
    ("gemini-3.1-flash-image", False, False),
    ("gemini-3.1-flash-lite-image", False, False),
    ("gemini-2.5-flash-image", False, False),
    ("gemini-nano-banana-2.1", False, False),
    ("gemini-robotics-er-2-preview", True, False),
]


def test_every_family_has_its_strategy_here():
    """Each family in `CHAT_FAMILIES` has a row in `STRATEGIES`."""
    assert {family_of(model).name for model, _, _ in STRATEGIES} >= {family.name for family in CHAT_FAMILIES}


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize(("model", "alone", "beside_tools"), STRATEGIES)
def test_an_agent_asks_for_structured_output_in_a_way_that_the_model_takes(model, alone, beside_tools, surface):
    """Models before Gemini 3 refuse a request that contains both tools and a JSON schema.

    They answer 400 (googleapis/python-genai issue 706). So an agent with tools sends them the schema as another tool.
    """
    for tools, native in (([], alone), ([get_number], beside_tools)):
        fake = FakeGemini(play, surface=surface)
        agent = create_agent(fake.chat_model(model), tools, response_format=Answer)
        state = agent.invoke({"messages": [("user", "A number?")]})
        assert state["structured_response"] == Answer(value=42)
        assert [("response_format" in request.body) for request in fake.requests] == [native]
        names = [tool["function"]["name"] for tool in fake.requests[0].body.get("tools", [])]
        assert names == [tool.__name__ for tool in tools] + ([] if native else ["Answer"])


def play(request):
    """Return an answer in the form that the request asks for."""
    return '{"value": 42}' if "response_format" in request.body else Call("Answer", {"value": 42})


@pytest.mark.parametrize("model", [model for model, _, _ in STRATEGIES])
def test_summaries_start_at_a_fraction_of_the_model_s_limit(model):
    """With a fraction of 0.5, the first summary comes at half of the limit, and not one token earlier."""
    half = family_of(model).max_input_tokens // 2
    for tokens, script in ((half - 1, ["Done."]), (half, ["Short.", "Done."])):
        fake = FakeGemini(script)
        summaries = SummarizationMiddleware(
            fake.chat_model(model),
            trigger=("fraction", 0.5),
            keep=("messages", 1),
            token_counter=lambda _, tokens=tokens: tokens,
            trim_tokens_to_summarize=None,
        )
        history = [("user", "Hi."), ("ai", "Hi."), ("user", "And?")]
        create_agent(fake.chat_model(model), middleware=[summaries]).invoke({"messages": history})
        assert len(fake.requests) == len(script)


def test_summaries_of_a_model_without_a_known_limit_need_a_profile():
    """The limit can be given as `profile={"max_input_tokens": …}`."""
    chat = FakeGemini().chat_model("gemma-4-31b-it")
    with pytest.raises(ValueError, match="profile"):
        SummarizationMiddleware(chat, trigger=("fraction", 0.5))
    chat = FakeGemini().chat_model("gemma-4-31b-it", profile={"max_input_tokens": 1000})
    SummarizationMiddleware(chat, trigger=("fraction", 0.5))
