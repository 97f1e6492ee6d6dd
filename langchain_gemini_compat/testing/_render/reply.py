"""Turn a reply into the JSON of a surface: one whole completion, or the frames of a stream.

By default, the JSON has the form that public captures and Google's examples page show for the surface. A `Style`
selects another form.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_object, dump, read_path
from langchain_gemini_compat.testing._render.calls import CallWriter
from langchain_gemini_compat.testing._render.context import resolve_style
from langchain_gemini_compat.testing._render.texts import tag_pieces, tag_whole
from langchain_gemini_compat.testing._render.usage import write_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue
    from langchain_gemini_compat.testing._model.replies import Reply, Style
    from langchain_gemini_compat.testing._render.context import RenderContext
    from langchain_gemini_compat.testing._render.texts import Piece


def render_whole(reply: Reply, context: RenderContext, *, choices: bool = True) -> JsonObject:
    """Return the body of a reply that is not a stream. With `choices=False`, the list `choices` is empty."""
    style = resolve_style(reply.style, context)
    choice: JsonObject = {"index": 0, "finish_reason": _finish_reason(reply, "tool_calls")}
    # If Google blocks a prompt, the choice in its reply has no `message`.
    if not (reply.is_empty and (reply.finish_reason or "").startswith("content_filter")):
        choice["message"] = _whole_message(reply, style, context)
    body: JsonObject = {**_envelope(context), "object": "chat.completion", "usage": write_usage(reply, context)}
    body["choices"] = [_with_nulls(choice, context)] if choices else []
    return body


def render_frames(reply: Reply, context: RenderContext, *, choices: bool = True, finished: bool = True) -> list[bytes]:
    """Return the events of a stream. With `finished=False`, the stream has no finish reason, usage or `[DONE]`."""
    style = resolve_style(reply.style, context)
    deltas = _build_deltas(reply, style, context)
    if finished and _signs_text(reply, style, context):
        extra: JsonObject = {"google": {"thought_signature": context.signature()}}
        deltas.append({"content": "", "extra_content": extra, "role": "assistant"})
    frames = [_build_chunk({"delta": delta}, context) for delta in deltas]
    if not choices:
        frames = [{**_envelope(context), "object": "chat.completion.chunk", "choices": []}]
    if finished:
        frames = _add_ending(frames, reply, style, context)
    return [encode_event(frame) for frame in frames] + ([b"data: [DONE]\n\n"] if finished else [])


def encode_event(value: JsonValue) -> bytes:
    """Return `value` as a server-sent event."""
    return f"data: {dump(value)}\n\n".encode("utf-8", "surrogatepass")


def _whole_message(reply: Reply, style: Style, context: RenderContext) -> JsonObject:
    message: JsonObject = {"role": "assistant"}
    writer = CallWriter(reply, style, context)
    text = tag_whole(reply, style, context.thought_tag)
    if text:
        message["content"] = text
    elif context.surface == "openai_compatible":
        message["content"] = None
    if reply.calls:
        message["tool_calls"] = [*writer.whole()]
    if reply.image is not None:
        message |= {"content": text or None, "audio": _image_as_audio(reply)}
    if reply.thoughts and style.thoughts == "reasoning_content":
        message["reasoning_content"] = reply.thoughts
    extra = _thought_flag(reply, style, context)
    if reply.calls and style.signature == "on_delta":
        extra |= as_object(read_path(writer.signature_extra(), "extra_content", "google"))
    if _signs_text(reply, style, context):
        extra["thought_signature"] = context.signature()
    if extra:
        message["extra_content"] = {"google": extra}
    return message


def _thought_flag(reply: Reply, style: Style, context: RenderContext) -> JsonObject:
    """Return the flag `thought` of a message, or an empty object if the message shows no thoughts.

    In a reply that is not a stream, Google sets the flag on the message, although it contains the answer as well.
    """
    shown = reply.thoughts and context.thought_tag is not None
    return {"thought": True} if shown and style.thoughts in ("flagged", "unclosed") else {}


def _build_deltas(reply: Reply, style: Style, context: RenderContext) -> list[JsonObject]:
    """Return the delta of each frame, without finish reason and usage."""
    pieces = tag_pieces(reply, style, context.thought_tag)
    writer = CallWriter(reply, style, context)
    closing = pieces.pop().text if pieces and pieces[-1].is_closing_tag and reply.calls else ""
    deltas = [_text_delta(piece, style) for piece in pieces]
    if style.thoughts == "reasoning_content" and reply.thoughts:
        deltas.insert(0, {"reasoning_content": reply.thoughts})
    for number, entries in enumerate(writer.frames()):
        delta: JsonObject = {"tool_calls": [*entries]}
        if style.content in ("null", "empty"):
            delta["content"] = None if style.content == "null" else ""
        # If no text follows the thoughts, the closing tag is in the frame of the first call.
        if number == 0 and closing:
            delta["content"] = closing
        deltas.append(delta)
    if style.signature == "on_delta" and writer.signature_extra():
        deltas.append(writer.signature_extra())
    if reply.image is not None:
        deltas.append({"audio": _image_as_audio(reply)})
    if context.surface == "openai_compatible":
        return [{"role": "assistant", "content": ""}, *deltas]
    return [{"role": "assistant", **delta} for delta in deltas]


def _text_delta(piece: Piece, style: Style) -> JsonObject:
    content: JsonValue = [{"text": piece.text}] if style.content == "parts" else piece.text
    if piece.is_thought and style.thoughts in ("flagged", "unclosed"):
        return {"content": content, "extra_content": {"google": {"thought": True}}}
    return {"content": content}


def _add_ending(frames: list[JsonObject], reply: Reply, style: Style, context: RenderContext) -> list[JsonObject]:
    """Return `frames` with the finish reason and the token usage. They may be in an additional last frame."""
    reason_with_calls = "tool_calls" if style.finish in ("tool_calls", "camel_case") else "stop"
    reason = _finish_reason(reply, reason_with_calls)
    own_frame = not frames or (reply.calls and not (context.surface == "vertex" and context.streams_arguments))
    if own_frame or context.surface == "openai_compatible":
        delta: JsonObject = {} if context.surface == "openai_compatible" else {"role": "assistant"}
        frames = [*frames, _build_chunk({"delta": delta}, context)]
    key = "finishReason" if style.finish == "camel_case" else "finish_reason"
    for frame in frames if style.finish == "every_chunk" else frames[-1:]:
        for choice in _choices_of(frame):
            if style.finish != "absent":
                choice[key] = reason
    return _add_usage(frames, reply, style, context)


def _add_usage(frames: list[JsonObject], reply: Reply, style: Style, context: RenderContext) -> list[JsonObject]:
    if style.usage == "trailer":
        trailer: JsonObject = {**_envelope(context), "object": "chat.completion.chunk", "choices": []}
        trailer["usage"] = write_usage(reply, context)
        return [*frames, trailer]
    if style.usage == "every_chunk":
        for number, frame in enumerate(frames, start=1):
            frame["usage"] = write_usage(reply, context, share=number / len(frames))
    elif style.usage == "last":
        frames[-1]["usage"] = write_usage(reply, context)
    return frames


def _choices_of(frame: JsonObject) -> Sequence[JsonObject]:
    choices = frame["choices"]
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _build_chunk(choice: JsonObject, context: RenderContext) -> JsonObject:
    whole: JsonObject = {"index": 0, **choice}
    if context.surface == "openai_compatible":
        whole["finish_reason"] = None
    return {**_envelope(context), "object": "chat.completion.chunk", "choices": [_with_nulls(whole, context)]}


def _with_nulls(choice: JsonObject, context: RenderContext) -> JsonObject:
    """Return `choice`, with the empty fields that the surface sends as `null`."""
    return choice if context.surface == "ai_studio" else {**choice, "logprobs": None}


def _envelope(context: RenderContext) -> JsonObject:
    envelope: JsonObject = {"created": context.created, "id": context.reply_id, "model": context.model}
    return envelope | {"system_fingerprint": ""} if context.surface == "vertex" else envelope


def _finish_reason(reply: Reply, reason_with_calls: str) -> str:
    return reply.finish_reason or (reason_with_calls if reply.calls else "stop")


def _signs_text(reply: Reply, style: Style, context: RenderContext) -> bool:
    spoken = bool(reply.text or reply.image) and not reply.calls
    return spoken and reply.signed and context.signs and style.signature != "absent"


def _image_as_audio(reply: Reply) -> JsonObject:
    """Return the value of the field `audio`. Despite its name, Google sends images in it (Google's examples page)."""
    data = b64encode(reply.image).decode() if isinstance(reply.image, bytes) else reply.image
    return {"data": data, "extra_content": {"google": {"mime_type": reply.image_type}}}
