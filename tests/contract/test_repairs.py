"""Tests of repairs: if a server refuses an optional part, the call warns once and sends one repaired request."""

import asyncio
import json
import threading
import warnings

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel

from langchain_gemini_compat.errors import (
    EmptyReplyError,
    GeminiCompatWarning,
    InvalidRequestError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Raw, Reply, record, replay
from langchain_gemini_compat.testing._model.faults import GoogleError

UNKNOWN = 'Invalid JSON payload received. Unknown name "{}"{}: Cannot find field.'
SURFACES = ("ai_studio", "vertex", "openai_compatible")


class City(BaseModel):
    """A city."""

    name: str


def look(place: str) -> str:
    """Look at a place."""
    return f"{place} is sunny."


def refuse(text, status=400):
    return Raw([{"error": {"code": status, "message": text, "status": "INVALID_ARGUMENT"}}], status)


def google(**fields):
    return {"extra_body": {"google": fields}}


def at(body, *path):
    for step in path:
        body = body.get(step, {})
    return body or None


#: Each refusal has four items: the server's text, the options of the model, the path of the refused value in the body,
#: and the value at this path in the repaired request.
REFUSALS = {
    "penalties": (
        "Penalty is not enabled for this model",
        {"extra_body": {"presence_penalty": 0.5}},
        ("presence_penalty",),
        None,
    ),
    "level": (
        "Thinking level MINIMAL is not supported for this model",
        google(thinking_config={"thinking_level": "minimal"}),
        ("extra_body", "google", "thinking_config", "thinking_level"),
        None,
    ),
    "budget": (
        "Unable to submit request because thinking_budget is out of range; supported values are integers from 1 to 24576.",
        google(thinking_config={"thinking_budget": 32_000}),
        ("extra_body", "google", "thinking_config", "thinking_budget"),
        24_576,
    ),
    "effort": (
        "Invalid value for reasoning_effort: xhigh. Valid values are: high, low, medium, minimal.",
        {"extra_body": {"reasoning_effort": "xhigh"}},
        ("reasoning_effort",),
        "high",
    ),
    "seed": (UNKNOWN.format("seed", ""), {"extra_body": {"seed": 7}}, ("seed",), None),
    "unknown key": (UNKNOWN.format("new_thing", ""), {"extra_body": {"new_thing": 1}}, ("new_thing",), None),
    "under google": (
        UNKNOWN.format("new_thing", " at 'extra_body.google'"),
        google(new_thing=1),
        ("extra_body", "google", "new_thing"),
        None,
    ),
    "unwrapped by a gateway": (
        UNKNOWN.format("google", ""),
        google(thinking_config={"include_thoughts": True}),
        ("extra_body", "google"),
        None,
    ),
    "logprobs": ("Logprobs is not enabled for this model", {"extra_body": {"logprobs": True}}, ("logprobs",), None),
    "tier": ("Unknown parameter: 'service_tier'.", {"extra_body": {"service_tier": "flex"}}, ("service_tier",), None),
    "resolution": (
        UNKNOWN.format("media_resolution", " at 'extra_body.google'"),
        google(media_resolution="MEDIA_RESOLUTION_LOW"),
        ("extra_body", "google", "media_resolution"),
        None,
    ),
    "temperature": (
        "Unsupported parameter: 'temperature' is not supported with this model.",
        {"temperature": 0.5},
        ("temperature",),
        None,
    ),
}


def build(replies, *, surface="ai_studio", **options):
    """Return a fake that sends `replies` without checking the requests, and a model that calls this fake."""
    fake = FakeGemini(replies, surface=surface, strict=False)
    return fake, fake.chat_model(**options)


def caught(call):
    """Return what `call` returns, and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call()
    return result, [str(one.message) for one in found if issubclass(one.category, GeminiCompatWarning)]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", REFUSALS)
def test_refused_part_is_left_out_or_adjusted_once(name, surface):
    """After the refusal, the call sends a repaired request and warns once. The next call needs no repair."""
    text, options, path, expected = REFUSALS[name]
    fake, model = build([refuse(text), "One.", "Two.", "Three."], surface=surface, **options)
    message, said = caught(lambda: model.invoke("Hi"))
    first, second = (request.body for request in fake.requests)
    assert message.text == "One."
    assert message.response_metadata["retries"] == 1
    assert at(first, *path) is not None
    assert at(second, *path) == expected
    assert first["messages"] == second["messages"]
    [repair] = message.response_metadata["repairs"]
    assert repair.partition(" The server's reason: ")[2].rstrip(".") in text
    assert len(said) == 1
    assert repair in said[0]
    assert surface in said[0]

    again, said = caught(lambda: model.invoke("Hi"))
    other, said_by_other = caught(lambda: fake.chat_model(**options).invoke("Hi"))
    assert [request.body for request in fake.requests[2:]] == [second, second]
    assert "retries" not in again.response_metadata
    assert again.response_metadata["repairs"] == other.response_metadata["repairs"] == [repair]
    assert said == said_by_other == []
    body, notes = model.preview("Hi")
    assert body == second
    assert [(note.kind, note.message) for note in notes] == [("refused", repair)]


@pytest.mark.parametrize("name", REFUSALS)
def test_strict_model_raises_the_error_of_the_server(name):
    text, options, *_ = REFUSALS[name]
    fake, model = build([refuse(text)] * 2, strict=True, **options)
    with pytest.raises(InvalidRequestError) as raised:
        model.invoke("Hi")
    assert text in str(raised.value)
    assert len(fake.requests) == 1


def test_strict_model_sends_what_the_server_is_known_to_refuse():
    """A strict model sends a part of a request even if the server refused it in a request of another model."""
    text, options, path, _ = REFUSALS["seed"]
    fake, model = build([refuse(text), "One.", refuse(text)], **options)
    caught(lambda: model.invoke("Hi"))
    with pytest.raises(InvalidRequestError):
        fake.chat_model(strict=True, **options).invoke("Hi")
    assert at(fake.requests[2].body, *path) == 7


def test_without_retries_the_error_stands():
    text, options, *_ = REFUSALS["seed"]
    fake, model = build([refuse(text)], max_retries=0, **options)
    with pytest.raises(InvalidRequestError) as raised:
        model.invoke("Hi")
    assert raised.value.tries == len(fake.requests) == 1


def test_the_repair_uses_up_a_retry():
    text, options, *_ = REFUSALS["seed"]
    fake, model = build([refuse(text), Fault.overloaded(), "never"], max_retries=1, **options)
    with pytest.raises(ServerError) as raised:
        caught(lambda: model.invoke("Hi"))
    assert raised.value.tries == len(fake.requests) == 2
    assert "`seed` was left out" in str(raised.value)


def test_repair_and_retry_go_together(monkeypatch):
    monkeypatch.setattr("langchain_gemini_compat._transport.retry._FIRST_WAIT", 0.0)
    text, options, *_ = REFUSALS["seed"]
    fake, model = build([Fault.overloaded(), refuse(text), Fault.overloaded(), "One."], max_retries=3, **options)
    message, said = caught(lambda: model.invoke("Hi"))
    assert message.text == "One."
    assert ["seed" in request.body for request in fake.requests] == [True, True, False, False]
    assert message.response_metadata["retries"] == 3
    assert len(said) == 1


def test_expired_call_is_not_repaired():
    text, options, *_ = REFUSALS["seed"]

    def answer(request):
        threading.Event().wait(0.3)
        return refuse(text)

    _, model = build(answer, timeout={"total": 0.2, "first_byte": 5}, **options)
    with pytest.raises((InvalidRequestError, RequestTimeoutError)) as raised:
        model.invoke("Hi")
    assert raised.value.tries == 1


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (refuse("Request contains an invalid argument."), InvalidRequestError),
        (Fault.rate_limit("999s"), RateLimitError),
        (Fault.empty_reply(), EmptyReplyError),
    ],
)
def test_error_of_the_second_request_is_raised_and_nothing_is_remembered(second, kind):
    text, options, *_ = REFUSALS["seed"]
    options = {"extra_body": {**options["extra_body"], "user": "u"}}
    fake, model = build([refuse(text), second, "One."], max_retries=1, **options)
    with pytest.raises(kind) as raised:
        caught(lambda: model.invoke("Hi"))
    assert "second request" in str(raised.value)
    assert "`seed` was left out" in str(raised.value)
    assert str(raised.value) == getattr(raised.value, "message", str(raised.value))
    assert len(fake.requests) == 2
    assert model.preview("Hi")[1] == []
    message, said = caught(lambda: model.invoke("Hi"))
    assert "seed" in fake.requests[2].body
    assert "repairs" not in message.response_metadata
    assert said == []


TWO = {"extra_body": {"presence_penalty": 0.5, "seed": 7}}


def refuse_in_turn(request):
    """Refuse `presence_penalty`. If the request does not contain it, refuse `seed`."""
    if "presence_penalty" in request.body:
        return refuse("Penalty is not enabled for this model")
    return refuse(UNKNOWN.format("seed", "")) if "seed" in request.body else "One."


def test_two_parts_that_are_refused_in_turn_are_repaired():
    fake, model = build(refuse_in_turn, **TWO)
    message, said = caught(lambda: model.invoke("Hi"))
    assert message.response_metadata["retries"] == 2
    assert len(message.response_metadata["repairs"]) == len(said) == 2
    again, said = caught(lambda: model.invoke("Hi"))
    assert len(fake.requests) == 4
    assert len(again.response_metadata["repairs"]) == 2
    assert said == []


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
def test_part_is_remembered_if_the_server_then_refuses_another(way):
    """If the server refuses first one part and then another, one retry is not enough. The next call omits the first."""
    fake, model = build(refuse_in_turn, max_retries=1, **TWO)
    call = {
        "invoke": lambda: model.invoke("Hi"),
        "ainvoke": lambda: asyncio.run(model.ainvoke("Hi")),
        "stream": lambda: [*model.stream("Hi")],
    }[way]
    with pytest.raises(InvalidRequestError, match="second request, in which a part was changed: `presence_penalty`"):
        caught(call)
    assert len(fake.requests) == 2
    caught(call)
    assert len(fake.requests) == 4
    caught(call)
    assert len(fake.requests) == 5


def test_part_that_is_refused_again_is_not_changed_again():
    """If the changed `reasoning_effort` is refused as well, the call raises the error and sends no third request."""
    refused = refuse("Invalid value for reasoning_effort: xhigh. Valid values are: high, low, medium.")
    other = refuse("Invalid value for reasoning_effort: high. Valid values are: low, medium.")
    fake, model = build([refused, other, "never"], extra_body={"reasoning_effort": "xhigh"})
    with pytest.raises(InvalidRequestError, match="second request"):
        caught(lambda: model.invoke("Hi"))
    assert len(fake.requests) == 2
    assert model.preview("Hi")[1] == []


def test_refusal_under_a_condition_changes_only_its_call():
    """The server refuses `include_thoughts` only if thinking is off, so the next call still sends it."""
    texts = refuse("include_thoughts is only enabled when thinking is enabled.")
    fake, model = build([texts, "One.", "Two."], **google(thinking_config={"include_thoughts": True}))
    message, said = caught(lambda: model.invoke("Hi"))
    assert len(message.response_metadata["repairs"]) == len(said) == 1
    assert "Later requests" not in said[0]
    again, said = caught(lambda: model.invoke("Hi"))
    assert fake.requests[2].body == fake.requests[0].body != fake.requests[1].body
    assert "repairs" not in again.response_metadata
    assert said == []


def test_effort_that_is_refused_with_tools_is_sent_without_them():
    text = "Function tools with reasoning_effort are not supported for m in /v1/chat/completions. Use /v1/responses."
    options = {"extra_body": {"reasoning_effort": "high"}}
    fake, model = build([refuse(text), "One.", "Two."], surface="openai_compatible", **options)
    caught(lambda: model.bind_tools([look]).invoke("Hi"))
    model.invoke("Hi")
    assert ["reasoning_effort" in request.body for request in fake.requests] == [True, False, True]


def test_warning_that_is_an_error_costs_no_answer():
    """The model warns before it sends a repaired request. So if warnings are errors, no paid answer is lost."""
    text, options, *_ = REFUSALS["seed"]
    fake, model = build([refuse(text), refuse(text), "One."], **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", GeminiCompatWarning)
        with pytest.raises(GeminiCompatWarning):
            model.invoke("Hi")
        assert len(fake.requests) == 1
        assert model.invoke("Hi").text == "One."


@pytest.mark.parametrize("surface", SURFACES)
def test_all_ways_to_call_are_repaired(surface):
    text, options, *_ = REFUSALS["seed"]

    async def astream(model):
        return [chunk async for chunk in model.astream("Hi")]

    ways = {
        "ainvoke": lambda model: asyncio.run(model.ainvoke("Hi")),
        "stream": lambda model: [*model.stream("Hi")],
        "astream": lambda model: asyncio.run(astream(model)),
        "batch": lambda model: model.batch(["Hi"]),
        "v3 events": lambda model: [*model.stream_events("Hi", version="v3")],
        "bound": lambda model: model.bind_tools([look]).invoke("Hi"),
    }
    for name, call in ways.items():
        fake, model = build([refuse(text), "One.", "Two."], surface=surface, **options)
        result, said = caught(lambda call=call, model=model: call(model))
        assert result, name
        assert len(said) == 1, name
        assert ["seed" in request.body for request in fake.requests] == [True, False], name
        _, said = caught(lambda call=call, model=model: call(model))
        assert said == [], name
        assert "seed" not in fake.requests[2].body, name


def test_stream_has_the_repair_in_its_metadata():
    text, options, *_ = REFUSALS["seed"]
    _, model = build([refuse(text), "One two three."], **options)
    chunks, _ = caught(lambda: [*model.stream("Hi")])
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.text == "One two three."
    assert len(whole.response_metadata["repairs"]) == 1


def test_stream_that_is_broken_off_by_a_refusal_is_not_repaired():
    text, options, *_ = REFUSALS["seed"]
    error = {"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}
    chunk = {"choices": [{"index": 0, "delta": {"content": "One"}}]}
    body = f"data: {json.dumps(chunk)}\n\ndata: {json.dumps(error)}\n\n"
    fake, model = build([Raw(body, content_type="text/event-stream"), "never"], **options)
    with pytest.raises(InvalidRequestError):
        [*model.stream("Hi")]
    assert len(fake.requests) == 1


def test_structured_output_keeps_its_format():
    text, options, *_ = REFUSALS["seed"]
    fake, model = build([refuse(text), '{"name": "Oslo"}'], **options)
    city, _ = caught(lambda: model.with_structured_output(City).invoke("The capital?"))
    assert city == City(name="Oslo")
    first, second = (request.body for request in fake.requests)
    assert first["response_format"] == second["response_format"]


def test_schema_of_an_answer_is_reduced():
    """A gateway gets the schema unchanged. After a refusal, the schema is sent without the refused keyword."""
    refused = refuse(UNKNOWN.format("default", " at 'generation_config.response_schema'"))
    fake, model = build([refused, '{"name": "Oslo"}', '{"name": "Rome"}'], surface="openai_compatible")
    schema = {"title": "City", "type": "object", "properties": {"name": {"type": "string", "default": "Oslo"}}}
    structured = model.with_structured_output(schema, include_raw=True)
    result, said = caught(lambda: structured.invoke("The capital?"))
    caught(lambda: structured.invoke("The capital?"))
    sent = [request.body["response_format"]["json_schema"]["schema"]["properties"]["name"] for request in fake.requests]
    assert sent == [{"type": "string", "default": "Oslo"}, {"type": "string"}, {"type": "string"}]
    assert result["parsed"] == {"name": "Oslo"}
    assert len(result["raw"].response_metadata["repairs"]) == len(said) == 1


def test_schemas_of_tools_are_reduced():
    refused = refuse(UNKNOWN.format("title", " at 'tools[0].function_declarations[0].parameters'"))
    schema = {"title": "Look", "type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
    tool = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": schema}}
    fake, model = build([refused, Call("look", {"place": "Oslo"})], surface="openai_compatible")
    message, said = caught(lambda: model.bind_tools([tool]).invoke("Look at Oslo."))
    first, second = (request.body["tools"][0]["function"] for request in fake.requests)
    assert first["parameters"] == schema
    assert second == {**first, "parameters": {key: value for key, value in schema.items() if key != "title"}}
    assert message.tool_calls[0]["args"] == {"place": "Oslo"}
    assert len(message.response_metadata["repairs"]) == len(said) == 1


def test_agent_goes_on_after_a_refusal():
    text, options, *_ = REFUSALS["seed"]
    fake, model = build([refuse(text), Call("look", {"place": "Oslo"}), "It is sunny."], **options)
    state, said = caught(lambda: create_agent(model, [look]).invoke({"messages": [HumanMessage("Oslo?")]}))
    assert [type(message) for message in state["messages"]] == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    assert ["seed" in request.body for request in fake.requests] == [True, False, False]
    assert fake.requests[0].tools == fake.requests[1].tools == fake.requests[2].tools
    assert len(said) == 1


def test_image_in_a_tool_result_is_moved():
    """Gemini 3 on Vertex AI accepts images in results. For other models, the image is moved to a user message."""
    image = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
    call = {"name": "look", "args": {"place": "Oslo"}, "id": "c1"}
    history = [
        HumanMessage("Oslo?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage([image], tool_call_id="c1", name="look"),
    ]
    refused = refuse("Unable to submit request because `function_response.parts` is not supported for this model.")
    fake, model = build([refused, "Sunny.", "Sunny."], surface="vertex")
    message, said = caught(lambda: model.invoke(history))
    first, second = (request.messages for request in fake.requests)
    assert [one["role"] for one in first] == ["user", "assistant", "tool"]
    assert [one["role"] for one in second] == ["user", "assistant", "tool", "user"]
    assert "extra_content" not in second[2]
    assert second[3]["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="
    assert len(message.response_metadata["repairs"]) == len(said) == 1
    caught(lambda: model.invoke(history))
    assert fake.requests[2].messages == second


def test_concurrent_calls_warn_once():
    text, options, *_ = REFUSALS["seed"]
    fake, model = build(lambda request: refuse(text) if "seed" in request.body else "One.", **options)
    messages, said = caught(lambda: model.batch(["Hi"] * 8, config={"max_concurrency": 8}))
    assert {message.text for message in messages} == {"One."}
    assert len(said) == 1
    assert len(fake.requests) <= 16


def test_limit_of_one_call_stays_without_its_parameter():
    """After the server refused `parallel_tool_calls`, it may send two calls. The message still has only the first."""
    calls = [Call("look", {"place": "Oslo"}), Call("look", {"place": "Rome"})]
    refused = refuse("Unknown parameter: 'parallel_tool_calls'.")
    options = {"extra_body": {"parallel_tool_calls": False}}
    fake, model = build([refused, calls, calls], surface="openai_compatible", **options)
    for _ in range(2):
        message, _ = caught(lambda: model.bind_tools([look]).invoke("Look."))
        assert [call["args"]["place"] for call in message.tool_calls] == ["Oslo"]
    assert ["parallel_tool_calls" in request.body for request in fake.requests] == [True, False, False]


def test_n_and_caches_raise():
    for text, options in (
        ("Only one candidate can be specified in the current model", {"n": 2}),
        (UNKNOWN.format("n", ""), {"n": 2}),
        (UNKNOWN.format("cached_content", " at 'extra_body.google'"), {"cached_content": "cachedContents/1"}),
    ):
        fake, model = build([refuse(text)], surface="openai_compatible", **options)
        with pytest.raises(InvalidRequestError):
            model.invoke("Hi")
        assert len(fake.requests) == 1


def test_rules_of_the_fake_are_met_after_one_refusal():
    """The fake refuses `store`, as AI Studio does, and accepts the repaired request."""
    fake = FakeGemini("One.")
    message, said = caught(lambda: fake.chat_model(extra_body={"store": True}).invoke("Hi"))
    assert message.text == "One."
    assert len(fake.requests) == 2
    assert len(fake.refusals) == len(said) == 1


def test_new_fake_has_not_refused_anything():
    text, options, *_ = REFUSALS["seed"]
    _, model = build([refuse(text), "One."], **options)
    caught(lambda: model.invoke("Hi"))
    fake, model = build("Two.", **options)
    model.invoke("Hi")
    assert "seed" in fake.requests[0].body


def test_recorded_repair_is_replayed(tmp_path):
    """A recording and its replay send the same requests: first the request that is refused, then the repaired one."""
    text, options, *_ = REFUSALS["seed"]
    path = tmp_path / "bug.yaml"
    _, model = build([refuse(text), "Before.", refuse(text), "One.", "Two."], **options)
    caught(lambda: model.invoke("Hi"))
    with record(path):
        recorded, _ = caught(lambda: [model.invoke(prompt) for prompt in ("Hi", "And?")])
    with replay(path) as replayed:
        again, said = caught(lambda: [model.invoke(prompt) for prompt in ("Hi", "And?")])
        assert replayed.remaining == 0
    assert [one.text for one in again] == [one.text for one in recorded] == ["One.", "Two."]
    assert len(said) == 1
    assert model.preview("Hi")[1] == []


def test_embeddings_are_repaired():
    def rule(request):
        return FAULT if "user" in request.body else None

    fake = FakeGemini()
    fake.embedding_rule = rule
    embeddings = fake.embeddings(model_kwargs={"user": "u"}, batch_size=1, dimensions=64)
    vectors, said = caught(lambda: embeddings.embed_documents(["a", "b"]))
    assert [len(vector) for vector in vectors] == [64, 64]
    assert ["user" in request.body for request in fake.requests] == [True, False, False]
    assert len(said) == 1
    assert embeddings.preview(["a"])[0].keys() == {"model", "input", "dimensions"}
    with pytest.raises(InvalidRequestError):
        fake.embeddings(model_kwargs={"user": "u"}, strict=True).embed_query("a")


def test_embeddings_keep_their_dimensions():
    fake = FakeGemini()
    fake.embedding_rule = lambda request: Fault("x", error=error_of(UNKNOWN.format("dimensions", "")))
    with pytest.raises(InvalidRequestError):
        asyncio.run(fake.embeddings(dimensions=64).aembed_query("a"))
    assert len(fake.requests) == 1


def test_async_embeddings_are_repaired():
    fake = FakeGemini()
    fake.embedding_rule = lambda request: FAULT if "user" in request.body else None
    embeddings = fake.embeddings(model_kwargs={"user": "u"}, batch_size=1, max_concurrency=1)
    vectors, said = caught(lambda: asyncio.run(embeddings.aembed_documents(["a", "b"])))
    assert len(vectors) == 2
    assert len(fake.requests) == 3
    assert len(said) == 1


def error_of(text):
    return GoogleError(400, "INVALID_ARGUMENT", text)


FAULT = Fault("user", error=error_of(UNKNOWN.format("user", "")))


def test_refusal_with_status_200_is_repaired():
    """Some gateways send a refusal with status 200. The model repairs the request, and sends it again."""
    text, options, *_ = REFUSALS["seed"]
    body = {"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}
    fake, model = build([Raw(body), Reply("One.")], surface="openai_compatible", **options)
    message, _ = caught(lambda: model.invoke("Hi"))
    assert message.text == "One."
    assert len(fake.requests) == 2
