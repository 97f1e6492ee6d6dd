"""Translates network errors and timeouts to the exceptions of this package.

`server_errors` translates the errors that a server sends.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

from langchain_gemini_compat import errors
from langchain_gemini_compat._errors.pending import make_error
from langchain_gemini_compat._transport.deadlines import DeadlineExceededError
from langchain_gemini_compat._transport.library_errors import HttpErrorKind, is_http_error, is_timeout, kind_of
from langchain_gemini_compat._transport.network_errors import (
    UploadError,
    build_connection_error,
    build_upload_error,
    is_address_error,
)
from langchain_gemini_compat._transport.redaction import forget_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from langchain_gemini_compat._errors.base import GeminiCompatError
    from langchain_gemini_compat._transport.deadlines import Limit
    from langchain_gemini_compat._transport.timeouts import TimeLimits

_Client = TypeVar("_Client")


@contextmanager
def translate_errors(limits: TimeLimits, deadline: float | None) -> Generator[None]:
    """Convert errors of the HTTP library, raised while a request is sent, to exceptions of this package.

    Args:
        limits: The time limits of the call.
        deadline: When the call must end, by the monotonic clock, or `None`.
    """
    try:
        yield
    except UnicodeEncodeError as err:
        forget_secrets(err)
        raise make_error(_build_header_error) from err
    except DeadlineExceededError as err:
        raise make_timeout(err.limit, limits) from None
    except UploadError as err:
        raise make_error(partial(build_upload_error, err.size)) from err.__cause__
    except Exception as err:
        if not is_http_error(err) and not is_address_error(err):
            raise
        forget_secrets(err)
        if kind_of(err) is HttpErrorKind.ILLEGAL_HEADER:
            raise make_error(_build_header_error) from err
        if is_timeout(err):
            raise _translate_timeout(err, limits, deadline) from err
        raise make_error(partial(build_connection_error, err)) from err


def _build_header_error() -> errors.APIConnectionError:
    error = errors.APIConnectionError(
        "A header contains a line break or other characters that HTTP does not allow. Nothing was sent. Check "
        "`default_headers`, `api_key` and `quota_project_id`."
    )
    error.is_retryable = False
    return error


def open_client(client: Callable[[], _Client]) -> _Client:
    """Call `client`, which builds an HTTP client with the proxies of the environment, and return the HTTP client.

    The HTTP library's error is not chained, since its text contains the proxy's URL and perhaps a password.

    Raises:
        APIConnectionError: The proxy settings are invalid.
    """
    try:
        _check_proxies()
        return client()
    except Exception as err:
        if not isinstance(err, (ValueError, ImportError)) and not is_http_error(err):
            raise
        reason = f" ({err})" if isinstance(err, ImportError) else ""
    raise make_error(partial(_build_proxy_error, reason))


def _build_proxy_error(reason: str) -> errors.APIConnectionError:
    error = errors.APIConnectionError(
        f"The proxy settings are invalid{reason}. Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. A proxy "
        "has the form `http://HOST:PORT`."
    )
    error.is_retryable = False
    return error


def _check_proxies() -> None:
    """Raise `ValueError` for an invalid proxy port. For 65537, for example, the system's resolver would use port 1."""
    for name, address in getproxies().items():
        if name != "no":
            _ = urlsplit(address if "://" in address else f"//{address}").port


def make_timeout(limit: Limit | Literal["connect"], limits: TimeLimits) -> GeminiCompatError:
    """Return the exception for the time limit `limit`, which has expired."""
    return make_error(partial(_build_timeout, limit, limits))


def _build_timeout(limit: Limit | Literal["connect"], limits: TimeLimits) -> errors.RequestTimeoutError:
    seconds = getattr(limits, limit) or 0.0
    error = errors.RequestTimeoutError(
        f"{_LATE[limit].format(seconds)} Increase `timeout={{{limit!r}: …}}`, or request less output."
    )
    error.limit = limit
    return error


_LATE = {
    "connect": "No connection within {:g} seconds.",
    "first_byte": "No answer within {:g} seconds.",
    "between_chunks": "The stream was silent for {:g} seconds.",
    "total": "The call was not over within {:g} seconds.",
}


def _translate_timeout(err: Exception, limits: TimeLimits, deadline: float | None) -> GeminiCompatError:
    if deadline is not None and time.monotonic() >= deadline:
        return make_timeout("total", limits)
    kind = kind_of(err)
    first_byte = math.inf if limits.first_byte is None else limits.first_byte
    if kind is HttpErrorKind.POOL_TIMEOUT:
        return make_error(partial(_build_pool_timeout, first_byte, math.inf if limits.pool is None else limits.pool))
    connect = math.inf if limits.connect is None else limits.connect
    is_connect = kind is HttpErrorKind.CONNECT_TIMEOUT and connect <= first_byte
    return make_timeout("connect" if is_connect else "first_byte", limits)


def _build_pool_timeout(first_byte: float, pool: float) -> errors.RequestTimeoutError:
    error = errors.RequestTimeoutError(
        f"No free connection within {min(first_byte, pool):g} seconds: other calls use all connections of the HTTP "
        "client. Increase `max_connections` in the client's `Limits`, or `timeout={'first_byte': …}`."
    )
    error.limit = "connect" if pool < first_byte else "first_byte"
    return error
