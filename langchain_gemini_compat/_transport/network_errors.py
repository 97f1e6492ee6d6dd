"""Builds the errors for requests that did not reach the server. Each error says what the cause is and what to do.

The HTTP library wraps the operating system's errors several times, and some of its own errors have no text. The texts
that this module searches for are those of OpenSSL (in errors of Python's `ssl`) and of httpcore's `ProxyError`.
`tests/transport/test_network_errors.py` causes each of these errors.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import TypeAlias

from langchain_gemini_compat import errors
from langchain_gemini_compat._transport.library_errors import HttpErrorKind, causes_of, kind_of, members_of

_Description: TypeAlias = "tuple[str, bool]"
_CHECK = "Check the network, proxy settings and `base_url`."
#: Minimum size of a large body in bytes. If the upload of a large body breaks off, the body is probably too large.
LARGE_BODY = 2**18
_LONGEST_TEXT = 300
_STATUS = re.compile(r"([45])\d\d\b")


class UploadError(Exception):
    """A new connection was closed while a large body was being sent."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class UploadTrace:
    """Records whether an upload broke off, and whether its connection was new.

    This class uses the event names of httpcore's `trace` extension. If a release changes them,
    `test_refused_upload_is_not_retried` fails.
    """

    def __init__(self) -> None:
        self._is_new = self._is_broken = False

    @property
    def is_refused(self) -> bool:
        """Whether the server closed a new connection during the upload.

        A connection from the pool does not count, since the server may have closed it before the upload.
        """
        return self._is_new and self._is_broken

    def note(self, event: str, info: object) -> None:
        """Record whether `event` means that a new connection was opened, or that the body could not be sent."""
        del info
        self._is_new = self._is_new or event.endswith("connect_tcp.complete")
        self._is_broken = self._is_broken or event.endswith("send_request_body.failed")

    async def anote(self, event: str, info: object) -> None:
        """Async version of `note`."""
        self.note(event, info)


def build_connection_error(err: BaseException) -> errors.APIConnectionError:
    """Return the error for `err`, which the HTTP library raised while a request was sent."""
    text, is_retryable = _describe(err)
    error = errors.APIConnectionError(text)
    error.is_retryable = is_retryable
    return error


def build_upload_error(size: int) -> errors.APIConnectionError:
    """Return the error for an upload of `size` bytes during which the server closed a new connection."""
    error = errors.APIConnectionError(
        f"The server closed the connection in the middle of the request ({size / 1e6:.1f} MB). Likely cause: the "
        "request is larger than the server or a proxy accepts (status 413). Send less, for instance smaller images or "
        "a URL instead of the file, or increase the limit of the server or proxy."
    )
    error.is_retryable = False
    return error


def is_address_error(err: BaseException) -> bool:
    """Return whether `err` is an error of Python's sockets about an invalid port or host name."""
    return all(isinstance(one, (OverflowError, UnicodeError)) for one in members_of(err))


def _describe(err: BaseException) -> _Description:
    """Return the error message for `err`, and whether a retry may help."""
    chain = [*causes_of(err)]
    kind = kind_of(err)
    if is_address_error(err):
        return (
            f"The host or port cannot exist ({_innermost_text(chain)}). Check `base_url` and the proxy settings.",
            False,
        )
    if kind is HttpErrorKind.PROXY:
        return _describe_proxy(str(err))
    if kind is HttpErrorKind.SCHEME:
        return "The address does not begin with `https://` or `http://`. Check `base_url`.", False
    known = next((described for one in chain if (described := _describe_cause(one))), None)
    if known is not None:
        return known
    if kind is HttpErrorKind.CLOSED:
        return f"The server closed the connection without an answer ({_innermost_text(chain)}). {_CHECK}", True
    return f"Could not reach the server ({_innermost_text(chain)}). {_CHECK}", True


def _describe_cause(err: BaseException) -> _Description | None:
    text = _cut(str(err))
    if isinstance(err, ssl.SSLError) or "[SSL" in text:
        return _describe_tls(text)
    if isinstance(err, socket.gaierror):
        # `EAI_AGAIN` means that no name server answered. A retry may help.
        may_pass = err.errno == socket.EAI_AGAIN
        advice = "the host name has no address. Check `base_url`, the DNS and proxy settings."
        return f"Could not reach the server ({text}): {advice}", may_pass
    if isinstance(err, ConnectionRefusedError):
        advice = f"nothing listens at this address. Check that the server is running. {_CHECK}"
        return f"Could not reach the server ({text}): {advice}", True
    return None


def _describe_tls(reason: str) -> _Description:
    for mark, advice in _TLS.items():
        if mark in reason:
            return advice.format(reason), False
    return f"The TLS connection failed ({reason}). {_CHECK}", True


def _describe_proxy(text: str) -> _Description:
    reason, status = _cut(text), _STATUS.match(text)
    if status and status[0] == "407":
        return _LOGIN.format(reason), False
    if status and status[1] == "4":
        return f"The proxy refused the connection ({reason}). Ask its operator, or add the host to NO_PROXY.", False
    return f"The proxy could not reach the server ({reason or 'it gave no reason'}). Check the proxy settings.", True


_PLAIN = (
    "The server does not use TLS at this port ({}). Check the port. If `base_url` or the proxy is a server without "
    "TLS, write `http://`."
)
#: Maps a part of OpenSSL's text to the error message. The first part that matches counts.
_TLS = {
    "mismatch": "The certificate belongs to another host ({}). Check `base_url`.",
    "not valid for": "The certificate belongs to another host ({}). Check `base_url`.",
    "CERTIFICATE_VERIFY_FAILED": "The server's certificate is not trusted ({}). Likely cause: a proxy or server with a "
    "certificate authority of its own. Set SSL_CERT_FILE to the file of that authority, or pass `http_client` and "
    "`http_async_client` with `verify=`.",
    "WRONG_VERSION_NUMBER": _PLAIN,
    "HTTP_REQUEST": _PLAIN,
    "RECORD_LAYER_FAILURE": _PLAIN,
}
_LOGIN = (
    "The proxy requires a login ({}). Add it to the proxy's address in HTTPS_PROXY: `http://USER:PASSWORD@HOST:PORT`."
)


def _innermost_text(chain: list[BaseException]) -> str:
    """Return the innermost text of an `OSError`, `OverflowError` or `UnicodeError`, else the first error's text."""
    # Exceptions of types other than these three come from inside a library. Their texts, such as "pop from an empty
    # deque", do not help the user.
    telling = [one for one in chain if isinstance(one, (OSError, OverflowError, UnicodeError)) or one is chain[0]]
    texts = [text for one in telling if (text := str(one).strip())]
    return _cut(texts[-1] if texts else "it gave no reason")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
