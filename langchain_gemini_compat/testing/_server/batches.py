"""Batches of AI Studio, as Google documents them: OpenAI-compatible batches with files of the native Files API.

Sources: https://ai.google.dev/gemini-api/docs/openai (creation and retrieval), https://ai.google.dev/api/batch-api (the
native list and the native cancellation), https://ai.google.dev/gemini-api/docs/batch-api (states, and the expiry after
48 hours). Google does not document a list or a cancellation of compatible batches, so these get a 404. Users of
Google's service observed that an id is `batches/…`, so that the path of a batch contains `batches` twice
(https://github.com/Formspec-Labs/RefSpec/commit/81c62a53), and that the keys of `usage` in the output are in camel case
(https://github.com/sinas-platform/sinas/pull/129).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

from langchain_gemini_compat.testing._model.batches import BatchEnding, BatchPlan
from langchain_gemini_compat.testing._model.faults import Fault
from langchain_gemini_compat.testing._model.json_values import as_object, as_objects, as_text, dump, read_path
from langchain_gemini_compat.testing._render.context import build_context
from langchain_gemini_compat.testing._rules.batches import (
    BATCH_SECONDS,
    MAX_BATCHES,
    Line,
    check_creation,
    read_lines,
)
from langchain_gemini_compat.testing._rules.violations import Violation
from langchain_gemini_compat.testing._server.answers import Answer, answer_reply, answer_violation
from langchain_gemini_compat.testing._server.files import UPLOAD_PATH, FileStore, find_origin, format_time, refuse
from langchain_gemini_compat.testing._server.requests import FakeRequest

if TYPE_CHECKING:
    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue

COMPATIBLE_PATH = "/v1beta/openai/batches"
_NATIVE_PATH = "/v1beta/batches"
_FILE_PATHS = ("/v1beta/files/", "/download/v1beta/files/")
_JSON = {"content-type": "application/json; charset=UTF-8"}
#: The gRPC code of each status. The output of native batches contains these codes for failed requests.
_GRPC = {
    "CANCELLED": 1,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
_UNKNOWN = 2
_NATIVE_STATES = {
    "validating": "BATCH_STATE_PENDING",
    "in_progress": "BATCH_STATE_RUNNING",
    "completed": "BATCH_STATE_SUCCEEDED",
    "failed": "BATCH_STATE_FAILED",
    "expired": "BATCH_STATE_EXPIRED",
    "cancelled": "BATCH_STATE_CANCELLED",
}
Complete: TypeAlias = Callable[[FakeRequest], Answer]


@dataclass(slots=True)
class FakeBatch:
    """A batch that a client created.

    Attributes:
        name: The id of the batch, such as `batches/000000000001`.
        input_file: The name of the input file.
        plan: The plan of the batch.
        created: When the batch was created, by the clock of the fake.
        requests: The requests of the batch that were answered.
        ended: The final status of the batch, or `None` while the batch runs.
        output_file: The name of the file with the answers, or `None`.
        error_file: The name of the file with the failed requests, or `None`.

    Examples:
        >>> FakeBatch("batches/1", "files/1", BatchPlan(), 0.0).ended is None
        True
    """

    name: str
    input_file: str
    plan: BatchPlan
    created: float
    lines: list[Line] = field(default_factory=list[Line])
    requests: list[FakeRequest] = field(default_factory=list[FakeRequest])
    ended: BatchEnding | None = None
    message: str = ""
    output_file: str | None = None
    error_file: str | None = None
    failures: int = 0


class FakeBatches(list[FakeBatch]):
    """The batches of a `FakeGemini`, in the order of their creation, and the settings that decide how they run.

    A batch answers its requests when its time has passed and a client asks for its status. Each request gets the next
    reply of the fake. A `Fault` becomes the error of that request.

    Attributes:
        plan: The plan of every batch. Default: the batch is completed at once.
        rule: A function that gets a new `FakeBatch` and returns its `BatchPlan`. `rule` takes precedence over `plan`.
        clock: The clock, in seconds since 1970. Replace it to let time pass.
        fault_rule: A function that gets each request for files or batches and returns a `Fault`, or `None` for no
            fault.
        max_batches: Maximum number of batches that are not finished. Default: 100, as Google documents.
        files: The files.

    Examples:
        >>> from langchain_gemini_compat.testing import FakeGemini
        >>> fake = FakeGemini()
        >>> fake.batches.plan = BatchPlan(seconds=60)
        >>> len(fake.batches)
        0
    """

    def __init__(self, complete: Complete) -> None:
        super().__init__()
        self._complete = complete
        self._numbers = count(1)
        self.plan: BatchPlan = BatchPlan()
        self.rule: Callable[[FakeBatch], BatchPlan] | None = None
        self.clock: Callable[[], float] = time.time
        self.fault_rule: Callable[[FakeRequest], Fault | None] | None = None
        self.max_batches = MAX_BATCHES
        self.files: FileStore = FileStore(self._now)

    def _now(self) -> float:
        """Return the time of `self.clock`. A test may replace the clock after the fake is built."""
        return self.clock()

    @staticmethod
    def has_path(path: str) -> bool:
        """Return whether `path` belongs to files or batches.

        Examples:
            >>> FakeBatches.has_path("/v1beta/openai/batches"), FakeBatches.has_path("/v1beta/openai/models")
            (True, False)
        """
        return path.startswith((COMPATIBLE_PATH, _NATIVE_PATH, UPLOAD_PATH, *_FILE_PATHS))

    @staticmethod
    def find_credential_header(request: FakeRequest) -> str:
        """Return the name of the header that has to contain the API key.

        Requests that upload a part of a file need no key. For these requests, the result is empty.

        Examples:
            >>> FakeBatches.find_credential_header(FakeRequest("GET", "/v1beta/batches"))
            'x-goog-api-key'
        """
        if request.path.startswith(COMPATIBLE_PATH):
            return "authorization"
        return "" if "upload_id" in request.query else "x-goog-api-key"

    def answer(self, request: FakeRequest, url: str, content: bytes) -> Answer:
        """Answer a request for files or batches.

        Args:
            request: The request.
            url: The whole URL, or its path.
            content: The body of the request.

        Returns:
            The answer.

        Examples:
            >>> request = FakeRequest("GET", "/v1beta/openai/batches/none")
            >>> FakeBatches(lambda request: Answer(200, {}, ())).answer(request, "", b"").status
            404
        """
        fault = self.fault_rule(request) if self.fault_rule is not None else None
        if fault is not None:
            return answer_reply(fault, build_context({}, "ai_studio", 0))
        path = unquote(request.path)
        if path.startswith(COMPATIBLE_PATH):
            return self._answer_compatible(request, path.removeprefix(COMPATIBLE_PATH).strip("/"))
        if path.startswith(_NATIVE_PATH):
            return self._answer_native(request, path.removeprefix("/v1beta/"))
        return self.files.answer(request, find_origin(url, request.headers), content)

    def _answer_compatible(self, request: FakeRequest, name: str) -> Answer:
        if request.method == "POST" and not name:
            return self._create(request.body)
        batch = self._find(f"batches/{name.removeprefix('batches/')}")
        if request.method != "GET" or not name or "/" in name.removeprefix("batches/"):
            return answer_reply(Fault.html_404(), build_context({}, "ai_studio", 0))
        if batch is None:
            return refuse(404, "NOT_FOUND", "Requested entity was not found.")
        return _answer_json(self._describe(batch))

    def _answer_native(self, request: FakeRequest, path: str) -> Answer:
        name, _, verb = path.partition(":")
        if request.method == "GET" and name == "batches":
            return self._list(request)
        batch = self._find(name)
        if batch is None:
            return refuse(404, "NOT_FOUND", "Requested entity was not found.")
        if request.method == "POST" and verb == "cancel":
            if batch.ended is None:
                batch.ended = "cancelled"
            return _answer_json({})
        return _answer_json(self._describe_native(batch))

    def _list(self, request: FakeRequest) -> Answer:
        """Return one page of the list of batches, in the format of Google's native API. The newest batch is first."""
        size, start = int(request.query.get("pageSize", "50")), int(request.query.get("pageToken", "0"))
        newest = [self._describe_native(batch) for batch in reversed(self)]
        page: JsonObject = {"operations": [*newest[start : start + size]]}
        return _answer_json({**page, "nextPageToken": str(start + size)} if len(newest) > start + size else page)

    def _create(self, body: JsonObject) -> Answer:
        violation = next(check_creation(body), None)
        if violation is not None:
            return answer_violation(violation, "ai_studio")
        stored = self.files.find(as_text(body["input_file_id"]))
        if stored is None:
            return refuse(404, "NOT_FOUND", f"The file {as_text(body['input_file_id'])} was not found.")
        for batch in self:
            self._advance(batch)
        if sum(batch.ended is None for batch in self) >= self.max_batches:
            return refuse(429, "RESOURCE_EXHAUSTED", f"There are already {self.max_batches} active batches.")
        batch = FakeBatch(f"batches/{next(self._numbers):012x}", stored.name, self.plan, self.clock())
        lines = read_lines(stored.content)
        if isinstance(lines, Violation):
            batch.ended, batch.message = "failed", lines.message
        else:
            batch.lines = lines
        if self.rule is not None:
            batch.plan = self.rule(batch)
        self.append(batch)
        return _answer_json(self._describe(batch, status="validating"))

    def _find(self, name: str) -> FakeBatch | None:
        return next((batch for batch in self if batch.name == name), None)

    def _advance(self, batch: FakeBatch) -> None:
        """End the batch if its time has passed."""
        if batch.ended is not None or self.clock() < batch.created + min(batch.plan.seconds, BATCH_SECONDS):
            return
        batch.ended = "expired" if batch.plan.seconds > BATCH_SECONDS else batch.plan.ends
        batch.message = batch.plan.message if batch.ended == "failed" else ""
        done = batch.lines[: batch.plan.count_answered(batch.ended, len(batch.lines))]
        outputs: list[JsonObject] = []
        errors: list[JsonObject] = []
        for line in done:
            entry, is_failure = self._answer_line(batch, line)
            batch.failures += is_failure
            (errors if is_failure and batch.plan.has_error_file else outputs).append(entry)
        batch.output_file = self._store(outputs)
        batch.error_file = self._store(errors)

    def _store(self, entries: list[JsonObject]) -> str | None:
        if not entries:
            return None
        content = "".join(f"{dump(entry)}\n" for entry in entries).encode("utf-8", "surrogatepass")
        return self.files.add(content, display_name="", source="GENERATED").name

    def _answer_line(self, batch: FakeBatch, line: Line) -> tuple[JsonObject, bool]:
        """Answer the request in `line`. Return the line for the output file, and whether the request failed."""
        request = FakeRequest("POST", line.url, body=line.body)
        batch.requests.append(request)
        answer = self._complete(request)
        body = _read_answer(answer)
        entry: JsonObject = {"id": f"batch_req_{len(batch.requests)}", "custom_id": line.custom_id}
        if answer.status < 400 and body is not None:
            shown = _write_body(as_object(body), batch.plan.camel_case)
            return {**entry, "response": {"status_code": 200, "request_id": "", "body": shown}, "error": None}, False
        inner = as_object(read_path(next(iter(as_objects(body)), as_object(body)), "error"))
        if batch.plan.error_form == "response":
            return {**entry, "response": {"status_code": answer.status, "body": {"error": inner}}}, True
        code = _GRPC.get(as_text(inner.get("status")), _UNKNOWN)
        return {**entry, "error": {"code": code, "message": as_text(inner.get("message"))}}, True

    def _status(self, batch: FakeBatch) -> str:
        self._advance(batch)
        passed = self.clock() - batch.created
        return batch.ended or ("validating" if passed < batch.plan.seconds / 10 else "in_progress")

    def _describe(self, batch: FakeBatch, status: str = "") -> JsonObject:
        """Return the batch in the form of OpenAI."""
        status = status or self._status(batch)
        answered = len(batch.requests)
        counts: JsonObject = {
            "total": len(batch.lines),
            "completed": answered - batch.failures,
            "failed": batch.failures,
        }
        errors: JsonValue = {"object": "list", "data": [{"message": batch.message}]} if batch.message else None
        return {
            "id": batch.name,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "input_file_id": batch.input_file,
            "created_at": int(batch.created),
            "status": status,
            "output_file_id": batch.output_file,
            "error_file_id": batch.error_file,
            "errors": errors,
            "request_counts": counts,
        }

    def _describe_native(self, batch: FakeBatch) -> JsonObject:
        """Return the batch as the operation of the native API."""
        status = self._status(batch)
        metadata: JsonObject = {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "name": batch.name,
            "inputConfig": {"fileName": batch.input_file},
            "createTime": format_time(batch.created),
            "state": _NATIVE_STATES[status],
        }
        return {"name": batch.name, "metadata": metadata, "done": batch.ended is not None}


def _answer_json(value: JsonObject) -> Answer:
    return Answer(200, _JSON, (dump(value).encode(),))


def _read_answer(answer: Answer) -> JsonValue:
    """Return the JSON of an answer, or `None` if the answer is incomplete or not JSON."""
    pieces = [step for step in answer.steps if isinstance(step, bytes)]
    try:
        value: JsonValue = json.loads(b"".join(pieces))
    except ValueError:
        return None
    return value


def _write_body(body: JsonObject, camel_case: str) -> JsonObject:
    """Convert keys of `body` to camel case. `camel_case` selects all keys, the keys of `usage`, or no keys."""
    if camel_case == "all":
        return as_object(_to_camel_case(body))
    usage = body.get("usage")
    return {**body, "usage": _to_camel_case(usage)} if camel_case == "usage" and usage else body


def _to_camel_case(value: JsonValue) -> JsonValue:
    """Convert keys to camel case, as protocol buffers write them. The keys inside `extra_content` are not changed."""
    if isinstance(value, list):
        return [_to_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub("_([a-z])", lambda found: found[1].upper(), key): item
        if key == "extra_content"
        else _to_camel_case(item)
        for key, item in value.items()
    }
