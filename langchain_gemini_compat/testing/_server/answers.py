"""Turn replies, faults, raw bodies and violations into HTTP answers.

An answer has a status, headers, and the steps of its body: bytes, pauses and breaks. The in-process clients and the
HTTP server send answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast

from langchain_gemini_compat.testing._model.faults import Fault, GoogleError
from langchain_gemini_compat.testing._model.json_values import dump
from langchain_gemini_compat.testing._model.replies import Call, Raw, Reply
from langchain_gemini_compat.testing._render.reply import encode_event, render_frames, render_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue, Surface
    from langchain_gemini_compat.testing._render.context import RenderContext
    from langchain_gemini_compat.testing._rules.violations import Violation

_JSON = "application/json; charset=UTF-8"
_EVENTS = "text/event-stream"
_HTML = "text/html; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Pause:
    """A step of a body: send nothing for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Break:
    """A step of a body: break the connection."""


Step: TypeAlias = "bytes | Pause | Break"
#: A reply in any form that `FakeGemini` accepts.
AnyReply: TypeAlias = str | Call | Sequence[Call] | Reply | Raw | Fault


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. The status line is sent after `delay` seconds."""

    status: int
    headers: Mapping[str, str]
    steps: Sequence[Step]
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class _Body:
    """A body and its content type."""

    content_type: str
    steps: Sequence[Step] = field(default_factory=tuple[Step, ...])


def build_reply(reply: object) -> Reply | Raw | Fault:
    """Convert `reply` to a `Reply`, `Raw` or `Fault`. Raise `TypeError` if `reply` has another type than `AnyReply`."""
    if isinstance(reply, (Reply, Raw, Fault)):
        return reply
    if isinstance(reply, str):
        return Reply(reply)
    given = cast("list[object]", reply) if isinstance(reply, (list, tuple)) else [reply]
    calls = [call for call in given if isinstance(call, Call)]
    if calls and len(calls) == len(given):
        return Reply(calls=calls)
    raise TypeError(
        f"A reply of FakeGemini is a text, a Call, a list of Calls, a Reply, a Raw or a Fault, not {reply!r}. A "
        "function has to return one for every request."
    )


def answer_reply(reply: Reply | Raw | Fault, context: RenderContext) -> Answer:
    """Return the answer for `reply`, rendered for `context`."""
    if isinstance(reply, Raw):
        return answer_raw(reply)
    if isinstance(reply, Fault):
        return _answer_fault(reply, context)
    body = _render(reply, context)
    return Answer(200, {"content-type": body.content_type}, body.steps)


def answer_raw(raw: Raw) -> Answer:
    """Return the answer with the body of `raw`, unchanged."""
    body = raw.body if isinstance(raw.body, (bytes, str)) else dump(raw.body)
    data = body.encode() if isinstance(body, str) else body
    content_type = raw.content_type or _guess_content_type(data)
    return Answer(raw.status, {"content-type": content_type, **raw.headers}, (data,))


def answer_violation(violation: Violation, surface: Surface) -> Answer:
    """Return the refusal for a violation. Its header `x-fake-gemini-rule` contains the name of the rule."""
    error = GoogleError(violation.code, violation.status, violation.message, violation.details)
    answer = answer_error(error, surface, "")
    return Answer(answer.status, {**answer.headers, "x-fake-gemini-rule": violation.rule}, answer.steps)


def answer_error(error: GoogleError, surface: Surface, model: str) -> Answer:
    """Return the answer for `error`. On Google's surfaces, the body is a list with one object."""
    if surface == "openai_compatible":
        inner: JsonObject = {"message": error.message, "type": error.status.lower(), "param": None, "code": error.code}
        text = dump({"error": inner}).replace("{model}", model)
    else:
        text = _pretty([error_object(error)]).replace("{model}", model)
    return Answer(error.code, {"content-type": _JSON}, (text.encode(),))


def error_object(error: GoogleError) -> JsonObject:
    """Return `{"error": …}` in Google's format."""
    inner: JsonObject = {"code": error.code, "message": error.message, "status": error.status}
    if error.details:
        inner["details"] = [*error.details]
    return {"error": inner}


def _answer_fault(fault: Fault, context: RenderContext) -> Answer:
    if fault.raw is not None:
        return answer_raw(fault.raw)
    error = fault.error
    if error is not None and (fault.ending != "error" or not context.stream):
        if fault.vertex_error is not None and context.surface == "vertex":
            error = fault.vertex_error
        return answer_error(error, context.surface, context.model.rpartition("/")[2])
    body = _fault_body(fault, context)
    steps = [step for data in body.steps for step in (data, *([Pause(fault.between)] if fault.between else ()))]
    return Answer(200, {"content-type": body.content_type}, steps, fault.first_byte)


def _fault_body(fault: Fault, context: RenderContext) -> _Body:
    if fault.ending == "whole":
        return _render(fault.reply, context, choices=fault.choices)
    if not context.stream:
        whole = dump(render_whole(fault.reply, context)).encode()
        return _Body(_JSON, (whole[: len(whole) // 2], Break()))
    frames: list[Step] = [*render_frames(fault.reply, context, finished=False)]
    if fault.ending == "dropped":
        return _Body(_EVENTS, (*frames, b'data: {"choices":[{"delta":{"cont', Break()))
    if fault.ending == "error" and fault.error is not None:
        frames.append(_error_event(fault.error, fault.shape))
    return _Body(_EVENTS, frames)


def _error_event(error: GoogleError, shape: str) -> bytes:
    place, _, form = shape.partition("_")
    value: JsonValue = [error_object(error)] if form == "array" else error_object(error)
    return encode_event(value) if place == "data" else _pretty(value).encode()


def _render(reply: Reply, context: RenderContext, *, choices: bool = True) -> _Body:
    if context.stream:
        return _Body(_EVENTS, render_frames(reply, context, choices=choices))
    return _Body(_JSON, (dump(render_whole(reply, context, choices=choices)).encode("utf-8", "surrogatepass"),))


def _pretty(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _guess_content_type(data: bytes) -> str:
    start = data.lstrip()[:5]
    if start.startswith((b"data:", b":", b"event")):
        return _EVENTS
    return _HTML if start.startswith(b"<") else _JSON
