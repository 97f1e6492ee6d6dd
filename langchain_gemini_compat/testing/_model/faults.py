"""Everything that goes wrong on the wire, by name: `Fault.rate_limit()`, `Fault.cut_stream()` and so on.

Its one rule: texts and shapes are those that were captured or documented; where one is not, its docstring says so.
Google wraps errors into a list on both surfaces; a plain compatible server gets OpenAI's form of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Literal, TypeAlias

from langchain_gemini_compat.testing._model.json_values import JsonObject
from langchain_gemini_compat.testing._model.replies import Call, Raw, Reply, Usage

ErrorShape: TypeAlias = Literal["bare_object", "bare_array", "data_object", "data_array"]
_GOOGLE_TYPE = "type.googleapis.com/google.rpc."
_RATE_LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"
_CREDENTIAL = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)


@dataclass(frozen=True, slots=True)
class GoogleError:
    """The inside of an error body; in `message` the word `{model}` stands for the model asked for."""

    code: int
    status: str
    message: str
    details: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; made by the named constructors.

    `error` answers with an HTTP error (`vertex_error` where Vertex words it differently), `raw` with a body of its
    own, and `reply` with a reply that ends as `ending` says. A request for a whole reply that meets a fault of
    streams gets the error as HTTP status, or a body that breaks off.
    """

    name: str
    error: GoogleError | None = None
    vertex_error: GoogleError | None = None
    raw: Raw | None = None
    reply: Reply = field(default_factory=Reply)
    ending: Literal["whole", "error", "cut", "dropped"] = "whole"
    shape: ErrorShape = "bare_object"
    choices: bool = True
    first_byte: float = 0.0
    between: float = 0.0

    @classmethod
    def rate_limit(cls, retry_delay: str | None = "26.5s", per: Literal["minute", "day"] = "minute") -> Fault:
        """429. AI Studio tells `retry_delay` in the body and no header; only `quotaId` tells a day from a minute.

        Vertex says neither: there `retry_delay` and `per` make no difference. `None` leaves the delay and all
        details out, as for a spend cap. Source: https://github.com/dcdpr/jp/pull/1061
        """
        limit = {"minute": "5", "day": "20"}[per]
        metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
        message = (
            "You exceeded your current quota, please check your plan and billing details. For more information on "
            f"this error, head to: {_RATE_LIMITS}. To monitor your current usage, head to: "
            f"https://ai.dev/rate-limit. \n* Quota exceeded for metric: {metric}, limit: {limit}, model: {{model}}"
        )
        details: tuple[JsonObject, ...] = ()
        if retry_delay is not None:
            message += f"\nPlease retry in {retry_delay}."
            violation: JsonObject = {
                "quotaMetric": metric,
                "quotaId": f"GenerateRequestsPer{per.capitalize()}PerProjectPerModel-FreeTier",
                "quotaDimensions": {"location": "global", "model": "{model}"},
                "quotaValue": limit,
            }
            link: JsonObject = {"description": "Learn more about Gemini API quotas", "url": _RATE_LIMITS}
            details = (
                {"@type": f"{_GOOGLE_TYPE}Help", "links": [link]},
                {"@type": f"{_GOOGLE_TYPE}QuotaFailure", "violations": [violation]},
                {"@type": f"{_GOOGLE_TYPE}RetryInfo", "retryDelay": retry_delay},
            )
        vertex = (
            "Resource exhausted. Please try again later. Please refer to "
            "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
        )
        return cls(
            "rate_limit",
            GoogleError(429, "RESOURCE_EXHAUSTED", message, details),
            GoogleError(429, "RESOURCE_EXHAUSTED", vertex),
        )

    @classmethod
    def overloaded(cls) -> Fault:
        """503, frequent on new models."""
        message = (
            "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try "
            "again later."
        )
        return cls("overloaded", GoogleError(503, "UNAVAILABLE", message))

    @classmethod
    def bad_key(cls) -> Fault:
        """400 on AI Studio, not 401; Vertex takes no API keys (https://github.com/SillyTavern/SillyTavern/issues/4223)."""
        vertex = (
            "API keys are not supported by this API. Expected OAuth2 access token or other authentication "
            "credentials that assert a principal. See https://cloud.google.com/docs/authentication"
        )
        return cls(
            "bad_key",
            GoogleError(400, "INVALID_ARGUMENT", "Please pass a valid API key"),
            GoogleError(401, "UNAUTHENTICATED", vertex, (_error_info("CREDENTIALS_MISSING"),)),
        )

    @classmethod
    def expired_token(cls) -> Fault:
        """401 for a token that is over or unknown; Google's general words, not a capture of these endpoints."""
        message = f"Request had invalid authentication credentials. {_CREDENTIAL}"
        return cls(
            "expired_token", GoogleError(401, "UNAUTHENTICATED", message, (_error_info("ACCESS_TOKEN_EXPIRED"),))
        )

    @classmethod
    def missing_credential(cls) -> Fault:
        """401 for a request without `Authorization`; Google's general words, not a capture."""
        message = f"Request is missing required authentication credential. {_CREDENTIAL}"
        return cls(
            "missing_credential", GoogleError(401, "UNAUTHENTICATED", message, (_error_info("CREDENTIALS_MISSING"),))
        )

    @classmethod
    def permission_denied(cls) -> Fault:
        """403; the text of Vertex is Google's general one, not a capture."""
        vertex = (
            "Permission 'aiplatform.endpoints.predict' denied on resource "
            "'//aiplatform.googleapis.com/projects/fake-project/locations/global/endpoints/openapi' (or it may not "
            "exist)."
        )
        return cls(
            "permission_denied",
            GoogleError(403, "PERMISSION_DENIED", "Your project has been denied access."),
            GoogleError(403, "PERMISSION_DENIED", vertex, (_error_info("IAM_PERMISSION_DENIED"),)),
        )

    @classmethod
    def model_not_found(cls, model: str = "{model}") -> Fault:
        """404; of AI Studio a capture, of Vertex Google's general words."""
        studio = (
            f"models/{model} is not found for API version v1main, or is not supported for generateContent. Call "
            "ModelService.ListModels to see the list of available models and their supported methods."
        )
        vertex = (
            f"Publisher Model `projects/fake-project/locations/global/publishers/google/models/{model}` was not found "
            "or your project does not have access to it. Please ensure you are using a valid model version. For more "
            "information, see: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"
        )
        return cls("model_not_found", GoogleError(404, "NOT_FOUND", studio), GoogleError(404, "NOT_FOUND", vertex))

    @classmethod
    def context_overflow(cls, tokens: int = 1_200_000, limit: int = 1_048_576) -> Fault:
        """400 in the two wordings that were seen (https://github.com/BerriAI/litellm/issues/18282)."""
        studio = f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit})."
        vertex = (
            f"Unable to submit request because the input token count is {tokens} but model only supports up to "
            f"{limit}. Reduce the input token count and try again."
        )
        return cls(
            "context_overflow",
            GoogleError(400, "INVALID_ARGUMENT", studio),
            GoogleError(400, "INVALID_ARGUMENT", vertex),
        )

    @classmethod
    def internal(cls) -> Fault:
        """500; Google's general words, not a capture."""
        message = (
            "An internal error has occurred. Please retry or report in "
            "https://developers.generativeai.google/guide/troubleshooting"
        )
        return cls("internal", GoogleError(500, "INTERNAL", message))

    @classmethod
    def html_404(cls) -> Fault:
        """A page for people instead of JSON: what a wrong URL gets."""
        page = (
            "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n"
            "<p><b>404.</b> <ins>That's an error.</ins>\n<p>The requested URL was not found on this server.\n"
        )
        return cls("html_404", raw=Raw(page, 404))

    @classmethod
    def redirect(cls, to: str) -> Fault:
        """307 to another URL; a client that follows it hands its credential over."""
        return cls("redirect", raw=Raw("<html>Moved</html>", 307, headers={"location": to}))

    @classmethod
    def error_in_stream(
        cls, shape: ErrorShape = "bare_object", after: str = "The answer ", code: Literal[499, 503] = 503
    ) -> Fault:
        """Status 200, text, then an error; bare ones stand outside of `data:`, as Google writes them.

        499 is Vertex's cancellation in mid-stream. Source: https://github.com/vercel/ai/issues/5217
        """
        error = (
            GoogleError(499, "CANCELLED", "The operation was cancelled.")
            if code == 499
            else GoogleError(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
        )
        return cls("error_in_stream", error, reply=Reply(after), ending="error", shape=shape)

    @classmethod
    def cut_stream(cls, after: str = "The answer ", calls: Sequence[Call] = ()) -> Fault:
        """Text and calls, then nothing: no finish reason, no `[DONE]`, a clean end of the connection."""
        return cls("cut_stream", reply=Reply(after, calls=tuple(calls)), ending="cut")

    @classmethod
    def dropped_connection(cls, after: str = "The answer ") -> Fault:
        """The connection breaks in the middle of the body."""
        return cls("dropped_connection", reply=Reply(after), ending="dropped")

    @classmethod
    def empty_reply(cls) -> Fault:
        """`stop`, and nothing said; no completion tokens either (seen live 2026-07-19)."""
        return cls("empty_reply", reply=Reply(usage=Usage(5051, 0)))

    @classmethod
    def malformed_call(cls) -> Fault:
        """The model wrote a call that Google could not read: status 200, no call, its own finish reason."""
        reason = "function_call_filter: MALFORMED_FUNCTION_CALL"
        return cls("malformed_call", reply=Reply(finish_reason=reason, usage=Usage(6624, 0)))

    @classmethod
    def blocked(cls, reason: str = "PROHIBITED_CONTENT", after: str = "") -> Fault:
        """A filter spoke, perhaps after some text: status 200, and `content_filter: …` as finish reason."""
        usage = None if after else Usage(5, 0)
        return cls("blocked", reply=Reply(after, finish_reason=f"content_filter: {reason}", usage=usage, signed=False))

    @classmethod
    def no_choices(cls) -> Fault:
        """`choices` is there and empty."""
        return cls("no_choices", reply=Reply(usage=Usage(5, 0)), choices=False)

    @classmethod
    def length(cls, after: str = "The answer is") -> Fault:
        """Out of tokens: thinking is spent from the same budget."""
        return cls("length", reply=Reply(after, finish_reason="length", signed=False))

    @classmethod
    def slow(cls, first_byte: float = 0.0, between: float = 0.0, reply: Reply | str = "slow and steady") -> Fault:
        """A good reply that takes its time: seconds before the first byte and between frames."""
        said = Reply(reply) if isinstance(reply, str) else reply
        return cls("slow", reply=said, first_byte=first_byte, between=between)


def _error_info(reason: str) -> JsonObject:
    return {"@type": f"{_GOOGLE_TYPE}ErrorInfo", "reason": reason, "domain": "googleapis.com"}


_SHAPES: tuple[ErrorShape, ...] = ("bare_object", "bare_array", "data_object", "data_array")

#: Name to a constructor that needs no argument: one example of each, to loop over.
FAULTS: Mapping[str, Callable[[], Fault]] = MappingProxyType(
    {
        "rate_limit_per_minute": Fault.rate_limit,
        "rate_limit_per_day": partial(Fault.rate_limit, "39043s", per="day"),
        "rate_limit_without_details": partial(Fault.rate_limit, None),
        "overloaded": Fault.overloaded,
        "bad_key": Fault.bad_key,
        "expired_token": Fault.expired_token,
        "missing_credential": Fault.missing_credential,
        "permission_denied": Fault.permission_denied,
        "model_not_found": Fault.model_not_found,
        "context_overflow": Fault.context_overflow,
        "internal": Fault.internal,
        "html_404": Fault.html_404,
        "redirect": partial(Fault.redirect, "https://elsewhere.invalid/"),
        **{f"error_in_stream_{shape}": partial(Fault.error_in_stream, shape) for shape in _SHAPES},
        "cut_stream": Fault.cut_stream,
        "cut_stream_in_call": partial(Fault.cut_stream, "", (Call("add", '{"a": 1, "b'),)),
        "dropped_connection": Fault.dropped_connection,
        "empty_reply": Fault.empty_reply,
        "malformed_call": Fault.malformed_call,
        "blocked": Fault.blocked,
        "blocked_after_text": partial(Fault.blocked, "RECITATION", "Once upon"),
        "no_choices": Fault.no_choices,
        "length": Fault.length,
        "slow": partial(Fault.slow, 0.01, 0.01),
    }
)
