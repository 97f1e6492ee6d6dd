"""Requests as they would be sent: three places to send to, and two ways to see the body."""

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
    """The place that a surface means, without any connection."""
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
    """The request for `messages`, straight from the pure code."""
    place = at or endpoint(surface, model)
    return build_payload(messages, options, place, stream=stream, strict=strict)


def wire_messages(messages, surface="vertex", model="gemini-3.8-flash", **options):
    """The `messages` of the request; where Google answers they have to pass the fake endpoint's rules."""
    request = build(messages, surface, model, **options)
    if surface != "openai_compatible":
        found = broken_rules(request.payload, surface)
        assert found == [], found
    return request.payload["messages"]


def broken_rules(payload, surface):
    """What Google would refuse in `payload`; signatures of these tests are no genuine ones, so those are left out."""
    found = judge_request(payload, surface).violations
    return [violation for violation in found if violation.rule != "signature-invalid"]


def send(messages, surface="vertex", model="gemini-3.8-flash", *, call=None, **kwargs):
    """The body that arrives at the server, after all that langchain-core does to messages on the way."""
    wire = Wire(completion())
    chat = ChatGeminiCompat(model=model, max_retries=0, **PLACES[surface], **wire.clients, **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GeminiCompatWarning)
        chat.invoke(messages, **(call or {}))
    (body,) = wire.bodies
    return body


def notes(request, *kinds):
    """The texts of the notes, of some kinds only."""
    return [note.message for note in request.notes if not kinds or note.kind in kinds]
