"""Encoded messages to an order that Gemini takes: who speaks when, one result for each call, a signature per step.

Its one rule: the least change that makes the request valid, the same for the same history, and each one noted.
Sources of the server's rules: Google's page on thought signatures, and refusals in public issues ("number of
function response parts", "function call turn comes immediately after a user turn", "requests ending with a
model turn", "contents is not specified").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._notes import Note
from langchain_gemini_compat._signatures import STAND_IN, read_signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._families import ModelFamily
    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: What a call gets for a result when the history has none: it was interrupted, rejected or trimmed away.
NO_RESULT = '{"error":"This call has no result."}'
#: What the user is made to say where Gemini insists on a user's turn and the history has none.
BRIDGE = "Continue."


@dataclass(slots=True)
class _Step:
    """An assistant message with its calls, and the result of each, in the order of the calls."""

    message: JsonObject
    results: dict[str, JsonObject | None]


def arrange_turns(encoded: Sequence[JsonObject], family: ModelFamily, notes: list[Note]) -> list[JsonObject]:
    """`encoded` in an order that Gemini takes; each repair is added to `notes`."""
    arranged = _pair_results(_gather_system(encoded, notes), notes)
    if arranged and all(message["role"] == "system" for message in arranged):
        _note(notes, "The instructions were sent as a user message: there was no other.")
        arranged = [{**message, "role": "user"} for message in arranged]
    arranged = _bridge_turns(arranged, family, notes)
    if family.signatures_demanded:
        _sign_current_turn(arranged, notes)
    return arranged


def _gather_system(encoded: Sequence[JsonObject], notes: list[Note]) -> list[JsonObject]:
    """All instructions in one system message at the front: Google hoists them there anyway."""
    system = [message for message in encoded if message["role"] == "system"]
    rest = [message for message in encoded if message["role"] != "system"]
    if not system:
        return rest
    joined = system[0] if len(system) == 1 else {"role": "system", "content": _join_contents(system)}
    if len(system) > 1:
        _note(notes, f"{len(system)} system messages were joined into one at the front.")
    elif encoded[0]["role"] != "system":
        _note(notes, "The system message was moved to the front.")
    return [joined, *rest]


def _join_contents(messages: Sequence[JsonObject]) -> JsonValue:
    """Strings joined by an empty line; as parts where one of them is a list or has `extra_content`."""
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


def _pair_results(encoded: Sequence[JsonObject], notes: list[Note]) -> list[JsonObject]:
    """Each call followed by exactly one result: late ones moved up, missing ones made, orphans left out."""
    entries: list[JsonObject | _Step] = []
    open_steps: dict[str, _Step] = {}
    for message in encoded:
        if _calls(message):
            led = _lead_with_signed(message, notes)
            step = _Step(led, {str(call["id"]): None for call in _calls(led)})
            entries.append(step)
            open_steps.update(dict.fromkeys(step.results, step))
        elif message["role"] == "tool":
            _place_result(message, open_steps, entries[-1] if entries else None, notes)
        else:
            entries.append(message)
    return [message for entry in entries for message in _lay_out(entry, notes)]


def _lead_with_signed(message: JsonObject, notes: list[Note]) -> JsonObject:
    """The signed call in front again: Google signs the first call of a step, and looks for the signature there."""
    calls = _calls(message)
    signed = [call for call in calls if read_signature(call.get("extra_content"))]
    if not signed or signed[0] is calls[0]:
        return message
    _note(notes, "The signed call of a step was put before its siblings, where the model had it.")
    return {**message, "tool_calls": [signed[0], *(call for call in calls if call is not signed[0])]}


def _place_result(
    message: JsonObject, open_steps: dict[str, _Step], last: JsonObject | _Step | None, notes: list[Note]
) -> None:
    call_id = str(message["tool_call_id"])
    step = open_steps.get(call_id)
    if step is None:
        _note(notes, f"The result of call {call_id!r} was left out: no call before it has that id.")
        return
    if step.results[call_id] is not None:
        _note(notes, f"Of several results of call {call_id!r} the last one was sent.")
    elif step is not last:
        _note(notes, f"The result of call {call_id!r} was moved up to its call.")
    step.results[call_id] = message


def _lay_out(entry: JsonObject | _Step, notes: list[Note]) -> Iterator[JsonObject]:
    if not isinstance(entry, _Step):
        yield entry
        return
    yield entry.message
    for call in _calls(entry.message):
        result = entry.results[str(call["id"])]
        if result is None:
            name = cast("JsonObject", call["function"])["name"]
            _note(notes, f"Call {name!r} has no result in the history: it got one that says so.")
            result = {"role": "tool", "tool_call_id": call["id"], "name": name, "content": NO_RESULT}
        yield result


def _bridge_turns(encoded: Sequence[JsonObject], family: ModelFamily, notes: list[Note]) -> list[JsonObject]:
    """A user's turn before calls that follow no user and no result, and after an assistant's last word."""
    bridge: JsonObject = {"role": "user", "content": BRIDGE}
    bridged: list[JsonObject] = []
    for message in encoded:
        before = bridged[-1]["role"] if bridged else "system"
        if _calls(message) and before in ("assistant", "system"):
            _note(notes, f"A user message {BRIDGE!r} was put before tool calls that followed no user's turn.")
            bridged.append({**bridge})
        bridged.append(message)
    if bridged and bridged[-1]["role"] == "assistant" and family.generation:
        _note(notes, f"A user message {BRIDGE!r} was put at the end: Gemini refuses an assistant's last word.")
        bridged.append({**bridge})
    return bridged


def _sign_current_turn(encoded: Sequence[JsonObject], notes: list[Note]) -> None:
    """Google's stand-in on the first call of each unsigned step after the newest user message, and nowhere else."""
    for message in reversed(encoded):
        if message["role"] == "user":
            return
        calls = _calls(message)
        if not calls or "extra_content" in calls[0]:
            continue
        if read_signature(message.get("extra_content")) and not message.get("content"):
            # Without text it is the call's: it came in a delta of its own, and goes back as it came.
            continue
        calls[0]["extra_content"] = {"google": {"thought_signature": STAND_IN}}
        name = cast("JsonObject", calls[0]["function"])["name"]
        notes.append(Note("stand_in", f"Call {name!r} has no signature of this model: stand-in sent."))


def _calls(message: JsonObject) -> list[JsonObject]:
    return cast("list[JsonObject]", message.get("tool_calls") or [])


def _note(notes: list[Note], message: str) -> None:
    notes.append(Note("repaired", message))
