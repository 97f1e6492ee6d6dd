"""The data of the fault matrix: what servers were seen to send, and the expected outcome at each entry point.

The outcomes are written by hand, and not computed by the package.
"""

import json

from fault_entries import ENTRIES, Case
from wire import chunk, completion

from langchain_gemini_compat.testing import Fault, Raw, Reply, Style

OVERVIEW = "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview"
EXAMPLES = "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/examples"
SIGNATURES = "https://ai.google.dev/gemini-api/docs/thought-signatures"
COMPAT = "https://ai.google.dev/gemini-api/docs/openai"
RPC = "https://cloud.google.com/apis/design/errors"
OPENAI = "https://platform.openai.com/docs/api-reference/chat/object"
#: Replaces the URL of a source. The fault was seen in public files, but their URL is not known.
SEEN = ""

STREAMED = ("stream", "astream", "stream_events", "agent_stream")


def every(word, streamed=None, structured=None, **single):
    """Return a dict with the outcome of each entry point. The default outcome is `word`.

    - `streamed`: the outcome of the entry points that stream
    - `structured`: the outcome of structured output
    - `single`: the outcomes of single entry points, by name
    """
    table = dict.fromkeys(ENTRIES, word) | (dict.fromkeys(STREAMED, streamed) if streamed else {})
    return table | ({"structured": structured} if structured else {}) | single


RIGHT = every("correct")
AGAIN = every("correct after 1 retry")
#: The outcomes if a filter of Google stops the reply. The message has a refusal block. If the caller asked for an
#: object, an error is raised.
REFUSED = every("refusal block", structured="ModelRefusalError")
#: The outcomes if a filter stops the reply after some text. With `stream_events`, langchain-core leaves the refusal
#: block out of the final message.
CUT_REFUSED = every("cut text, refusal block", structured="ModelRefusalError", stream_events="cut text, finish reason content_filter")  # fmt: skip


def frames(*parts):
    """Return the events of a stream. Strings are sent unchanged, and other values as JSON in an event of their own."""
    return "".join(part if isinstance(part, str) else f"data: {json.dumps(part)}\n\n" for part in parts)


DONE = "data: [DONE]\n\n"


def raw(whole, *parts):
    """Return a fault with a fixed body: `whole` for a whole reply, and `parts` as the events of a stream.

    Instead of a value, each argument can be a function that takes a `Say` and returns the value.
    """

    def say(said):
        body = frames(*(part(said) if callable(part) else part for part in parts)) if said.stream else whole
        kind = "text/event-stream" if said.stream else "application/json; charset=UTF-8"
        return Raw(body(said) if callable(body) else body, content_type=kind)

    return say


def text(**more):
    """Return a fault whose reply has the text of the good reply. `more` sets other fields of `Reply`."""
    return lambda said: Reply(said.text, **more)


def styled(**style):
    """Return a fault whose reply has the calls of the good reply, or its text if it has no calls.

    `style` sets the fields of `Style`.
    """
    return lambda said: Reply("" if said.calls else said.text, calls=said.calls, style=Style(**style))


def fault(make, *args, **kwargs):
    """Return a function that returns the fault `make(*args, **kwargs)`, whatever the good reply is."""
    return lambda said: make(*args, **kwargs)


def http(code, status, message, details=None, shape="array"):
    """Return an HTTP error in the form of Google or of a gateway."""
    error = {"code": code, "message": message, "status": status} | ({"details": details} if details else {})
    body = {"error": error} if shape == "object" else [{"error": error}]
    return fault(Raw, body, code)


def usage(said, where=None, **numbers):
    """Return a reply with the text of `said` and the token counts `numbers`."""
    return Reply(said.text, usage=numbers, style=Style(usage=where))


def body_of(message, finish="stop", usage=(5, 7, 12)):
    """Return a whole reply with this message, or without a message for `None`."""
    whole = completion(finish=finish, usage=usage)
    choice = {"index": 0, "finish_reason": finish} | ({} if message is None else {"message": message})
    return whole | {"choices": [choice]}


def delta(finish=None, usage=None, **fields):
    """Return an event with these fields in its delta."""
    return chunk(finish=finish, usage=usage, **fields)


def saying(**fields):
    """Return a function that makes a stream event with the text of the good reply and with `fields`."""
    return lambda said: chunk(content=said.text, **fields)


#: Google's documentation of `FinishReason` and `BlockReason`. Some gateways send the values of these enums unchanged.
NATIVE = "https://ai.google.dev/api/generate-content"
MALFORMED = "function_call_filter: MALFORMED_FUNCTION_CALL"
FLAGGED = {"google": {"thought": True}}
THOUGHT = {"role": "assistant", "content": "<thought>Hm.</thought>", "extra_content": FLAGGED}
THINKS = delta(content="<thought>Hm.", extra_content=FLAGGED)


def _null(said):
    event = chunk(content=said)
    event["choices"][0]["finish_reason"] = None
    return event


REPLIES = (
    Case("a good reply", COMPAT, text(), RIGHT),
    Case("a slow reply", "https://github.com/lbjlaq/Antigravity-Manager/issues/1905", lambda said: Fault.slow(0.01, 0.01, said.text), RIGHT),
    Case("finish reason `length` after some text", OVERVIEW, lambda said: Fault.length(said.cut), every("cut text, finish reason length", structured="OutputParserException")),
    Case("finish reason `length`, all tokens used by thinking", "https://github.com/googleapis/python-genai/issues/1039", lambda said: Reply(finish_reason="length"), every("EmptyReplyError")),
    Case("`content_filter` without a text", OVERVIEW, lambda said: Reply(finish_reason="content_filter"), REFUSED),
    Case("`content_filter: PROHIBITED_CONTENT`, and no `message`", SEEN, fault(Fault.blocked), REFUSED),
    Case("`content_filter: SAFETY`", "https://github.com/bespokelabsai/curator/issues/258", fault(Fault.blocked, "SAFETY"), REFUSED),
    Case("`content_filter: OTHER`", SEEN, fault(Fault.blocked, "OTHER"), REFUSED),
    Case("`content_filter: RECITATION`, a message without content", SEEN, raw(body_of({"role": "assistant"}, "content_filter: RECITATION"), delta("content_filter: RECITATION")), REFUSED),
    Case("`content_filter: RECITATION` after some text", SEEN, lambda said: Fault.blocked("RECITATION", said.cut), CUT_REFUSED),
    Case("OpenAI's `refusal` field", OPENAI, raw(body_of({"role": "assistant", "content": None, "refusal": "No."}), delta("stop", refusal="No.")), REFUSED),
    Case("an empty reply: `stop`, no content, no tokens", "https://github.com/google-gemini/cookbook/issues/331", fault(Fault.empty_reply), every("EmptyReplyError"), AGAIN),
    Case("an empty text", "https://github.com/langchain-ai/langgraph/issues/4780", raw(body_of({"role": "assistant", "content": ""}), delta(content=""), delta("stop", content=""), DONE), every("EmptyReplyError"), AGAIN),
    Case("only white space", SEEN, raw(body_of({"role": "assistant", "content": " \n"}), delta(content="\n"), delta("stop", content=" "), DONE), every("EmptyReplyError"), AGAIN),
    Case("a refused prompt in Google's own form, `promptFeedback`", NATIVE, raw({"promptFeedback": {"blockReason": "SAFETY"}}, {"promptFeedback": {"blockReason": "SAFETY"}}), REFUSED),
    Case("Google's own `SAFETY`, without `content_filter`", NATIVE, fault(Reply, finish_reason="SAFETY"), REFUSED),
    Case("Google's own `MALFORMED_FUNCTION_CALL`", NATIVE, fault(Reply, finish_reason="MALFORMED_FUNCTION_CALL"), every("MalformedToolCallError"), AGAIN),
    Case("Google's own `MAX_TOKENS` after some text", NATIVE, lambda said: Reply(said.cut, finish_reason="MAX_TOKENS"), every("cut text, finish reason length", structured="OutputParserException")),
    Case("thoughts without an answer", "https://github.com/googleapis/python-genai/issues/1836", raw(body_of(THOUGHT), THINKS, delta("stop", content="</thought>"), DONE), every("EmptyReplyError", "part of the reply, then EmptyReplyError"), every("correct after 1 retry", "part of the reply, then EmptyReplyError")),
    Case("`function_call_filter: MALFORMED_FUNCTION_CALL`, no content", "https://github.com/langchain-ai/langgraph/issues/6574", fault(Fault.malformed_call), every("MalformedToolCallError"), AGAIN),
    Case("`MALFORMED_FUNCTION_CALL` with `content: null`", "https://github.com/pydantic/pydantic-ai/issues/631", raw(body_of({"role": "assistant", "content": None}, MALFORMED), delta(MALFORMED, content=None), DONE), every("MalformedToolCallError"), AGAIN),
    Case("`MALFORMED_FUNCTION_CALL` after thoughts", SEEN, raw(body_of(THOUGHT, MALFORMED), THINKS, delta(content="</thought>"), delta(MALFORMED, content=None), DONE), every("MalformedToolCallError", "part of the reply, then MalformedToolCallError"), every("correct after 1 retry", "part of the reply, then MalformedToolCallError")),
    Case("`stop` on every chunk", "https://github.com/su-kaka/gcli2api/issues/403", styled(finish="every_chunk"), RIGHT),
    Case("no finish reason, with `[DONE]`", SEEN, styled(finish="absent"), RIGHT),
    Case("`finish_reason: null` to the end, and `[DONE]`", SEEN, raw(lambda said: completion(said.text), lambda said: _null(said.text), DONE), RIGHT),
    Case("a finish reason, without `[DONE]`", SEEN, raw(lambda said: completion(said.text), saying(finish="stop")), RIGHT),
    Case("`finishReason` in camel case", SEEN, styled(finish="camel_case"), RIGHT),
    Case("empty `choices`", "https://github.com/langchain-ai/langchain-google/issues/436", fault(Fault.no_choices), every("EmptyReplyError"), AGAIN),
    Case("`choices: null`", SEEN, raw({**body_of(None), "choices": None}, {**delta("stop"), "choices": None}, DONE), every("EmptyReplyError"), AGAIN),
    Case("no `choices`", SEEN, raw({"id": "r", "object": "chat.completion"}, {"id": "r", "object": "chat.completion.chunk"}, DONE), every("EmptyReplyError"), AGAIN),
    Case("a keep-alive comment before the first event", SEEN, raw(lambda said: completion(said.text), ": keep-alive\n\n", saying(finish="stop"), DONE), RIGHT),
    Case("`content` in parts, with line breaks", "https://discuss.ai.google.dev/t/openai-compatibility-bug-in-response-object/58484", styled(content="parts"), RIGHT),
    Case("a reply that is not streamed, although a stream was requested", SEEN, lambda said: Raw(completion(said.text)), RIGHT),
)  # fmt: skip

THINKING = {"options": {"include_thoughts": True}, "thoughts": "Six times seven."}


def thoughtful(pieces=None, **style):
    """Return a fault whose reply has thoughts before the good text."""
    return lambda said: Reply(said.text, thoughts="Six times seven.", chunks=pieces, style=Style(**style))


THOUGHTS = (
    Case("thoughts in `<thought>`, flagged", "https://github.com/coder/coder", thoughtful(), RIGHT, **THINKING),
    Case("tags split between chunks", "https://github.com/AstrBotDevs/AstrBot/issues/4222", thoughtful(tag_cut=True), RIGHT, **THINKING),
    Case("thoughts in `<thought>`, without Google's flag", "https://github.com/poe-platform/fastapi_poe/issues/186", thoughtful(thoughts="tagged"), RIGHT, **THINKING),
    Case("tags without the flag, split between chunks", "https://github.com/BerriAI/litellm/issues/11188", thoughtful(thoughts="tagged", tag_cut=True), RIGHT, **THINKING),
    Case("thoughts on Vertex", OVERVIEW, thoughtful(), RIGHT, surface="vertex", **THINKING),
    Case("thoughts in `reasoning_content`", "https://github.com/vllm-project/vllm/issues/27755", thoughtful(thoughts="reasoning_content"), RIGHT, **THINKING),
    Case("an answer in pieces of one character", SEEN, thoughtful(1), RIGHT, **THINKING),
)  # fmt: skip

COUNTS = (
    Case("cumulative token counts in every chunk", "https://github.com/ogx-ai/ogx/issues/5122", lambda said: usage(said, "every_chunk", prompt_tokens=10, completion_tokens=6, total_tokens=16), RIGHT, tokens=(10, 6, 16)),
    Case("a total that is larger than the sum of prompt and completion tokens", "https://github.com/mozilla-ai/any-llm/issues/1290", lambda said: usage(said, prompt_tokens=11, completion_tokens=25, total_tokens=727), RIGHT, tokens=(11, 716, 727)),
    Case("0 completion tokens and 60 reasoning tokens", SEEN, lambda said: usage(said, prompt_tokens=10, completion_tokens=0, total_tokens=70, completion_tokens_details={"reasoning_tokens": 60}), RIGHT, tokens=(10, 60, 70)),
    Case("no usage", SEEN, lambda said: Raw(dict(completion(said.text), usage=None)) if not said.stream else Reply(said.text, style=Style(usage="absent")), RIGHT, tokens=()),
    Case("usage in a separate last chunk", COMPAT, styled(usage="trailer"), RIGHT),
)  # fmt: skip

CUT = every("ServerError", "part of the reply, then ServerError")
CUT_AGAIN = every("correct after 1 retry", "part of the reply, then ServerError")
BROKEN = every("TruncatedStreamError", "part of the reply, then TruncatedStreamError")
BROKEN_AGAIN = every("correct after 1 retry", "part of the reply, then TruncatedStreamError")
BROKE = {"code": 502, "message": "Provider disconnected."}
NOISE = "https://github.com/vercel/ai/issues/5217"
GONE = "https://github.com/diegosouzapw/OmniRoute/issues/4177"


def in_stream(shape, code=503):
    """Return a fault whose stream has an error after the first characters of the text."""
    return lambda said: Fault.error_in_stream(shape, said.cut, code)


OPENROUTER = "https://openrouter.ai/docs/api/reference/errors-and-debugging"
SPENT = {"code": 429, "message": "Rate limit exceeded: free-models-per-day"}


def _failed(part, error):
    """Return a reply or a chunk whose choice holds an error."""
    return {"id": "r", "choices": [{"index": 0, part: {"content": ""}, "finish_reason": "error", "error": error}]}


STREAMS = (
    Case("an error inside a stream, an object outside of `data:`", NOISE, in_stream("bare_object"), CUT, CUT_AGAIN),
    Case("an error inside a stream, a list outside of `data:`", NOISE, in_stream("bare_array"), CUT, CUT_AGAIN),
    Case("an error inside a stream, an object in an event", NOISE, in_stream("data_object"), CUT, CUT_AGAIN),
    Case("an error inside a stream, a list in an event", NOISE, in_stream("data_array"), CUT, CUT_AGAIN),
    Case("`499 CANCELLED` inside a stream on Vertex", SEEN, in_stream("bare_array", 499), CUT, CUT_AGAIN, surface="vertex"),
    Case("an error before the first text, status 200", NOISE, lambda said: Fault.error_in_stream("bare_array", ""), every("ServerError"), AGAIN),
    Case("a chunk with both `choices` and `error`", "https://openrouter.ai/docs/api/reference/errors-and-debugging", raw({**body_of({"role": "assistant", "content": "par"}), "error": BROKE}, lambda said: chunk(content=said.cut), {**delta("error"), "error": BROKE}, DONE), CUT, CUT_AGAIN),
    Case("finish reason `error`", "https://openrouter.ai/docs/api/reference/errors-and-debugging", raw(body_of({"role": "assistant", "content": "par"}, "error"), lambda said: chunk(content=said.cut), delta("error"), DONE), BROKEN, BROKEN_AGAIN),
    Case("`event: error`, whose data have no key `error`", SEEN, raw({"code": 500, "details": "x"}, lambda said: chunk(content=said.cut), 'event: error\ndata: {"code":500,"details":"x"}\n\n', DONE), CUT, CUT_AGAIN),
    Case("an error in an entry of `choices`, status 200", OPENROUTER, raw(_failed("message", BROKE), lambda said: chunk(content=said.cut), _failed("delta", BROKE), DONE), CUT, CUT_AGAIN),
    Case("a used-up daily quota in an entry of `choices`, status 200", OPENROUTER, raw(_failed("message", SPENT), _failed("delta", SPENT), DONE), every("QuotaExhaustedError")),
    Case("a stream that ends early", GONE, lambda said: Fault.cut_stream(said.cut), BROKEN, BROKEN_AGAIN),
    Case("a stream that ends before its first text", "https://github.com/google-gemini/gemini-cli/issues/7851", lambda said: Fault.cut_stream(""), every("TruncatedStreamError"), AGAIN),
    Case("a connection that breaks", "https://github.com/google-gemini/gemini-cli/issues/9271", lambda said: Fault.dropped_connection(said.cut), BROKEN, BROKEN_AGAIN),
    Case("an event that is not JSON", SEEN, raw("data: {nonsense\n\n", "data: {nonsense\n\n"), every("InvalidReplyError"), AGAIN),
    Case("a web page with status 200", SEEN, fault(Raw, "<!DOCTYPE html><html><title>Sign in</title></html>"), every("InvalidReplyError"), AGAIN),
    Case("status 200 and an empty body", GONE, fault(Raw, ""), every("InvalidReplyError", "TruncatedStreamError"), AGAIN),
)  # fmt: skip

VERTEX = {"surface": "vertex"}


def fails(word):
    """Return the outcomes if each entry point raises the error class `word` without a retry."""
    return every(word)


BAD = "InvalidRequestError"
JP = "https://github.com/dcdpr/jp/pull/1061"
DAILY = {
    "error": {
        "code": 429,
        "message": "Quota exceeded.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"violations": [{"quotaId": "GenerateRequestsPerDay"}]}],
    }
}


def worded(status, message, **more):
    """Return an HTTP error in the form of OpenAI."""
    return fault(Raw, {"error": {"message": message, **more}}, status)


ERRORS = (
    Case("429, daily quota, in `metadata.raw`", OPENROUTER, worded(429, "Provider returned error", code=429, metadata={"raw": json.dumps(DAILY)}), fails("QuotaExhaustedError")),
    Case("429, daily quota, as bytes in a string", SEEN, worded(429, f"litellm.RateLimitError: geminiException - {json.dumps(DAILY).encode()}", code="429"), fails("QuotaExhaustedError")),
    Case("429, daily quota, under a numeric key", SEEN, fault(Raw, {"0": DAILY}, 429), fails("QuotaExhaustedError")),
    Case("400, `context_length_exceeded`", OPENAI, worded(400, "No.", code="context_length_exceeded"), fails("ContextOverflowError")),
    Case("400, a model unknown to the gateway", SEEN, worded(400, "Invalid model name passed in model=x"), fails("ModelNotFoundError")),
    Case("400, vLLM was started without an option for tool calls", "https://docs.vllm.ai/en/latest/features/tool_calling.html", worded(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'), fails(BAD)),
    Case("400, a schema with too many states", "https://github.com/googleapis/python-genai/issues/2170", http(400, "INVALID_ARGUMENT", "The specified schema produces a constraint that has too many states for serving."), fails("SchemaRejectedError")),
    Case("424, the generation failed", SEEN, fault(Raw, {"error": "Request failed during generation", "error_type": "generation"}, 424), fails("ServerError"), AGAIN),
    Case("429, a model that is scaled to zero", SEEN, fault(Raw, "Model is not yet ready for inference. Please wait while model completes scale-up from zero, then try your request again.", 429), fails("ServerError"), AGAIN, **VERTEX),
    Case("429, quota per minute", JP, fault(Fault.rate_limit, "0.045837906s"), fails("RateLimitError"), AGAIN),
    Case("429, quota per minute, with a wait longer than `retry_wait`", JP, fault(Fault.rate_limit, "600s"), fails("RateLimitError")),
    Case("429, daily quota", JP, fault(Fault.rate_limit, "39043s", per="day"), fails("QuotaExhaustedError")),
    Case("429, daily quota, and a short wait in the error", "https://github.com/dcdpr/jp/pull/1061", fault(Fault.rate_limit, "0.05s", per="day"), fails("QuotaExhaustedError")),
    Case("429 without details", SEEN, fault(Fault.rate_limit, None), fails("RateLimitError"), AGAIN),
    Case("429, spending cap", SEEN, http(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap. Please go to https://ai.studio/spend to manage it."), fails("QuotaExhaustedError")),
    Case("429, prepaid credits", SEEN, http(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), fails("QuotaExhaustedError")),
    Case("429 on Vertex", "https://github.com/google-gemini/gemini-cli/issues/14831", fault(Fault.rate_limit), fails("RateLimitError"), AGAIN, **VERTEX),
    Case("503, high demand", SEEN, fault(Fault.overloaded), fails("ServerError"), AGAIN),
    Case("503, overloaded, an object", NOISE, http(503, "UNAVAILABLE", "The model is overloaded.", shape="object"), fails("ServerError"), AGAIN),
    Case("500", RPC, fault(Fault.internal), fails("ServerError"), AGAIN),
    Case("504", RPC, http(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."), fails("ServerError"), AGAIN),
    Case("502, a proxy's plain text", SEEN, fault(Raw, "Bad Gateway", 502, "text/plain"), fails("ServerError"), AGAIN),
    Case("499", SEEN, http(499, "CANCELLED", "The operation was cancelled."), fails("ServerError"), AGAIN),
    Case("400, an invalid key", SEEN, fault(Fault.bad_key), fails("AuthenticationError")),
    Case("401, an API key on Vertex", "https://github.com/SillyTavern/SillyTavern/issues/4223", fault(Fault.bad_key), fails("AuthenticationError"), **VERTEX),
    Case("401, an expired token", "https://github.com/NousResearch/hermes-agent/issues/56259", fault(Fault.expired_token), fails("AuthenticationError"), **VERTEX),
    Case("401, a forged token", SEEN, fault(Fault.forged_token), fails("AuthenticationError"), **VERTEX),
    Case("401, no credential", RPC, fault(Fault.missing_credential), fails("AuthenticationError"), **VERTEX),
    Case("403, access denied", SEEN, fault(Fault.permission_denied), fails("PermissionDeniedError")),
    Case("403 on Vertex", RPC, fault(Fault.permission_denied), fails("PermissionDeniedError"), **VERTEX),
    Case("403, the key was reported as leaked", SEEN, http(403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key."), fails("AuthenticationError")),
    Case("403, no billing", SEEN, http(403, "PERMISSION_DENIED", "This API method requires billing to be enabled."), fails("PermissionDeniedError"), **VERTEX),
    Case("404, no such model", "https://github.com/MrMirhan/intellyrouter", fault(Fault.model_not_found), fails("ModelNotFoundError")),
    Case("404, no such model on Vertex", "https://github.com/google-gemini/gemini-cli/issues/14262", fault(Fault.model_not_found), fails("ModelNotFoundError"), **VERTEX),
    Case("404, a model that is closed to new users", SEEN, http(404, "NOT_FOUND", "This model models/gemini-2.5-flash is no longer available to new users."), fails("ModelNotFoundError")),
    Case("404, a web page", "https://github.com/n8n-io/n8n/issues/16807", fault(Fault.html_404), fails("ModelNotFoundError")),
    Case("307, a redirect", "https://www.rfc-editor.org/rfc/rfc9110#name-307-temporary-redirect", fault(Fault.redirect, "https://elsewhere.invalid/"), fails(BAD)),
    Case("400, the input is too long", "https://github.com/BerriAI/litellm/issues/18282", fault(Fault.context_overflow), fails("ContextOverflowError")),
    Case("400, the input is too long on Vertex", "https://github.com/BerriAI/litellm/issues/18282", fault(Fault.context_overflow), fails("ContextOverflowError"), **VERTEX),
    Case("400, a missing signature", "https://github.com/manthanabc/paws/issues/103", http(400, "INVALID_ARGUMENT", "Function call is missing a thought_signature in functionCall parts."), fails("MissingSignatureError")),
    Case("400, a missing signature on Vertex", "https://github.com/openai/openai-agents-python/issues/2137", http(400, "INVALID_ARGUMENT", "Unable to submit request because function call `default_api:web_extract` in the 2. content block is missing a `thought_signature`."), fails("MissingSignatureError"), **VERTEX),
    Case("400, `Corrupted thought signature.`", "https://github.com/decolua/9router/issues/4136", http(400, "INVALID_ARGUMENT", "Corrupted thought signature."), fails("InvalidSignatureError")),
    Case("400, `Base64 decoding failed`", "https://github.com/BerriAI/litellm/issues/37849", http(400, "INVALID_ARGUMENT", "Base64 decoding failed for the thought signature."), fails("InvalidSignatureError")),
    Case("400, `Invalid thought signature.`", SIGNATURES, http(400, "INVALID_ARGUMENT", "Invalid thought signature."), fails("InvalidSignatureError"), **VERTEX),
    Case("400 without a reason", "https://github.com/NousResearch/hermes-agent/issues/69231", http(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), fails(BAD), **VERTEX),
    Case("400, arguments that are not an object", SEEN, http(400, "INVALID_ARGUMENT", "Expected a valid JSON object in the request"), fails(BAD), **VERTEX),
    Case("400, an unknown field", "https://github.com/Vali-98/ChatterUI/issues/227", http(400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'), fails(BAD)),
    Case("400, a schema that Gemini refuses", "https://github.com/zed-industries/zed/issues/44875", http(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unknown name \"const\" at 'tools[0].function_declarations[0].parameters': Cannot find field."), fails("SchemaRejectedError")),
    Case("400, the country is not served", SEEN, http(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), fails(BAD)),
    Case("400, a model that only the location `global` serves", SEEN, http(400, "FAILED_PRECONDITION", "Publisher model 'x' in region 'us-central1' is only available via global endpoint."), fails(BAD), **VERTEX),
)  # fmt: skip
