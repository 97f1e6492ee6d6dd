"""Builds requests for three surfaces, with the function `build_payload` alone or with the whole chat model."""

import warnings

from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._catalog.surfaces import build_endpoint
from langchain_gemini_compat._request.build import build_payload
from langchain_gemini_compat.errors import GeminiCompatWarning
from langchain_gemini_compat.testing._rules.judge import judge_request

SURFACES = ("vertex", "ai_studio", "openai_compatible")
GOOGLE = SURFACES[:2]
PLACES = {
    "vertex": {"project": "p", "api_key": "k"},
    "ai_studio": {"api_key": "k"},
    "openai_compatible": {"base_url": "http://gateway.test/v1", "api_key": "k"},
}


def endpoint(surface="vertex", model="gemini-3.8-flash", endpoint_id=None, base_url=None):
    """Return the endpoint of a surface, without a connection."""
    gateway = "http://gateway.test/v1" if surface == "openai_compatible" else None
    return build_endpoint(
        surface=surface,
        model=model,
        project="p",
        location=None,
        endpoint_id=endpoint_id,
        base_url=base_url or gateway,
        api_version="v1",
    )


def build(messages, surface="vertex", model="gemini-3.8-flash", *, stream=False, strict=False, at=None, **options):
    """Return the request for `messages`, as `build_payload` builds it. This needs no chat model."""
    place = at or endpoint(surface, model)
    return build_payload(messages, options, place, stream=stream, strict=strict)


def wire_messages(messages, surface="vertex", model="gemini-3.8-flash", **options):
    """Return the `messages` of the request. For Google's surfaces, assert that the fake endpoint accepts them."""
    request = build(messages, surface, model, **options)
    if surface != "openai_compatible":
        found = broken_rules(request.payload, surface)
        assert found == [], found
    return request.payload["messages"]


def broken_rules(payload, surface):
    """Return the rules that `payload` breaks.

    Signatures are not checked, because the tests use invented signatures.
    """
    found = judge_request(payload, surface).violations
    return [violation for violation in found if violation.rule != "signature-invalid"]


def send(messages, surface="vertex", model="gemini-3.8-flash", *, call=None, **kwargs):
    """Return the body that arrives at the server, after langchain-core has processed the messages."""
    wire = Wire(completion())
    chat = ChatGeminiCompat(model=model, max_retries=0, **PLACES[surface], **wire.clients, **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GeminiCompatWarning)
        chat.invoke(messages, **(call or {}))
    (body,) = wire.bodies
    return body


def notes(request, *kinds):
    """Return the texts of the notes, optionally of some kinds only."""
    return [note.message for note in request.notes if not kinds or note.kind in kinds]
