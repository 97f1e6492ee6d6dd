"""Tests that compatible servers get OpenAI's own fields. For Google's surfaces, `preview` returns a note instead.

Other tests check which of several values of an option is sent.
"""

import warnings
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import GeminiCompatWarning, UnsupportedParameterError

GOOGLE: dict[str, dict[str, Any]] = {"vertex": {"project": "p", "location": "global"}, "ai_studio": {"api_key": "k"}}
COMPATIBLE: dict[str, Any] = {"base_url": "http://127.0.0.1:1/v1", "api_key": "k"}


class Part(BaseModel):
    """A part."""

    size: int


class Event(BaseModel):
    """An event."""

    name: str
    parts: list[Part] = []


SCHEMA = {"title": "Event", "type": "object", "properties": {"name": {"type": "string"}}}


def build_model(surface, **kwargs):
    where = COMPATIBLE if surface == "compatible" else GOOGLE[surface]
    return ChatGeminiCompat(**{"model": "gemini-3.8-flash", **where, **kwargs})


def show(model, bound, messages="hi"):
    """Return the body and the notes of a request with the bound options."""
    kwargs = {key: value for key, value in bound.kwargs.items() if not key.startswith("ls_")}
    return model.preview(messages, **kwargs)


@pytest.mark.parametrize("schema", [Event, SCHEMA], ids=["class", "JSON schema"])
@pytest.mark.parametrize("strict", [True, False, None])
def test_strict_is_sent_to_compatible_servers(strict, schema):
    """`strict` is set on functions and response schemas. OpenAI requires that a strict schema allows no other members.

    Field case H5.
    """
    model = build_model("compatible")
    body, notes = show(model, model.bind_tools([schema], strict=strict))
    function = body["tools"][0]["function"]
    assert function.get("strict") is strict
    assert function["parameters"].get("additionalProperties") is (False if strict else None)
    by_call, _ = show(model, model.with_structured_output(schema, method="function_calling", strict=strict).first)
    assert by_call["tools"][0]["function"].get("strict") is strict
    by_schema, _ = show(model, model.with_structured_output(schema, strict=strict).first)
    form = by_schema["response_format"]["json_schema"]
    assert form.get("strict") is strict
    assert form["schema"].get("additionalProperties") is (False if strict else None)
    beside, _ = show(model, model.bind_tools([schema], strict=strict, response_format=schema))
    assert beside["response_format"]["json_schema"].get("strict") is strict
    assert notes == []


def test_strict_closes_objects_at_any_depth():
    """Objects in definitions are closed too. A property whose name is a keyword is not changed. Field case H5."""
    model = build_model("compatible")
    schema = {
        "title": "T",
        "type": "object",
        "properties": {"properties": {"type": "object", "properties": {"a": {"type": "string"}}}},
    }
    for given, place in ((Event, ("$defs", "Part")), (schema, ("properties", "properties"))):
        body, _ = show(model, model.bind_tools([given], strict=True))
        parameters = body["tools"][0]["function"]["parameters"]
        assert parameters[place[0]][place[1]]["additionalProperties"] is False
        assert "additionalProperties" not in parameters[place[0]]


@pytest.mark.parametrize("surface", GOOGLE)
def test_strict_is_noted_for_gemini(surface):
    """`strict=True` is left out with a note and without a warning. `strict=False` is ignored. Field case H5."""
    model = build_model(surface)
    for bound in (
        model.bind_tools([Event, Part], strict=True),
        model.with_structured_output(Event, strict=True).first,
        model.with_structured_output(Event, method="function_calling", strict=True).first,
    ):
        body, notes = show(model, bound)
        assert "strict" not in str(body)
        assert [note.kind for note in notes if "`strict` was left out" in note.message] == ["lossy_schema"]
    _, notes = show(model, model.bind_tools([Event], strict=False))
    assert notes == []


HISTORY = [
    HumanMessage("hi", name="ann"),
    AIMessage("Hello.", name="planner"),
    HumanMessage("go on"),
    AIMessage("Done.", name="writer"),
    HumanMessage("thanks"),
]


def test_message_names_are_sent_to_compatible_servers():
    """The names of people and agents are sent. Characters that OpenAI refuses are replaced, with a note for each name.

    Field case H5.
    """
    body, notes = build_model("compatible").preview(HISTORY)
    assert [message.get("name") for message in body["messages"]] == ["ann", "planner", None, "writer", None]
    assert notes == []
    odd = [
        HumanMessage("hi"),
        AIMessage("a", name="the planner"),
        HumanMessage("b"),
        AIMessage("c", name="the planner"),
    ]
    body, notes = build_model("compatible").preview([*odd, HumanMessage("d")])
    assert [message["name"] for message in body["messages"] if "name" in message] == ["the_planner"] * 2
    assert len(notes) == 1


@pytest.mark.parametrize("surface", GOOGLE)
def test_agent_names_are_one_note_for_gemini(surface):
    """Agents set `name` on each message. The names are left out with one note, without a warning or an error.

    Field case H5.
    """
    messages = [message for message in HISTORY if message.name != "ann"]
    messages = [HumanMessage("hi"), *messages]
    body, notes = build_model(surface, strict=True).preview(messages)
    assert not [message for message in body["messages"] if "name" in message]
    assert [note.kind for note in notes] == ["unsent"]


@pytest.mark.parametrize("surface", [*GOOGLE, "compatible"])
def test_call_overrides_constructor_and_constructor_overrides_model_kwargs(surface):
    """If the constructor overrides a value of `model_kwargs`, a note says so.

    If the call sets the option, there is no note. Field case H5.
    """
    model = build_model(surface, temperature=0.5, model_kwargs={"temperature": 0.1, "top_p": 0.2})
    body, notes = model.preview("hi")
    assert (body["temperature"], body["top_p"]) == (0.5, 0.2)
    assert [note.message for note in notes] == [
        "`temperature` in `model_kwargs` was left out: an argument of the constructor overrides it."
    ]
    body, notes = model.preview("hi", temperature=0.9, top_p=0.8)
    assert (body["temperature"], body["top_p"], notes) == (0.9, 0.8, [])
    with pytest.warns(GeminiCompatWarning, match="`temperature` in `model_kwargs`"):
        model._report_notes(model._build([HumanMessage("hi")], None, {}, stream=False, warn=False))
    with pytest.raises(UnsupportedParameterError, match="`temperature` in `model_kwargs`"):
        build_model(surface, strict=True, temperature=0.5, model_kwargs={"temperature": 0.1}).preview("hi")


@pytest.mark.parametrize("surface", [*GOOGLE, "compatible"])
def test_model_in_model_kwargs_is_overridden_with_a_note(surface):
    """The argument `model` of the constructor or of a call overrides the model in `model_kwargs`. Field case H5."""
    model = build_model(surface, model_kwargs={"model": "gemini-2.5-flash"})
    body, notes = model.preview("hi")
    assert body["model"].endswith("gemini-3.8-flash")
    assert len(notes) == 1
    body, _ = model.preview("hi", model="gemini-2.5-pro")
    assert body["model"].endswith("gemini-2.5-pro")
    assert build_model(surface, model_kwargs={"model": "gemini-3.8-flash"}).preview("hi")[1] == []


def test_aliases_and_thinking_options_follow_the_precedence():
    """If several thinking options are set, only the one with the highest precedence is sent. Field case H5."""
    model = build_model("ai_studio", max_tokens=50, model_kwargs={"max_output_tokens": 60})
    body, notes = model.preview("hi")
    assert (body["max_tokens"], len([note for note in notes if "model_kwargs" in note.message])) == (50, 1)
    model = build_model("ai_studio", thinking_level="high", model_kwargs={"reasoning_effort": "low"})
    body, notes = model.preview("hi")
    assert "low" not in str(body)
    assert len(notes) == 1
    model = build_model("ai_studio", model_kwargs={"reasoning_effort": "low"})
    body, _ = model.preview("hi", thinking_level="high")
    assert "low" not in str(body)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        body, notes = build_model("ai_studio", model_kwargs={"reasoning_effort": "low"}).preview("hi")
    assert (body["reasoning_effort"], notes) == ("low", [])
