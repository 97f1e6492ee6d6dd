"""Tests of token limits and duplicate thinking options: adjusted to the model, or refused before the request."""

import pytest
from families import CHAT_FAMILIES
from langchain_core.messages import HumanMessage
from outgoing import broken_rules, build

from langchain_gemini_compat.errors import UnsupportedParameterError

HI = HumanMessage("Hi.")


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_is_lowered_to_the_models_limit(name):
    """Google answers 400 to a higher limit."""
    made = build([HI], "vertex", "gemini-2.5-flash-image", **{name: 1_000_000})
    assert made.payload[name] == 32_768
    assert [note.kind for note in made.notes if name in note.message] == ["adjusted"]
    assert build([HI], "openai_compatible", **{name: 1_000_000}).payload[name] == 1_000_000


@pytest.mark.parametrize("family", CHAT_FAMILIES, ids=lambda family: family.name)
def test_fake_endpoint_accepts_the_lowered_limit_of_each_family(family):
    """If the family's limit is known, `max_tokens` is lowered to it. Otherwise, the fake refuses `max_tokens`."""
    made = build([HI], "vertex", family.name, max_tokens=1_000_000)
    found = [violation.rule for violation in broken_rules(made.payload, "vertex")]
    assert found == ([] if family.max_output_tokens else ["max-tokens"])


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "9"])
def test_invalid_max_tokens_raises(value):
    """The error is raised before the request is sent."""
    with pytest.raises(UnsupportedParameterError, match="max_tokens"):
        build([HI], max_tokens=value)


@pytest.mark.parametrize("setting", ["reasoning_effort", "thinking_level"])
def test_thinking_option_beside_one_in_extra_body_raises(setting):
    """The server would answer 400 to two thinking options."""
    extra = {"google": {"thinking_config": {"thinking_budget": 9}}}
    with pytest.raises(UnsupportedParameterError, match="extra_body"):
        build([HI], **{setting: "low"}, extra_body=extra)
    config = {"google": {"thinking_config": {"include_thoughts": True}}}
    build([HI], **{setting: "low"}, extra_body=config)
