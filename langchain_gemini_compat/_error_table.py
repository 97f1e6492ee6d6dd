"""What a server says to the exception for it and the next step; the only place that looks at message texts.

Sources of the texts: captures of both Google surfaces and Google's troubleshooting pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from langchain_gemini_compat import _api_errors as errors

if TYPE_CHECKING:
    from langchain_gemini_compat._surfaces import Surface
    from langchain_gemini_compat._wire import JsonObject


@dataclass(frozen=True, slots=True)
class ServerError:
    """What an error body says; `code` is its own number, else the HTTP status."""

    code: int
    status: str | None
    message: str
    details: tuple[JsonObject, ...]


def classify(error: ServerError, surface: Surface, wait: float | None) -> tuple[type[errors.APIStatusError], str]:
    """The class for an error and what to do next; `wait` is in seconds, where the server named any."""
    text = error.message.lower()
    for kind, codes, pattern, remedy in _TEXTS:
        if error.code in codes and re.search(pattern, text):
            return kind, remedy if isinstance(remedy, str) else remedy[surface]
    if error.code == 429:
        return _classify_limit(error, wait)
    if error.code in _CODES:
        kind, remedy = _CODES[error.code]
        return kind, remedy if isinstance(remedy, str) else remedy[surface]
    if 300 <= error.code < 400:
        return errors.InvalidRequestError, "Redirects are not followed, so that credentials stay where they belong."
    if 400 <= error.code < 500:
        return errors.InvalidRequestError, "`preview()` shows what was sent: change what the text names."
    return errors.ServerError, "Ask again in a while."


def _classify_limit(error: ServerError, wait: float | None) -> tuple[type[errors.APIStatusError], str]:
    if any("PerDay" in name for name in quota_of(error).values()):
        return errors.QuotaExhaustedError, "This daily quota is spent: wait for its reset or ask for a higher one."
    if error.status == "insufficient_quota":
        return errors.QuotaExhaustedError, "The account has no credits left: add some, or ask who runs the server."
    if _NO_QUOTA.search(error.message):
        return errors.QuotaExhaustedError, "There is no quota for this model (limit 0): use another, or ask for it."
    pause = "a while" if wait is None else f"{wait:g} seconds"
    return errors.RateLimitError, f"Wait {pause}, or ask for a higher quota."


_NO_QUOTA = re.compile(r"\blimit: 0\b(?![.,]\d)")
_BAD = (400, 422)
_OVERFLOW = (
    r"exceeds the maximum number of tokens|input token count|maximum context length|context size|context window"
    r"|exceeds the available context|prompt is too long"
)
_SCHEMA = (
    r"function_declarations|functiondeclaration|response_schema|response_json_schema|invalid json schema"
    r"|should be non-empty for object type|schema is too complex"
)
Remedy: TypeAlias = "str | dict[Surface, str]"
_NEW_KEY = "Pass a valid key as `api_key`; make one at https://aistudio.google.com/apikey."
_BAD_KEY: dict[Surface, str] = {
    "vertex": "Vertex takes OAuth tokens: leave `api_key` out and run `gcloud auth application-default login`.",
    "ai_studio": _NEW_KEY,
    "openai_compatible": "Pass a key of this server as `api_key`.",
}
_UNAUTHENTICATED: dict[Surface, str] = {
    "vertex": "Run `gcloud auth application-default login`, or pass `credentials`. A token of your own, given as "
    "`api_key`, may have expired: get a new one.",
    "ai_studio": _NEW_KEY,
    "openai_compatible": "Pass a key or token of this server as `api_key`, and check `base_url`.",
}
_FORBIDDEN: dict[Surface, str] = {
    "vertex": "The caller needs the role `roles/aiplatform.user` in the project, and the project the Vertex AI API.",
    "ai_studio": "See at https://aistudio.google.com whether the project of this key may use the Gemini API.",
    "openai_compatible": "This key may not do that here: ask who runs the server.",
}
_DISABLED: dict[Surface, str] = {
    "vertex": "Run `gcloud services enable aiplatform.googleapis.com --project=PROJECT`, and wait a few minutes.",
    "ai_studio": "Run `gcloud services enable generativelanguage.googleapis.com --project=PROJECT`, and wait a few "
    "minutes; or make a key at https://aistudio.google.com/apikey.",
    "openai_compatible": "Enable the API that the text names: ask who runs the server.",
}
_NOT_FOUND: dict[Surface, str] = {
    "vertex": "Check `model`, `location` (newer models are only in `global`, `us` and `eu`) and `base_url`; "
    "`endpoint_info()` tells what is used.",
    "ai_studio": "Check `model` and `base_url`; `endpoint_info()` tells what is used.",
    "openai_compatible": "Check `model` and `base_url`; `endpoint_info()` tells what is used.",
}
_TEXTS: tuple[tuple[type[errors.APIStatusError], tuple[int, ...], str, Remedy], ...] = (
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
        "Vertex takes OAuth tokens: leave `api_key` out and run `gcloud auth application-default login`.",
    ),
    (
        errors.MissingSignatureError,
        _BAD,
        r"missing a `?thought_signature",
        "Keep the AIMessage as it came: its `additional_kwargs` hold the signatures.",
    ),
    (
        errors.InvalidSignatureError,
        _BAD,
        r"(invalid|corrupted) thought signature|thought signature is not valid|base64 decoding failed",
        "A signature is only good on the surface that gave it and as it was given.",
    ),
    (
        errors.ContextOverflowError,
        (400, 413, 422, 500),
        _OVERFLOW,
        "Shorten the input: trim or summarise a history, split a long text.",
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
        "Rename the tool that the text names.",
    ),
    (
        errors.SchemaRejectedError,
        _BAD,
        _SCHEMA,
        "Simplify the schema that the text names.",
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
        "Take the field that the text names out of `model_kwargs` or `extra_body`.",
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
        r"no answer, and no other place",
        "Check `base_url` and proxy settings: an endpoint of this API answers with something else.",
    ),
)
_CODES: dict[int, tuple[type[errors.APIStatusError], Remedy]] = {
    402: (errors.QuotaExhaustedError, "The account has no credits left: add some, or ask who runs the server."),
    401: (errors.AuthenticationError, _UNAUTHENTICATED),
    403: (errors.PermissionDeniedError, _FORBIDDEN),
    404: (errors.ModelNotFoundError, _NOT_FOUND),
    408: (errors.ServerError, "The server gave up waiting for the request. Ask again."),
    499: (errors.ServerError, "The server cancelled the stream. Ask again."),
    503: (errors.ServerError, "Ask again in a while, or use another model."),
}


def quota_of(error: ServerError) -> dict[str, str]:
    """`quotaId` and `quotaMetric` of the violation that decides, or empty strings."""
    found = {"quotaId": "", "quotaMetric": ""}
    for detail in error.details:
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict):
                # Of several violations the daily one decides.
                for key, known in found.items():
                    value = violation.get(key)
                    if isinstance(value, str) and (not known or "PerDay" in value):
                        found[key] = value
    return found
