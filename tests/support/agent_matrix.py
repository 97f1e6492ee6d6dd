"""The agent matrix: surfaces and models, response formats, and a function that plays the model."""

import json
import sys
from dataclasses import dataclass

from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from pydantic import BaseModel

from langchain_gemini_compat.testing import Call, FakeGemini, Raw, Reply

ANSWER = "Paris is sunny, Rome is sunny at noon."
#: Google's refusal of JSON beside tools, on models before Gemini 3
#: (https://github.com/googleapis/python-genai/issues/867).
NO_JSON_BESIDE_TOOLS = "Function calling with a response mime type: 'application/json' is unsupported"
SUMMARY = "Paris was asked for first."


class Report(BaseModel):
    """The weather in one line."""

    line: str


REPORT = Report(line=ANSWER)
FORMATS = {
    "none": None,
    "pydantic": Report,
    "tool": ToolStrategy(Report),
    "provider": ProviderStrategy(Report),
}


@dataclass(frozen=True)
class Place:
    """A model on a surface."""

    model: str
    surface: str
    own: bool = False

    @property
    def speaks_gemini(self):
        """Whether Google's rules apply."""
        return not self.own and self.surface != "openai_compatible"

    @property
    def signs(self):
        """Whether the model adds thought signatures to its tool calls."""
        return self.speaks_gemini and "gemini-2.5" not in self.model

    def build_model(self, fake, **kwargs):
        """Return a chat model that sends its requests to `fake`."""
        if self.own:
            base_url = "https://gemini.invalid/v1/projects/p/locations/us-central1/endpoints/123"
            return fake.chat_model(self.model, base_url=base_url, **kwargs)
        thoughts = {"include_thoughts": True} if self.speaks_gemini else {}
        return fake.chat_model(self.model, **thoughts, **kwargs)


PLACES = {
    "2.5 on Vertex": Place("gemini-2.5-flash", "vertex"),
    "2.5 on AI Studio": Place("gemini-2.5-pro", "ai_studio"),
    "3.8 on Vertex": Place("gemini-3.8-flash", "vertex"),
    "3.6 on Vertex": Place("gemini-3.6-flash", "vertex"),
    "3.8 on AI Studio": Place("gemini-3.8-flash", "ai_studio"),
    "alias on Vertex": Place("gemini-flash-latest", "vertex"),
    "alias on AI Studio": Place("gemini-flash-latest", "ai_studio"),
    "self-deployed": Place("gemma-3-270m", "vertex", own=True),
    "compatible": Place("gemma-3-270m", "openai_compatible"),
}


def expected_strategy(place, form, *, tools):
    """Return how `create_agent` should ask for the response format `form`: `text`, `tool`, `json` or `refused`.

    A plain class is requested as `json` if the profile says that the model supports it. With tools, LangChain also
    requires `gemini-3` in the name of a Gemini model.
    """
    if form == "none":
        return "text"
    if form == "tool":
        return "tool"
    if tools and "gemini-2.5" in place.model:
        return "refused" if form == "provider" else "tool"
    if form == "provider":
        return "json"
    native = place.speaks_gemini and (not tools or "gemini-3" in place.model)
    return "json" if native else "tool"


def answer(request):
    """Return the model's next reply, which depends on the tool calls in the history.

    The first reply calls a tool for Paris. The second has two parallel calls for Rome. The third is the answer, in the
    requested format.
    """
    names = [tool["function"]["name"] for tool in request.tools]
    json_asked = "response_format" in request.body
    if "gemini-2.5" in request.model and json_asked and names:
        error = {"code": 400, "message": NO_JSON_BESIDE_TOOLS, "status": "INVALID_ARGUMENT"}
        return Raw([{"error": error}], 400)
    if "<messages>" in request.prompt:
        return SUMMARY
    called = [call["function"]["name"] for message in request.messages for call in message.get("tool_calls") or ()]
    if "get_weather" in names and "get_weather" not in called:
        return Reply(thoughts="Paris first.", text="I look.", calls=[Call("get_weather", {"city": "Paris"})])
    if "get_time" in names and "get_time" not in called:
        return Reply(calls=[Call("get_weather", {"city": "Rome"}), Call("get_time", {"city": "Rome"})])
    if "Report" in names:
        return Reply(thoughts="Done {.", calls=[Call("Report", REPORT.model_dump())])
    return Reply(thoughts="Done {.", text=json.dumps(REPORT.model_dump()) if json_asked else ANSWER)


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


def get_time(city: str) -> str:
    """Local time of a city."""
    return f"noon in {city}"


TOOLS = (get_weather, get_time)
ASKED = [("user", "Weather in Paris, then Rome?")]
LONG = [("user", "Hello."), ("assistant", "Hello!")] * 3 + ASKED


@dataclass
class Cell:
    """An agent and its fake endpoint."""

    place: Place
    strategy: str
    fake: FakeGemini
    agent: object

    async def run(self, mode, question=ASKED, thread="one"):
        """Forget the earlier requests of the fake, run the agent, and return its last state."""
        self.fake.requests.clear()
        config = {"configurable": {"thread_id": f"{thread}/{mode}"}}
        given = {"messages": question} if isinstance(question, list) else question
        if mode == "invoke":
            return self.agent.invoke(given, config)
        if mode == "ainvoke":
            return await self.agent.ainvoke(given, config)
        state = {}
        for part in self.agent.stream(given, config, stream_mode=["messages", "values"], version="v2"):
            state = part["data"] if part["type"] == "values" else state
        return state


MODES = ("invoke", "ainvoke", "stream")
#: LangGraph cannot interrupt async nodes before Python 3.11.
INTERRUPTIBLE = MODES if sys.version_info >= (3, 11) else ("invoke", "stream")


def build_cell(place, form, *, tools=TOOLS, replies=answer, middleware=(), model_options=None, **kwargs):
    """Return a fake and an agent for `place`. `middleware` is a list, or a function that gets the model."""
    fake = FakeGemini(replies, surface=place.surface)
    model = place.build_model(fake, **(model_options or {}))
    made = middleware(model) if callable(middleware) else list(middleware)
    agent = create_agent(model, list(tools), response_format=FORMATS[form], middleware=made, **kwargs)
    return Cell(place, expected_strategy(place, form, tools=bool(tools)), fake, agent)


def check_answer(cell, state):
    """Assert that the answer and the strategy are right, and that the fake accepted all requests completely.

    Also assert that no request has a placeholder signature.
    """
    fake = cell.fake
    assert [violation.hint for violation in fake.refusals] == []
    assert (fake.stand_ins, fake.ignored) == (0, [])
    if cell.strategy == "text":
        assert "structured_response" not in state
        assert state["messages"][-1].text == ANSWER
    else:
        assert state["structured_response"] == REPORT
    last = fake.requests[-1]
    assert strategy_of(last) == cell.strategy
    for request in fake.requests:
        check_request(request, cell.place)


def strategy_of(request):
    """Return how a request asks for an object."""
    names = [tool["function"]["name"] for tool in request.tools]
    by_format, by_tool = "response_format" in request.body, "Report" in names
    assert not (by_format and by_tool)
    if by_tool:
        assert request.body["tool_choice"] == "required"
    return "json" if by_format else "tool" if by_tool else "text"


def check_request(request, place):
    """Assert that results follow in the order of their calls, and that only the first call of a message is signed.

    Also assert that `tools` is not empty, and that Gemini does not get `strict`, which is a key of OpenAI.
    """
    assert request.body.get("tools") != []
    if place.speaks_gemini:
        assert "strict" not in json.dumps([request.tools, request.body.get("response_format")])
    messages = request.messages
    for index, message in enumerate(messages):
        calls = message.get("tool_calls") or []
        if not calls:
            continue
        results = messages[index + 1 : index + 1 + len(calls)]
        assert [call["id"] for call in calls] == [result.get("tool_call_id") for result in results]
        signed = ["thought_signature" in json.dumps(call.get("extra_content") or {}) for call in calls]
        assert signed == [place.signs, *(False for _ in calls[1:])]
