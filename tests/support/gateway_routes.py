"""Tests that run through each route of a real gateway. The fake behind the gateway plays Google, and judges requests."""

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count
from typing import ClassVar

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage, message_chunk_to_message
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, errors
from langchain_gemini_compat.testing import Call, Fault, Reply

_keys = count(1)
WEATHER = {"Paris": "sunny", "Rome": "rainy", "Oslo": "foggy", "Lima": "mild"}
#: The model's replies to three questions, with a call of `get_weather` for each of four cities.
SCRIPT = [
    Reply(
        thoughts="Two cities.", calls=[Call("get_weather", {"city": "Paris"}), Call("get_weather", {"city": "Rome"})]
    ),
    Reply("Take an umbrella to Rome.", thoughts="Rome is rainy."),
    Reply(thoughts="Now Oslo.", calls=[Call("get_weather", {"city": "Oslo"})]),
    Reply("Oslo is foggy."),
    Reply(thoughts="Now Lima.", calls=[Call("get_weather", {"city": "Lima"})]),
    Reply("Lima is mild."),
]
QUESTIONS = ("Paris or Rome?", "And Oslo?", "And Lima?")
ANSWERS = [SCRIPT[at].text for at in (1, 3, 5)]


@dataclass(frozen=True)
class Route:
    """A route of a gateway, and the fake behind it."""

    fake: object
    base_url: str
    model: str = "gemini-3.8-flash"
    embedding_model: str = "gemini-embedding-001"
    #: Parameters of the chat model.
    settings: dict = field(default_factory=dict)
    #: Parameters of the embeddings.
    embedding_settings: dict = field(default_factory=dict)

    def answer_with(self, *replies):
        """Set the replies, and forget what the fake has seen."""
        self.fake.requests.clear()
        self.fake.refusals.clear()
        self.fake.stand_ins = 0
        self.fake.answer_with(list(replies))

    def chat_model(self, **kwargs):
        """Return a model. Each has a key of its own, so that the 429s of one test delay no other test."""
        connection = {"model": self.model, "base_url": self.base_url, "api_key": f"sk-{next(_keys)}"}
        return ChatGeminiCompat(**{**connection, "max_retries": 0, **self.settings, **kwargs})

    def embeddings(self, **kwargs):
        """Return embeddings."""
        connection = {"model": self.embedding_model, "base_url": self.base_url, "api_key": f"sk-{next(_keys)}"}
        return GeminiCompatEmbeddings(**{**connection, "max_retries": 0, **self.embedding_settings, **kwargs})

    def with_settings(self, **kwargs):
        """Return the route with more parameters of the chat model."""
        return replace(self, settings={**self.settings, **kwargs})

    def assert_accepted(self, requests):
        """Assert that the fake got `requests` requests, refused none, and got back each signature that it issued."""
        assert [refusal.message for refusal in self.fake.refusals] == []
        assert (len(self.fake.requests), self.fake.stand_ins) == (requests, 0)

    def sent_signatures(self):
        """Return the signatures of calls in the last request, in order."""
        calls = [call for message in self.fake.requests[-1].body["messages"] for call in message.get("tool_calls", ())]
        extras = [call["extra_content"]["google"] for call in calls if "extra_content" in call]
        return [extra["thought_signature"] for extra in extras]


class City(BaseModel):
    """A city."""

    name: str
    people: int


PARIS = Reply('{"name": "Paris", "people": 2100000}')


def ask(runnable, question, *, streams):
    """Return the reply as one message. The chunks of a streamed reply are added up."""
    if not streams:
        return runnable.invoke(question)
    total = None
    for chunk in runnable.stream(question):
        total = chunk if total is None else total + chunk
    return message_chunk_to_message(total)


def build_tool(seen):
    """Return a tool that counts its calls in `seen`."""

    def get_weather(city: str) -> str:
        """Weather of a city."""
        seen[city] += 1
        return WEATHER[city]

    return get_weather


def find_report(year: int) -> list[dict]:
    """Find the report of a year."""
    # A tool of an MCP server returns such a `file` block: langchain-mcp-adapters builds it from a `resource_link`.
    return [{"type": "text", "text": "Found."}, {"type": "file", "url": f"file:///reports/{year}.zip"}]


def run_agent(route, questions, *, streams):
    """Ask an agent with a checkpointer the questions, and return its texts and how often each city was looked up."""
    seen = Counter()
    model = route.chat_model(streaming=streams)
    agent = create_agent(model, [build_tool(seen)], checkpointer=InMemorySaver())
    config, texts = {"configurable": {"thread_id": "1"}}, []
    for question in questions:
        asked = {"messages": [HumanMessage(question)]}
        if streams:
            for _ in agent.stream(asked, config, stream_mode="messages"):
                pass
        else:
            agent.invoke(asked, config)
        texts.append(agent.get_state(config).values["messages"][-1].text)
    return texts, seen


class RouteTests:
    """Tests of one route. A subclass defines the fixture `route`, and sets what its gateway removes or hides."""

    #: Whether the gateway removes the text and the details of Google's errors.
    loses_reasons = False
    #: Whether the gateway removes the details from quota errors.
    loses_quotas = False
    #: Whether the gateway drops an error without `data:` from a stream. The stream then looks complete.
    hides_bare_errors = False
    #: Parameters that make the model show its thoughts.
    thinking: ClassVar = {"include_thoughts": True}

    @pytest.fixture(params=[False, True], ids=["invoke", "stream"])
    def streams(self, request):
        """Whether the replies are streamed."""
        return request.param

    def test_agent_calls_tools_at_once_and_goes_on_for_three_turns(self, route, streams):
        """The fake refuses a request without the signatures that it issued. Field cases G1 and G2."""
        route.answer_with(*SCRIPT)
        texts, seen = run_agent(route, QUESTIONS, streams=streams)
        assert texts == ANSWERS
        assert seen == dict.fromkeys(WEATHER, 1)
        route.assert_accepted(requests=6)
        assert len(set(route.sent_signatures())) == 3

    def test_conversation_without_tools_goes_on(self, route, streams):
        """Keys that a gateway adds to a message do not break the next turn. Field case G2."""
        route.answer_with("Hello.", "Bonjour.", "Hola.")
        model, history = route.chat_model(), []
        for question in ("In English?", "In French?", "In Spanish?"):
            history += [HumanMessage(question)]
            history += [ask(model, history, streams=streams)]
        assert [message.text for message in history[1::2]] == ["Hello.", "Bonjour.", "Hola."]
        route.assert_accepted(requests=3)

    def test_file_in_a_tool_result_that_google_cannot_read(self, route, streams):
        """A tool result has a link that Google cannot read. It is sent as text, so that Google refuses no later turn.

        Field case C2.
        """
        route.answer_with(Call("find_report", {"year": 2025}), "It is in the archive.", "You are welcome.")
        model = route.chat_model(streaming=streams)
        agent = create_agent(model, [find_report], checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "1"}}
        for question in ("Where is the report?", "Thanks."):
            agent.invoke({"messages": [HumanMessage(question)]}, config)
        route.assert_accepted(requests=3)
        results = [message for message in route.fake.requests[-1].body["messages"] if message["role"] == "tool"]
        assert "file:///reports/2025.zip" in results[0]["content"]

    @pytest.mark.parametrize("method", ["json_schema", "function_calling"])
    def test_structured_output(self, route, streams, method):
        route.answer_with(PARIS if method == "json_schema" else Call("City", {"name": "Paris", "people": 2100000}))
        structured = route.chat_model(streaming=streams).with_structured_output(City, method=method)
        assert structured.invoke("The largest city of France?") == City(name="Paris", people=2100000)
        route.assert_accepted(requests=1)
        body = route.fake.requests[-1].body
        assert ("response_format" if method == "json_schema" else "tools") in body

    def test_thoughts_are_reasoning_and_do_not_break_the_next_turn(self, route, streams):
        route.answer_with(*SCRIPT[:2])
        model = route.chat_model(**self.thinking).bind_tools([build_tool(Counter())])
        asked = HumanMessage("Paris or Rome?")
        first = ask(model, [asked], streams=streams)
        results = [ToolMessage(WEATHER[call["args"]["city"]], tool_call_id=call["id"]) for call in first.tool_calls]
        second = ask(model, [asked, first, *results], streams=streams)
        thoughts = [[block["reasoning"] for block in message.content_blocks if block["type"] == "reasoning"]
                    for message in (first, second)]  # fmt: skip
        assert thoughts == [["Two cities."], ["Rome is rainy."]]
        assert [message.text for message in (first, second)] == ["", "Take an umbrella to Rome."]

    def test_too_long_prompt(self, route, streams):
        """The error has its own class and contains Google's text.

        If the gateway removes Google's text, the error is an `InvalidRequestError`. Field case G4.
        """
        route.answer_with(Fault.context_overflow())
        kind = errors.InvalidRequestError if self.loses_reasons else errors.ContextOverflowError
        with pytest.raises(kind) as raised:
            ask(route.chat_model(), "Hi", streams=streams)
        assert ("1200000" in str(raised.value)) is not self.loses_reasons
        assert "{" not in str(raised.value), "The gateway's JSON is unwrapped."
        assert len(route.fake.requests) == 1

    @pytest.mark.parametrize("per", ["minute", "day"])
    def test_quota(self, route, streams, per):
        """The error shows whether the quota is daily or per minute. The call sends only one request. Field case G4."""
        route.answer_with(Fault.rate_limit("12s" if per == "minute" else "39043s", per=per))
        model = route.chat_model()
        with pytest.raises(errors.RateLimitError) as raised:
            ask(model, "Hi", streams=streams)
        assert len(route.fake.requests) == 1
        is_known = not (self.loses_reasons or self.loses_quotas)
        assert isinstance(raised.value, errors.QuotaExhaustedError) == (per == "day" and is_known)
        quota = f"GenerateRequestsPer{per.capitalize()}PerProjectPerModel-FreeTier"
        assert raised.value.quota_id == (quota if is_known else None)
        if per == "minute":
            assert raised.value.retry_after == (None if self.loses_reasons else 12)

    def test_embeddings(self, route, streams):
        texts = ["a red house", "the tax return", "a house that is red"]
        route.answer_with()
        embeddings = route.embeddings()
        vectors = embeddings.embed_documents(texts) if streams else [embeddings.embed_query(text) for text in texts]
        near, far = (sum(a * b for a, b in zip(vectors[0], vectors[at], strict=True)) for at in (2, 1))
        assert near > far
        route.assert_accepted(requests=len(route.fake.requests))

    @pytest.mark.parametrize("shape", ["bare_object", "data_object"])
    def test_error_in_a_stream_is_raised(self, route, shape, request):
        """The text before the error is delivered, and the call is not a success. Field case G4."""
        if shape == "bare_object" and self.hides_bare_errors:
            reason = "the gateway ends the stream as if it were complete"
            request.applymarker(pytest.mark.xfail(reason=reason, raises=pytest.fail.Exception, strict=True))
        route.answer_with(Fault.error_in_stream(shape, after="Once upon"))
        chunks = []
        with pytest.raises((errors.ServerError, errors.TruncatedStreamError)):
            chunks.extend(route.chat_model().stream("Hi"))
        assert "".join(chunk.text for chunk in chunks) == "Once upon"
        assert len(route.fake.requests) == 1
