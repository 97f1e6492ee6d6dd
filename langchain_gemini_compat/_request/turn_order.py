"""Arranges wire messages as Gemini requires: valid turns, a result for each call, a signature for each step.

Each repair is the smallest change that makes the request valid, and adds a note. The same history always gets the same
repairs. Sources of the server's rules: Google's page on thought signatures, and refusals in public issues ("number of
function response parts", "function call turn comes immediately after a user turn", "requests ending with a model
turn", "contents is not specified").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._signatures import PLACEHOLDER_SIGNATURE, PLACEHOLDER_SIGNATURES, is_signed, read_signature
from langchain_gemini_compat._wire.json_types import object_at
from langchain_gemini_compat._wire.notes import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Content of the tool result that is added for a call without a result. Such a call was interrupted or rejected, for
#: example, or its result was trimmed from the history.
NO_RESULT = '{"error":"This call has no result."}'
#: Text of the user message that is added where Gemini requires a user turn.
BRIDGE = "Continue."

_NO_SIGNATURE = (None, *PLACEHOLDER_SIGNATURES)
#: Signatures of a call that the placeholder signature replaces: `None` (no signature), and other placeholders, which
#: some surfaces refuse.
_UNSIGNED = (None, *(spelling for spelling in PLACEHOLDER_SIGNATURES if spelling != PLACEHOLDER_SIGNATURE))


@dataclass(slots=True)
class Placed:
    """A wire message, and the index of the caller's message from which it was encoded."""

    message: JsonObject
    #: The index of the caller's message, from 0; `None` for an added message.
    index: int | None = None
    #: The tool calls of `message`. This is the same list object, so changes apply to the message.
    calls: list[JsonObject] = field(init=False)

    def __post_init__(self) -> None:
        self.calls = cast("list[JsonObject]", self.message.get("tool_calls") or [])


@dataclass(slots=True)
class _Step:
    """An assistant message with tool calls, and the results of these calls."""

    asked: Placed
    #: Maps the id of each call to the call's result, or to `None` without a result. The ids are in the order of the
    #: calls.
    results: dict[str, Placed | None]


def arrange_turns(encoded: Sequence[Placed], family: ModelFamily, notes: list[Note]) -> list[JsonObject]:
    """Return the messages in an order that Gemini accepts. Each repair adds a note to `notes`."""
    arranged = _pair_results(_gather_system(encoded, notes), notes)
    if arranged and all(placed.message["role"] == "system" for placed in arranged):
        _note(notes, arranged[0], "The system message was sent as a user message: there is no other message.")
        arranged = [Placed({**placed.message, "role": "user"}, placed.index) for placed in arranged]
    arranged = _bridge_turns(arranged, family, notes)
    _place_placeholders(arranged, family, notes)
    return [placed.message for placed in arranged]


def leave_out_orphans(encoded: Sequence[Placed], notes: list[Note]) -> list[JsonObject]:
    """For servers other than Google's: return the messages without those tool results whose call is missing.

    OpenAI's API and vLLM refuse a result without a call.
    """
    known: set[str] = set()
    kept: list[JsonObject] = []
    for placed in encoded:
        known.update(str(call["id"]) for call in placed.calls)
        call_id = placed.message.get("tool_call_id")
        # A `ChatMessage` with the role `tool` has no `tool_call_id`, and is not the result of a tool call. Keep it.
        if placed.message["role"] == "tool" and call_id is not None and call_id not in known:
            _note_orphan(notes, placed)
        else:
            kept.append(placed.message)
    return kept


def _gather_system(encoded: Sequence[Placed], notes: list[Note]) -> list[Placed]:
    """Return the messages with all system messages joined into one at the front, as Google does."""
    system = [placed for placed in encoded if placed.message["role"] == "system"]
    rest = [placed for placed in encoded if placed.message["role"] != "system"]
    if not system:
        return rest
    joined = system[0]
    if len(system) > 1:
        contents = _join_contents([placed.message for placed in system])
        joined = Placed({"role": "system", "content": contents}, system[0].index)
        _note(notes, system[1], f"{len(system)} system messages were joined into one at the front.")
    elif encoded[0].message["role"] != "system":
        _note(notes, joined, "The system message was moved to the front.")
    return [joined, *rest]


def _join_contents(messages: Sequence[JsonObject]) -> JsonValue:
    """Return the contents of the messages as one text, with empty lines between them.

    If a content is a list, or a message has `extra_content`, the result is a list of parts.
    """
    contents = [message["content"] for message in messages]
    if all(isinstance(content, str) for content in contents) and not any("extra_content" in m for m in messages):
        return "\n\n".join(map(str, contents))
    parts: list[JsonValue] = []
    for message in messages:
        content = message["content"]
        if isinstance(content, list):
            parts.extend(content)
            continue
        extra = {"extra_content": message["extra_content"]} if "extra_content" in message else {}
        parts.append({"type": "text", "text": content, **extra})
    return parts


def _pair_results(encoded: Sequence[Placed], notes: list[Note]) -> list[Placed]:
    """Return the messages with exactly one result after each call.

    A late result is moved up, a missing result is added, and a result without a call is left out.
    """
    entries: list[Placed | _Step] = []
    open_steps: dict[str, _Step] = {}
    for placed in encoded:
        if placed.calls:
            ordered = _move_signed_call_first(placed, notes)
            step = _Step(ordered, {str(call["id"]): None for call in ordered.calls})
            entries.append(step)
            open_steps.update(dict.fromkeys(step.results, step))
        elif placed.message["role"] == "tool":
            _place_result(placed, open_steps, entries[-1] if entries else None, notes)
        else:
            entries.append(placed)
    return [placed for entry in entries for placed in _lay_out(entry, notes)]


def _move_signed_call_first(placed: Placed, notes: list[Note]) -> Placed:
    """Return the message with its signed call first. Google signs and checks only the first call of a step."""
    calls = placed.calls
    if len(calls) == 1:
        return placed
    signed = [call for call in calls if read_signature(call.get("extra_content")) not in _NO_SIGNATURE]
    if not signed or signed[0] is calls[0]:
        return placed
    _note(notes, placed, "The signed call of a step was moved before the other calls: the model had written it first.")
    ordered: list[JsonValue] = [signed[0], *(call for call in calls if call is not signed[0])]
    return Placed({**placed.message, "tool_calls": ordered}, placed.index)


def _place_result(placed: Placed, open_steps: dict[str, _Step], last: Placed | _Step | None, notes: list[Note]) -> None:
    call_id = str(placed.message["tool_call_id"])
    step = open_steps.get(call_id)
    if step is None:
        _note_orphan(notes, placed)
        return
    if step.results[call_id] is not None:
        _note(notes, placed, f"Call {call_id!r} has several results: only the last one was sent.")
    elif step is not last:
        _note(notes, placed, f"The result of call {call_id!r} was moved up to its call.")
    step.results[call_id] = placed


def _lay_out(entry: Placed | _Step, notes: list[Note]) -> Iterator[Placed]:
    """Yield the messages of `entry`: a single message, or an assistant message and one result for each of its calls."""
    if not isinstance(entry, _Step):
        yield entry
        return
    yield entry.asked
    for call in entry.asked.calls:
        result = entry.results[str(call["id"])]
        if result is None:
            name = _name(call)
            _note(notes, entry.asked, f"Call {name!r} has no result in the history: a placeholder result was added.")
            result = Placed({"role": "tool", "tool_call_id": call["id"], "name": name, "content": NO_RESULT})
        yield result


def _bridge_turns(encoded: Sequence[Placed], family: ModelFamily, notes: list[Note]) -> list[Placed]:
    """Return the messages with user messages added where Gemini requires them.

    Calls must follow a user message or a tool result. The last message must not be an assistant message.
    """
    bridged: list[Placed] = []
    for placed in encoded:
        before = bridged[-1].message["role"] if bridged else "system"
        if placed.calls and before in ("assistant", "system"):
            text = f"A user message {BRIDGE!r} was added before tool calls that followed no user message."
            _note(notes, placed, text)
            bridged.append(Placed({"role": "user", "content": BRIDGE}))
        bridged.append(placed)
    if bridged and bridged[-1].message["role"] == "assistant" and family.is_gemini:
        text = f"A user message {BRIDGE!r} was added at the end: Gemini refuses an assistant message at the end."
        _note(notes, bridged[-1], text)
        bridged.append(Placed({"role": "user", "content": BRIDGE}))
    return bridged


def _place_placeholders(encoded: Sequence[Placed], family: ModelFamily, notes: list[Note]) -> None:
    """Set placeholder signatures on the first calls of unsigned steps in the current turn. Remove other placeholders.

    The current turn is all messages after the newest user message. Google requires signatures only in the current turn.
    """
    current = family.signatures_demanded
    for placed in reversed(encoded):
        current = current and placed.message["role"] != "user"
        for place, call in enumerate(placed.calls):
            demanded = current and place == 0
            signature = read_signature(call.get("extra_content"))
            if demanded and signature in _UNSIGNED and not _is_signed_beside(placed.message) and not is_signed(call):
                call["extra_content"] = _set_signature(call, PLACEHOLDER_SIGNATURE)
                text = f"Call {_name(call)!r} has no signature of this model: a placeholder signature was sent."
                notes.append(Note("stand_in", text, placed.index))
            elif not demanded and signature in PLACEHOLDER_SIGNATURES:
                text = (
                    f"The placeholder signature of call {_name(call)!r} was left out: only the current turn needs it."
                )
                _note(notes, placed, text)
                del call["extra_content"]


def _is_signed_beside(message: JsonObject) -> bool:
    """Return whether the message itself has the signature of its first call.

    The server sends such a signature in a separate delta, without text. So the signature is sent back on the
    message, and not on the call.
    """
    return bool(read_signature(message.get("extra_content"))) and not message.get("content")


def _set_signature(call: JsonObject, signature: str) -> JsonObject:
    extra = object_at(call, "extra_content")
    return {**extra, "google": {**object_at(extra, "google"), "thought_signature": signature}}


def _name(call: JsonObject) -> JsonValue:
    return cast("JsonObject", call["function"])["name"]


def _note_orphan(notes: list[Note], placed: Placed) -> None:
    call_id = str(placed.message["tool_call_id"])
    _note(notes, placed, f"The result of call {call_id!r} was left out: no call before it has that id.")


def _note(notes: list[Note], placed: Placed, message: str) -> None:
    notes.append(Note("repaired", message, placed.index))
