"""Requests to Google's batches and files of AI Studio.

Batches use the compatible endpoint, and files use Google's native Files API. Google's documentation:
https://ai.google.dev/gemini-api/docs/openai (batches, `POST /batches` and `GET /batches/{id}`),
https://ai.google.dev/gemini-api/docs/batch-api (states, download), https://ai.google.dev/gemini-api/docs/files
(resumable upload), https://ai.google.dev/api/batch-api (the native list). A batch has the fields of
`openai.types.Batch`.

The author of a public program that uses Google's batches found that the id of a batch begins with `batches/`. So the
path of a batch contains `batches` twice (https://github.com/Formspec-Labs/RefSpec/commit/81c62a53). The authors of this
package sent no request to Google.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import IO, TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from langchain_gemini_compat._transport.resources import ResourceRequest
from langchain_gemini_compat._wire.json_types import list_at
from langchain_gemini_compat.errors import GeminiCompatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat._transport.client import Transport
    from langchain_gemini_compat._wire.json_types import JsonObject

_T = TypeVar("_T")
ENDPOINT = "/v1/chat/completions"
_COMPATIBLE = "/openai"
#: Bytes in each request of a resumable upload: a multiple of 256 KiB, and the same number as in google-genai.
_PART = 8 * 2**20
#: Seconds to wait before the first, second, … retry of a request. Requests that create a batch are not retried.
_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
#: Maps the states of Google's native batches to OpenAI's statuses. The compatible endpoint should not send these
#: states, because Google documents OpenAI's statuses for it.
_STATES = {"pending": "validating", "running": "in_progress", "succeeded": "completed", "canceled": "cancelled"}
_ENDINGS = frozenset({"completed", "failed", "expired", "cancelled"})
_PAGE, _MOST_PAGES = 100, 50
#: Assumed maximum difference between this machine's clock and the server's clock, in seconds.
_CLOCK_SKEW = 600.0


class BatchError(GeminiCompatError):
    """A batch has no answer for a row, or no batch can be created.

    The message contains the batch and the reason. To send the row again, use `retry_failed`.
    """


@dataclass(frozen=True, slots=True)
class Batch:
    """The state of a batch, as the server returns it.

    Attributes:
        name: The id, such as `batches/abc`.
        status: A status of OpenAI's batches, such as `in_progress`.
        files: The ids of the output files, which contain answers and errors.
        done: The number of requests that succeeded or failed so far, or `None` if the server returns no counts.
        reason: Why the batch failed, or an empty string.
    """

    name: str
    status: str
    files: tuple[str, ...]
    done: int | None
    reason: str

    @property
    def has_ended(self) -> bool:
        """Whether the status is final."""
        return self.status in _ENDINGS


class BatchService:
    """Sends the requests for batches and files.

    Args:
        transport: Sends the requests.
        base_url: The URL of the compatible endpoint.
        wait: Waits for a number of seconds. Returns whether the run is stopped. If it is stopped, no request is
            retried.
    """

    def __init__(self, transport: Transport, base_url: str, wait: Callable[[float], bool]) -> None:
        native = base_url.rstrip("/").removesuffix(_COMPATIBLE)
        if native == base_url.rstrip("/"):
            raise BatchError(
                f"`base_url` has to end in `/v1beta/openai` for batches, as AI Studio's does. It is {base_url}."
            )
        self._transport = transport
        self._wait = wait
        self._batches = f"{base_url.rstrip('/')}/batches"
        self._native = native
        parts = urlsplit(native)
        prefix, _, version = parts.path.rpartition("/")
        origin = f"{parts.scheme}://{parts.netloc}{prefix}"
        self._uploads = f"{origin}/upload/{version}/files"
        self._downloads = f"{origin}/download/{version}"

    def upload(self, content: IO[bytes], size: int, name: str) -> str:
        """Upload a file and return its name. After an error, the upload starts again."""
        return self._try_again(partial(self._upload, content, size, name))

    def create(self, file: str) -> Batch:
        """Create a batch of the requests in `file`. There is no retry, since a second request creates a second batch.

        https://ai.google.dev/gemini-api/docs/batch-api says that the creation of a batch is not idempotent.
        """
        body = {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": "24h"}
        return _read_batch(self._ask(ResourceRequest("POST", self._batches, _dump(body), _JSON, "bearer")))

    def retrieve(self, name: str) -> Batch:
        """Return the state of a batch. There is no retry, since the caller polls the batch."""
        return _read_batch(self._ask(ResourceRequest("GET", f"{self._batches}/{name}", credential="bearer")))

    def download(self, name: str, target: IO[bytes]) -> None:
        """Download an output file of a batch into `target`. After an error, the download starts again."""
        url = f"{self._downloads}/files/{name.removeprefix('files/')}:download?alt=media"

        def receive() -> None:
            target.seek(0)
            target.truncate()
            self._transport.fetch(ResourceRequest("GET", url), target.write)

        self._try_again(receive)

    def find_batch_of(self, file: str, since: float, known: Collection[str]) -> tuple[str | None, bool]:
        """Look for the batch whose input file is `file`.

        This method reads Google's native list of batches, because no other list is documented. Google does not say
        whether this list contains the batches of the compatible endpoint. So a missing batch is certain only if the
        list contains another batch of this endpoint.

        Args:
            file: The name of the input file.
            since: The approximate time at which the batch was created, if it exists, in seconds since 1970.
            known: The ids of batches that were created by the compatible endpoint.

        Returns:
            The id of the batch or `None`, and whether this result is certain. `None` is uncertain in these cases:

            - The list contains no batch of `known`.
            - There are too many batches to read.
            - The list does not name the input file of a batch that was created at about `since` or later.
            - The batch was found, but has no id.
        """
        is_complete, is_certain = False, True
        for operation in self._list_batches():
            if operation is None:
                return None, False
            metadata = _object_at(operation, "metadata")
            is_complete = is_complete or operation.get("name") in known or metadata.get("name") in known
            found = _object_at(metadata, "inputConfig").get("fileName")
            if found == file:
                batch = operation.get("name") or metadata.get("name")
                return (str(batch), True) if batch else (None, False)
            if found is None and _read_time(metadata.get("createTime")) >= since - _CLOCK_SKEW:
                is_certain = False
        return None, is_complete and is_certain

    def _list_batches(self) -> Iterator[JsonObject | None]:
        """Yield the batches of the project. If there are more than `_MOST_PAGES` pages, yield `None` at the end."""
        token = ""
        for _ in range(_MOST_PAGES):
            query = urlencode({"pageSize": _PAGE, **({"pageToken": token} if token else {})})
            request = ResourceRequest("GET", f"{self._native}/batches?{query}")
            page = self._try_again(partial(self._ask, request))
            yield from (one for one in list_at(page, "operations") if isinstance(one, dict))
            token = str(page.get("nextPageToken") or "")
            if not token:
                return
        yield None

    def _upload(self, content: IO[bytes], size: int, name: str) -> str:
        headers = {
            **_JSON,
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": str(size),
            # `jsonl` is not a MIME type, but the value in Google's documentation and SDK.
            "x-goog-upload-header-content-type": "jsonl",
        }
        request = ResourceRequest("POST", self._uploads, _dump({"file": {"display_name": name}}), headers)
        url = self._transport.fetch(request, _ignore).get("x-goog-upload-url")
        if not url:
            raise BatchError(
                "The server returned no URL for an upload. Check `base_url`: its host needs the Files API."
            )
        content.seek(0)
        offset = 0
        while True:
            part = content.read(_PART)
            command = "upload, finalize" if offset + len(part) >= size else "upload"
            sent = {"x-goog-upload-command": command, "x-goog-upload-offset": str(offset)}
            answer = self._collect(ResourceRequest("POST", url, part, sent, "none"))
            offset += len(part)
            if offset >= size:
                file = _object_at(_parse(answer), "file").get("name")
                if not isinstance(file, str) or not file:
                    raise BatchError("The server's answer to an upload has no file name. Check `base_url`.")
                return file

    def _ask(self, request: ResourceRequest) -> JsonObject:
        return _parse(self._collect(request))

    def _collect(self, request: ResourceRequest) -> bytes:
        pieces: list[bytes] = []
        self._transport.fetch(request, pieces.append)
        return b"".join(pieces)

    def _try_again(self, call: Callable[[], _T]) -> _T:
        """Return the result of `call`. After a retryable error, call it again."""
        waits = iter(_WAITS)
        while True:
            wait = next(waits, None)
            try:
                return call()
            except GeminiCompatError as err:
                if wait is None or not err.is_retryable or self._wait(max(wait, err.retry_after or 0.0)):
                    raise


_JSON: Mapping[str, str] = {"content-type": "application/json"}


def _read_batch(value: JsonObject) -> Batch:
    name = value.get("id")
    if not isinstance(name, str) or not name:
        raise BatchError("The server's answer is not a batch. Check `base_url`.")
    status = str(value.get("status", "")).lower().removeprefix("job_state_").removeprefix("batch_state_")
    files = tuple(
        file for key in ("output_file_id", "error_file_id") if isinstance(file := value.get(key), str) and file
    )
    counts = _object_at(value, "request_counts")
    done = [count for key in ("completed", "failed") if isinstance(count := counts.get(key), int)]
    found = list_at(_object_at(value, "errors"), "data")
    reasons = [str(one["message"]) for one in found if isinstance(one, dict) and one.get("message")]
    return Batch(
        name,
        _STATES.get(status, status),
        tuple(str(file) for file in files if file),
        sum(done) if done else None,
        " ".join(reasons),
    )


def _parse(content: bytes) -> JsonObject:
    try:
        value: object = json.loads(content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BatchError("The server answered a request for a batch with something that is not JSON. Check `base_url`.")
    return cast("JsonObject", value)


def _object_at(value: JsonObject, key: str) -> JsonObject:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _read_time(text: object) -> float:
    """Return the server's time `text` in seconds since 1970, or infinity if `text` is not a time.

    >>> _read_time("1970-01-01T00:00:01.5Z"), _read_time(None)
    (1.0, inf)
    """
    try:
        return datetime.fromisoformat(f"{str(text)[:19]}+00:00").timestamp()
    except ValueError:
        return float("inf")


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()


def _ignore(_: bytes) -> None:
    pass
