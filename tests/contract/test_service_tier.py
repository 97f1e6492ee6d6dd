"""`service_tier`: a key of the body, and on Vertex AI a header of the requests of one call."""

import warnings

import pytest
from langchain_core.messages import HumanMessage
from outgoing import SURFACES, build, endpoint, notes

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import GeminiCompatWarning, UnsupportedParameterError
from langchain_gemini_compat.testing import FakeGemini, Fault

HEADER = "x-vertex-ai-llm-shared-request-type"
HI = [HumanMessage("Hi.")]


def tiers(fake):
    """Return the header and the body key of each request."""
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
    """Models share an HTTP client, and a call may set the tier itself. A retry keeps the header."""
    fake = FakeGemini([Fault.rate_limit("0.01s"), "1", "2", "3"], surface="vertex")
    model = fake.chat_model(timeout={"retry_wait": 5})
    model.invoke("Hi.", service_tier="priority")
    assert model.invoke("Hi.").response_metadata["traffic_type"] == "ON_DEMAND"
    fake.chat_model().bind(service_tier="priority").invoke("Hi.")
    assert [tier for tier, _ in tiers(fake)] == ["priority", "priority", None, "priority"]


def test_the_header_stays_on_vertex():
    """A fallback on another server, and a deployment of your own, get no header of Google's."""
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


@pytest.mark.parametrize("tier", ["flex", "scale"])
def test_a_tier_that_vertex_lacks_is_left_out_with_a_note(tier):
    request = build(HI, "vertex", service_tier=tier)
    assert (request.headers, "service_tier" in request.payload) == ({}, False)
    assert notes(request) == ["`service_tier` was left out: vertex has only 'standard' and 'priority' here."]
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
