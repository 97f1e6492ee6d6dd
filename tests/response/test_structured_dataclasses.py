"""Dataclasses as schemas of answers and as tools (field case D13)."""

import pickle
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import date
from typing import Annotated, Generic, TypeVar

import pydantic
import pytest
from langchain.agents import create_agent
from langchain_core.exceptions import OutputParserException
from wire import Wire, call, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.testing import FakeGemini, Reply

T = TypeVar("T")


@dataclass
class Guest:
    """A guest.

    Attributes:
        name: The first name.
    """

    name: str
    age: Annotated[int | None, "Age in years."] = None


@dataclass(frozen=True, slots=True)
class Event:
    """A calendar event."""

    title: str
    day: date
    guests: list[Guest]
    place: str = field(default="home", metadata={"description": "Where it is."})


@dataclass
class Bare:
    x: int


@dataclass
class Box(Generic[T]):
    """A box."""

    content: T


@dataclass
class Tree:
    """A tree."""

    name: str
    children: "list[Tree]" = field(default_factory=list)


@dataclass
class Checked:
    """A checked value."""

    x: int
    factor: InitVar[int] = 2
    doubled: int = field(init=False, default=0)

    def __post_init__(self, factor):
        if self.x < 0:
            raise ValueError("negative")
        self.doubled = self.x * factor


@pydantic.dataclasses.dataclass
class Limited:
    """A number."""

    x: int = pydantic.Field(ge=1, description="At least one.")


ANSWER = '{"title": "fair", "day": "2026-11-30", "guests": [{"name": "Alice"}, {"name": "Bob", "age": "7"}]}'
EVENT = Event("fair", date(2026, 11, 30), [Guest("Alice"), Guest("Bob", 7)])
METHODS = ["json_schema", "function_calling", "json_mode"]


def chain(schema, answer, method="json_schema", **options):
    name = getattr(schema, "__name__", "")
    if method == "function_calling":
        whole = completion(None, finish="tool_calls", tool_calls=[call(name, answer)])
    else:
        whole = completion(answer)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(whole).clients)
    return chat.with_structured_output(schema, method=method, **options)


@pytest.mark.parametrize("method", METHODS)
async def test_d13_answer_is_an_instance_with_nested_instances(method):
    assert chain(Event, ANSWER, method).invoke("hi") == EVENT
    assert await chain(Event, ANSWER, method).ainvoke("hi") == EVENT
    assert chain(Event, ANSWER, method, include_raw=True).invoke("hi")["parsed"] == EVENT


def test_stream_gives_instances():
    fake = FakeGemini(Reply(ANSWER, chunks=["", ANSWER[:40], ANSWER[40:70], ANSWER[70:]]))
    parts = list(fake.chat_model("gemini-3.8-flash").with_structured_output(Event).stream("hi"))
    assert parts[-1] == EVENT
    assert {type(part) for part in parts} == {Event}


@pytest.mark.parametrize(
    ("schema", "answer", "expected"),
    [
        pytest.param(Bare, '{"x": 1}', Bare(1), id="no docstring"),
        pytest.param(Box[int], '{"content": 1}', Box(1), id="generic"),
        pytest.param(Box[Guest], '{"content": {"name": "a"}}', Box(Guest("a")), id="generic of a dataclass"),
        pytest.param(Tree, '{"name": "a", "children": [{"name": "b"}]}', Tree("a", [Tree("b")]), id="recursive"),
        pytest.param(Limited, '{"x": 1}', Limited(1), id="pydantic dataclass"),
        pytest.param(Bare, '{"x": "1"}', Bare(1), id="repaired"),
    ],
)
def test_kinds_of_dataclasses(schema, answer, expected):
    assert chain(schema, answer).invoke("hi") == expected


def test_post_init_runs():
    assert chain(Checked, '{"x": 2, "factor": 3}').invoke("hi").doubled == 6
    with pytest.raises(OutputParserException, match="does not fit Checked"):
        chain(Checked, '{"x": -1}').invoke("hi")


def test_answer_that_does_not_fit_is_an_error():
    with pytest.raises(OutputParserException, match=r"does not fit Event .title"):
        chain(Event, '{"day": "2026-11-30", "guests": []}').invoke("hi")
    result = chain(Limited, '{"x": 0}', include_raw=True).invoke("hi")
    assert result["parsed"] is None
    assert "does not fit Limited" in str(result["parsing_error"])


def test_schema_has_the_descriptions():
    body, _ = chain(Event, ANSWER).preview("hi")
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["description"] == "A calendar event."
    assert schema["properties"]["place"]["description"] == 'Where it is. Default: "home".'
    (tool,) = chain(Guest, "{}", "function_calling").preview("hi")[0]["tools"]
    assert tool["function"]["description"] == "A guest."
    properties = tool["function"]["parameters"]["properties"]
    assert (properties["name"]["description"], properties["age"]["description"]) == ("The first name.", "Age in years.")
    (tool,) = chain(Bare, "{}", "function_calling").preview("hi")[0]["tools"]
    assert not tool["function"].get("description")


def test_dataclass_is_bound_as_a_tool():
    answer = completion(None, finish="tool_calls", tool_calls=[call("Guest", '{"name": "a", "age": "7"}')])
    bound = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(answer).clients).bind_tools([Guest])
    (tool,) = bound.preview("hi")[0]["tools"]
    assert tool["function"]["name"] == "Guest"
    assert tool["function"]["parameters"]["required"] == ["name"]
    (made,) = bound.invoke("hi").tool_calls
    assert made["args"] == {"name": "a", "age": 7}


@dataclass
class Impossible:
    """A class without a JSON schema."""

    run: Callable[[], None]


class Strange:
    """A class that pydantic cannot validate."""


@dataclass
class Unknown:
    """Has a field of another class."""

    strange: Strange


def define_locally():
    """Return a dataclass with a field whose annotation is a string: the name of another local class."""

    @dataclass
    class Inner:
        count: int

    @dataclass
    class Local:
        inner: "Inner"

    return Local


@pytest.mark.parametrize("schema", [Impossible, Unknown, define_locally()])
@pytest.mark.parametrize("method", ["with_structured_output", "bind_tools"])
def test_dataclass_without_a_json_schema_is_refused(schema, method):
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    with pytest.raises(ValueError, match=rf"The dataclass `{schema.__name__}` cannot be a schema: .*\. Use types"):
        chat.with_structured_output(schema) if method == "with_structured_output" else chat.bind_tools([schema])


def test_chain_can_be_pickled():
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    made = chat.with_structured_output(Event)
    made.last.invoke(ANSWER)
    assert pickle.loads(pickle.dumps(made)).last.invoke(ANSWER) == EVENT


def test_agent_answers_with_an_instance():
    fake = FakeGemini(ANSWER)
    agent = create_agent(fake.chat_model("gemini-3.8-flash"), [], response_format=Event)
    assert agent.invoke({"messages": "hi"})["structured_response"] == EVENT
