"""The outcome of a row: an answer or an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, TypeAlias, cast

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from pydantic_core import to_jsonable_python

from langchain_gemini_compat import errors
from langchain_gemini_compat._response.block_translator import describe_refusal
from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
from langchain_gemini_compat.price import estimate_price, prices_version

#: What caused an error:
#:
#: - `row`: the row itself
#: - `server`: the server or the network
#: - `account`: the account or the configuration
#: - `quota`: a quota of the account that is used up, which stops the run at once
Scope: TypeAlias = Literal["row", "server", "account", "quota"]

#: The first digit of the HTTP statuses that mean a redirect (3xx).
_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a row, or its error. If a reply caused the error, the outcome has the usage of this reply.

    Attributes:
        text: The text of the answer.
        parsed: The answer as a JSON value, if the run has a schema.
        tool_calls: The tool calls of the answer.
        finish_reason: LangChain's finish reason, such as `stop` or `length`.
        model: The model that answered.
        usage: The token counts. `None` if the server sent none, or if the answer comes from LangChain's cache.
        price: The estimated price in US dollars, or `None` if it is not known.
        error_type: The name of the exception, or `None` for an answer.
        error_message: The text of the exception.
        error_scope: What caused the error: the `row`, the `server` or the network, the `account` or the configuration,
            or an exhausted `quota`. If the scope is `account` or `quota`, the next run sends the row again.
    """

    text: str | None = None
    parsed: JsonValue = None
    tool_calls: Sequence[JsonObject] = ()
    finish_reason: str | None = None
    model: str | None = None
    usage: UsageMetadata | None = None
    price: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_scope: Scope = "row"

    @property
    def is_failed(self) -> bool:
        """Whether the row counts as failed, so that a later run sends it again only with `retry_failed`.

        After an error of the account or a quota, the row stays open, and the next run sends it again.
        """
        return self.error_type is not None and self.error_scope in ("row", "server")


def read_reply(reply: object) -> Outcome:
    """Return the outcome of a call that returned `reply`. A refusal by the model or by a filter is an error.

    `reply` is a message or, with structured output, the dict that a model with `include_raw=True` returns.
    """
    if isinstance(reply, AIMessage):
        refusal = describe_refusal(reply)
        return _read_message(reply, None, errors.ModelRefusalError(refusal) if refusal else None)
    parts = cast("dict[str, object]", reply)
    return _read_message(
        cast("AIMessage", parts["raw"]),
        # JSON has no NaN and no infinity, so the output has `null` instead.
        to_jsonable_python(parts["parsed"], inf_nan_mode="null"),
        cast("Exception | None", parts["parsing_error"]),
    )


def read_error(error: Exception) -> Outcome:
    """Return the outcome of a call that raised `error`. It has the usage of an unusable reply, which may cost money."""
    reply = getattr(error, "reply", None)
    return _read_message(reply if isinstance(reply, AIMessage) else None, None, error)


def _read_message(message: AIMessage | None, parsed: JsonValue = None, error: Exception | None = None) -> Outcome:
    failure = Outcome()
    if error is not None:
        failure = Outcome(error_type=type(error).__name__, error_message=str(error), error_scope=_find_scope(error))
    if message is None:
        return failure
    metadata, usage = message.response_metadata, message.usage_metadata
    # LangChain sets `total_cost` to 0 in the usage of an answer from its cache, because no request was sent.
    is_cached = usage is not None and usage.get("total_cost") == 0
    return replace(
        failure,
        text=message.text,
        parsed=parsed,
        tool_calls=cast("list[JsonObject]", to_jsonable_python(message.tool_calls)),
        finish_reason=metadata.get("finish_reason"),
        model=metadata.get("model_name"),
        usage=None if is_cached else usage,
        price=0.0 if is_cached else _estimate(usage, metadata.get("model_name") or ""),
    )


def _find_scope(error: Exception) -> Scope:
    if isinstance(error, errors.QuotaExhaustedError):
        return "quota"
    account = (
        errors.AuthenticationError,
        errors.CredentialsError,
        errors.ModelNotFoundError,
        errors.PermissionDeniedError,
        errors.RateLimiterError,
    )
    if isinstance(error, account) or _is_redirect(error):
        return "account"
    server = (errors.APIConnectionError, errors.InvalidReplyError, errors.RateLimitError, errors.ServerError)
    return "server" if isinstance(error, server) else "row"


def _is_redirect(error: Exception) -> bool:
    return isinstance(error, errors.APIStatusError) and error.status_code // 100 == _REDIRECTS


@cache
def load_prices() -> bool:
    """Load the price list, which takes a moment. Return whether the package with the price list is installed."""
    try:
        prices_version()
    except ImportError:
        return False
    return True


def _estimate(usage: UsageMetadata | None, model: str) -> float | None:
    price = estimate_price(usage, model) if usage and load_prices() else None
    return None if price is None else float(price)
