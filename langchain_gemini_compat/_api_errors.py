"""The exceptions that are openai's as well; the tree is drawn in `errors`. Loads openai."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import openai
from langchain_core import exceptions as core

from langchain_gemini_compat._base_errors import GeminiCompatError

if TYPE_CHECKING:
    from httpx2 import Request, Response
    from langchain_core.messages import AIMessage

    from langchain_gemini_compat._wire import JsonObject


class APIStatusError(GeminiCompatError, openai.APIStatusError, core.ModelError):
    """The server answered with an error, by HTTP status or in mid-stream.

    `status_code` is the number Google gave, `status` its word (`INVALID_ARGUMENT`), `details` its list of
    `google.rpc` objects, `remedy` what to do next.
    """

    def __init__(
        self,
        message: str,
        *,
        response: Response,
        body: object,
        status_code: int | None = None,
        status: str | None = None,
        details: tuple[JsonObject, ...] = (),
        remedy: str = "",
    ) -> None:
        super().__init__(message, response=response, body=body)
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
