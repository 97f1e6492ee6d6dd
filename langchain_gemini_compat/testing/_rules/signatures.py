"""Issue thought signatures, and check them when they come back.

A signature contains the surface, the model, the call and a checksum. So every `FakeGemini`, even in another process,
can detect a signature that was changed, moved to another call or issued by another server. Source of the rules:
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_list, as_objects, as_text, dump, read_path
from langchain_gemini_compat.testing._rules.turns import current_turn
from langchain_gemini_compat.testing._rules.violations import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue, Surface
    from langchain_gemini_compat.testing._rules.models import ModelRules
    from langchain_gemini_compat.testing._rules.turns import Turn

#: Google's placeholder, which a client sends if it has no signature.
PLACEHOLDER = "skip_thought_signature_validator"
#: The value of `Issued.at` for a signature that belongs to the message and not to a call.
ON_MESSAGE = -1
_CHECKSUM_BYTES = 20
_MORE = "https://ai.google.dev/gemini-api/docs/thought-signatures"
_MORE_VERTEX = "https://docs.cloud.google.com/vertex-ai/generative-ai/docs/thought-signatures"


@dataclass(frozen=True, slots=True)
class Issued:
    """The content of a signature. `at` is the index of the signed call in the reply; `ON_MESSAGE` for a message."""

    surface: Surface
    model: str
    call: str
    at: int
    nonce: str


def issue_signature(issued: Issued) -> str:
    """Return the signature for `issued`, in base64.

    >>> signature = issue_signature(Issued("vertex", "gemini-3.8-flash", "add", 0, "1"))
    >>> read_signature(signature).call
    'add'
    """
    payload = dump(asdict(issued)).encode()
    return b64encode(sha256(payload).digest()[:_CHECKSUM_BYTES] + payload).decode()


def read_signature(signature: str) -> Issued | None:
    """Return the content of `signature`. Return `None` if no `FakeGemini` issued the signature."""
    try:
        decoded = b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return None
    payload = decoded[_CHECKSUM_BYTES:]
    if decoded[:_CHECKSUM_BYTES] != sha256(payload).digest()[:_CHECKSUM_BYTES]:
        return None
    issued = Issued(**json.loads(payload))
    return issued if issue_signature(issued) == signature else None


def signature_of(holder: JsonObject) -> str:
    """Return the signature of a call, message or part, from any namespace of `extra_content`."""
    extra = holder.get("extra_content")
    for namespace in extra if isinstance(extra, dict) else ():
        found = as_text(read_path(extra, namespace, "thought_signature"))
        if found:
            return found
    return ""


def check_signatures(turns: Sequence[Turn], surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation for each missing or invalid signature of a conversation.

    A signature is required only on the first call of each assistant message after the newest user message.
    """
    current = {turn.index for turn in current_turn(turns)}
    for turn in turns:
        yield from _check_misplaced_placeholders(turn, surface)
        for place, call in enumerate(turn.calls):
            signature = signature_of(call)
            demanded = rules.demands_signatures and turn.index in current and place == 0
            if signature == PLACEHOLDER:
                if not demanded:
                    yield _misplaced_placeholder(surface)
            elif demanded and not signature:
                yield from _check_message_signature(turn, call, surface)
            elif signature and turn.index in current:
                yield from _check_genuine(signature, _function_name(call), place, surface)


def count_placeholders(turns: Sequence[Turn]) -> int:
    """Return the number of calls with the placeholder signature."""
    return sum(signature_of(call) == PLACEHOLDER for turn in turns for call in turn.calls)


def _check_misplaced_placeholders(turn: Turn, surface: Surface) -> Iterator[Violation]:
    parts: list[JsonValue] = as_list(turn.message.get("content"))
    if any(signature_of(holder) == PLACEHOLDER for holder in (turn.message, *as_objects(parts))):
        yield _misplaced_placeholder(surface)


def _check_message_signature(turn: Turn, call: JsonObject, surface: Surface) -> Iterator[Violation]:
    """Yield a violation if `call`, which has no signature of its own, is in a message without a valid signature."""
    beside = signature_of(turn.message)
    issued = read_signature(beside) if beside else None
    if issued is None or issued.at != ON_MESSAGE:
        yield _missing_signature(_function_name(call), turn.position, surface)
    elif issued.surface != surface:
        yield _invalid_signature(
            surface, f"The signature was issued on {issued.surface}. Replace it by `{PLACEHOLDER}`."
        )


def _check_genuine(signature: str, name: str, place: int, surface: Surface) -> Iterator[Violation]:
    issued = read_signature(signature)
    if issued is None:
        yield _invalid_signature(surface, "The signature was changed, or never issued. Send it back unchanged.")
    elif issued.surface != surface:
        yield _invalid_signature(
            surface, f"The signature was issued on {issued.surface}. Replace it by `{PLACEHOLDER}`."
        )
    elif (issued.call, issued.at) != (name, place):
        hint = f"The signature of call {issued.at} ({issued.call}) came back on call {place} ({name})."
        yield _invalid_signature(surface, hint)


def _missing_signature(name: str, position: int, surface: Surface) -> Violation:
    """Return the refusal of a call without a signature.

    Sources: https://github.com/manthanabc/paws/issues/103, https://github.com/openai/openai-agents-python/issues/2137
    """
    if surface == "vertex":
        message = (
            f"Unable to submit request because function call `default_api:{name}` in the {position}. content block "
            f"is missing a `thought_signature`. Learn more: {_MORE_VERTEX}"
        )
    else:
        message = (
            "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
            "correctly, and missing thought_signature may lead to degraded model performance. Additional data, "
            f"function call `default_api:{name}` , position {position}. Please refer to {_MORE} for more details."
        )
    hint = "Send the first call of each step of the current turn with the signature that it came with."
    return Violation("signature-missing", message, hint)


def _invalid_signature(surface: Surface, hint: str) -> Violation:
    word = "Invalid" if surface == "vertex" else "Corrupted"
    return Violation("signature-invalid", f"{word} thought signature.", hint)


def _misplaced_placeholder(surface: Surface) -> Violation:
    word = "Invalid" if surface == "vertex" else "Corrupted"
    hint = f"`{PLACEHOLDER}` is valid only on the first call of a step of the current turn."
    return Violation("placeholder-misplaced", f"{word} thought signature.", hint)


def _function_name(call: JsonObject) -> str:
    return as_text(read_path(call, "function", "name"))
