"""Replays cassettes for each row of the page of supported features, on each surface that has the feature.

A replay fails if the body of the request differs from the recorded body. The tests also check how the reply is read.
The README of the cassettes has the table of rows and cassettes.
"""

import os
import re

import pytest
from cassette_files import FOLDER, PROJECT, SUPPORT_PAGE, all_names, cassette, load
from google.oauth2.credentials import Credentials
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, errors
from langchain_gemini_compat._signatures import SIGNATURES_KEY
from langchain_gemini_compat.testing import replay

MODEL = "gemini-3.8-flash"
LITELLM = "http://localhost:4000/v1"
OPENROUTER = "https://openrouter.ai/api/v1"
#: A PNG of one pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
#: Maps the key of each column of the page to words that the title of the column contains.
COLUMNS = {"vertex": "Vertex AI", "ai_studio": "AI Studio", "gateway": "compatible servers"}
BOTH = ["vertex", "ai_studio"]
ALL = [*COLUMNS]


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}."


class Event(BaseModel):
    """An event in a calendar."""

    name: str
    day: str


def where(surface, record):
    """Return the arguments that select a surface. Only a recording uses real credentials."""
    if surface == "gateway":
        return {"base_url": LITELLM, "api_key": "test"}
    if surface == "ai_studio":
        return {"api_key": os.environ["GOOGLE_API_KEY"] if record else "test"}
    project = {"project": os.environ["GOOGLE_CLOUD_PROJECT"]} if record else {"project": PROJECT}
    return project if record else {**project, "credentials": Credentials("test")}


@pytest.fixture
def chat(record):
    """Return a model on a surface."""

    def build(surface, model=MODEL, **kwargs):
        if record and surface == "gateway":
            pytest.skip("only Google's service is recorded")
        return ChatGeminiCompat(**{"model": model, "max_retries": 0, **where(surface, record), **kwargs})

    return build


@pytest.fixture
def play(record, kind):
    """Return a function that replays the cassette of a scenario.

    Sync tests use vcrpy, which can also record. Async tests use `testing.replay`, which reads the same files.
    """
    if kind == "sync":
        return lambda name: cassette(SUPPORT_PAGE[name], record=record)
    return lambda name: replay(FOLDER / f"{SUPPORT_PAGE[name]}.yaml")


@pytest.fixture(params=["sync", "async"])
def kind(request):
    return request.param


@pytest.fixture
def ask(kind):
    """Call a runnable, by `invoke` or `ainvoke`."""

    async def call(runnable, messages):
        return runnable.invoke(messages) if kind == "sync" else await runnable.ainvoke(messages)

    return call


@pytest.fixture
def stream(kind):
    """Return a function that calls `stream` or `astream` of a runnable.

    It returns the sum of the message chunks. If the runnable yields other objects, it returns the last object.
    """

    async def call(runnable, messages):
        if kind == "sync":
            parts = list(runnable.stream(messages))
        else:
            parts = [part async for part in runnable.astream(messages)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part if isinstance(part, AIMessage) else part
        return total

    return call


@pytest.mark.parametrize(
    ("surface", "mode"),
    [("vertex", "complete"), ("ai_studio", "complete"), ("ai_studio", "stream"), ("gateway", "stream")],
)
async def test_parallel_calls(chat, play, ask, stream, surface, mode):
    """Both calls arrive, Google signs the first one, and the results go back in the order of the calls."""
    say = stream if mode == "stream" else ask
    model = chat(surface).bind_tools([get_weather])
    history = [HumanMessage("What is the weather in Paris and in Rome? Use the tool for each.")]
    with play(f"parallel calls, {surface}, {mode}"):
        message = await say(model, history)
        assert [call["args"] for call in message.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
        ids = [call["id"] for call in message.tool_calls]
        assert len(set(ids)) == 2
        if surface != "gateway":
            assert list(message.additional_kwargs[SIGNATURES_KEY]) == ids[:1]
        results = [ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"]) for call in message.tool_calls]
        answer = await say(model, [*history, message, *results])
    assert "Rome" in answer.text
    assert message.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("surface", ALL)
async def test_structured_output_streamed(chat, play, stream, surface):
    """The schema is sent as `response_format`, and the JSON of the stream becomes an object."""
    model = chat(surface).with_structured_output(Event)
    with play(f"structured output streamed, {surface}"):
        event = await stream(model, "Extract the event: the fair is on Friday.")
    assert isinstance(event, Event)
    assert event.day == "Friday"


@pytest.mark.parametrize("surface", ["ai_studio", "gateway"])
async def test_thoughts(chat, play, ask, stream, surface):
    """Thoughts become reasoning blocks, whatever their format.

    AI Studio sends thoughts in tags before the answer. LiteLLM sends thoughts in a field of their own.
    """
    with play(f"thoughts, {surface}"):
        if surface == "ai_studio":
            answer = await ask(chat(surface, include_thoughts=True), "Is 391 prime? One sentence.")
        else:
            answer = await stream(chat(surface, reasoning_effort="low"), "Is 391 prime? One sentence.")
    assert [block["type"] for block in answer.content_blocks] == ["reasoning", "text"]
    assert "thought>" not in answer.text
    assert "17" in answer.text


async def test_arguments_streamed_by_a_gateway(chat, play, stream):
    """Only the first piece of a call has its id and its name, as in OpenAI's streams."""
    with play("streamed arguments, gateway"):
        message = await stream(chat("gateway").bind_tools([get_weather]), "Weather in Paris? Use the tool.")
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("get_weather", {"city": "Paris"})]


async def test_cached_tokens_ai_studio(chat, play, ask):
    """Tokens from a context cache are a part of the input tokens."""
    with play("cached tokens, ai_studio"):
        answer = await ask(chat("ai_studio", cached_content="cachedContents/example"), "Who wrote the letter?")
    usage = answer.usage_metadata
    assert 0 < usage["input_token_details"]["cache_read"] <= usage["input_tokens"]


async def test_image_in_a_message_ai_studio(chat, play, ask):
    """An image is sent as a data URL."""
    with play("image, ai_studio"):
        answer = await ask(chat("ai_studio"), [HumanMessage([{"type": "text", "text": "What is this?"}, IMAGE])])
    assert answer.text


async def test_image_in_a_gateway_s_reply(chat, play, ask):
    """OpenRouter has the field `images`."""
    with play("image in a reply, gateway"):
        model = chat("gateway", "google/gemini-3-pro-image-preview", base_url=OPENROUTER, modalities=["image", "text"])
        answer = await ask(model, "Draw a dot.")
    assert [block["type"] for block in answer.content_blocks] == ["text", "image"]


@pytest.mark.parametrize("surface", ["ai_studio", "gateway"])
async def test_image_in_a_tool_result(chat, play, ask, surface):
    """If the surface accepts no media in tool results, the image follows in a user message."""
    call = {"name": "take_picture", "args": {}, "id": "call_1"}
    history = [
        HumanMessage("Take a picture and describe it."),
        AIMessage("", tool_calls=[call], additional_kwargs={SIGNATURES_KEY: {"call_1": "c2lnbmF0dXJl"}}),
        ToolMessage([{"type": "text", "text": "Here it is."}, IMAGE], tool_call_id="call_1"),
    ]
    with play(f"image in a tool result, {surface}"):
        assert (await ask(chat(surface), history)).text


@pytest.mark.parametrize("surface", ALL)
async def test_arguments_of_the_wrong_type(chat, play, ask, surface):
    """`"3"` for an integer becomes 3, and the metadata list the repair."""

    def reserve(seats: int) -> str:
        """Reserve seats."""

    with play(f"arguments of the wrong type, {surface}"):
        message = await ask(chat(surface).bind_tools([reserve]), "Reserve three seats.")
    assert [call["args"] for call in message.tool_calls] == [{"seats": 3}]
    assert message.response_metadata["repairs"]


@pytest.mark.filterwarnings("ignore::langchain_gemini_compat.errors.GeminiCompatWarning")
@pytest.mark.parametrize("surface", ALL)
async def test_tool_names_that_gemini_refuses(chat, play, ask, surface):
    """Google gets a valid name, a gateway the original one. The call has the original name."""
    tool = {
        "type": "function",
        "function": {
            "name": "weather/by city",
            "description": "Weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    name = f"tool names, {surface}"
    with play(name):
        message = await ask(chat(surface).bind_tools([tool]), "Weather in Paris? Use the tool.")
    assert [call["name"] for call in message.tool_calls] == ["weather/by city"]
    (sent,) = (item["request"]["json"]["tools"][0]["function"] for item in load(SUPPORT_PAGE[name])["interactions"])
    assert (sent["name"] == "weather/by city") is (surface == "gateway")


async def test_google_s_own_tools_vertex(chat, play, ask):
    """Google's search is sent in `extra_body.google.tools`."""
    with play("Google's own tools, vertex"):
        answer = await ask(chat("vertex").bind_tools([{"google_search": {}}]), "Who won the match?")
    assert answer.text


@pytest.mark.filterwarnings("ignore::langchain_gemini_compat.errors.GeminiCompatWarning")
@pytest.mark.parametrize(
    ("surface", "model", "sent"),
    [
        ("vertex", "gemini-3.5-flash-lite", {"seed"}),
        ("ai_studio", MODEL, {"service_tier"}),
        ("gateway", MODEL, {"n", "seed", "logprobs", "presence_penalty", "service_tier"}),
    ],
)
async def test_parameters_of_openai(chat, play, kind, surface, model, sent):
    """A parameter that the surface or the model does not take is left out. A gateway gets all parameters."""
    options = {"n": 2, "seed": 7, "logprobs": True, "presence_penalty": 0.5, "service_tier": "flex"}
    name, bound, messages = f"parameters, {surface}", chat(surface, model, **options), [[HumanMessage("Hi.")]]
    with play(name):
        result = bound.generate(messages) if kind == "sync" else await bound.agenerate(messages)
    assert len(result.generations[0]) == (2 if surface == "gateway" else 1)
    (body,) = (item["request"]["json"] for item in load(SUPPORT_PAGE[name])["interactions"])
    assert body.keys() & set(options) == sent


async def test_priority_tier_vertex(chat, play, ask):
    """The tier is sent as a header, which cassettes do not contain. So the test checks the reply's traffic type."""
    with play("priority tier, vertex"):
        answer = await ask(chat("vertex", service_tier="priority"), "Hi.")
    assert answer.response_metadata["traffic_type"] == "ON_DEMAND_PRIORITY"
    (body,) = (item["request"]["json"] for item in load(SUPPORT_PAGE["priority tier, vertex"])["interactions"])
    assert "service_tier" not in body


@pytest.mark.parametrize("surface", ["ai_studio", "gateway"])
async def test_embeddings(play, kind, record, surface):
    """Each text has a vector, in the order of the texts."""
    if record and surface == "gateway":
        pytest.skip("only Google's service is recorded")
    model = GeminiCompatEmbeddings(model="gemini-embedding-001", dimensions=4, max_retries=0, **where(surface, record))
    texts = ["One.", "Two."]
    with play(f"embeddings, {surface}"):
        vectors = model.embed_documents(texts) if kind == "sync" else await model.aembed_documents(texts)
    assert [len(vector) for vector in vectors] == [4, 4]
    assert vectors[0] != vectors[1]


async def test_gemini_4_through_a_gateway(chat, play, ask):
    """The level `xhigh` is sent. No source shows Gemini 4 on Google's own OpenAI-compatible endpoints."""
    with play("Gemini 4, gateway"):
        answer = await ask(chat("gateway", "gemini-4-hydrogen", reasoning_effort="xhigh"), "Is 391 prime?")
    assert answer.usage_metadata["output_token_details"]["reasoning"] > 0
    assert answer.response_metadata["model_name"] == "gemini-4-hydrogen"


@pytest.mark.parametrize("gateway", ["litellm", "openrouter"])
async def test_signature_of_a_gateway(chat, play, ask, gateway):
    """LiteLLM appends the signature to the id of the call. OpenRouter sends the signature in `reasoning_details`.

    Each gateway gets the signature back in its own form.
    """
    place = {"litellm": (MODEL, LITELLM), "openrouter": (f"google/{MODEL}", OPENROUTER)}
    model, base_url = place[gateway]
    bound = chat("gateway", model, base_url=base_url).bind_tools([get_weather])
    history = [HumanMessage("Weather in Paris? Use the tool.")]
    with play(f"signature, {gateway}"):
        message = await ask(bound, history)
        (call,) = message.tool_calls
        answer = await ask(bound, [*history, message, ToolMessage(get_weather("Paris"), tool_call_id=call["id"])])
    assert "Paris" in answer.text


async def test_blocked_prompt(chat, play, ask):
    """A blocked prompt gives a choice without a message. The answer has no text, and its finish reason says why."""
    with play("blocked prompt, ai_studio"):
        answer = await ask(chat("ai_studio"), "Hi.")
    assert answer.text == ""
    assert answer.response_metadata["finish_reason"] == "content_filter"


#: Maps each failure to the surface, the exception class, and some attributes of the exception.
FAILURES = {
    "quota per minute": ("ai_studio", errors.RateLimitError, {"status_code": 429, "retry_after": 26.5}),
    "quota per day": ("ai_studio", errors.QuotaExhaustedError, {"status_code": 429, "is_retryable": False}),
    "resource exhausted": ("vertex", errors.RateLimitError, {"status_code": 429, "retry_after": None}),
    "invalid key": ("ai_studio", errors.AuthenticationError, {"status_code": 400}),
    "API key on Vertex AI": ("vertex", errors.AuthenticationError, {"status_code": 401}),
    "forged token": ("vertex", errors.AuthenticationError, {"status_code": 401}),
    "project without access": ("ai_studio", errors.PermissionDeniedError, {"status_code": 403}),
    "billing": ("vertex", errors.PermissionDeniedError, {"status_code": 403}),
    "unknown model": ("ai_studio", errors.ModelNotFoundError, {"status_code": 404}),
    "malformed model name": ("vertex", errors.ModelNotFoundError, {"status_code": 400}),
    "missing signature": ("ai_studio", errors.MissingSignatureError, {"status": "INVALID_ARGUMENT"}),
    "missing signature on Vertex AI": ("vertex", errors.MissingSignatureError, {"status": "INVALID_ARGUMENT"}),
    "corrupted signature": ("ai_studio", errors.InvalidSignatureError, {"status_code": 400}),
    "refused schema": ("ai_studio", errors.SchemaRejectedError, {"status_code": 400}),
    "too many tokens": ("ai_studio", errors.ContextOverflowError, {"status_code": 400}),
    "unknown field": ("ai_studio", errors.InvalidRequestError, {"status": "INVALID_ARGUMENT"}),
    "unsupported country": ("ai_studio", errors.InvalidRequestError, {"status": "FAILED_PRECONDITION"}),
    "model only in global": ("vertex", errors.InvalidRequestError, {"status": "FAILED_PRECONDITION"}),
    "internal error": ("ai_studio", errors.ServerError, {"status_code": 500, "status": "INTERNAL"}),
    "overloaded": ("ai_studio", errors.ServerError, {"status_code": 503}),
    "gateway's error": ("gateway", errors.RateLimitError, {"status_code": 429}),
    "malformed call": ("ai_studio", errors.MalformedToolCallError, {}),
    "empty reply": ("ai_studio", errors.EmptyReplyError, {}),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_failures(chat, play, ask, record, name):
    """Each failure has its exception, whose message has the server's text."""
    if record:
        pytest.skip("these failures cannot be provoked")
    surface, exception, facts = FAILURES[name]
    with play(f"failure: {name}"), pytest.raises(exception) as caught:
        await ask(chat(surface), "Hi.")
    assert type(caught.value) is exception
    assert {key: getattr(caught.value, key) for key in facts} == facts
    (body,) = (item["response"]["json"] for item in load(SUPPORT_PAGE[f"failure: {name}"])["interactions"])
    if isinstance(caught.value, errors.APIStatusError):
        error = (body[0] if isinstance(body, list) else body)["error"]
        assert error["message"] in str(caught.value)


def test_vertex_ai_has_no_embeddings():
    """On Vertex AI, which has no embeddings, the constructor of the embeddings model raises an error."""
    with pytest.raises(ValueError, match="embedding"):
        GeminiCompatEmbeddings(model="gemini-embedding-001", **where("vertex", record=False))


_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def rows_of(page, title):
    """Return the rows of the table whose first column is named `title`. Links are replaced by their texts."""
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {title} |"):
            break
    next(lines)
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([_LINK.sub(r"\1", cell).strip() for cell in line.strip("|").split("|")])
    return table


PAGE = rows_of(FOLDER.parent / "docs" / "reference" / "support.md", "feature")
COVERED = {cells[0]: cells[1:] for cells in rows_of(FOLDER / "README.md", "row of the page")}


def test_each_row_of_the_support_page_has_cassettes():
    """The table in the README of the cassettes has the same rows as the page of supported features."""
    assert list(COVERED) == [cells[0] for cells in PAGE]


@pytest.mark.parametrize("cells", PAGE, ids=lambda cells: cells[0])
def test_each_supported_feature_has_a_cassette(cells):
    """If the page says that a surface has a feature, the README lists a cassette of that surface."""
    feature, *states = cells
    for surface, state, listed in zip(COLUMNS, states, COVERED[feature], strict=False):
        names = re.findall(r"`([^`]+)`", listed)
        assert set(names) <= set(all_names())
        for name in names:
            assert {surface_of(item["request"]["uri"]) for item in load(name)["interactions"]} == {surface}
        assert names or not state.startswith(("✅", "repaired", "changed", "same", "sent")), (feature, surface)


def surface_of(uri):
    if "aiplatform.googleapis.com" in uri:
        return "vertex"
    return "ai_studio" if "generativelanguage.googleapis.com" in uri else "gateway"
