"""LangChain's chunk objects, filled without pydantic's validation: the one place that does so.

A chunk for each piece of a stream is where its time goes, and what comes in is typed already. Its one rule: the
objects are equal, in all that pydantic keeps of them, to those that the constructors make, and a test holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.json import parse_partial_json
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import InvalidToolCall, ToolCall
    from langchain_core.messages.tool import ToolCallChunk

    from langchain_gemini_compat._wire.json_types import JsonObject

#: Characters of an unfinished piece that are worth a look: looking takes langchain-core quadratic time.
_LONGEST_PIECE = 4096
#: What the constructors leave behind for such arguments, whatever fields this version of langchain-core has.
_PLAIN = AIMessageChunk(content="", additional_kwargs={}, response_metadata={})
_GENERATION = ChatGenerationChunk(message=_PLAIN)
_PLAIN_STATE, _GENERATION_STATE = _PLAIN.__dict__, _GENERATION.__dict__
_GENERATION_FIELDS = frozenset(_GENERATION.model_fields_set)
_PLAIN_FIELDS = frozenset(_PLAIN.model_fields_set)
_CALLING_FIELDS = _PLAIN_FIELDS | {"tool_call_chunks", "tool_calls", "invalid_tool_calls"}


def _setter(slot: str) -> Callable[[BaseModel, object], None]:
    return cast("Callable[[BaseModel, object], None]", vars(BaseModel)[slot].__set__)


#: Where pydantic keeps what a model holds, in the order of its own `BaseModel.__slots__`.
_set_state, _set_fields = _setter("__dict__"), _setter("__pydantic_fields_set__")
_set_extra, _set_private = _setter("__pydantic_extra__"), _setter("__pydantic_private__")


def build_chunk(
    text: str,
    additional_kwargs: JsonObject,
    response_metadata: dict[str, object],
    tool_call_chunks: list[ToolCallChunk],
) -> ChatGenerationChunk:
    """A chunk in the middle of a stream; the arguments become its own."""
    valid, invalid = _read_calls(tool_call_chunks) if tool_call_chunks else ([], [])
    state = _PLAIN_STATE.copy()
    state["content"] = text
    state["additional_kwargs"] = additional_kwargs
    state["response_metadata"] = response_metadata
    state["tool_calls"] = valid
    state["invalid_tool_calls"] = invalid
    state["tool_call_chunks"] = tool_call_chunks
    message = AIMessageChunk.__new__(AIMessageChunk)
    _set_state(message, state)
    _set_fields(message, set(_CALLING_FIELDS if tool_call_chunks else _PLAIN_FIELDS))
    _set_extra(message, {})
    _set_private(message, None)
    state = _GENERATION_STATE.copy()
    state["text"] = text
    state["message"] = message
    chunk = ChatGenerationChunk.__new__(ChatGenerationChunk)
    _set_state(chunk, state)
    _set_fields(chunk, set(_GENERATION_FIELDS))
    _set_extra(chunk, None)
    _set_private(chunk, None)
    return chunk


def _read_calls(chunks: list[ToolCallChunk]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """What langchain-core reads from pieces of arguments; only what opens with a bracket can be an object."""
    valid: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    for chunk in chunks:
        args = _read_args(chunk["args"])
        if args is None:
            invalid.append(invalid_tool_call(name=chunk["name"], args=chunk["args"], id=chunk["id"], error=None))
        else:
            valid.append(tool_call(name=chunk["name"] or "", args=args, id=chunk["id"]))
    return valid, invalid


def _read_args(args: str | None) -> dict[str, object] | None:
    if not args:
        return {}
    if not args.lstrip().startswith("{"):
        return None
    if len(args) > _LONGEST_PIECE and not args.rstrip().endswith("}"):
        return {}
    try:
        read = parse_partial_json(args)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
