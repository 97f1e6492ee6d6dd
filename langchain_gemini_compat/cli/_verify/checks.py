"""Checks that several probes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.json_types import object_at, text_at
from langchain_gemini_compat.cli._verify.probe import Observation

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat.cli._verify.lab import Lab, RawReply

ANSWER = "an answer"


def expect_answer(lab: Lab, body: JsonObject) -> Observation:
    """Send `body`. The claim holds if the server accepts `body`."""
    reply = lab.send(body)
    return Observation(reply.ok, reply.describe(), ANSWER)


def expect_refusal(lab: Lab, body: JsonObject, *words: str, status: int = 400) -> Observation:
    """Send `body`. The claim holds if the server refuses `body` with `status` and with all `words` in the message."""
    return observe_refusal(lab.send(body), *words, status=status)


def observe_refusal(reply: RawReply, *words: str, status: int = 400) -> Observation:
    """Return whether the claim holds: `reply` has to be a refusal with `status` and with all `words` in the message."""
    told = reply.error.lower()
    holds = reply.status == status and all(word.lower() in told for word in words)
    named = f" with {' and '.join(map(repr, words))}" if words else ""
    return Observation(holds, reply.describe(), f"{status}{named}")


def expect(lab: Lab, body: JsonObject, *words: str, accepted: bool) -> Observation:
    """Send `body`. The claim holds if the server accepts it. With `accepted=False`, the server must answer 400."""
    return expect_answer(lab, body) if accepted else expect_refusal(lab, body, *words)


def google_of(holder: JsonObject) -> JsonObject:
    """Return `extra_content.google` of a message, a content part or a tool call; `{}` if there is none."""
    return object_at(object_at(holder, "extra_content"), "google")


def signature_of(holder: JsonObject) -> str:
    """Return the thought signature of a message, a content part or a tool call; empty if there is none."""
    return text_at(google_of(holder), "thought_signature")


def say(value: object) -> str:
    """Return an observed value as a short text.

    >>> say(""), say(["stop"]), say("x" * 100)[-3:]
    ('nothing', "['stop']", '...')
    """
    text = " ".join(str(value).split())
    limit = 80
    return (text if len(text) <= limit else f"{text[: limit - 3]}...") or "nothing"
