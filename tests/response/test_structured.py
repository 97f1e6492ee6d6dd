"""Tests `with_structured_output`: its three methods, its streams and its errors."""

import datetime as dt
import json
from typing import Literal

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field, RootModel, field_validator
from typing_extensions import TypedDict
from wire import Wire, call, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import TruncatedStreamError, UnsupportedParameterError
from langchain_gemini_compat.testing import Call as FakeCall
from langchain_gemini_compat.testing import FakeGemini, Fault, Reply


class Event(BaseModel):
    """A calendar event."""

    name: str
    guests: list[str] = Field(default_factory=list)


class EventDict(TypedDict):
    """A calendar event."""

    name: str


JSON = '{"name": "fair", "guests": ["Alice"]}'


#: The schema of `EventDict`, as plain JSON schema.
EVENT_SCHEMA = {"title": "Event", "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def chain(answer, schema=Event, **kwargs):
    wire = Wire(answer)
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **wire.clients)
    return model.with_structured_output(schema, **kwargs), wire


def test_json_schema_sends_a_compiled_schema_and_parses_the_text():
    """The request has no `strict`, `title` or `additionalProperties`."""
    structured, wire = chain(completion(JSON))
    assert structured.invoke("hi") == Event(name="fair", guests=["Alice"])
    form = wire.bodies[0]["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["name"] == "Event"
    assert set(form["json_schema"]) == {"name", "schema"}
    assert "title" not in str(form)


def test_function_calling_forces_the_function():
    """The forced function is sent with `tool_choice` set to `required`, because it is the only tool."""
    structured, wire = chain(completion(None, tool_calls=[call("Event", JSON)]), method="function_calling", strict=True)
    assert structured.invoke("hi") == Event(name="fair", guests=["Alice"])
    assert wire.bodies[0]["tool_choice"] == "required"
    assert "strict" not in str(wire.bodies[0])


def test_json_mode_does_not_send_the_schema():
    """The schema is used to parse the answer."""
    structured, wire = chain(completion(JSON), method="json_mode")
    assert structured.invoke("hi").name == "fair"
    assert wire.bodies[0]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_dict_schema_returns_a_dict(method):
    """The schema is a TypedDict or a JSON schema."""
    schema = {"title": "Event", "description": "x", "type": "object", "properties": {"name": {"type": "string"}}}
    answer = completion(None, tool_calls=[call("Event", JSON)]) if method == "function_calling" else completion(JSON)
    assert chain(answer, schema, method=method)[0].invoke("hi")["name"] == "fair"
    named = completion(None, tool_calls=[call("EventDict", JSON)]) if method == "function_calling" else answer
    assert chain(named, EventDict, method=method)[0].invoke("hi")["name"] == "fair"


def test_parser_ignores_thoughts():
    """Thoughts are not part of the text."""
    flagged = {"extra_content": {"google": {"thought": True}}}
    assert chain(completion(f"<thought>{{</thought>{JSON}", **flagged))[0].invoke("hi").name == "fair"


def test_json_schema_streams_partial_dicts():
    """Each part is a dict."""
    events = [chunk(content='{"name": "fa'), chunk(content='ir"}'), chunk(finish="stop"), "[DONE]"]
    assert list(chain(events, EventDict)[0].stream("hi")) == [{"name": "fa"}, {"name": "fair"}]


def test_text_instead_of_the_forced_call_raises():
    """The result is never `None`, and the error quotes the text."""
    with pytest.raises(OutputParserException, match="I would rather not"):
        chain(completion("I would rather not."), method="function_calling")[0].invoke("hi")


CUT = '{"name": "fair", "guests": ["Alice"'
SCHEMAS = [Event, EventDict, Event.model_json_schema()]


@pytest.mark.parametrize("schema", SCHEMAS, ids=["pydantic", "TypedDict", "JSON schema"])
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
async def test_truncated_json_raises(method, schema):
    """LangChain's parser would close the brackets and return a shorter list. The stream yields parts, then raises."""
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
def test_filtered_answer_raises(method):
    """A filtered answer raises even if the text so far is valid JSON."""
    answer = completion(JSON, finish="content_filter: RECITATION")
    with pytest.raises(OutputParserException, match="RECITATION"):
        chain(answer, method=method)[0].invoke("hi")


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=["pydantic", "TypedDict", "JSON schema"])
def test_call_of_another_tool_raises(method, schema):
    """If the model calls another tool, LangChain's parsers return `None`, or say that the text is not JSON."""

    def look_up(name: str) -> str:
        """Look a name up."""

    answer = completion(None, tool_calls=[call("look_up", JSON)])
    structured, _ = chain(answer, schema, method=method, tools=[look_up], include_raw=True)
    result = structured.invoke("hi")
    assert result["raw"].tool_calls[0]["name"] == "look_up"
    assert (result["parsed"], type(result["parsing_error"])) == (None, OutputParserException)
    with pytest.raises(OutputParserException, match=r"called look_up.*include_raw"):
        chain(answer, schema, method=method, tools=[look_up])[0].invoke("hi")


def test_description_of_the_schema_is_sent():
    """The docstring of a class is an instruction for the model.

    It is sent as the `description` of the schema, because Google documents no other place for it.
    """
    structured, wire = chain(completion(JSON))
    structured.invoke("hi")
    assert wire.bodies[0]["response_format"]["json_schema"]["schema"]["description"] == "A calendar event."


def test_function_calling_streams_partial_objects():
    """`function_calling` streams partial objects like the other methods."""
    first, second = call("EventDict", '{"name": "fa'), {"index": 0, "function": {"arguments": 'ir"}'}}
    events = [chunk(tool_calls=[first]), chunk(tool_calls=[second]), chunk(finish="stop"), "[DONE]"]
    parts = list(chain(events, EventDict, method="function_calling")[0].stream("hi"))
    assert parts == [{"name": "fa"}, {"name": "fair"}]


def test_include_raw_returns_the_message_and_the_error():
    """The error is returned as `parsing_error` and not raised."""
    structured, _ = chain(completion("no json"), include_raw=True)
    result = structured.invoke("hi")
    assert result["raw"].text == "no json"
    assert result["parsed"] is None
    assert isinstance(result["parsing_error"], OutputParserException)
    good = chain(completion(JSON), include_raw=True)[0].invoke("hi")
    assert (good["parsed"].name, good["parsing_error"]) == ("fair", None)


def test_tools_are_bound_together_with_the_schema():
    """The model can call a tool, or answer with an object of the schema."""

    def look_up(name: str) -> str:
        """Look a name up."""

    structured, wire = chain(completion(JSON), tools=[look_up])
    structured.invoke("hi")
    assert [tool["function"]["name"] for tool in wire.bodies[0]["tools"]] == ["look_up"]


def test_unknown_method_and_missing_schema_raise():
    """The error message lists the valid values."""
    with pytest.raises(ValueError, match="json_schema"):
        chain(completion(JSON), method="yaml")
    with pytest.raises(ValueError, match="schema"):
        chain(completion(JSON), None)


METHODS = ["json_schema", "json_mode", "function_calling"]
KINDS = pytest.mark.parametrize("schema", SCHEMAS, ids=["pydantic", "TypedDict", "JSON schema"])


def stream_of(method, schema, text):
    """Return a reply in two pieces, as text or as the arguments of the call."""
    pieces = [text[:12], text[12:]]
    if method == "function_calling":
        name = "EventDict" if schema is EventDict else "Event"
        later = {"index": 0, "function": {"arguments": pieces[1]}}
        parts = [chunk(tool_calls=[call(name, pieces[0])]), chunk(tool_calls=[later])]
    else:
        parts = [chunk(content=piece) for piece in pieces]
    return [*parts, chunk(finish="stop"), "[DONE]"]


def names_of(parts):
    return [part.name if isinstance(part, Event) else part["name"] for part in parts]


@pytest.mark.parametrize("method", METHODS)
@KINDS
async def test_every_method_streams_partial_objects(method, schema):
    """Sync and async streams yield partial objects for each kind of schema."""
    events = stream_of(method, schema, '{"name": "fair"}')
    assert names_of(chain(events, schema, method=method)[0].stream("hi")) == ["fa", "fair"]
    structured = chain(events, schema, method=method)[0]
    assert names_of([part async for part in structured.astream("hi")]) == ["fa", "fair"]


@pytest.mark.parametrize("method", METHODS)
@KINDS
async def test_raw_stream_yields_chunks_objects_and_the_error(method, schema):
    """The last part of the stream has the parsing error, here `None`. The chunks add up to the message."""
    events = stream_of(method, schema, '{"name": "fair"}')
    structured = chain(events, schema, method=method, include_raw=True)[0]
    parts = list(structured.stream("hi"))
    assert [list(part) for part in parts[:4]] == [["raw"], ["parsed"], ["raw"], ["parsed"]]
    assert names_of(part["parsed"] for part in parts if "parsed" in part) == ["fa", "fair"]
    assert parts[-1] == {"parsing_error": None}
    total = None
    async for part in chain(events, schema, method=method, include_raw=True)[0].astream("hi"):
        total = part if total is None else total + part
    assert names_of([total["parsed"]]) == ["fair"]
    assert total["raw"].text == '{"name": "fair"}' or total["raw"].tool_calls[0]["args"] == {"name": "fair"}


@pytest.mark.parametrize("method", METHODS)
async def test_stream_without_an_object_ends_with_an_error(method):
    """A stream raises the same error as a call. With `include_raw` the error is in the last part."""
    events = [chunk(content="no json"), chunk(finish="stop"), "[DONE]"]
    with pytest.raises(OutputParserException, match="no json"):
        list(chain(events, method=method)[0].stream("hi"))
    structured = chain(events, method=method, include_raw=True)[0]
    for last in (list(structured.stream("hi"))[-1], [part async for part in structured.astream("hi")][-1]):
        assert (last["parsed"], type(last["parsing_error"])) == (None, OutputParserException)
    result = await chain(completion("no json"), method=method, include_raw=True)[0].ainvoke("hi")
    assert list(result) == ["raw", "parsed", "parsing_error"]
    assert (result["parsed"], type(result["parsing_error"])) == (None, OutputParserException)


@pytest.mark.parametrize("method", METHODS)
def test_streamed_object_that_violates_its_schema_raises(method):
    """A missing field is an error only at the end of the stream."""
    events = stream_of(method, Event, '{"guests": ["Alice"]}')
    with pytest.raises(ValueError, match="name"):
        list(chain(events, method=method)[0].stream("hi"))
    last = list(chain(events, method=method, include_raw=True)[0].stream("hi"))[-1]
    assert last["parsed"] is None
    assert "name" in str(last["parsing_error"])


def test_connection_error_is_raised_with_include_raw():
    """`include_raw` catches errors of the parser, but no errors of the model."""
    fake = FakeGemini(Fault.cut_stream('{"name": "fa'))
    structured = fake.chat_model().with_structured_output(Event, include_raw=True)
    with pytest.raises(TruncatedStreamError):
        list(structured.stream("hi"))
    with pytest.raises(TruncatedStreamError):
        structured.invoke("hi")


def look_up(name: str) -> str:
    """Look a name up."""
    return name


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("model", "beside"),
    [("gemini-2.5-flash", False), ("gemini-3.8-flash", True), ("gemini-flash-latest", True), ("gemini-4-argon", True)],
)
def test_tools_and_schema_are_sent_in_the_form_of_the_model(model, beside, method, surface):
    """Models before Gemini 3 answer 400 to JSON with functions, so they get the schema as a function."""
    by_call = method == "function_calling" or not beside
    reply = Reply(calls=[FakeCall("Event", {"name": "fair"})]) if by_call else '{"name": "fair"}'
    fake = FakeGemini(reply, surface=surface)
    structured = fake.chat_model(model).with_structured_output(Event, method=method, tools=[look_up])
    assert structured.invoke("hi") == Event(name="fair")
    assert list(structured.stream("hi"))[-1] == Event(name="fair")
    body = fake.requests[0].body
    names = [tool["function"]["name"] for tool in body["tools"]]
    assert names == (["Event", "look_up"] if by_call else ["look_up"])
    assert ("response_format" in body, body.get("tool_choice")) == (not by_call, "required" if by_call else None)
    assert (fake.refusals, fake.ignored) == ([], [])


def test_method_is_kept_without_functions():
    """Models before Gemini 3 get the schema in `response_format` if the request has no functions.

    Google's own tools, such as `google_search`, do not count as functions. JSON mode with functions raises an error.
    """
    fake = FakeGemini('{"name": "fair"}')
    model = fake.chat_model("gemini-2.5-flash")
    model.with_structured_output(Event).invoke("hi")
    model.with_structured_output(Event, tools=[{"google_search": {}}]).invoke("hi")
    assert ["response_format" in request.body for request in fake.requests] == [True, True]
    with pytest.raises(UnsupportedParameterError, match="mime type"):
        model.with_structured_output(None, method="json_mode", tools=[look_up]).invoke("hi")


def test_model_option_selects_the_form_of_the_request():
    """If `with_structured_output` has the option `model`, this model decides the form of the request."""
    fake = FakeGemini(Reply(calls=[FakeCall("Event", {"name": "fair"})]))
    structured = fake.chat_model().with_structured_output(Event, tools=[look_up], model="gemini-2.5-flash")
    assert structured.invoke("hi") == Event(name="fair")
    assert "response_format" not in fake.requests[0].body


@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize("schema", [Event, EventDict, EVENT_SCHEMA])
@pytest.mark.parametrize(
    "text",
    ["null", '{"name": "fa', '{"name": "a"}{"name": "b"}', "5", "[]", "{}", '{"name": []}', "No.", '```json\n{"na'],
)
def test_incomplete_object_raises(text, schema, way):
    """An incomplete object is an error, even if the finish reason is `stop`.

    LangChain alone would complete truncated JSON, and would not validate dicts.
    """
    structured = FakeGemini(text).chat_model().with_structured_output(schema)
    with pytest.raises(OutputParserException):
        structured.invoke("hi") if way == "invoke" else list(structured.stream("hi"))
    told = FakeGemini(text).chat_model().with_structured_output(schema, include_raw=True).invoke("hi")
    assert told["parsed"] is None
    assert isinstance(told["parsing_error"], OutputParserException)


@pytest.mark.parametrize("schema", [EventDict, EVENT_SCHEMA])
@pytest.mark.parametrize(
    "text", ['{"name": "fair"}', '```json\n{"name": "fair"}\n```', 'Here:\n```\n{"name": "fair"}\n```\n']
)
def test_object_in_a_code_fence_is_parsed(text, schema):
    """Some servers put the object into a code fence."""
    assert FakeGemini(text).chat_model().with_structured_output(schema).invoke("hi") == {"name": "fair"}


def test_arguments_that_violate_the_class_raise_a_parser_error():
    """The error of the output parser describes the reply. Pydantic's own error would not."""
    fake = FakeGemini(Reply(calls=[FakeCall("Event", {"name": []})]))
    structured = fake.chat_model().with_structured_output(Event, method="function_calling")
    with pytest.raises(OutputParserException, match=r"does not fit Event \(name: .*Finish reason"):
        structured.invoke("hi")


class Node(BaseModel):
    """A node."""

    name: str
    kids: list["Node"] = Field(default_factory=list)


class Names(RootModel[list[str]]):
    """Some names."""


TREE = {"name": "a", "kids": [{"name": "b", "kids": []}]}
#: Schemas that are not an object with properties, each with a valid and an invalid answer.
WHOLE = {
    "array": ({"title": "L", "type": "array", "items": {"type": "string"}}, ["a"], {"a": 1}),
    "union": ({"title": "L", "anyOf": [{"type": "string"}, {"type": "integer"}]}, 5, [5]),
    "map": ({"title": "L", "type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": [1]}),
    "recursive": ({"title": "Node", **Node.model_json_schema()}, TREE, {"name": "a", "kids": [5]}),
    "array that holds itself": ({"title": "L", "type": "array", "items": {"$ref": "#"}}, [[], [[]]], [[5]]),
    "recursive class": (Node, TREE, {"name": "a", "kids": [5]}),
    "class of an array": (Names, ["a"], {"a": 1}),
}


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("case", WHOLE)
def test_schema_of_any_form_is_sent_and_validated(case, method):
    """LangChain keeps only schemas with `properties`.

    With `function_calling`, this package sends most other schemas as the schema of the argument `answer`.
    """
    schema, good, bad = WHOLE[case]
    name = "Names" if schema is Names else "Node" if schema is Node else schema["title"]
    wrapped = method == "function_calling" and "recursive" not in case

    def answer(value):
        if method == "json_schema":
            return completion(json.dumps(value))
        return completion(None, tool_calls=[call(name, json.dumps({"answer": value} if wrapped else value))])

    structured, wire = chain(answer(good), schema, method=method)
    parsed = structured.invoke("hi")
    assert (parsed.model_dump() if isinstance(parsed, BaseModel) else parsed) == good
    with pytest.raises(OutputParserException, match="does not"):
        chain(answer(bad), schema, method=method)[0].invoke("hi")
    body = wire.bodies[0]
    if method == "json_schema":
        sent = body["response_format"]["json_schema"]["schema"]
    else:
        sent = body["tools"][0]["function"]["parameters"]
        sent = sent["properties"]["answer"] if wrapped else sent
    told = {"array": "items", "union": "anyOf", "recursive": "properties", "class of an array": "items"}
    assert told.get(case.removesuffix(" class"), "type") in sent
    if case == "array that holds itself":
        assert sent["items"]["items"]["type"] == "array"


def test_wrapped_answer_streams_partial_objects():
    """`function_calling` sends the array as the argument `answer`. The stream yields only the array."""
    first, second = call("L", '{"answer": ["a"'), {"index": 0, "function": {"arguments": ', "b"]}'}}
    events = [chunk(tool_calls=[first]), chunk(tool_calls=[second]), chunk(finish="stop"), "[DONE]"]
    parts = list(chain(events, WHOLE["array"][0], method="function_calling")[0].stream("hi"))
    assert parts == [["a"], ["a", "b"]]


BARE = {key: value for key, value in EVENT_SCHEMA.items() if key != "title"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (BARE, "response"),
        ({"name": "E", "schema": BARE}, "E"),
        ({"type": "json_schema", "json_schema": {"name": "E", "strict": True, "schema": BARE}}, "E"),
        ({"type": "function", "function": {"name": "E", "parameters": BARE}}, "E"),
    ],
    ids=["no title", "name and schema", "json_schema", "function"],
)
def test_every_method_takes_each_form_of_a_schema(schema, name, method):
    """LangChain's own conversion would refuse most of these forms of a schema."""
    calls = [FakeCall(name, {"name": "fair"})]
    fake = FakeGemini(Reply(calls=calls) if method == "function_calling" else JSON)
    structured = fake.chat_model().with_structured_output(schema, method=method)
    assert structured.invoke("hi")["name"] == "fair"
    assert structured.first.kwargs["ls_structured_output_format"]["schema"] == {"title": name, **BARE}
    wrong = FakeGemini(Reply(calls=[FakeCall(name, {})]) if method == "function_calling" else "{}")
    with pytest.raises(OutputParserException, match="does not satisfy"):
        wrong.chat_model().with_structured_output(schema, method=method).invoke("hi")
    body = fake.requests[0].body
    sent = {
        "json_schema": lambda: body["response_format"]["json_schema"]["schema"],
        "function_calling": lambda: body["tools"][0]["function"]["parameters"],
        "json_mode": lambda: BARE,
    }[method]()
    assert sent["properties"] == {"name": {"type": "string"}}


class Choice(BaseModel):
    """A choice."""

    lit: Literal[1, 5]


@pytest.mark.parametrize("method", METHODS)
def test_answer_for_a_class_is_repaired_if_unambiguous(method):
    """The answer for a class is repaired like the answer for a JSON schema."""
    text = '{"lit": "5"}'
    answer = completion(None, tool_calls=[call("Choice", text)]) if method == "function_calling" else completion(text)
    assert chain(answer, Choice, method=method)[0].invoke("hi") == Choice(lit=5)


def test_answer_that_the_class_accepts_is_not_repaired():
    """A class may accept more than its JSON schema."""

    class Tags(BaseModel):
        """Some tags."""

        tags: list[str] | None = None
        name: str

        @field_validator("name", mode="before")
        @classmethod
        def read_name(cls, value):
            return f"number {value}"

    assert chain(completion('{"name": 5}'), Tags)[0].invoke("hi").name == "number 5"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_reports_an_invalid_answer_alike(method):
    """The error message names the fault and describes the reply."""
    text = '{"lit": 7}'
    answer = completion(None, tool_calls=[call("Choice", text)]) if method == "function_calling" else completion(text)
    with pytest.raises(OutputParserException, match=r"does not fit Choice \(lit: .*Finish reason 'stop'"):
        chain(answer, Choice, method=method)[0].invoke("hi")


@pytest.mark.parametrize("surface", ["openai_compatible", "vertex", "ai_studio"])
def test_class_without_a_docstring_gets_an_empty_description(surface):
    """`bind_tools` does the same. MLflow answers 500 to a function without `description`. Field case G8."""

    class Bare(BaseModel):
        name: str

    fake = FakeGemini(Reply(calls=[FakeCall("Bare", {"name": "fair"})]), surface=surface)
    model = fake.chat_model()
    structured = model.with_structured_output(Bare, method="function_calling")
    assert structured.invoke("hi") == Bare(name="fair")
    assert structured.first.kwargs["tools"][0]["function"]["description"] == ""
    model.bind_tools([Bare]).invoke("hi")
    first, second = (request.body["tools"][0]["function"].get("description") for request in fake.requests)
    assert first == second == ("" if surface == "openai_compatible" else None)


def schema_in_itself():
    """Return a schema whose only property is the schema itself."""
    schema = {"title": "Event", "type": "object", "properties": {}}
    schema["properties"]["a"] = schema
    return schema


def deep_schema():
    """Return a schema of 2000 levels."""
    schema = {"type": "object"}
    for _ in range(2000):
        schema = {"type": "object", "properties": {"a": schema}}
    return {"title": "Event", **schema}


def schema_of_python_values():
    """Return a schema with Python values that JSON does not have."""
    day = dt.date(2026, 1, 2)
    own = []
    own.append(own)
    members = {
        "a": {"type": "object", "default": {1, 2}},
        "b": {"type": "string", "examples": [b"x", day]},
        "c": {"enum": ["a", b"q", day]},
        "d": {"type": "object", "default": {1: 1, "a": own}},
        "e": {"type": "array", "uniqueItems": {1}, "items": {"type": "string", "pattern": b"x"}},
    }
    return {"title": "Event", "type": "object", "properties": members}


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("build", [schema_in_itself, deep_schema, schema_of_python_values])
@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
def test_schema_with_python_values_does_not_fail_after_the_reply(surface, build, method):
    """A schema that contains itself, has 2000 levels or has Python values can be sent, and its answer can be parsed."""
    text = '{"a": {}}'
    wire = Wire(completion(text) if method == "json_schema" else completion(None, tool_calls=[call("Event", text)]))
    where = {"project": "p"} if surface == "vertex" else {}
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", surface=surface, **where, **wire.clients)
    assert model.with_structured_output(build(), method=method).invoke("hi") == {"a": {}}
    assert len(wire.bodies) == 1
    tool = {"name": "f", "parameters": build()}
    assert model.preview("hi", **model.bind_tools([tool]).kwargs)[0]["tools"]


def test_python_values_in_a_schema_become_json():
    """A schema may contain dates, bytes and sets. Dates and bytes become strings, and sets become lists."""
    structured, wire = chain(completion('{"a": {}}'), schema_of_python_values())
    structured.invoke("hi")
    sent = json.dumps(wire.bodies[0])
    assert "2026-01-02" in sent
    assert "[1,2]" in sent


class Restless(BaseModel):
    """A class whose validator raises a `RuntimeError`."""

    name: str

    @field_validator("name")
    @classmethod
    def _fail(cls, value):
        raise RuntimeError(f"no {value}")


def test_any_validator_error_is_a_parsing_error_with_include_raw():
    """The reply is kept, whatever the validator raises."""
    structured, _ = chain(completion(JSON), Restless, include_raw=True)
    told = structured.invoke("hi")
    assert told["parsed"] is None
    assert isinstance(told["parsing_error"], RuntimeError)
    assert told["raw"].text == JSON


def test_timeout_too_large_for_a_float_raises():
    """A timeout with 400 digits raises a `ValueError`."""
    with pytest.raises(ValueError, match="too large for a number of seconds"):
        ChatGeminiCompat(model="m", api_key="k", timeout=10**400).invoke("hi")
