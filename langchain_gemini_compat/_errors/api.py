"""The exceptions that are openai's as well; the tree is drawn in `errors`. Loads openai."""

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
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._wire.json_types import JsonObject

if TYPE_CHECKING:
    from httpx2 import Request, Response
else:
    Request, Response = (getattr(import_module(library_name()), name) for name in ("Request", "Response"))

#: The end of a server error's text, before the remedy: `(RESOURCE_EXHAUSTED 429)` or `(429)`.
_STATUS_IN_TEXT = re.compile(r"\((?:([^\s()]+) )?([3-5][0-9]{2})\)")
#: The status of an error without one.
_UNKNOWN_STATUS = 500
#: Bytes of an error body that a refusal keeps. Each closed rate gate holds one refusal.
_MOST_KEPT = 16 * 2**10


class APIStatusError(GeminiCompatError, openai.APIStatusError, core.ModelError):
    """The server answered with an error, by HTTP status or in mid-stream.

    `status_code` is the number Google gave, `status` its word (`INVALID_ARGUMENT`), `details` its list of
    `google.rpc` objects, `remedy` what to do next.
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
            # Task queues rebuild an exception from its `args`: Celery's JSON backend calls `cls(*args)`.
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
    """The key or token is missing, wrong or expired. AI Studio says so with 400, Vertex with 401."""


class PermissionDeniedError(APIStatusError, openai.PermissionDeniedError, core.ModelPermissionDeniedError):
    """The credentials are good and may not do this (403)."""


class InvalidRequestError(APIStatusError, openai.BadRequestError, core.ModelInvalidRequestError):
    """The server refused the request as it is (400, 409, 413, 422)."""


class MissingSignatureError(InvalidRequestError):
    """A function call of the current turn came back to Gemini without its thought signature."""


class InvalidSignatureError(InvalidRequestError):
    """A thought signature was altered, or belongs to another surface."""


class SchemaRejectedError(InvalidRequestError):
    """A tool or response schema has something the server does not take."""


class ContextOverflowError(InvalidRequestError, core.ContextOverflowError):
    """The input is longer than the model's context."""


class ModelNotFoundError(APIStatusError, openai.NotFoundError, core.ModelNotFoundError):
    """No such model, or no such place (404)."""


class RateLimitError(APIStatusError, openai.RateLimitError, core.ModelRateLimitError):
    """Too many requests (429); `quota_id` and `quota_metric` are Google's names."""

    is_retryable = True
    quota_id: str | None = None
    quota_metric: str | None = None


class QuotaExhaustedError(RateLimitError):
    """A daily quota, a spending cap or prepaid credits are used up: waiting seconds does not help."""

    is_retryable = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """The contents of a `RateLimitError`, for callers that the rate gate refuses without a request of their own.

    The exception itself is not kept: its traceback holds the failed request, with all its images.
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
        """Return the record of `error`."""
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
        """Return a new error for this caller, with request, response and body."""
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
    """The server failed (5xx), gave up waiting (408), or cancelled a stream (499)."""

    is_retryable = True


class CredentialsError(GeminiCompatError, openai.OpenAIError, core.ModelAuthenticationError):
    """No token could be had; nothing was sent. The text names the credential and the command that mends it."""


class APIConnectionError(GeminiCompatError, openai.APIConnectionError, core.ModelConnectionError):
    """The server could not be reached, or the connection broke."""

    is_retryable = True

    def __init__(self, message: str, *, request: Request | None = None) -> None:
        openai.APIConnectionError.__init__(self, message=message, request=cast("Request", request))


class TruncatedStreamError(APIConnectionError):
    """The stream ended before its end; `partial` is the text that had come by then."""


class RequestTimeoutError(APIConnectionError, openai.APITimeoutError, core.ModelTimeoutError):
    """A time limit passed; `limit` is its key in `Timeouts`."""

    is_retryable = True
    limit: str = ""


class InvalidReplyError(GeminiCompatError, openai.OpenAIError, core.ModelAPIError):
    """The server's answer is no reply of this API: no JSON, or JSON of another shape."""

    is_retryable = True


class UnusableReplyError(GeminiCompatError, openai.OpenAIError, core.ModelError):
    """The reply came whole and holds nothing to go on with; `reply` is what came, with usage and metadata."""

    is_retryable = True
    reply: AIMessage | None = None


class EmptyReplyError(UnusableReplyError):
    """No text, no tool call, no media: a state Gemini reaches now and then after tool results."""


class MalformedToolCallError(UnusableReplyError):
    """The model wrote a tool call that is not one, or was cut off inside its arguments."""


class BlockedError(UnusableReplyError):
    """A filter stopped the reply; asking again gives the same."""

    is_retryable = False
