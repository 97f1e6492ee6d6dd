"""The exceptions that derive from openai's classes. This module imports openai. `errors` shows the whole tree."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

import openai
from langchain_core import exceptions as core
from langchain_core.messages import AIMessage

from langchain_gemini_compat._errors.base import GeminiCompatError
from langchain_gemini_compat._errors.pending import note_classes_imported
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._wire.json_types import JsonObject

if TYPE_CHECKING:
    from httpx2 import Request, Response
else:
    Request, Response = (getattr(import_module(library_name()), name) for name in ("Request", "Response"))

#: Matches the status in a server error's text, such as `(RESOURCE_EXHAUSTED 429)` or `(429)`. Advice may follow the
#: status.
_STATUS_IN_TEXT = re.compile(r"\((?:([^\s()]+) )?([3-5][0-9]{2})\)")
#: The status code of an exception that is built from a text without a status code.
_UNKNOWN_STATUS = 500
#: Maximum size in bytes of the error body that a `Refusal` keeps in memory for a blocked rate gate.
_MOST_KEPT = 16 * 2**10


class APIStatusError(GeminiCompatError, openai.APIStatusError, core.ModelError):
    """The server answered with an error: by HTTP status, in the body of a reply, or in the middle of a stream.

    This is the base class of all errors of a server. The subclass decides whether the call is retried.

    Attributes:
        status_code: Number of the error: Google's `code` if the body has one, else the HTTP status.
        status: Google's name of the error, such as `INVALID_ARGUMENT`; `None` if the server sent none.
        details: Google's `details`: objects of `google.rpc`, such as `QuotaFailure`.
        remedy: What to do. The error's text ends with this advice.
        body: The error object of the body, as in openai's errors.
        response: The HTTP response, as in openai's errors. Headers and query parameters that may hold secrets have been
            removed from its request.
        request_id: The request ID of the response, as in openai's errors.
    """

    def __init__(
        self,
        message: str,
        *,
        response: Response | None = None,
        body: object = None,
        status_code: int | None = None,
        status: str | None = None,
        details: tuple[JsonObject, ...] = (),
        remedy: str = "",
    ) -> None:
        if response is not None:
            super().__init__(message, response=response, body=body)
        else:
            # Without a response, the error is built from the message alone. Task queues rebuild errors like this:
            # Celery's JSON backend calls `cls(*args)`.
            openai.APIError.__init__(self, message, cast("Request", None), body=body)
            del self.request
            self.request_id: str | None = None
            words = _STATUS_IN_TEXT.findall(message)
            word, number = words[-1] if words else ("", "")
            status = status or word or None
            status_code = status_code or int(number or getattr(type(self), "status_code", _UNKNOWN_STATUS))
        if status_code is not None:
            self.status_code = status_code
        self.status = status
        self.details = details
        self.remedy = remedy


class AuthenticationError(APIStatusError, openai.AuthenticationError, core.ModelAuthenticationError):
    """The key or token is missing, wrong or expired (401; AI Studio answers 400 for a wrong key).

    The call is not retried, except once after a 401 if a new token is available. Check `api_key`, or log in with
    `gcloud auth application-default login`.
    """


class PermissionDeniedError(APIStatusError, openai.PermissionDeniedError, core.ModelPermissionDeniedError):
    """The credentials are valid but lack permission for this project, API or model (403).

    The call is not retried. Grant the role, enable the API or enable billing, as `remedy` says.
    """


class InvalidRequestError(APIStatusError, openai.BadRequestError, core.ModelInvalidRequestError):
    """The server refused the content of the request (400, 409, 413, 422 and other 4xx; redirects).

    The call is not retried, except once without an optional parameter that the error names. `model.preview(messages)`
    shows the request. Change the part that the error message names.
    """


class MissingSignatureError(InvalidRequestError):
    """A tool call of the current turn has no thought signature in the request (400).

    The call is not retried. Put the model's `AIMessage` into the history unchanged, since its `additional_kwargs`
    contain the signatures.
    """


class InvalidSignatureError(InvalidRequestError):
    """A thought signature has been changed, or comes from another surface (400).

    The call is not retried. Keep signatures unchanged, and continue each conversation on the surface where it began.
    """


class SchemaRejectedError(InvalidRequestError):
    """The server does not accept the name of a tool, or the schema of a tool or of the answer (400).

    The call is not retried, except once without an optional keyword that the error names. Rename the tool or simplify
    the schema that the error message names.
    """


class ContextOverflowError(InvalidRequestError, core.ContextOverflowError):
    """The input is longer than the context window of the model.

    The call is not retried. Shorten the messages. LangChain's summarization middleware does that on this error.
    """


class ModelNotFoundError(APIStatusError, openai.NotFoundError, core.ModelNotFoundError):
    """The server does not know the model, the location or the path (404, or a gateway's 400 for an unknown model).

    The call is not retried. Check `model`, `location` and `base_url`.
    """


class RateLimitError(APIStatusError, openai.RateLimitError, core.ModelRateLimitError):
    """A quota that refills soon is used up (429).

    The call is retried after the time that the server names, or with exponential backoff. If the error persists, send
    fewer requests or request a higher quota.

    Attributes:
        quota_id: Google's name of the quota, such as `GenerateRequestsPerMinutePerProjectPerModel-FreeTier`.
        quota_metric: Google's name of the metric that the quota limits.
    """

    is_retryable = True
    quota_id: str | None = None
    quota_metric: str | None = None


class QuotaExhaustedError(RateLimitError):
    """A daily quota, a spending cap or prepaid credits are used up (429 or 402).

    The call is not retried, because the quota does not refill within seconds. Wait for the reset, raise the cap, add
    credits or use another model.
    """

    is_retryable = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """The contents of a `RateLimitError`. The rate gate builds the errors of further calls from them.

    The rate gate does not store the exception itself, because its traceback would keep the failed request with all
    images in memory.
    """

    kind: type[RateLimitError]
    message: str
    body: object
    content: bytes
    http_status: int
    response_type: type[Response]
    response_headers: tuple[tuple[bytes, bytes], ...]
    request_type: type[Request]
    method: str
    url: str
    request_headers: tuple[tuple[bytes, bytes], ...]
    status_code: int
    status: str | None
    details: tuple[JsonObject, ...]
    remedy: str
    quota_id: str | None
    quota_metric: str | None

    @classmethod
    def of(cls, error: RateLimitError) -> Refusal:
        """Return a `Refusal` with the contents of `error`."""
        response, request = error.response, error.response.request
        is_small = len(response.content) <= _MOST_KEPT
        return cls(
            kind=type(error),
            message=error.message,
            body=error.body if is_small else None,
            content=response.content if is_small else b"",
            http_status=response.status_code,
            response_type=type(response),
            response_headers=tuple(response.headers.raw),
            request_type=type(request),
            method=request.method,
            url=str(request.url),
            request_headers=tuple(request.headers.raw),
            status_code=error.status_code,
            status=error.status,
            details=error.details if is_small else (),
            remedy=error.remedy,
            quota_id=error.quota_id,
            quota_metric=error.quota_metric,
        )

    def build_error(self, retry_after: float, tries: int) -> RateLimitError:
        """Build an error with the stored request, response and body. `retry_after` is in seconds."""
        request = self.request_type(self.method, self.url, headers=list(self.request_headers))
        response = self.response_type(
            self.http_status, headers=list(self.response_headers), content=self.content, request=request
        )
        error = self.kind(
            self.message,
            response=response,
            body=deepcopy(self.body),
            status_code=self.status_code,
            status=self.status,
            details=deepcopy(self.details),
            remedy=self.remedy,
        )
        error.quota_id, error.quota_metric = self.quota_id, self.quota_metric
        error.retry_after, error.tries = retry_after, tries
        return error


class ServerError(APIStatusError, openai.InternalServerError, core.ModelAPIError):
    """The server failed (5xx, 424), timed out (408), is still starting the model, or cancelled a stream (499).

    The call is retried with exponential backoff. If the error persists, try later or use another model.
    """

    is_retryable = True


class CredentialsError(GeminiCompatError, openai.OpenAIError, core.ModelAuthenticationError):
    """There is no bearer token, so no request was sent.

    The error message names the credential, the cause and the command to run. The call is retried only in two cases: the
    token server failed or could not be reached, or your `api_key` function raised an error whose `is_retryable` or
    `retryable` is `True`.
    """


class APIConnectionError(GeminiCompatError, openai.APIConnectionError, core.ModelConnectionError):
    """The server could not be reached, or the connection was lost.

    The call is retried with exponential backoff. Some of these errors are not retried (`is_retryable` is `False`), for
    example an untrusted certificate, a proxy that refuses the connection, or a host name without an address. Check
    `base_url`, the network, and the proxy variables.

    Attributes:
        request: The HTTP request, if there was one.
    """

    is_retryable = True

    def __init__(self, message: str, *, request: Request | None = None) -> None:
        openai.APIConnectionError.__init__(self, message=message, request=cast("Request", request))


class TruncatedStreamError(APIConnectionError):
    """The stream ended before the model had finished.

    The call is retried, unless you have already received a part of the reply. `partial` is the text that had arrived.
    """


class RequestTimeoutError(APIConnectionError, openai.APITimeoutError, core.ModelTimeoutError):
    """A time limit of the call expired.

    The call is retried until the limit `total` expires. Raise the limit, for example with
    `timeout={"first_byte": 900}`, or stream the reply.

    Attributes:
        limit: The key of the limit in `timeout`: `connect`, `first_byte`, `between_chunks` or `total`.
    """

    is_retryable = True
    limit: str = ""


class InvalidReplyError(GeminiCompatError, openai.OpenAIError, core.ModelAPIError):
    """The answer of the server is not JSON, or is JSON that is not a reply of this API.

    The call is retried. If the error persists, check `base_url` and the proxy.
    """

    is_retryable = True


class UnusableReplyError(GeminiCompatError, openai.OpenAIError, core.ModelError):
    """The reply arrived to its end and contains no error of the server, but it cannot be used.

    The call is retried, unless the reply was cut by `max_tokens` or stopped by a filter.

    Attributes:
        reply: The message as it arrived, with `usage_metadata` and `response_metadata`.
    """

    is_retryable = True
    reply: AIMessage | None = None


class EmptyReplyError(UnusableReplyError):
    """The reply has no text, no tool call and no media. Gemini sometimes sends such a reply after tool results.

    The call is retried, unless thinking used up `max_tokens`. In this case, raise `max_tokens`.
    """


class MalformedToolCallError(UnusableReplyError):
    """The model wrote an invalid tool call, or its arguments are incomplete.

    The call is retried, unless `max_tokens` cut the reply. Raise `max_tokens` or simplify the schema of the tool. With
    `invalid_tool_calls="keep"`, the model returns such tool calls instead of raising this error.
    """


class BlockedError(UnusableReplyError):
    """The model refused to answer or a filter stopped the reply, and the reply contains a tool call.

    The tool call is withheld.
    The model call is not retried, because another try gives the same result. Rephrase the request.
    """

    is_retryable = False


note_classes_imported()
