"""Records the exchanges of this process to a cassette."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_gemini_compat._lazy import LazyHttpLibrary
from langchain_gemini_compat._request.known_refusals import forget_refusals
from langchain_gemini_compat._transport.decompression import (
    BrokenEncodingError,
    UnsupportedEncodingError,
    build_decompressor,
)
from langchain_gemini_compat._transport.process_lock import singleton_lock
from langchain_gemini_compat._transport.tape import RECORD_VARIABLE, add_recorder, remove_recorder
from langchain_gemini_compat.errors import GeminiCompatWarning
from langchain_gemini_compat.testing._cassettes.failures import describe_failure
from langchain_gemini_compat.testing._cassettes.file import append_interaction, start_cassette
from langchain_gemini_compat.testing._cassettes.layout import KEPT_HEADERS, describe_body, describe_request
from langchain_gemini_compat.testing._cassettes.scrub import Scrubber
from langchain_gemini_compat.testing._model.json_values import JsonObject

if TYPE_CHECKING:
    import httpx2

    from langchain_gemini_compat._transport.deadlines import Limit
else:
    httpx2 = LazyHttpLibrary()

#: Environment variable with the maximum size of a body in bytes. It applies only to recordings that
#: `GEMINI_COMPAT_RECORD` starts.
MAX_BODY_VARIABLE = f"{RECORD_VARIABLE}_MAX_BODY"
_END_OF_STREAM = b"[DONE]"


class Recording:
    """A running recording, as `record` returns it.

    Attributes:
        path: The cassette.
        exchanges: The number of exchanges so far.

    Examples:
        >>> import tempfile
        >>> from langchain_gemini_compat.testing import FakeGemini, record
        >>> with record(f"{tempfile.mkdtemp()}/bug.yaml") as recording:
        ...     reply = FakeGemini("Hello!").chat_model().invoke("Hi")
        >>> recording.exchanges
        1
    """

    def __init__(self, path: Path, max_body: int | None) -> None:
        self.path = path
        self.exchanges: int = 0
        self._max_body = max_body

    def start_take(self, request: httpx2.Request) -> _Take:
        """Return an object that records one exchange. The models call this method.

        Args:
            request: The request, before it is sent.

        Returns:
            The object, which writes the exchange to the file when the exchange ends.
        """
        return _Take(self, request, self._max_body)

    def append(self, interaction: JsonObject) -> None:
        """Write an exchange to the file. The models call this method. An error becomes a warning.

        Args:
            interaction: The exchange, in the layout of a cassette.
        """
        try:
            append_interaction(self.path, interaction, self._max_body)
        except (OSError, ValueError) as err:
            text = f"An exchange could not be recorded in {self.path} ({err}). The program is not affected."
            warnings.warn(text, GeminiCompatWarning, stacklevel=2)
        else:
            with singleton_lock():
                self.exchanges += 1


class _Take:
    """Collects the data of one exchange. `save` writes the exchange to the recording."""

    def __init__(self, recording: Recording, request: httpx2.Request, max_body: int | None) -> None:
        self._recording = recording
        self._request = request
        self._content: bytes = request.content
        self._max_body = max_body
        self._scrubber = Scrubber(request)
        self._response: httpx2.Response | None = None
        self._encoding = ""
        self._pieces: list[bytes] = []
        self._failure: JsonObject | None = None
        self._has_ended = False
        self._is_saved = False

    def note_response(self, response: httpx2.Response, *, is_raw: bool) -> None:
        self._response = response
        self._encoding = str(response.headers.get("content-encoding", "")) if is_raw else ""

    def note_piece(self, data: bytes) -> None:
        self._pieces.append(data)

    def note_end(self) -> None:
        self._has_ended = True

    def note_failure(self, error: BaseException) -> None:
        self._failure = describe_failure(error, self._scrubber)

    def save(self, exceeded: Limit | None = None) -> None:
        if self._is_saved:
            return
        self._is_saved = True
        if exceeded is not None:
            self._failure = {"type": "DeadlineExceededError", "text": exceeded}
        request = describe_request(self._request, self._content, self._scrubber, self._max_body)
        self._recording.append({"request": request, "response": self._describe_response()})
        self._pieces, self._content = [], b""

    def _describe_response(self) -> JsonObject:
        ending: JsonObject = {} if self._failure is None else {"failure": self._failure}
        if self._response is None:
            return ending or {"stopped": True}
        pieces, encoding = self._read_pieces()
        found = {name: self._response.headers.get_list(name) for name in (*KEPT_HEADERS, *encoding)}
        # The URL of a redirect to a login page may contain a login code or a session id. `clean_location` removes these
        # values. Afterwards, the scrubber removes them from the body, too.
        found["location"] = [self._scrubber.clean_location(location) for location in found["location"]]
        headers: JsonObject = {
            name: [self._scrubber.clean_text(value) for value in values] for name, values in found.items() if values
        }
        content_type = str(self._response.headers.get("content-type", ""))
        body = describe_body(pieces, content_type, self._scrubber, self._max_body)
        if not self._has_ended and self._failure is None and _END_OF_STREAM not in b"".join(pieces[-2:]):
            ending = {"stopped": True}
        return {
            "status": {"code": self._response.status_code, "message": self._response.reason_phrase},
            "headers": headers,
            **body,
            **ending,
        }

    def _read_pieces(self) -> tuple[list[bytes], tuple[str, ...]]:
        """Return the pieces of the body, decompressed if possible, and the header names that have to be recorded.

        If the pieces cannot be decompressed, the recording needs the header `content-encoding`. Otherwise, the tuple of
        header names is empty.
        """
        try:
            decompressor = build_decompressor(self._encoding)
            if decompressor is None:
                return self._pieces, ()
            return [b"".join(decompressor.feed(piece)) for piece in self._pieces], ()
        except (BrokenEncodingError, UnsupportedEncodingError):
            return self._pieces, ("content-encoding",)


@contextmanager
def record(path: str | os.PathLike[str], *, max_body: int | None = None) -> Generator[Recording]:
    """Record the exchanges of all models of this process with their servers until the `with` block ends.

    The file is a cassette, which `replay` and a person can read. It contains the texts of the conversation. Secrets and
    personal data are removed:

    - headers of requests, and the query and the user of the URL
    - values of headers, query parameters and body keys that are named like a secret
    - values of other headers that look like a key
    - the same values in a body that repeats them
    - names and numbers of projects and accounts, and texts in the form of well-known keys

    Use a plain `with` in async programs, too. Several threads, event loops and forked processes may record to one file.
    An exchange is written when it ends. Tokens that google-auth requests are not recorded.

    Args:
        path: The file. An older cassette is replaced.
        max_body: Maximum size of a body in bytes. In larger bodies, texts are cut after 200 characters. `replay` cannot
            answer with a reply that was cut. `None` (the default) cuts nothing.

    Yields:
        The `Recording`.

    Raises:
        FileExistsError: The file exists and is not a cassette.
        OSError: The file cannot be written.

    Examples:
        >>> import tempfile
        >>> from langchain_gemini_compat.testing import FakeGemini, record, replay
        >>> path = f"{tempfile.mkdtemp()}/bug.yaml"
        >>> with record(path):
        ...     FakeGemini("Hello!").chat_model().invoke("Hi").text
        'Hello!'
        >>> with replay(path):
        ...     FakeGemini("Another answer").chat_model().invoke("Hi").text
        'Hello!'
    """
    recording = Recording(Path(path).absolute(), max_body)
    start_cassette(recording.path, max_body)
    # A replay begins without the package's memory of refused requests. So forget this memory here, too: the recording
    # then contains each refused request.
    forget_refusals()
    add_recorder(recording)
    try:
        yield recording
    finally:
        remove_recorder(recording)


def build_environment_recorder(path: str) -> Recording:
    """Return a recorder that writes to `path`, the value of `GEMINI_COMPAT_RECORD`. Other processes may append too."""
    limit = os.environ.get(MAX_BODY_VARIABLE, "")
    return Recording(Path(path).absolute(), int(limit) if limit.isdecimal() else None)
