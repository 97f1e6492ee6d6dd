"""Converts network failures to the layout of a cassette, and back to exceptions."""

from __future__ import annotations

import socket
import ssl
from importlib import import_module
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._transport.deadlines import DeadlineExceededError
from langchain_gemini_compat._transport.library_errors import HttpErrorKind, causes_of, is_http_error, kind_of
from langchain_gemini_compat._transport.network_errors import UploadError
from langchain_gemini_compat.testing._model.json_values import as_list, as_object, as_text

if TYPE_CHECKING:
    from langchain_gemini_compat._transport.deadlines import Limit
    from langchain_gemini_compat.testing._cassettes.scrub import Scrubber
    from langchain_gemini_compat.testing._model.json_values import JsonObject

#: Maps each kind of error to the name of an exception class of httpx. A cassette stores errors of aiohttp under these
#: names.
_CLASSES = {
    HttpErrorKind.CONNECT_TIMEOUT: "ConnectTimeout",
    HttpErrorKind.POOL_TIMEOUT: "PoolTimeout",
    HttpErrorKind.TIMEOUT: "ReadTimeout",
    HttpErrorKind.CLOSED: "ReadError",
    HttpErrorKind.PROXY: "ProxyError",
    HttpErrorKind.SCHEME: "UnsupportedProtocol",
    HttpErrorKind.ILLEGAL_HEADER: "LocalProtocolError",
    HttpErrorKind.OTHER: "ConnectError",
}
#: The causes of a network failure that a cassette can store. The package has a different message for each. The first
#: class that fits is stored, so subclasses come before their base class `OSError`.
_CAUSES: dict[str, type[OSError]] = {
    "gaierror": socket.gaierror,
    "ConnectionRefusedError": ConnectionRefusedError,
    "SSLError": ssl.SSLError,
    "OSError": OSError,
}


def describe_failure(error: BaseException, scrubber: Scrubber) -> JsonObject | None:
    """Return the failure in the layout of a cassette, or `None` if the program itself cancelled the request."""
    if isinstance(error, DeadlineExceededError):
        return {"type": "DeadlineExceededError", "text": error.limit}
    if isinstance(error, UploadError):
        return {"type": "UploadError", "size": error.size}
    if not isinstance(error, Exception):
        return None
    name = _CLASSES[kind_of(error)]
    # For an exception of httpx, store the name of its class, which is more exact than the name from `_CLASSES`. Errors
    # of aiohttp, which the package replaces by an `AiohttpError`, keep the name from `_CLASSES`.
    if is_http_error(error) and not any(type(one).__module__.endswith("library_errors") for one in causes_of(error)):
        name = type(error).__name__
    found: JsonObject = {"type": name, "text": scrubber.clean_text(str(error))}
    causes = [(kind, one) for kind, known in _CAUSES.items() for one in causes_of(error) if isinstance(one, known)]
    if causes:
        kind, cause = causes[0]
        args = [one if isinstance(one, int) else scrubber.clean_text(str(one)) for one in cause.args[:2]]
        found["cause"] = {"type": kind, "args": [*args]}
    return found


def build_failure(failure: JsonObject, *, has_begun: bool) -> Exception:
    """Return the exception for a recorded failure.

    Args:
        failure: The failure.
        has_begun: Whether a part of the response has arrived.
    """
    name, text = as_text(failure.get("type")), as_text(failure.get("text"))
    if name == "UploadError":
        size = failure.get("size")
        return UploadError(size if isinstance(size, int) else 0)
    if name == "DeadlineExceededError" and not has_begun:
        return DeadlineExceededError(cast("Limit", text))
    # If a part of the response has arrived, replay an exceeded deadline as a read timeout. The package treats such a
    # timeout as an exceeded deadline.
    name = "ReadTimeout" if name == "DeadlineExceededError" else name
    library = import_module(library_name())
    kind: type[Exception] = getattr(library, name, library.TransportError)
    error = kind(text)
    cause = as_object(failure.get("cause"))
    if cause:
        error.__cause__ = _CAUSES.get(as_text(cause.get("type")), OSError)(*as_list(cause.get("args")))
    return error
