"""Field case C9: JSON in the text of a reply is read if exactly one value can be read from it."""

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel
from wire import Wire, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._response.json_answers import read_answers, read_partial_answer


class Event(BaseModel):
    """An event."""

    name: str
    code: str = ""


FENCE = "```"
SCHEMA = {"title": "Event", **Event.model_json_schema()}
#: Texts from which exactly one object can be read. Each text has its expected object.
GOOD = {
    "opening fence only": (f'{FENCE}json\n{{"name": "a"}}', {"name": "a"}),
    "opening fence without a line": (f'{FENCE}json {{"name": "a"}}', {"name": "a"}),
    "upper-case fence": (f'{FENCE}JSON\n{{"name": "a"}}\n{FENCE}', {"name": "a"}),
    "fence of another language": (f'{FENCE}json5\n{{"name": "a"}}\n{FENCE}', {"name": "a"}),
    "tildes": ('~~~\n{"name": "a"}\n~~~', {"name": "a"}),
    "fence inside a string": (
        f'{{"name": "a", "code": "{FENCE}json\\n{{}}\\n{FENCE}"}}', {"name": "a", "code": f"{FENCE}json\n{{}}\n{FENCE}"}
    ),
    "fence inside a string in a fence": (
        f'{FENCE}json\n{{"name": "a", "code": "{FENCE}py\\nx\\n{FENCE}"}}\n{FENCE}',
        {"name": "a", "code": f"{FENCE}py\nx\n{FENCE}"},
    ),
    "byte order mark": ('\ufeff{"name": "a"}', {"name": "a"}),
    "byte order mark and fence": (f'\ufeff{FENCE}json\n{{"name": "a"}}\n{FENCE}\n', {"name": "a"}),
    "trailing text": ('{"name": "a"}\n\nAnything else?', {"name": "a"}),
    "prose around": ('Here is it: {"name": "a"} Bye.', {"name": "a"}),
    "prose with brackets": ('As {you} asked [see above]: {"name": "a"}.', {"name": "a"}),
    "a citation before": ('From [1]: {"name": "a"}', {"name": "a"}),
    "prose around a fence": (f'Sure!\n{FENCE}json\n{{"name": "a"}}\n{FENCE}\nBye.', {"name": "a"}),
    "closing fence only": (f'{{"name": "a"}}\n{FENCE}', {"name": "a"}),
    "line break in a string": ('{"name": "a\nb"}', {"name": "a\nb"}),
}  # fmt: skip
#: Texts from which no object, or more than one object, can be read.
BAD = {
    "two objects": '{"name": "a"}{"name": "b"}',
    "two lines": '{"name": "a"}\n{"name": "b"}',
    "two fences": f'{FENCE}json\n{{"name": "a"}}\n{FENCE}\nor\n{FENCE}json\n{{"name": "b"}}\n{FENCE}',
    "cut off": '{"name": "a", "code": "b',
    "cut off in a fence": f'{FENCE}json\n{{"name": "a", "co',
    "cut off around an object": '{"event": {"name": "a"}, "mo',
    "object and a cut one": '{"name": "a"} {"name": "b',
    "broken around an object": '{event: {"name": "a"}}',
    "broken": "{name: 'a'}",
    "prose": "I would rather not.",
    "nothing": "",
}


def build_chain(answer, schema, **kwargs):
    """Return a chain whose model replies with `answer`."""
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(answer).clients)
    return model.with_structured_output(schema, **kwargs)


def stream_of(text):
    """Return a stream of the text in pieces of three characters."""
    pieces = [text[start : start + 3] for start in range(0, len(text), 3)]
    return [*(chunk(content=piece) for piece in pieces), chunk(finish="stop"), "[DONE]"]


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
@pytest.mark.parametrize("schema", [Event, SCHEMA], ids=["class", "JSON schema"])
@pytest.mark.parametrize("case", GOOD)
async def test_c9_json_with_one_reading_is_read(case, schema, method):
    """A stream ends with the same object that a whole reply gives. Before that, it yields incomplete objects."""
    text, value = GOOD[case]
    expected = Event(**value) if schema is Event else value
    assert build_chain(completion(text), schema, method=method).invoke("hi") == expected
    assert await build_chain(completion(text), schema, method=method).ainvoke("hi") == expected
    parts = list(build_chain(stream_of(text), schema, method=method).stream("hi"))
    assert parts[-1] == expected
    assert len(parts) > 1 or schema is Event or len(value["name"]) == 1
    for part in parts:
        name = part.name if isinstance(part, Event) else part.get("name", "")
        assert value["name"].startswith(name)


@pytest.mark.parametrize("schema", [Event, SCHEMA], ids=["class", "JSON schema"])
@pytest.mark.parametrize("case", BAD)
def test_c9_text_without_one_reading_is_an_error(case, schema):
    """If the text has two objects, or a truncated object, the answer is an error and not one of them."""
    if not BAD[case]:
        assert read_answers("", SCHEMA) == []
        return
    with pytest.raises(OutputParserException, match="JSON"):
        build_chain(completion(BAD[case]), schema).invoke("hi")
    with pytest.raises(OutputParserException, match="JSON"):
        list(build_chain(stream_of(BAD[case]), schema).stream("hi"))
    told = build_chain(completion(BAD[case]), schema, include_raw=True).invoke("hi")
    assert told["parsed"] is None
    assert isinstance(told["parsing_error"], OutputParserException)


def test_c9_an_error_says_whether_there_were_two_answers_or_none():
    with pytest.raises(OutputParserException, match="contains 2 JSON values"):
        build_chain(completion(BAD["two objects"]), Event).invoke("hi")
    with pytest.raises(OutputParserException, match="not complete JSON"):
        build_chain(completion(BAD["prose"]), Event).invoke("hi")
    with pytest.raises(OutputParserException, match="is `null`"):
        build_chain(completion("null"), Event.model_json_schema()).invoke("hi")
    with pytest.raises(OutputParserException, match="too deep"):
        build_chain(completion("[" * 100_000 + "]" * 100_000), Event.model_json_schema()).invoke("hi")


def test_c9_the_kind_of_the_schema_decides_between_an_object_and_an_array():
    """If the schema describes an array, a JSON object in the text counts as prose.

    If the schema describes an object, a JSON array in the text counts as prose.
    """
    text = 'From {"x": 1}: ["a"]'
    assert read_answers(text, {"type": "array"}) == [["a"]]
    assert read_answers(text, {"type": "object"}) == [{"x": 1}]
    assert read_answers(text, {}) == [{"x": 1}, ["a"]]
    assert read_answers("5", {"type": "integer"}) == read_answers("```\n5\n```", {"type": "integer"}) == [5]


def test_c9_partial_answer_is_read():
    assert read_partial_answer("Here", SCHEMA) is None
    assert read_partial_answer('Here [1]: {"name": "a', SCHEMA) == {"name": "a"}
    assert read_partial_answer('```JSON\n{"name"', SCHEMA) == {}
    assert read_partial_answer('"some te', {"type": "string"}) == "some te"
    assert read_partial_answer('["a", "b', {"type": "array"}) == ["a", "b"]
