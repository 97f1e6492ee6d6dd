"""The exceptions of this package. Most classes derive from the openai and langchain_core classes for the same failure.

Catch any of these classes. The columns show the classes of this package, of openai and of langchain_core.

```
GeminiCompatError
├─ APIStatusError             openai.APIStatusError        ModelError
│  ├─ AuthenticationError     openai.AuthenticationError   ModelAuthenticationError
│  ├─ PermissionDeniedError   openai.PermissionDeniedError ModelPermissionDeniedError
│  ├─ InvalidRequestError     openai.BadRequestError       ModelInvalidRequestError
│  │  ├─ MissingSignatureError, InvalidSignatureError, SchemaRejectedError
│  │  └─ ContextOverflowError                              ContextOverflowError
│  ├─ ModelNotFoundError      openai.NotFoundError         ModelNotFoundError
│  ├─ RateLimitError          openai.RateLimitError        ModelRateLimitError
│  │  └─ QuotaExhaustedError                               is_retryable False
│  └─ ServerError             openai.InternalServerError   ModelAPIError
├─ CredentialsError           openai.OpenAIError           ModelAuthenticationError
├─ APIConnectionError         openai.APIConnectionError    ModelConnectionError
│  ├─ TruncatedStreamError                                 .partial
│  └─ RequestTimeoutError     openai.APITimeoutError       ModelTimeoutError
├─ InvalidReplyError          openai.OpenAIError           ModelAPIError
├─ UnusableReplyError         openai.OpenAIError           ModelError    .reply
│  └─ EmptyReplyError, MalformedToolCallError, BlockedError
├─ ModelRefusalError          OutputParserException       ModelRefusalError   .raw_message
├─ RateLimiterError                                      ModelError
├─ UnsupportedContentError    ValueError                   ModelInvalidRequestError
├─ UnsupportedParameterError  ValueError                   ModelInvalidRequestError
└─ InvalidHistoryError        ValueError                   ModelInvalidRequestError
```

Classes that derive from openai's classes are imported on first use, because importing openai takes half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core import exceptions
from langchain_core.exceptions import ModelError, ModelInvalidRequestError, OutputParserException
from langchain_core.messages import BaseMessage

from langchain_gemini_compat._errors.base import GeminiCompatError
from langchain_gemini_compat._errors.pending import import_classes

if TYPE_CHECKING:
    from langchain_gemini_compat._errors.api import (
        APIConnectionError,
        APIStatusError,
        AuthenticationError,
        BlockedError,
        ContextOverflowError,
        CredentialsError,
        EmptyReplyError,
        InvalidReplyError,
        InvalidRequestError,
        InvalidSignatureError,
        MalformedToolCallError,
        MissingSignatureError,
        ModelNotFoundError,
        PermissionDeniedError,
        QuotaExhaustedError,
        RateLimitError,
        RequestTimeoutError,
        SchemaRejectedError,
        ServerError,
        TruncatedStreamError,
        UnusableReplyError,
    )

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "AuthenticationError",
    "BlockedError",
    "ContextOverflowError",
    "CredentialsError",
    "EmptyReplyError",
    "GeminiCompatError",
    "GeminiCompatWarning",
    "InvalidHistoryError",
    "InvalidReplyError",
    "InvalidRequestError",
    "InvalidSignatureError",
    "MalformedToolCallError",
    "MissingSignatureError",
    "ModelNotFoundError",
    "ModelRefusalError",
    "PermissionDeniedError",
    "QuotaExhaustedError",
    "RateLimitError",
    "RateLimiterError",
    "RequestTimeoutError",
    "SchemaRejectedError",
    "ServerError",
    "TruncatedStreamError",
    "UnsupportedContentError",
    "UnsupportedParameterError",
    "UnusableReplyError",
]


class GeminiCompatWarning(UserWarning):
    """A part of the request was left out or changed because the surface or the model does not accept that part.

    With `strict=True`, the model raises an error instead. `model.preview(messages)` lists all such changes.
    """


class UnsupportedContentError(GeminiCompatError, ModelInvalidRequestError, ValueError):
    """A content block cannot be sent to this surface. No request was sent.

    The error message lists the accepted types. Change or remove the block.
    """


class UnsupportedParameterError(GeminiCompatError, ModelInvalidRequestError, ValueError):
    """This surface or model does not accept a parameter, its value, or two parameters together. No request was sent.

    Change the parameter that the error message names.
    """


class InvalidHistoryError(GeminiCompatError, ModelInvalidRequestError, ValueError):
    """The messages cannot be sent, for example because no message has content. No request was sent.

    Change the message that the error message names.
    """


class RateLimiterError(GeminiCompatError, ModelError):
    """The shared rate limiter cannot be reached, or did not permit the request in time. No request was sent.

    The call is not retried. Check that Redis runs and is reachable. If the permission was late, use fewer workers or a
    longer `timeout` of the limiter.
    """


if TYPE_CHECKING:
    _CoreRefusalError = ModelError
else:
    # langchain-core 1.7.5 added `ModelRefusalError`.
    _CoreRefusalError = getattr(exceptions, "ModelRefusalError", ModelError)


class ModelRefusalError(GeminiCompatError, _CoreRefusalError, OutputParserException):
    """The model or a filter refused the answer of `with_structured_output`.

    The call is not retried, because another try gives the same result. Change the prompt, or use `include_raw=True`.

    Attributes:
        raw_message: The reply, with the refusal in its `content_blocks`.
        llm_output: The text of the reply.
    """

    def __init__(self, message: str, *, raw_message: BaseMessage | None = None) -> None:
        # `OutputParserException.__init__` would append advice about the output format to the error message.
        Exception.__init__(self, message)
        self.raw_message = raw_message
        self.observation: str | None = None
        self.llm_output: str | None = None if raw_message is None else raw_message.text
        self.send_to_llm = False


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_classes(), name)
    globals()[name] = value
    return value
