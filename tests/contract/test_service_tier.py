"""Tests of `service_tier`, which is a key of the body or, on Vertex AI, a header of the requests of one call."""

import warnings

import pytest
from langchain_core.messages import HumanMessage
from outgoing import SURFACES, build, endpoint, notes

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import GeminiCompatWarning, InvalidRequestError, UnsupportedParameterError
from langchain_gemini_compat.testing import FakeGemini, Fault, Raw

HEADER = "x-vertex-ai-llm-shared-request-type"
HI = [HumanMessage("Hi.")]


def tiers(fake):
    """Return two values for each request: the service tier in the header, and the service tier in the body."""
    return [(request.headers.get(HEADER), request.body.get("service_tier")) for request in fake.requests]


def ask_in_each_way(model, **options):
    model.invoke("Hi.", **options)
    list(model.stream("Hi.", **options))
    list(model.stream_events("Hi.", version="v3", **options))


async def ask_async(model, **options):
    await model.ainvoke("Hi.", **options)
    async for _ in model.astream("Hi.", **options):
        pass


@pytest.mark.parametrize("surface", ["ai_studio", "openai_compatible"])
@pytest.mark.parametrize("tier", ["flex", "priority", "standard"])
def test_a_tier_is_a_body_key_elsewhere(surface, tier):
    fake = FakeGemini(surface=surface)
    fake.chat_model(service_tier=tier).invoke("Hi.")
    assert tiers(fake) == [(None, tier)]
    assert build(HI, surface, service_tier=tier, strict=True).notes == ()


async def test_priority_is_a_header_on_vertex_in_each_kind_of_call():
    """The fake answers with the traffic type of priority requests."""
    fake = FakeGemini(surface="vertex")
    with warnings.catch_warnings():
        warnings.simplefilter("error", GeminiCompatWarning)
        model = fake.chat_model(service_tier="priority", strict=True)
        ask_in_each_way(model)
        await ask_async(model)
        reply = model.invoke("Hi.")
    assert tiers(fake) == [("priority", None)] * 6
    assert fake.ignored == []
    assert reply.response_metadata["traffic_type"] == "ON_DEMAND_PRIORITY"
    assert "repairs" not in reply.response_metadata


def test_the_header_belongs_to_one_call():
    """Models share an HTTP client, but the header is sent only with the requests of one call and with their retries."""
    fake = FakeGemini([Fault.rate_limit("0.01s"), "1", "2", "3"], surface="vertex")
    model = fake.chat_model(timeout={"retry_wait": 5})
    model.invoke("Hi.", service_tier="priority")
    assert model.invoke("Hi.").response_metadata["traffic_type"] == "ON_DEMAND"
    fake.chat_model().bind(service_tier="priority").invoke("Hi.")
    assert [tier for tier, _ in tiers(fake)] == ["priority", "priority", None, "priority"]


def test_the_header_stays_on_vertex():
    """Only Google's models on Vertex AI get the header. Other servers and self-deployed models do not."""
    vertex = FakeGemini(Fault.permission_denied(), surface="vertex")
    others = [FakeGemini(surface="ai_studio"), FakeGemini(surface="openai_compatible")]
    models = [fake.chat_model(service_tier="priority") for fake in others]
    for model in models:
        vertex.chat_model(service_tier="priority", max_retries=0).with_fallbacks([model]).invoke("Hi.")
    assert [tiers(fake) for fake in others] == [[(None, "priority")]] * 2
    request = build(HI, at=endpoint("vertex", "gemma", endpoint_id="123"), service_tier="priority")
    assert (request.headers, request.payload["service_tier"]) == ({}, "priority")


def test_default_headers_win():
    fake = FakeGemini(surface="vertex")
    name = "X-Vertex-AI-LLM-Shared-Request-Type"
    fake.chat_model(service_tier="priority", default_headers={name: "flex"}).invoke("Hi.")
    assert tiers(fake) == [("flex", None)]


def test_preview_shows_the_header():
    model = ChatGeminiCompat(model="gemini-3.8-flash", project="p", service_tier="priority", strict=True)
    body, found = model.preview("Hi.")
    assert "service_tier" not in body
    assert [(note.kind, note.message) for note in found] == [
        (
            "header",
            "`service_tier` 'priority' is sent as the header `X-Vertex-AI-LLM-Shared-Request-Type: priority`.",
        )
    ]


#: Error texts with which a server refuses the tier `priority`. The first text is assumed: Vertex AI's text for `flex`,
#: with the name of the tier replaced. No public report shows the text for `priority`.
REFUSED = [
    "Priority API is not supported for model: gemini-3.8-flash.",
    "Invalid value for header X-Vertex-AI-LLM-Shared-Request-Type: priority.",
    "Unsupported parameter: 'service_tier'.",
]


def refuse(text):
    return Raw([{"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}], 400)


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
async def test_refused_header_is_left_out_once(text, way):
    """After the refusal, the package sends the request once more, without the header, and warns once.

    Later calls without `strict` leave the header out from the start.
    """
    fake = FakeGemini([refuse(text), "One.", "Two.", "Three."], surface="vertex")
    model = fake.chat_model(service_tier="priority")
    with pytest.warns(GeminiCompatWarning, match="`service_tier` was left out") as told:
        reply = await call(model, way)
    assert reply.text == "One."
    assert tiers(fake) == [("priority", None), (None, None)]
    assert len(told) == len(reply.response_metadata["repairs"]) == reply.response_metadata["retries"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", GeminiCompatWarning)
        later = await call(model, way)
        strict = await call(fake.chat_model(service_tier="priority", strict=True), way)
    assert later.response_metadata["repairs"] == reply.response_metadata["repairs"]
    assert tiers(fake)[2:] == [(None, None), ("priority", None)]
    assert strict.text == "Three."
    assert [note.kind for note in model.preview("Hi.")[1]] == ["refused"]


async def call(model, way):
    """Return the message of a call with the method `way`: `invoke`, `ainvoke`, `stream` or `astream`."""
    if way in ("invoke", "ainvoke"):
        return model.invoke("Hi.") if way == "invoke" else await model.ainvoke("Hi.")
    chunks = [*model.stream("Hi.")] if way == "stream" else [chunk async for chunk in model.astream("Hi.")]
    return sum(chunks[1:], chunks[0])


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("options", [{"strict": True}, {"max_retries": 0}], ids=str)
def test_refused_header_is_an_error_with_strict_and_without_retries(text, options):
    fake = FakeGemini(refuse(text), surface="vertex")
    with pytest.raises(InvalidRequestError, match=text[:20]):
        fake.chat_model(service_tier="priority", **options).invoke("Hi.")
    assert tiers(fake) == [("priority", None)]


@pytest.mark.parametrize(
    "text", ["Flex API is not supported for model: m.", "Priority traffic is high.", "The header was read."]
)
def test_other_texts_do_not_remove_the_header(text):
    fake = FakeGemini(refuse(text), surface="vertex")
    with pytest.raises(InvalidRequestError):
        fake.chat_model(service_tier="priority").invoke("Hi.")
    assert tiers(fake) == [("priority", None)]


def test_body_key_of_the_caller_stays_beside_a_refused_header():
    """After the server refused the header or `presence_penalty`, `service_tier` in `extra_body` is still sent."""
    replies = [refuse(REFUSED[0]), refuse("Penalty is not enabled for this model"), "Hi."]
    fake = FakeGemini(replies, surface="vertex", strict=False)
    extra = {"service_tier": "mine", "presence_penalty": 0.5}
    with pytest.warns(GeminiCompatWarning):
        fake.chat_model(service_tier="priority", extra_body=extra).invoke("Hi.")
    assert tiers(fake) == [("priority", "mine"), (None, "mine"), (None, "mine")]
    assert ["presence_penalty" in request.body for request in fake.requests] == [True, True, False]


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_refused_tier_is_left_out_of_the_body(tier):
    """The error text is the one with which Vertex AI refuses `flex`: https://github.com/vercel/ai/issues/19833."""
    fake = FakeGemini([refuse(f"{tier.title()} API is not supported for model: m."), "One."], surface="ai_studio")
    with pytest.warns(GeminiCompatWarning, match="`service_tier` was left out"):
        fake.chat_model(service_tier=tier).invoke("Hi.")
    assert tiers(fake) == [(None, tier), (None, None)]


@pytest.mark.parametrize("tier", ["flex", "scale"])
def test_a_tier_that_vertex_lacks_is_left_out_with_a_note(tier):
    request = build(HI, "vertex", service_tier=tier)
    assert (request.headers, "service_tier" in request.payload) == ({}, False)
    assert notes(request) == ["`service_tier` was left out: vertex accepts only 'standard' and 'priority'."]
    with pytest.raises(UnsupportedParameterError, match="service_tier"):
        build(HI, "vertex", service_tier=tier, strict=True)


@pytest.mark.parametrize("tier", ["standard", "default", "auto"])
def test_the_standard_tier_needs_no_header_on_vertex(tier):
    request = build(HI, "vertex", service_tier=tier, strict=True)
    assert (request.headers, "service_tier" in request.payload, request.notes) == ({}, False, ())


@pytest.mark.parametrize("surface", SURFACES)
def test_without_a_tier_nothing_is_sent(surface):
    request = build(HI, surface)
    assert (request.headers, "service_tier" in request.payload) == ({}, False)
