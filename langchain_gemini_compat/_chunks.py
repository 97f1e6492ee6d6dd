"""LangChain's chunk objects, filled without pydantic's validation: the one place that does so.

A chunk for each piece of a stream is where its time goes, and what comes in is typed already. Its one rule: the
objects are equal, in all that pydantic keeps of them, to those that the constructors make, and a test holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.json import parse_partial_json

if TYPE_CHECKING:
    from langchain_core.messages import InvalidToolCall, ToolCall
    from langchain_core.messages.tool import ToolCallChunk

    from langchain_gemini_compat._wire import JsonObject

#: Characters of an unfinished piece that are worth a look: looking takes langchain-core quadratic time.
_LONGEST_PIECE = 4096
_set = object.__setattr__
#: What the constructors leave behind for such arguments, whatever fields this version of langchain-core has.
_PLAIN = AIMessageChunk(
    content="",
    additional_kwargs={},
    response_metadata={},
    tool_call_chunks=[],
    usage_metadata=None,
    chunk_position=None,
)
_CALLING = _PLAIN.model_fields_set | {"tool_calls", "invalid_tool_calls"}
_GENERATION = ChatGenerationChunk(message=_PLAIN, generation_info=None)


def build_chunk(
    text: str,
    additional_kwargs: JsonObject,
    response_metadata: dict[str, object],
    tool_call_chunks: list[ToolCallChunk],
) -> ChatGenerationChunk:
    """A chunk in the middle of a stream; the arguments become its own."""
    valid, invalid = _read_calls(tool_call_chunks)
    message = AIMessageChunk.__new__(AIMessageChunk)
    state = {
        **_PLAIN.__dict__,
        "content": text,
        "additional_kwargs": additional_kwargs,
        "response_metadata": response_metadata,
        "tool_calls": valid,
        "invalid_tool_calls": invalid,
        "tool_call_chunks": tool_call_chunks,
    }
    _set(message, "__dict__", state)
    _set(message, "__pydantic_fields_set__", set(_CALLING if tool_call_chunks else _PLAIN.model_fields_set))
    _set(message, "__pydantic_extra__", {})
    _set(message, "__pydantic_private__", None)
    chunk = ChatGenerationChunk.__new__(ChatGenerationChunk)
    _set(chunk, "__dict__", {**_GENERATION.__dict__, "text": text, "message": message})
    _set(chunk, "__pydantic_fields_set__", set(_GENERATION.model_fields_set))
    _set(chunk, "__pydantic_extra__", None)
    _set(chunk, "__pydantic_private__", None)
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
