"""The exceptions of this package. One exception is ours, openai's and langchain_core's at once.

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
├─ UnsupportedContentError    ValueError                   ModelInvalidRequestError
├─ UnsupportedParameterError  ValueError                   ModelInvalidRequestError
└─ InvalidHistoryError        ValueError                   ModelInvalidRequestError
```

The classes that are openai's too are in `_errors.api` and are loaded on first use: importing openai takes half
a second, and a program in which nothing fails never needs it before its first call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from langchain_core import exceptions
from langchain_core.exceptions import ModelError, ModelInvalidRequestError, OutputParserException
from langchain_core.messages import BaseMessage

from langchain_gemini_compat._errors.base import GeminiCompatError

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
    "RequestTimeoutError",
    "SchemaRejectedError",
    "ServerError",
    "TruncatedStreamError",
    "UnsupportedContentError",
    "UnsupportedParameterError",
    "UnusableReplyError",
]


class GeminiCompatWarning(UserWarning):
    """Something the caller asked for was left out or changed; raised instead where `strict=True`."""


class UnsupportedContentError(GeminiCompatError, ModelInvalidRequestError, ValueError):
    """A content block that this surface has no form for; the text lists what it takes. Nothing was sent."""


class UnsupportedParameterError(GeminiCompatError, ModelInvalidRequestError, ValueError):
    """A parameter, or two that exclude each other, that this surface or model does not take. Nothing was sent."""


class InvalidHistoryError(GeminiCompatError, ModelInvalidRequestError, ValueError):
    """Messages that no request can be made of. Nothing was sent."""


if TYPE_CHECKING:
    _CoreRefusalError = ModelError
else:
    # langchain-core has it from 1.7.5 on.
    _CoreRefusalError = getattr(exceptions, "ModelRefusalError", ModelError)


class ModelRefusalError(GeminiCompatError, _CoreRefusalError, OutputParserException):
    """The model or a filter refused to give the structured answer; asking again gives the same.

    `raw_message` is the reply, with the refusal among its `content_blocks`.
    """

    def __init__(self, message: str, *, raw_message: BaseMessage | None = None) -> None:
        # LangChain's parser error would add advice about the output format.
        Exception.__init__(self, message)
        self.raw_message = raw_message
        self.observation: str | None = None
        self.llm_output: str | None = None if raw_message is None else raw_message.text
        self.send_to_llm = False


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module("langchain_gemini_compat._errors.api"), name)
    globals()[name] = value
    return value
