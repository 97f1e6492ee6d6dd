"""Google's Files API: resumable uploads, metadata and downloads.

Sources: https://ai.google.dev/gemini-api/docs/files, https://ai.google.dev/api/files and, for the headers of an upload,
google-genai's `_api_client.py` (https://github.com/googleapis/python-genai).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from langchain_gemini_compat.testing._model.faults import GoogleError
from langchain_gemini_compat.testing._model.json_values import as_text, dump, read_path
from langchain_gemini_compat.testing._rules.batches import FILE_SECONDS, MAX_FILE_BYTES, MAX_STORED_BYTES
from langchain_gemini_compat.testing._server.answers import Answer, answer_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_gemini_compat.testing._model.json_values import JsonObject
    from langchain_gemini_compat.testing._server.requests import FakeRequest

UPLOAD_PATH = "/upload/v1beta/files"
_JSON = {"content-type": "application/json; charset=UTF-8"}
#: The size of each part of an upload, except the last, has to be a multiple of this number of bytes.
_GRANULARITY = 262144


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the fake. Clients can download the output files of batches, but not the files that they uploaded."""

    name: str
    display_name: str
    mime_type: str
    content: bytes
    created: float
    source: Literal["UPLOADED", "GENERATED"]

    def describe(self, origin: str) -> JsonObject:
        """Return the metadata of the file, as Google writes it."""
        uri = f"{origin}/v1beta/{self.name}"
        described: JsonObject = {
            "name": self.name,
            "displayName": self.display_name,
            "mimeType": self.mime_type,
            "sizeBytes": str(len(self.content)),
            "createTime": format_time(self.created),
            "updateTime": format_time(self.created),
            "expirationTime": format_time(self.created + FILE_SECONDS),
            "sha256Hash": sha256(self.content).hexdigest(),
            "uri": uri,
            "state": "ACTIVE",
            "source": self.source,
        }
        return {**described, "downloadUri": f"{uri}:download?alt=media"} if self.source == "GENERATED" else described


@dataclass(slots=True)
class _Upload:
    size: int
    mime_type: str
    display_name: str
    received: bytearray = field(default_factory=bytearray)


class FileStore:
    """The files of the fake, by name.

    Args:
        now: The clock, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._numbers = count(1)
        self._files: dict[str, StoredFile] = {}
        self._uploads: dict[str, _Upload] = {}

    def add(self, content: bytes, *, display_name: str, source: Literal["UPLOADED", "GENERATED"]) -> StoredFile:
        """Store a file and return it."""
        prefix = "batch-" if source == "GENERATED" else ""
        name = f"files/{prefix}{next(self._numbers):012x}"
        stored = StoredFile(name, display_name, "application/jsonl", content, self._now(), source)
        self._files[name] = stored
        return stored

    def find(self, name: str) -> StoredFile | None:
        """Return the file, or `None` if it does not exist or is older than 48 hours."""
        stored = self._files.get(name)
        return stored if stored is not None and self._now() < stored.created + FILE_SECONDS else None

    def answer(self, request: FakeRequest, origin: str, content: bytes) -> Answer:
        """Answer a request to the paths of the Files API."""
        if request.path == UPLOAD_PATH:
            upload = request.query.get("upload_id")
            return self._start(request, origin) if upload is None else self._receive(upload, request, origin, content)
        name, _, verb = request.path.rpartition("v1beta/")[2].partition(":")
        stored = self.find(name)
        if stored is None:
            # Source: https://discuss.ai.google.dev/t/uploaded-files-missing-after-a-few-days/50428
            text = f"You do not have permission to access the File {name.removeprefix('files/')} or it may not exist."
            return refuse(403, "PERMISSION_DENIED", text)
        if request.method == "DELETE":
            del self._files[name]
            return Answer(200, _JSON, (b"{}\n",))
        if verb != "download":
            return _answer_json(stored.describe(origin))
        if stored.source == "UPLOADED" or request.query.get("alt") != "media":
            return refuse(400, "INVALID_ARGUMENT", f"The file {name} cannot be downloaded.")
        return Answer(200, {"content-type": "application/jsonl"}, (stored.content,))

    def _start(self, request: FakeRequest, origin: str) -> Answer:
        headers = request.headers
        size = headers.get("x-goog-upload-header-content-length", "")
        is_start = headers.get("x-goog-upload-command") == "start"
        if headers.get("x-goog-upload-protocol") != "resumable" or not is_start or not size.isdecimal():
            return refuse(400, "INVALID_ARGUMENT", "An upload starts with a command, a protocol and a length.")
        stored = sum(len(stored.content) for stored in self._files.values() if self.find(stored.name))
        if int(size) > MAX_FILE_BYTES or stored + int(size) > MAX_STORED_BYTES:
            return refuse(400, "INVALID_ARGUMENT", "The file is larger than 2 GB, or the project stores over 20 GB.")
        file = read_path(request.body, "file")
        name = as_text(read_path(file, "display_name") or read_path(file, "displayName"))
        upload = f"{next(self._numbers):012x}"
        mime_type = headers.get("x-goog-upload-header-content-type", "")
        self._uploads[upload] = _Upload(int(size), mime_type, name)
        url = f"{origin}{UPLOAD_PATH}?upload_id={upload}&upload_protocol=resumable"
        return _answer_upload("active", {"x-goog-upload-url": url})

    def _receive(self, key: str, request: FakeRequest, origin: str, content: bytes) -> Answer:
        upload = self._uploads.get(key)
        if upload is None:
            return refuse(404, "NOT_FOUND", "This upload does not exist.")
        commands = {part.strip() for part in request.headers.get("x-goog-upload-command", "").split(",")}
        if commands == {"query"}:
            return _answer_upload("active", {"x-goog-upload-size-received": str(len(upload.received))})
        wrong = _find_mistake(upload, commands, request.headers.get("x-goog-upload-offset", ""), content)
        if wrong:
            return refuse(400, "INVALID_ARGUMENT", wrong)
        if "upload" in commands:
            upload.received += content
        if "finalize" not in commands:
            return _answer_upload("active", {})
        del self._uploads[key]
        stored = self.add(bytes(upload.received), display_name=upload.display_name, source="UPLOADED")
        return _answer_upload("final", {}, {"file": stored.describe(origin)})


def _find_mistake(upload: _Upload, commands: set[str], offset: str, content: bytes) -> str:
    """Return a text about the mistake in one request of an upload, or an empty text if the request is valid."""
    received = len(upload.received)
    if "upload" in commands and offset != str(received):
        return f"The offset has to be {received}."
    if "finalize" not in commands and len(content) % _GRANULARITY:
        return f"The size of each part but the last has to be a multiple of {_GRANULARITY} bytes."
    if "finalize" in commands and received + len(content) != upload.size:
        return f"The upload has to have {upload.size} bytes."
    return ""


def find_origin(url: str, headers: Mapping[str, str]) -> str:
    """Return scheme and host of a request. If `url` is only a path, use the header `Host`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"http://{headers.get('host', '127.0.0.1')}"


def format_time(seconds: float) -> str:
    """Return a time as Google writes it.

    >>> format_time(0.0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def refuse(code: int, status: str, message: str) -> Answer:
    """Return an error in Google's format."""
    return answer_error(GoogleError(code, status, message), "ai_studio", "")


def _answer_json(value: JsonObject) -> Answer:
    return Answer(200, _JSON, (dump(value).encode(),))


def _answer_upload(status: str, headers: Mapping[str, str], value: JsonObject | None = None) -> Answer:
    body = b"" if value is None else dump(value).encode()
    granularity = {"x-goog-upload-chunk-granularity": str(_GRANULARITY)}
    return Answer(200, {**_JSON, **granularity, "x-goog-upload-status": status, **headers}, (body,) if body else ())
