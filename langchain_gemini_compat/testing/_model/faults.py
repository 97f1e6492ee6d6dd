"""Faults of the service by name: `Fault.rate_limit()`, `Fault.cut_stream()` and so on.

Texts and shapes were captured from the service or are documented. If a text or shape has no such source, the fault's
docstring says so. On AI Studio and Vertex AI, an error is a list with one object. On a compatible server, an error has
OpenAI's form.
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
    """The content of an error body. `{model}` in its texts is replaced by the model of the request."""

    code: int
    status: str
    message: str
    details: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the service. Use the constructors, such as `Fault.overloaded()`.

    If a request does not stream, a fault of a stream becomes an HTTP error or a body that breaks off.

    Attributes:
        name: The name of the constructor.
        error: The HTTP error that is sent.
        vertex_error: The error on Vertex AI, if it differs.
        raw: A body that is sent unchanged, instead of an error.
        reply: The reply that is sent, instead of an error.
        ending: How the reply ends: complete, with an error, cut, or with a broken connection.
        shape: The form of an error inside a stream: an object or a list, bare or in a `data:` line.
        choices: Whether the reply has choices.
        first_byte: Seconds before the first byte.
        between: Seconds after each frame.

    Examples:
        >>> from langchain_gemini_compat.testing import FakeGemini
        >>> fake = FakeGemini([Fault.rate_limit("0.01s"), "Hello!"])
        >>> fake.chat_model().invoke("Hi").text, len(fake.requests)
        ('Hello!', 2)
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
    def rate_limit(
        cls, retry_delay: str | None = "26.5s", per: Literal["minute", "day"] = "minute", *, limit: int | None = None
    ) -> Fault:
        """Return a 429: the quota of a minute or of a day is used up.

        AI Studio sends the delay in the body and not in a header. Only `quotaId` says whether the quota is for a
        minute or a day. Vertex AI sends neither the delay nor `quotaId`, so the arguments change nothing there.
        Source: https://github.com/dcdpr/jp/pull/1061

        Args:
            retry_delay: The wait that the error asks for, in seconds with the unit, such as `"26.5s"`. `None` leaves
                out the delay and all details, as for a spending cap.
            per: The period of the quota.
            limit: The number of requests in the quota. `None` (the default) means 5 in a minute and 20 in a day.

        Returns:
            A fault for the replies of `FakeGemini`.

        Examples:
            >>> Fault.rate_limit("39043s", per="day").error.code
            429
        """
        most = str(limit or {"minute": 5, "day": 20}[per])
        metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
        message = (
            "You exceeded your current quota, please check your plan and billing details. For more information on "
            f"this error, head to: {_RATE_LIMITS}. To monitor your current usage, head to: "
            f"https://ai.dev/rate-limit. \n* Quota exceeded for metric: {metric}, limit: {most}, model: {{model}}"
        )
        details: tuple[JsonObject, ...] = ()
        if retry_delay is not None:
            message += f"\nPlease retry in {retry_delay}."
            violation: JsonObject = {
                "quotaMetric": metric,
                "quotaId": f"GenerateRequestsPer{per.capitalize()}PerProjectPerModel-FreeTier",
                "quotaDimensions": {"location": "global", "model": "{model}"},
                "quotaValue": most,
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
        """Return a 503: the model is overloaded. This error is frequent on new models.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        message = (
            "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try "
            "again later."
        )
        return cls("overloaded", GoogleError(503, "UNAVAILABLE", message))

    @classmethod
    def bad_key(cls) -> Fault:
        """Return a 400: the API key is not valid. On Vertex AI, return a 401, because Vertex AI accepts no keys.

        Source: https://github.com/SillyTavern/SillyTavern/issues/4223

        Returns:
            A fault for the replies of `FakeGemini`.

        Examples:
            >>> Fault.bad_key().error.code, Fault.bad_key().vertex_error.code
            (400, 401)
        """
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
        """Return a 401: the token has expired or is unknown.

        The text is Google's general text for this error. It was not captured from an OpenAI-compatible endpoint.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        message = f"Request had invalid authentication credentials. {_CREDENTIAL}"
        return cls(
            "expired_token", GoogleError(401, "UNAUTHENTICATED", message, (_error_info("ACCESS_TOKEN_EXPIRED"),))
        )

    @classmethod
    def forged_token(cls) -> Fault:
        """Return a 401: the token is not one that Google has issued.

        The reason in the error's details was captured from Vertex AI in September 2026. The text is Google's general
        text for this error.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        message = f"Request had invalid authentication credentials. {_CREDENTIAL}"
        details = (_error_info("ACCESS_TOKEN_TYPE_UNSUPPORTED"),)
        return cls("forged_token", GoogleError(401, "UNAUTHENTICATED", message, details))

    @classmethod
    def missing_credential(cls) -> Fault:
        """Return a 401: the request has no `Authorization` header.

        The text is Google's general text for this error. It was not captured from an OpenAI-compatible endpoint.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        message = f"Request is missing required authentication credential. {_CREDENTIAL}"
        return cls(
            "missing_credential", GoogleError(401, "UNAUTHENTICATED", message, (_error_info("CREDENTIALS_MISSING"),))
        )

    @classmethod
    def permission_denied(cls) -> Fault:
        """Return a 403: the credentials are valid but lack permission in the project.

        The text for Vertex AI is Google's general text for this error. It was not captured from an OpenAI-compatible
        endpoint.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
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
        """Return a 404: the model does not exist.

        The text of AI Studio was captured. Source of the text for Vertex AI:
        https://github.com/google-gemini/gemini-cli/issues/14262

        Args:
            model: The name of the model in the text. Default: the model of the request.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
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
        """Return a 400: the prompt is longer than the context window.

        Source of the messages of AI Studio and Vertex AI: https://github.com/BerriAI/litellm/issues/18282

        Args:
            tokens: Tokens of the prompt, as the error states them.
            limit: Tokens of the context window.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
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
        """Return a 500: an internal error of the service. The text was captured from AI Studio in September 2026.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        return cls("internal", GoogleError(500, "INTERNAL", "Internal error encountered."))

    @classmethod
    def html_404(cls) -> Fault:
        """Return a 404 with an HTML page instead of JSON, like Google's answer to a wrong URL.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        page = (
            "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n"
            "<p><b>404.</b> <ins>That's an error.</ins>\n<p>The requested URL was not found on this server.\n"
        )
        return cls("html_404", raw=Raw(page, 404))

    @classmethod
    def redirect(cls, to: str) -> Fault:
        """Return a 307 to another URL. A client that follows the redirect sends its credential to that URL.

        Args:
            to: The URL of the `location` header.

        Returns:
            A fault for the replies of `FakeGemini`.

        Examples:
            >>> Fault.redirect("https://elsewhere.invalid/").raw.status
            307
        """
        return cls("redirect", raw=Raw("<html>Moved</html>", 307, headers={"location": to}))

    @classmethod
    def error_in_stream(
        cls, shape: ErrorShape = "bare_object", after: str = "The answer ", code: Literal[499, 503] = 503
    ) -> Fault:
        """Return a stream with status 200 that ends with an error.

        Google writes the error as JSON without `data:`. Source: https://github.com/vercel/ai/issues/5217

        Args:
            shape: The form of the error: an object or a list, bare or in a `data:` line.
            after: The text before the error.
            code: The code in the error. 499 means that Vertex AI cancelled the request.

        Returns:
            A fault for the replies of `FakeGemini`. A request that does not stream gets the code as HTTP status.

        Examples:
            >>> Fault.error_in_stream("data_object", after="Once upon", code=499).error.status
            'CANCELLED'
        """
        error = (
            GoogleError(499, "CANCELLED", "The operation was cancelled.")
            if code == 499
            else GoogleError(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
        )
        return cls("error_in_stream", error, reply=Reply(after), ending="error", shape=shape)

    @classmethod
    def cut_stream(cls, after: str = "The answer ", calls: Sequence[Call] = ()) -> Fault:
        """Return a stream that ends early, with neither a finish reason nor `[DONE]`. The connection closes normally.

        Args:
            after: The text before the end.
            calls: The tool calls before the end. Arguments can be incomplete JSON.

        Returns:
            A fault for the replies of `FakeGemini`. A request that does not stream gets half of the body, and then
            the connection breaks.

        Examples:
            >>> fault = Fault.cut_stream("", [Call("add", '{"a": 1, "b')])
        """
        return cls("cut_stream", reply=Reply(after, calls=tuple(calls)), ending="cut")

    @classmethod
    def dropped_connection(cls, after: str = "The answer ") -> Fault:
        """Return a reply whose connection breaks in the middle of the body.

        Args:
            after: The text before the break.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        return cls("dropped_connection", reply=Reply(after), ending="dropped")

    @classmethod
    def empty_reply(cls) -> Fault:
        """Return a reply with finish reason `stop`, no content and no completion tokens (seen live 2026-07-19).

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        return cls("empty_reply", reply=Reply(usage=Usage(5051, 0)))

    @classmethod
    def malformed_call(cls) -> Fault:
        """Return a reply without content whose finish reason says that the model wrote an invalid tool call.

        Returns:
            A fault for the replies of `FakeGemini`.

        Examples:
            >>> Fault.malformed_call().reply.finish_reason
            'function_call_filter: MALFORMED_FUNCTION_CALL'
        """
        reason = "function_call_filter: MALFORMED_FUNCTION_CALL"
        return cls("malformed_call", reply=Reply(finish_reason=reason, usage=Usage(6624, 0)))

    @classmethod
    def blocked(cls, reason: str = "PROHIBITED_CONTENT", after: str = "") -> Fault:
        """Return a reply that a safety filter stopped: status 200 and the finish reason `content_filter: …`.

        Args:
            reason: Google's reason, such as `SAFETY` or `RECITATION`.
            after: The text before the filter stopped the reply. Empty means that the prompt was blocked.

        Returns:
            A fault for the replies of `FakeGemini`.

        Examples:
            >>> Fault.blocked("RECITATION", "Once upon").reply.finish_reason
            'content_filter: RECITATION'
        """
        usage = None if after else Usage(5, 0)
        return cls("blocked", reply=Reply(after, finish_reason=f"content_filter: {reason}", usage=usage, signed=False))

    @classmethod
    def no_choices(cls) -> Fault:
        """Return a reply whose list `choices` is empty.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        return cls("no_choices", reply=Reply(usage=Usage(5, 0)), choices=False)

    @classmethod
    def length(cls, after: str = "The answer is") -> Fault:
        """Return a reply that reached `max_tokens`: its finish reason is `length`.

        Thinking uses the same budget, so the text can be short or empty.

        Args:
            after: The text before the limit.

        Returns:
            A fault for the replies of `FakeGemini`.
        """
        return cls("length", reply=Reply(after, finish_reason="length", signed=False))

    @classmethod
    def slow(cls, first_byte: float = 0.0, between: float = 0.0, reply: Reply | str = "slow and steady") -> Fault:
        """Return a complete reply that is slow.

        Args:
            first_byte: Seconds before the first byte.
            between: Seconds after each frame. A reply that is not streamed has one frame.
            reply: The reply, or its text.

        Returns:
            A fault for the replies of `FakeGemini`.

        Examples:
            >>> Fault.slow(first_byte=30).first_byte
            30
        """
        said = Reply(reply) if isinstance(reply, str) else reply
        return cls("slow", reply=said, first_byte=first_byte, between=between)


def _error_info(reason: str) -> JsonObject:
    return {"@type": f"{_GOOGLE_TYPE}ErrorInfo", "reason": reason, "domain": "googleapis.com"}


_SHAPES: tuple[ErrorShape, ...] = ("bare_object", "bare_array", "data_object", "data_array")

#: One example of each fault: a name, and a function without arguments that returns the fault. Use it to test
#: with every fault: `for make in FAULTS.values(): FakeGemini([make()])`.
FAULTS: Mapping[str, Callable[[], Fault]] = MappingProxyType(
    {
        "rate_limit_per_minute": Fault.rate_limit,
        "rate_limit_per_day": partial(Fault.rate_limit, "39043s", per="day"),
        "rate_limit_without_details": partial(Fault.rate_limit, None),
        "overloaded": Fault.overloaded,
        "bad_key": Fault.bad_key,
        "expired_token": Fault.expired_token,
        "forged_token": Fault.forged_token,
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
