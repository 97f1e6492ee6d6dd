"""Reads the rows of the input.

All rows are checked before the first request, so that a typo does not stop a run half-way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage, convert_to_messages, message_to_dict, messages_from_dict

from langchain_gemini_compat._request.known_refusals import ignore_refusals
from langchain_gemini_compat._settings.aliases import find_similar
from langchain_gemini_compat._settings.fields import KNOWN_OPTIONS
from langchain_gemini_compat._wire.json_types import JsonObject
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat.errors import GeminiCompatError, UnsupportedParameterError

#: One row: a prompt, or a dict with the key `prompt` or `messages`.
AnyRow: TypeAlias = str | Mapping[str, object]
#: The input of a run: the path of a JSONL file, or the rows themselves.
Rows: TypeAlias = str | PathLike[str] | Iterable[AnyRow]
_OWN_KEYS = frozenset({"id", "prompt", "messages"})
#: Reading stops after this number of invalid rows.
_MOST_PROBLEMS = 5
#: An integer `id` has to be smaller than this, because SQLite stores integers in 64 bits.
_MOST_ID = 2**63


class InvalidRowsError(GeminiCompatError, ValueError):
    """The input has invalid rows. No request was sent.

    The error message lists the rows. Correct them and run again.
    """


class BulkModel(Protocol):
    """The model of an engine: a chat model, a model with bound options, or a model with structured output."""

    def preview(self, messages: LanguageModelInput, **kwargs: object) -> tuple[JsonObject, list[Note]]:
        """Return the request body, and notes about the changes that the package made to the request."""
        ...

    def invoke(self, question: LanguageModelInput, /, **kwargs: object) -> object:
        """Return the reply."""
        ...

    async def ainvoke(self, question: LanguageModelInput, /, **kwargs: object) -> object:
        """Return the reply."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the input that has no answer yet.

    Attributes:
        number: The position of the row in the input, from 1.
        id: The `id` of the row, or `None`.
        key: Identifies the request. The key is unique in the input, and the same in the next run.
        question: The prompt or the messages, for `invoke` and `preview` of the model.
        options: The other options of the call, such as `temperature`.
    """

    number: int
    id: str | int | None
    key: str
    question: str | list[BaseMessage]
    options: dict[str, Any]


def read_rows(rows: Rows) -> Iterator[tuple[str, JsonObject]]:
    """Yield each row with a text that says where the row is, such as `line 7`. Skip blank lines of a file.

    Raises:
        InvalidRowsError: For a line that is not a JSON object.
        OSError: For a file that cannot be read.
        TypeError: For a single dict.
    """
    if isinstance(rows, (str, PathLike)):
        yield from _read_lines(Path(rows))
        return
    if isinstance(rows, Mapping):
        raise TypeError("`rows` is one dict. Pass a list of rows: `[row]`.")
    for number, row in enumerate(rows, 1):
        yield f"row {number}", _as_json(f"row {number}", {"prompt": row} if isinstance(row, str) else row)


def read_content(content: JsonObject) -> tuple[str | list[BaseMessage], dict[str, Any]]:
    """Return the question and the options of a row.

    Raises:
        ValueError: If the row is invalid for every model.
    """
    unknown = next((name for name in content if name not in _OWN_KEYS and name not in KNOWN_OPTIONS), None)
    if unknown is not None:
        raise ValueError(_describe_unknown(unknown))
    identity = content.get("id")
    if identity is not None and (isinstance(identity, bool) or not isinstance(identity, (str, int))):
        raise ValueError("`id` has to be a string or an integer.")
    if isinstance(identity, int) and not -_MOST_ID <= identity < _MOST_ID:
        raise ValueError("`id` is too large for an integer of 64 bits. Write it as a string.")
    if ("prompt" in content) == ("messages" in content):
        raise ValueError("A row needs either `prompt` or `messages`.")
    options = {name: value for name, value in content.items() if name not in _OWN_KEYS}
    _check_stop(options)
    if "prompt" in content:
        return _read_prompt(content["prompt"]), options
    return _read_messages(content["messages"]), options


def digest_request(model: BulkModel, content: JsonObject) -> str:
    """Return a hash of the request that would be sent for a row with this `content`.

    Raises:
        ValueError: If the row is invalid, or if the model does not accept an option.
    """
    try:
        question, options = read_content(content)
        # The key of a row must not depend on what the server refused earlier in this process. Without
        # `ignore_refusals`, the model would leave the refused parts out.
        with ignore_refusals():
            body, _ = model.preview(question, **options)
        return _digest(body)
    except UnsupportedParameterError:
        raise
    except GeminiCompatError:
        # No request can be built from this row, so the hash is of its content. During the run, the call fails with the
        # same error, which is recorded as the row's outcome.
        return _digest({"not_sent": content})
    except ValueError:
        raise
    except Exception as err:
        # `preview` can raise any exception if an option or a message has an unexpected type.
        name = type(err).__name__
        raise ValueError(
            f"No request can be built from the row ({name}: {err}). Check its options and messages."
        ) from err


def _digest(body: JsonObject) -> str:
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class Problems:
    """Collects the invalid rows of an input."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, place: str, problem: str) -> None:
        """Add an invalid row. When there are `_MOST_PROBLEMS` invalid rows, raise an error that lists them."""
        self._texts.append(f"{place}: {' '.join(problem.split())}")
        if len(self._texts) >= _MOST_PROBLEMS:
            self.check()

    def check(self) -> None:
        """Raise an error if invalid rows were added.

        Raises:
            InvalidRowsError: If there are invalid rows.
        """
        if self._texts:
            raise InvalidRowsError(
                "\n".join(["The input has invalid rows. Nothing was sent. Correct them:", *self._texts])
            )


def _read_lines(path: Path) -> Iterator[tuple[str, JsonObject]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            text = _decode_line(f"line {number}", line)
            if text.strip():
                yield f"line {number}", _parse_line(f"line {number}", text)


def _decode_line(place: str, line: bytes) -> str:
    try:
        # Files of Windows programs may begin with a byte order mark.
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise InvalidRowsError(f"{place} is not UTF-8 ({err.reason}). Save the input as UTF-8.") from None


def _parse_line(place: str, line: str) -> JsonObject:
    try:
        value: object = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as err:
        raise InvalidRowsError(f"{place} is not JSON ({err}). The input needs one JSON object in each line.") from None
    if isinstance(value, str):
        return {"prompt": value}
    if not isinstance(value, dict):
        raise InvalidRowsError(f'{place} is not an object. Write `{{"prompt": "…"}}` in each line.')
    return cast("JsonObject", value)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"JSON has no {name}")


def _as_json(place: str, row: Mapping[str, object]) -> JsonObject:
    """Return the row as if it had been read from a line of a JSONL file."""
    try:
        return cast("JsonObject", json.loads(json.dumps(dict(row), default=_dump_message, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as err:
        raise InvalidRowsError(f"{place} cannot be written as JSON ({err}).") from err


def _dump_message(value: object) -> JsonObject:
    if isinstance(value, BaseMessage):
        return message_to_dict(value)
    raise TypeError(f"{type(value).__name__} is not a type of JSON")


def _check_stop(options: Mapping[str, object]) -> None:
    """Raise an error for a stop sequence that is not a string. LangChain does not check it before the run."""
    for name in ("stop", "stop_sequences"):
        stop = options.get(name) or []
        texts = cast("list[object]", stop) if isinstance(stop, list) else [stop]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"`{name}` has to be a string or a list of strings.")


def _read_prompt(prompt: object) -> str:
    if isinstance(prompt, str):
        return prompt
    raise ValueError("`prompt` has to be a string. Write a conversation as `messages`.")


def _read_messages(messages: object) -> list[BaseMessage]:
    if isinstance(messages, list):
        return [_read_message(message) for message in cast("list[object]", messages)]
    raise ValueError("`messages` has to be a list.")


def _read_message(message: object) -> BaseMessage:
    """Convert a message from OpenAI's format or from a format of LangChain."""
    if isinstance(message, dict) and "data" in message:
        return messages_from_dict([cast("dict[str, Any]", message)])[0]
    return convert_to_messages([cast("dict[str, Any]", message)])[0]


def _describe_unknown(name: str) -> str:
    meant = find_similar(name, KNOWN_OPTIONS | _OWN_KEYS)
    hint = f" Did you mean `{meant}`?" if meant else " Put other keys of the request body under `extra_body`."
    return f"`{name}` is not an option of a call.{hint}"
