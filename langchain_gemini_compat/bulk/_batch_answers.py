"""Turns the lines of a batch's output into outcomes.

To decode a line, `LineReader` calls the model and gives it the line as the server's response. So signatures, thoughts,
structured output and errors are the same as those of a call.

Google does not document the lines of its OpenAI-compatible batches, so several formats are accepted:

- OpenAI's format: https://platform.openai.com/docs/guides/batch
- keys in camel case, as protocol buffers spell them in JSON. Two programs received the keys of `usage` from Google in
  this spelling: https://github.com/sinas-platform/sinas/pull/129
- an `error` that is a gRPC status, as in Google's native batches
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias, cast

from langchain_core.runnables import RunnableSerializable
from langchain_core.runnables.retry import RunnableRetry

from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._model.connection import ConnectedModel
from langchain_gemini_compat._transport.tape import playing_here
from langchain_gemini_compat.bulk._batch_state import describe_row
from langchain_gemini_compat.bulk._outcomes import Outcome, read_error, read_reply
from langchain_gemini_compat.bulk._rows import digest_request

if TYPE_CHECKING:
    import httpx2

    from langchain_gemini_compat._transport.tokens import TokenSource
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat.bulk._rows import BulkModel, Row

#: Price of a request in a batch, divided by the price of a call: https://ai.google.dev/gemini-api/docs/batch-api
_PRICE_FACTOR = 0.5
_OK = 200
_INTERNAL = 500
#: Maps each gRPC code to the HTTP status and to Google's name of the error.
_GRPC = {
    1: (499, "CANCELLED"),
    2: (500, "UNKNOWN"),
    3: (400, "INVALID_ARGUMENT"),
    4: (504, "DEADLINE_EXCEEDED"),
    5: (404, "NOT_FOUND"),
    6: (409, "ALREADY_EXISTS"),
    7: (403, "PERMISSION_DENIED"),
    8: (429, "RESOURCE_EXHAUSTED"),
    9: (400, "FAILED_PRECONDITION"),
    10: (409, "ABORTED"),
    11: (400, "OUT_OF_RANGE"),
    12: (501, "UNIMPLEMENTED"),
    13: (500, "INTERNAL"),
    14: (503, "UNAVAILABLE"),
    16: (401, "UNAUTHENTICATED"),
}
_CAPITAL = re.compile("(?<=[a-z])[A-Z]")
#: Keys that contain Google's extra fields. The names of these fields are not converted to snake case.
_EXTRA = frozenset({"extra_content", "extraContent"})
#: Names of the fields in which LangChain's wrappers keep the inner runnable: `bound` in bindings and retries, `first`
#: in sequences, and `default` in configurable models.
_INNER = ("bound", "first", "default")
#: The HTTP status and the body of a response that `LineReader` builds from a line of a batch's output.
_Answer: TypeAlias = "tuple[int, bytes]"


class LineReader:
    """Decodes the lines of a batch's output.

    During `read`, the reader answers the model's requests in place of the server.

    Args:
        model: The model that is called for each line.
        tokens: The model's token source. A call of the model needs a token, although no request leaves the process.
    """

    def __init__(self, model: BulkModel, tokens: TokenSource) -> None:
        self._model = model
        self._decoder = cast("BulkModel", _prepare(model))
        self._answer: _Answer = (_OK, b"")
        self.tokens = tokens
        library = import_module(library_name())
        self._response: type[httpx2.Response] = library.Response
        self.client: httpx2.Client = library.Client(transport=library.MockTransport(self._respond))
        self.async_client: httpx2.AsyncClient = library.AsyncClient(transport=library.MockTransport(self._arespond))

    def read(self, row: Row, line: JsonObject) -> Outcome:
        """Decode `line`, which answers `row`, and return the outcome of the row."""
        self._answer = _read_line(line)
        try:
            with playing_here(self):
                outcome = read_reply(self._decoder.invoke(row.question, **row.options))
        except Exception as error:
            outcome = read_error(error)
        price = None if outcome.price is None else outcome.price * _PRICE_FACTOR
        # An error in one line of a batch's output is no reason to stop the run, because the batch has already ended.
        return replace(outcome, price=price, error_scope="row")

    def can_read(self, row: Row) -> bool:
        """Return whether this model still builds the request that was sent for `row`."""
        return row.key.partition(":")[0] == digest_request(self._model, describe_row(row))

    def _respond(self, _: httpx2.Request) -> httpx2.Response:
        status, body = self._answer
        return self._response(status, headers={"content-type": "application/json"}, content=body)

    async def _arespond(self, request: httpx2.Request) -> httpx2.Response:
        return self._respond(request)


def _prepare(runnable: object) -> object:
    """Return a copy of `runnable` for decoding answers, without cache, rate limiter and retries."""
    if isinstance(runnable, ConnectedModel):
        return runnable.model_copy(update={"cache": False, "rate_limiter": None})
    if not isinstance(runnable, RunnableSerializable):
        return runnable
    fields = type(runnable).model_fields
    changes: dict[str, object] = {name: _prepare(getattr(runnable, name)) for name in _INNER if name in fields}
    if isinstance(runnable, RunnableRetry):
        changes["max_attempt_number"] = 1
    return runnable.model_copy(update=changes)


def parse_line(text: bytes) -> tuple[int | None, JsonObject]:
    """Parse a line. Return its `custom_id` as a number (or `None`), and the whole line with keys in snake case.

    >>> parse_line(b'{"customId": "7", "response": {}}')
    (7, {'custom_id': '7', 'response': {}})
    """
    try:
        value = cast("JsonValue", json.loads(text))
    except ValueError:
        return None, {}
    line = cast("JsonObject", _to_snake_case(value)) if isinstance(value, dict) else {}
    name = line.get("custom_id")
    return (int(name) if isinstance(name, str) and name.isdecimal() else None), line


def _read_line(line: JsonObject) -> _Answer:
    """Return the HTTP status and the body of the response that `line` contains."""
    response, error = line.get("response"), line.get("error")
    if isinstance(response, dict) and not error:
        status = response.get("status_code")
        body = response.get("body")
        # In a line, `response` is either an object with `status_code` and `body`, or the body itself.
        shown = body if body is not None else response
        return (status if isinstance(status, int) else _OK), json.dumps(shown).encode()
    found = error if isinstance(error, dict) else {}
    status, name = _read_code(found.get("code"))
    text = str(found.get("message") or error or "The batch has no answer and no error for this request.")
    inner: JsonObject = {"code": status, "message": text, "status": str(found.get("status") or name)}
    return status, json.dumps([{"error": inner}]).encode()


def _read_code(code: JsonValue) -> tuple[int, str]:
    """Return the HTTP status and Google's name for an error code of gRPC or HTTP. Return 500 if `code` is no number."""
    if not isinstance(code, int):
        return _INTERNAL, ""
    return _GRPC.get(code, (code if code >= _OK else _INTERNAL, ""))


def _to_snake_case(value: JsonValue) -> JsonValue:
    """Convert the keys of `value` from the camel case of protocol buffers to the snake case that the API documents."""
    if isinstance(value, list):
        return [_to_snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _CAPITAL.sub(lambda found: f"_{found[0].lower()}", key): item if key in _EXTRA else _to_snake_case(item)
        for key, item in value.items()
    }
