"""`with_structured_output` in its three methods, and what it says when there is nothing to parse."""

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field
from typing_extensions import TypedDict
from wire import Wire, call, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat


class Event(BaseModel):
    """A calendar event."""

    name: str
    guests: list[str] = Field(default_factory=list)


class EventDict(TypedDict):
    """A calendar event."""

    name: str


JSON = '{"name": "fair", "guests": ["Alice"]}'


def chain(answer, schema=Event, **kwargs):
    wire = Wire(answer)
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **wire.clients)
    return model.with_structured_output(schema, **kwargs), wire


def test_json_schema_sends_a_compiled_schema_and_parses_the_text():
    """No `strict`, no `title`, no `additionalProperties` on the wire."""
    structured, wire = chain(completion(JSON))
    assert structured.invoke("hi") == Event(name="fair", guests=["Alice"])
    form = wire.bodies[0]["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["name"] == "Event"
    assert set(form["json_schema"]) == {"name", "schema"}
    assert "title" not in str(form)


def test_function_calling_forces_the_one_tool():
    """A named choice goes out as that tool alone with `required`."""
    structured, wire = chain(completion(None, tool_calls=[call("Event", JSON)]), method="function_calling", strict=True)
    assert structured.invoke("hi") == Event(name="fair", guests=["Alice"])
    assert wire.bodies[0]["tool_choice"] == "required"
    assert "strict" not in str(wire.bodies[0])


def test_json_mode_asks_for_any_object():
    """The schema only parses."""
    structured, wire = chain(completion(JSON), method="json_mode")
    assert structured.invoke("hi").name == "fair"
    assert wire.bodies[0]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_dict_schemas_give_dicts(method):
    """TypedDict and JSON schema."""
    schema = {"title": "Event", "description": "x", "type": "object", "properties": {"name": {"type": "string"}}}
    answer = completion(None, tool_calls=[call("Event", JSON)]) if method == "function_calling" else completion(JSON)
    assert chain(answer, schema, method=method)[0].invoke("hi")["name"] == "fair"
    named = completion(None, tool_calls=[call("EventDict", JSON)]) if method == "function_calling" else answer
    assert chain(named, EventDict, method=method)[0].invoke("hi")["name"] == "fair"


def test_thoughts_never_reach_the_parser():
    """They are no part of the text."""
    flagged = {"extra_content": {"google": {"thought": True}}}
    assert chain(completion(f"<thought>{{</thought>{JSON}", **flagged))[0].invoke("hi").name == "fair"


def test_dicts_stream_as_they_grow():
    """Partial objects for JSON schemas."""
    events = [chunk(content='{"name": "fa'), chunk(content='ir"}'), chunk(finish="stop"), "[DONE]"]
    assert list(chain(events, EventDict)[0].stream("hi")) == [{"name": "fa"}, {"name": "fair"}]


def test_text_instead_of_the_forced_call_is_an_error_that_quotes_it():
    """Never `None`."""
    with pytest.raises(OutputParserException, match="I would rather not"):
        chain(completion("I would rather not."), method="function_calling")[0].invoke("hi")


CUT = '{"name": "fair", "guests": ["Alice"'
SCHEMAS = [Event, EventDict, Event.model_json_schema()]


@pytest.mark.parametrize("schema", SCHEMAS, ids=["pydantic", "TypedDict", "JSON schema"])
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
async def test_cut_json_is_an_error_that_says_so(method, schema):
    """LangChain's parser would close the brackets and give a shorter list; the stream gives parts, then the error."""
    answer = completion(CUT, finish="length")
    structured, _ = chain(answer, schema, method=method)
    with pytest.raises(OutputParserException, match=r"cut off.*max_tokens.*'length', \d+ output tokens"):
        structured.invoke("hi")
    with pytest.raises(OutputParserException, match="max_tokens"):
        await structured.ainvoke("hi")
    structured, _ = chain([chunk(content=CUT), chunk(finish="length"), "[DONE]"], schema, method=method)
    with pytest.raises(OutputParserException, match="max_tokens"):
        list(structured.stream("hi"))
    result = chain(answer, schema, method=method, include_raw=True)[0].invoke("hi")
    assert (result["parsed"], type(result["parsing_error"])) == (None, OutputParserException)


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
def test_what_a_filter_stopped_is_an_error_that_says_so(method):
    """Also where what had come is good JSON."""
    answer = completion(JSON, finish="content_filter: RECITATION")
    with pytest.raises(OutputParserException, match="RECITATION"):
        chain(answer, method=method)[0].invoke("hi")


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=["pydantic", "TypedDict", "JSON schema"])
def test_call_of_another_tool_is_an_error_that_says_so(method, schema):
    """LangChain's parsers answer `None` to it, or that the text is no JSON."""

    def look_up(name: str) -> str:
        """Look a name up."""

    answer = completion(None, tool_calls=[call("look_up", JSON)])
    structured, _ = chain(answer, schema, method=method, tools=[look_up], include_raw=True)
    result = structured.invoke("hi")
    assert result["raw"].tool_calls[0]["name"] == "look_up"
    assert (result["parsed"], type(result["parsing_error"])) == (None, OutputParserException)
    with pytest.raises(OutputParserException, match=r"called look_up.*include_raw"):
        chain(answer, schema, method=method, tools=[look_up])[0].invoke("hi")


def test_description_of_the_schema_reaches_the_model():
    """A class's docstring is its instruction; Google documents no place for it beside the schema."""
    structured, wire = chain(completion(JSON))
    structured.invoke("hi")
    assert wire.bodies[0]["response_format"]["json_schema"]["schema"]["description"] == "A calendar event."


def test_calls_stream_as_they_grow():
    """Partial objects for `function_calling` too."""
    first, second = call("EventDict", '{"name": "fa'), {"index": 0, "function": {"arguments": 'ir"}'}}
    events = [chunk(tool_calls=[first]), chunk(tool_calls=[second]), chunk(finish="stop"), "[DONE]"]
    parts = list(chain(events, EventDict, method="function_calling")[0].stream("hi"))
    assert parts == [{"name": "fa"}, {"name": "fair"}]


def test_include_raw_keeps_the_message_and_the_error():
    """`parsing_error` is filled instead of raised."""
    structured, _ = chain(completion("no json"), include_raw=True)
    result = structured.invoke("hi")
    assert result["raw"].text == "no json"
    assert result["parsed"] is None
    assert isinstance(result["parsing_error"], OutputParserException)
    good = chain(completion(JSON), include_raw=True)[0].invoke("hi")
    assert (good["parsed"].name, good["parsing_error"]) == ("fair", None)


def test_tools_can_be_bound_beside_it():
    """The model may call them or answer."""

    def look_up(name: str) -> str:
        """Look a name up."""

    structured, wire = chain(completion(JSON), tools=[look_up])
    structured.invoke("hi")
    assert [tool["function"]["name"] for tool in wire.bodies[0]["tools"]] == ["look_up"]


def test_unknown_method_and_missing_schema_are_refused():
    """With what would do."""
    with pytest.raises(ValueError, match="json_schema"):
        chain(completion(JSON), method="yaml")
    with pytest.raises(ValueError, match="schema"):
        chain(completion(JSON), None)
