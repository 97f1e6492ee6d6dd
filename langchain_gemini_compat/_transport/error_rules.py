"""Maps an error of the server to an exception class and to advice, by the words, text, details and status of the error.

The words of an error are its codes, types and reasons. The texts that this module searches for are from captures of
both Google surfaces and from Google's troubleshooting pages. `error_bodies` parses the errors of servers.
`library_errors` and `network_errors` handle the errors of HTTP libraries and of OpenSSL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from langchain_gemini_compat._errors import api as errors

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class ParsedError:
    """The contents of an error body.

    Attributes:
        code: The status that the body contains, else the HTTP status.
        status: Google's name of the status, such as `RESOURCE_EXHAUSTED`, or another server's error type.
        message: The server's text.
        details: Google's `details`.
        words: The codes, types and reasons of all nested errors in lower case, the innermost first.
    """

    code: int
    status: str | None
    message: str
    details: tuple[JsonObject, ...]
    words: tuple[str, ...] = ()


def classify(error: ParsedError, surface: Surface, wait: float | None) -> tuple[type[errors.APIStatusError], str]:
    """Return the exception class for `error` and the advice for the caller.

    Args:
        error: The parsed error.
        surface: The kind of endpoint, which selects the advice.
        wait: The wait that the server asked for, in seconds, or `None`.
    """
    text = _searchable_text(error).lower()
    kind, remedy = _classify_first(error) or _classify_text(error, text) or _classify_code(error, wait)
    flags = _FLAG.findall(error.message) if kind is errors.InvalidRequestError else []
    if flags:
        named = " ".join(dict.fromkeys(flags))
        return (
            kind,
            f"Start the server with the option `{named}`, or leave out the parameter that needs this option.",
        )
    return kind, remedy if isinstance(remedy, str) else remedy[surface]


def _searchable_text(error: ParsedError) -> str:
    """Return the message and the field violations of Google's `BadRequest`, each on its own line."""
    found = [error.message]
    for detail in error.details:
        violations = detail.get("fieldViolations")
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict):
                found += [value for key in ("field", "description") if isinstance(value := violation.get(key), str)]
    return "\n".join(found)


def _classify_first(error: ParsedError) -> _Rule | None:
    """Return the class and the advice for the first word of the error that is in `_FIRST_WORDS`.

    Return `None` if the error has no such word.
    """
    return next((_FIRST_WORDS[word] for word in error.words if word in _FIRST_WORDS), None)


def _classify_text(error: ParsedError, text: str) -> _Rule | None:
    return next(
        ((kind, remedy) for kind, codes, pattern, remedy in _TEXTS if error.code in codes and re.search(pattern, text)),
        None,
    )


def _classify_code(error: ParsedError, wait: float | None) -> _Rule:
    """Return the class and the advice for the status. If the status has many meanings, the error's words decide."""
    code = error.code
    if code in _MANY_THINGS:
        meant = (CODES_OF_WORDS.get(word, code) for word in error.words if word not in VAGUE_WORDS)
        code = next((other for other in meant if other != error.code), code)
    if code == 429:
        return _classify_limit(error, wait)
    if code in _CODES:
        return _CODES[code]
    if 300 <= code < 400:
        return errors.InvalidRequestError, _REDIRECT
    if 400 <= code < 500:
        return (
            errors.InvalidRequestError,
            "Change the field that the server's message mentions. `preview()` shows the request.",
        )
    return errors.ServerError, "Retry later."


def _classify_limit(error: ParsedError, wait: float | None) -> _Rule:
    named = any(quota_of(error).values())
    if any(_DAILY.search(name) for name in quota_of(error).values()) or (not named and _is_daily(error.message)):
        return errors.QuotaExhaustedError, "This daily quota is spent. Wait for its reset, or request a higher quota."
    if _NO_QUOTA.search(error.message):
        return (
            errors.QuotaExhaustedError,
            "This model has no quota (limit 0). Use another model, or request quota.",
        )
    pause = "a while" if wait is None else f"{wait:g} seconds"
    return errors.RateLimitError, f"Wait {pause}, or request a higher quota."


def _is_daily(text: str) -> bool:
    """Return whether `text` mentions a daily quota and no quota per minute. Use this for errors without details."""
    return bool(_DAILY.search(text)) and not _MINUTE.search(text)


_DAILY = re.compile(r"per[-_ ]?day|\bdaily\b|\b[tr]pd\b|\b1/d\b", re.IGNORECASE)
_MINUTE = re.compile(r"per[-_ ]?min|\b[tr]pm\b", re.IGNORECASE)
#: Matches a command-line option of the server in an error text.
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]{2,60}")
_NO_QUOTA = re.compile(r"\blimit: 0\b(?![.,]\d)")
_BAD = (400, 422)
_OVERFLOW = (
    r"exceeds the maximum number of tokens|input token count|maximum context length|context size|context window"
    r"|exceeds the available context|prompt is too long|contextwindowexceeded|longer than the maximum model length"
    r"|input is too long|exceeds? (?:the )?(?:model'?s )?(?:maximum )?context|exceed context limit"
    r"|context length exceeded"
    r"|greater than the context length|reduce the length of the (?:messages|prompt|input)|maximum model length"
    r"|inputs?`? (?:tokens )?must have less than|too many input tokens"
)
_SCHEMA = (
    r"function_declarations|functiondeclaration|response_schema|response_json_schema|invalid json schema"
    r"|should be non-empty for object type|schema is too complex|too many states for serving"
    r"|maximum allowed nesting depth"
)
_NO_MODEL = (
    r"invalid model name passed|is not a valid model|model not exist|no such model"
    r"|\bmodel\b[^.\n]{0,200}(?:does not exist|not found)"
)
_COLD = (
    r"scal\w{1,6}[- ](?:up )?from zero|not (?:yet )?ready for inference|scaled to zero|loading model"
    r"|model[^.\n]{0,200}is (?:currently |still )?loading"
)
#: Advice for a model that is being started. Vertex AI then sends status 429 and this text: "Model is not yet ready for
#: inference. Please wait while model completes scale-up from zero, then try your request again." A deployment takes up
#: to 15 minutes (https://googlecloudplatform.github.io/dgem/deploy/vertex/).
_COLD_REMEDY = (
    "The server is starting the model. A cold start takes minutes, up to 15 with large weights. Wait for it with "
    '`max_retries=150, timeout={"retry_wait": 900}`, or keep one replica running (`min_replica_count=1`).'
)
Remedy: TypeAlias = "str | dict[Surface, str]"
_Rule: TypeAlias = "tuple[type[errors.APIStatusError], Remedy]"
_NEW_KEY = "Pass a valid key as `api_key`; make one at https://aistudio.google.com/apikey."
_BAD_KEY: dict[Surface, str] = {
    "vertex": "Vertex AI expects an OAuth token. Leave `api_key` out and run `gcloud auth application-default login`.",
    "ai_studio": _NEW_KEY,
    "openai_compatible": "Pass a key of this server as `api_key`.",
}
_UNAUTHENTICATED: dict[Surface, str] = {
    "vertex": "Run `gcloud auth application-default login`, or pass `credentials`. A token of your own, given as "
    "`api_key`, may have expired: get a new one.",
    "ai_studio": _NEW_KEY,
    "openai_compatible": "Pass a key or token of this server as `api_key`, and check `base_url`.",
}
#: Advice for Google's reason `ACCESS_TOKEN_TYPE_UNSUPPORTED`. Google sends it for a token that was changed, or that is
#: not one of Google's OAuth tokens (captures of September 2026).
_WRONG_TOKEN: dict[Surface, str] = {
    "vertex": "The token is not one of Google's access tokens, or was changed. Leave `api_key` out and run "
    "`gcloud auth application-default login`, or pass the output of `gcloud auth print-access-token`.",
    "ai_studio": f"Google cannot check the key: it is cut off, deleted, or of another service. {_NEW_KEY}",
    "openai_compatible": "Google does not accept the key or token. Pass a key of this server as `api_key`.",
}
_FORBIDDEN: dict[Surface, str] = {
    "vertex": "Grant the caller the role `roles/aiplatform.user` in the project, and enable the Vertex AI API there.",
    "ai_studio": "Check at https://aistudio.google.com that the project of this key may use the Gemini API.",
    "openai_compatible": "The key is valid but lacks this permission. Ask the operator of the server.",
}
_DISABLED: dict[Surface, str] = {
    "vertex": "Run `gcloud services enable aiplatform.googleapis.com --project=PROJECT`, and wait a few minutes.",
    "ai_studio": "Run `gcloud services enable generativelanguage.googleapis.com --project=PROJECT`, and wait a few "
    "minutes; or make a key at https://aistudio.google.com/apikey.",
    "openai_compatible": "The server's message mentions a disabled API. Ask the operator of the server to enable it.",
}
_NOT_FOUND: dict[Surface, str] = {
    "vertex": "Check `model` or `endpoint_id`, `location` (newer models are only in `global`, `us` and `eu`) and "
    "`base_url`; `endpoint_info()` shows them.",
    "ai_studio": "Check `model` and `base_url`; `endpoint_info()` shows them.",
    "openai_compatible": "Check `model` and `base_url`; `endpoint_info()` shows them.",
}
_REDIRECT = "Check `base_url`. Redirects are not followed, so that credentials are not sent to another server."
_OVERFLOW_REMEDY = "Shorten the input: trim or summarise a history, split a long text."
_NO_CREDITS = "The account has no credits left. Add credits, or ask the operator of the server."
_FILTERED = "A filter of the server refused the prompt. Change the prompt: a retry gives the same result."
_TEXTS: tuple[tuple[type[errors.APIStatusError], tuple[int, ...], str, Remedy], ...] = (
    (
        errors.ServerError,
        (400, 404, 424, 429, 500, 502, 503),
        _COLD,
        _COLD_REMEDY,
    ),
    (
        errors.ServerError,
        (424, 500, 503),
        r"out of memory|outofmemory",
        "The server ran out of memory. Ask again, send fewer requests at once, or shorten the input.",
    ),
    (
        errors.AuthenticationError,
        (400, 403),
        r"api key not valid|valid api key|api key expired|reported as leaked|unregistered callers",
        _BAD_KEY,
    ),
    (
        errors.AuthenticationError,
        (401,),
        r"api keys are not supported",
        "Vertex AI expects an OAuth token. Leave `api_key` out and run `gcloud auth application-default login`.",
    ),
    (
        errors.MissingSignatureError,
        _BAD,
        r"missing a `?thought_signature",
        "Keep the AIMessage as it came: its `additional_kwargs` contain the signatures.",
    ),
    (
        errors.InvalidSignatureError,
        _BAD,
        r"(invalid|corrupted) thought signature|thought signature is not valid|base64 decoding failed",
        "The signature was changed, or belongs to another surface. Store messages with LangChain's serialisers.",
    ),
    (
        errors.ContextOverflowError,
        (400, 413, 422, 424, 500),
        _OVERFLOW,
        _OVERFLOW_REMEDY,
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"response mime type",
        "Use `ToolStrategy`, or `with_structured_output(schema, tools=…)`.",
    ),
    (
        errors.SchemaRejectedError,
        _BAD,
        r"invalid function name",
        "Rename the tool that the server's message mentions.",
    ),
    (
        errors.SchemaRejectedError,
        _BAD,
        _SCHEMA,
        "Simplify the schema that the server's message mentions.",
    ),
    (
        errors.ModelNotFoundError,
        _BAD,
        r"malformed publisher model",
        (
            "Vertex AI expects a name of the form `publisher/model`, such as `google/gemini-3.8-flash`. With "
            '`surface="vertex"`, the package adds `google/`.'
        ),
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"cannot fetch content from the provided url",
        "The server cannot read the URL of a file. Send the bytes instead: a block with `base64` and `mime_type`.",
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"unsupported mime type|has a mimetype parameter with value",
        "Gemini does not read files of this type. Send images as PNG, JPEG or WebP, documents as PDF, text as text.",
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"penalty is not enabled for",
        "Leave out `presence_penalty` and `frequency_penalty`: the model accepts neither.",
    ),
    (
        errors.ModelNotFoundError,
        _BAD,
        _NO_MODEL,
        _NOT_FOUND,
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"only available via global endpoint",
        'Set `location="global"`.',
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"user location is not supported",
        "AI Studio does not serve this country; Vertex AI may.",
    ),
    (
        errors.InvalidRequestError,
        _BAD,
        r"unknown name",
        "Remove the field from `model_kwargs` or `extra_body`. The name of the field is in the server's message.",
    ),
    (
        errors.QuotaExhaustedError,
        (429,),
        r"spending cap|credits are depleted|prepa(id|yment)|exceeded its monthly",
        "Raise the cap or add credits at https://ai.studio/spend.",
    ),
    (
        errors.PermissionDeniedError,
        (403,),
        r"requires billing",
        "Enable billing for the project: https://console.cloud.google.com/billing.",
    ),
    (
        errors.PermissionDeniedError,
        (403,),
        r"has not been used in project|or it is disabled",
        _DISABLED,
    ),
    (
        errors.InvalidRequestError,
        (300, 301, 302, 303, 304, 307, 308),
        r"redirects without a target",
        "Check `base_url` and the proxy settings: an endpoint of this API does not redirect.",
    ),
)
_TOO_LARGE = (
    "The request is larger than the server or a proxy accepts. Send less, for instance smaller images or a URL instead "
    "of the file."
)
_CODES: dict[int, tuple[type[errors.APIStatusError], Remedy]] = {
    402: (errors.QuotaExhaustedError, _NO_CREDITS),
    401: (errors.AuthenticationError, _UNAUTHENTICATED),
    403: (errors.PermissionDeniedError, _FORBIDDEN),
    404: (errors.ModelNotFoundError, _NOT_FOUND),
    407: (
        errors.InvalidRequestError,
        "A proxy requires a login. Add it to the proxy's address in HTTP_PROXY: `http://USER:PASSWORD@HOST:PORT`.",
    ),
    408: (errors.ServerError, "The server timed out while it waited for the request. Ask again."),
    413: (errors.InvalidRequestError, _TOO_LARGE),
    424: (errors.ServerError, "The server could not generate the reply. Ask again."),
    499: (errors.ServerError, "The server cancelled the stream. Ask again."),
    503: (errors.ServerError, "Retry later, or use another model."),
}
#: Maps a code, type or reason of an error to the exception class and the advice. If an error has one of these words,
#: its message and its status are not looked at.
_FIRST_WORDS: dict[str, _Rule] = {
    "access_token_type_unsupported": (errors.AuthenticationError, _WRONG_TOKEN),
    **dict.fromkeys(
        (
            "context_length_exceeded",
            "context_window_exceeded",
            "contextwindowexceedederror",
            "exceed_context_size_error",
            "input_too_long",
            "max_context_length_exceeded",
            "model_context_window_exceeded",
            "prompt_too_long",
            "string_above_max_length",
            "tokens_limit_reached",
        ),
        (errors.ContextOverflowError, _OVERFLOW_REMEDY),
    ),
    **dict.fromkeys(
        (
            "billing_hard_limit_reached",
            "billing_not_active",
            "credits_exhausted",
            "insufficient_balance",
            "insufficient_credits",
            "insufficient_quota",
            "insufficient_user_quota",
            "payment_required",
        ),
        (errors.QuotaExhaustedError, _NO_CREDITS),
    ),
    **dict.fromkeys(
        ("content_filter", "content_policy_violation", "contentpolicyviolationerror", "responsibleaipolicyviolation"),
        (errors.InvalidRequestError, _FILTERED),
    ),
}
#: Statuses with many meanings. For an error with one of them, the exception class depends on the codes, types and
#: reasons in the error.
_MANY_THINGS = (400, 403, 409, 422, 424, 500, 502, 503)
#: Maps a code or type in an error to the HTTP status with the same meaning. This status is used if the HTTP status is
#: missing or has many meanings. The words are Google's (https://cloud.google.com/apis/design/errors), OpenAI's and
#: Anthropic's, the names of exceptions in vLLM and LiteLLM, and the values of `error_type` in TGI.
CODES_OF_WORDS: dict[str, int] = {
    **dict.fromkeys(
        (
            "badrequesterror",
            "failed_precondition",
            "invalid_argument",
            "invalid_request_error",
            "out_of_range",
            *("content_filter", "content_policy_violation", "contentpolicyviolationerror"),
            *("context_length_exceeded", "contextwindowexceedederror", "exceed_context_size_error"),
        ),
        400,
    ),
    **dict.fromkeys(
        (
            "access_token_expired",
            "access_token_type_unsupported",
            "api_key_invalid",
            "authentication_error",
            "authenticationerror",
            "credentials_missing",
            "incorrect_api_key",
            "invalid_api_key",
            "invalid_authentication",
            "unauthenticated",
            "unauthorized",
        ),
        401,
    ),
    **dict.fromkeys(("permission_denied", "permission_error", "permissiondeniederror", "access_denied"), 403),
    **dict.fromkeys(
        (
            "deploymentnotfound",
            "invalid_model",
            "model_not_found",
            "model_not_exist",
            "not_found",
            "not_found_error",
            "notfounderror",
        ),
        404,
    ),
    **dict.fromkeys(("timeout", "timeout_error"), 408),
    **dict.fromkeys(("aborted", "already_exists", "conflict"), 409),
    **dict.fromkeys(("validation",), 422),
    **dict.fromkeys(("generation", "incomplete_generation"), 424),
    **dict.fromkeys(
        (
            "billing_hard_limit_reached",
            "insufficient_quota",
            "overloaded",
            "quota_exceeded",
            "rate_limit_error",
            "rate_limit_exceeded",
            "ratelimiterror",
            "resource_exhausted",
            "throttling_error",
            "too_many_requests",
        ),
        429,
    ),
    **dict.fromkeys(("cancelled",), 499),
    **dict.fromkeys(("api_error", "data_loss", "internal", "internalservererror", "server_error", "unknown"), 500),
    **dict.fromkeys(("unimplemented",), 501),
    **dict.fromkeys(("overloaded_error", "serviceunavailableerror", "unavailable"), 503),
    **dict.fromkeys(("deadline_exceeded",), 504),
}
#: Codes and types that servers send with any status, so they do not show the cause of an error. They are used only if
#: the error has no status.
VAGUE_WORDS = frozenset(
    {
        *(
            "aborted",
            "already_exists",
            "api_error",
            "badrequesterror",
            "conflict",
            "generation",
            "incomplete_generation",
        ),
        *("internal", "internalservererror", "invalid_request_error", "not_found"),
        *("overloaded", "overloaded_error"),
        *("server_error", "serviceunavailableerror", "timeout", "timeout_error", "unknown", "validation"),
    }
)


def quota_of(error: ParsedError) -> dict[str, str]:
    """Return `quotaId` and `quotaMetric` of the exceeded quota, or empty strings."""
    found = {"quotaId": "", "quotaMetric": ""}
    for detail in error.details:
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict):
                # If an error names several quotas, a daily quota takes precedence.
                for key, known in found.items():
                    value = violation.get(key)
                    if isinstance(value, str) and (not known or "PerDay" in value):
                        found[key] = value
        _add_error_info(detail.get("metadata"), found)
    return found


def _add_error_info(metadata: JsonValue, found: dict[str, str]) -> None:
    """Add the quota from the `metadata` of `ErrorInfo` to `found`, unless `found` already contains a quota."""
    if isinstance(metadata, dict):
        for key, name in (("quotaId", "quota_limit"), ("quotaMetric", "quota_metric")):
            value = metadata.get(name)
            if isinstance(value, str) and not found[key]:
                found[key] = value
