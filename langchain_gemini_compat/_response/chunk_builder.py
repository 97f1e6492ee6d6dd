"""Sets the fields of LangChain's chunk objects directly, without pydantic's validation. Only this module does so.

The reason is speed: a stream has one chunk object for each piece of text. LangChain's constructors take nine times as
long as this module, and with them, a text chunk would take 1.6 times as long in total (measured in November 2026).

This module relies on two internals of pydantic (2.7 to 2.14) and langchain-core (1.6 to 1.8):

- The slots of `BaseModel`. If pydantic has other slots, the constructors are used instead.
- The fields that the constructors set. If a release of langchain-core derives further fields from the arguments, these
  fields have only their defaults.

In both cases, `tests/response/test_chunks.py` fails. It compares the chunks of this module with constructed chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

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

#: Maximum length of unfinished arguments that are parsed, since langchain-core's `parse_partial_json` takes quadratic
#: time.
_LONGEST_PIECE = 4096
#: The templates for the chunks that this module fills. LangChain's constructors build the templates, so the templates
#: have all fields of the installed langchain-core.
_PLAIN = AIMessageChunk(content="", additional_kwargs={}, response_metadata={})
_GENERATION = ChatGenerationChunk(message=_PLAIN)
_PLAIN_STATE, _GENERATION_STATE = _PLAIN.__dict__, _GENERATION.__dict__
_GENERATION_FIELDS = frozenset(_GENERATION.model_fields_set)
_PLAIN_FIELDS = frozenset(_PLAIN.model_fields_set)
_CALLING_FIELDS = _PLAIN_FIELDS | {"tool_call_chunks", "tool_calls", "invalid_tool_calls"}
#: The slots in which pydantic keeps the state of a model: `BaseModel.__slots__` of pydantic 2.7 to 2.14.
_SLOTS = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")

_Setter: TypeAlias = "Callable[[BaseModel, object], None]"


def _find_setters(base: type) -> tuple[_Setter, _Setter, _Setter, _Setter] | None:
    """Return the setters of pydantic's slots; `None` if `base` has other slots than pydantic 2.7 to 2.14.

    The setters are faster than `object.__setattr__`, which looks up each slot by its name. These lookups would take
    5,600 of the 176,500 instructions of a text chunk (measured in November 2026).
    """
    if base.__dict__.get("__slots__") != _SLOTS:
        return None
    setters = [cast("_Setter", base.__dict__[slot].__set__) for slot in _SLOTS]
    return setters[0], setters[1], setters[2], setters[3]


_SETTERS = _find_setters(BaseModel)


def build_chunk(
    text: str,
    additional_kwargs: JsonObject,
    response_metadata: dict[str, object],
    tool_call_chunks: list[ToolCallChunk],
) -> ChatGenerationChunk:
    """Return a new chunk of a stream, which is not its last chunk. It contains the given objects, not copies."""
    if _SETTERS is None:
        return _construct_chunk(text, additional_kwargs, response_metadata, tool_call_chunks)
    set_state, set_fields, set_extra, set_private = _SETTERS
    valid, invalid = read_calls(tool_call_chunks) if tool_call_chunks else ([], [])
    state = _PLAIN_STATE.copy()
    state["content"] = text
    state["additional_kwargs"] = additional_kwargs
    state["response_metadata"] = response_metadata
    state["tool_calls"] = valid
    state["invalid_tool_calls"] = invalid
    state["tool_call_chunks"] = tool_call_chunks
    message = AIMessageChunk.__new__(AIMessageChunk)
    set_state(message, state)
    set_fields(message, set(_CALLING_FIELDS if tool_call_chunks else _PLAIN_FIELDS))
    set_extra(message, {})
    set_private(message, None)
    state = _GENERATION_STATE.copy()
    state["text"] = text
    state["message"] = message
    chunk = ChatGenerationChunk.__new__(ChatGenerationChunk)
    set_state(chunk, state)
    set_fields(chunk, set(_GENERATION_FIELDS))
    set_extra(chunk, None)
    set_private(chunk, None)
    return chunk


def _construct_chunk(
    text: str,
    additional_kwargs: JsonObject,
    response_metadata: dict[str, object],
    tool_call_chunks: list[ToolCallChunk],
) -> ChatGenerationChunk:
    """Return the same chunk as `build_chunk`, built by LangChain's constructors."""
    message = AIMessageChunk(
        content=text,
        additional_kwargs=additional_kwargs,
        response_metadata=response_metadata,
        tool_call_chunks=tool_call_chunks,
    )
    return ChatGenerationChunk(message=message)


def read_calls(chunks: list[ToolCallChunk]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Return the valid and the invalid calls of `chunks`, as langchain-core's constructor does.

    A call with incomplete arguments, such as `{"city": "Pa`, counts as valid. So check first whether they are complete.
    """
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
    """Parse `args`, which may be incomplete JSON. Return `None` if `args` cannot become a JSON object."""
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
