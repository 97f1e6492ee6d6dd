"""Error bodies of real servers: a table with the expected exception for each, checked in every call mode.

The texts are quoted from recorded replies and from public reports, whose URL is in the row. The `shape` of a row says
how the server wraps the error.
"""

import json
import re
from dataclasses import dataclass

import openai
import pytest
from captures import ABSENT, FOLDERS, capture_paths, read_capture
from langchain_core import exceptions as core
from wire import chunk

from langchain_gemini_compat import errors
from langchain_gemini_compat.testing import FakeGemini, Raw

MODES = ("invoke", "ainvoke", "stream", "astream")
#: For each exception class: its base classes in openai and langchain_core, and whether a retry may help.
KINDS = {
    "AuthenticationError": (openai.AuthenticationError, core.ModelAuthenticationError, False),
    "PermissionDeniedError": (openai.PermissionDeniedError, core.ModelPermissionDeniedError, False),
    "InvalidRequestError": (openai.BadRequestError, core.ModelInvalidRequestError, False),
    "MissingSignatureError": (openai.BadRequestError, core.ModelInvalidRequestError, False),
    "InvalidSignatureError": (openai.BadRequestError, core.ModelInvalidRequestError, False),
    "SchemaRejectedError": (openai.BadRequestError, core.ModelInvalidRequestError, False),
    "ContextOverflowError": (openai.BadRequestError, core.ContextOverflowError, False),
    "ModelNotFoundError": (openai.NotFoundError, core.ModelNotFoundError, False),
    "RateLimitError": (openai.RateLimitError, core.ModelRateLimitError, True),
    "QuotaExhaustedError": (openai.RateLimitError, core.ModelRateLimitError, False),
    "ServerError": (openai.InternalServerError, core.ModelAPIError, True),
}
WORDS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """An error body, and the exception that is expected for it.

    `text` is the part of the server's text that the exception must quote. The default is the whole `message`.
    """

    name: str
    source: str
    http: int
    message: str
    kind: str
    remedy: str
    status: str | None = None
    code: int | None = None
    shape: str = "array"
    details: tuple = ()
    text: str | None = None
    surface: str = "ai_studio"

    @property
    def words(self):
        return self.message if self.text is None else self.text

    @property
    def body(self):
        """Return the body that the server sends: plain text, or JSON in the shape of the row."""
        if self.shape in ("html", "text", "empty"):
            return self.message
        error = {"code": self.code or self.http, "message": self.message, "status": self.status or WORDS[self.http]}
        whole = {"error": error | ({"details": [*self.details]} if self.details else {})}
        return json.dumps(whole if self.shape == "object" else [whole], indent=2)


def violation(quota_id):
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    quota = {"quotaMetric": metric, "quotaId": quota_id, "quotaValue": "5"}
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [quota]}


def wait(seconds):
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds}


def reason(word):
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word, "domain": "googleapis.com"}


PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel"
QUOTA = "You exceeded your current quota, please check your plan and billing details."
FIELD = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"description": "Unknown name"}]}
SEEN = "seen in several public repositories"
PAGE = "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p>The requested URL was not found.\n"
NATIVE = "https://github.com/openswarm-ai/openswarm/issues/24"
#: For rows in which the advice may have any text: a pattern that matches each text.
SENTENCE = "."
ROWS = (
    Row("bad key", SEEN, 400, "Please pass a valid API key", "AuthenticationError", "aistudio.google.com/apikey"),
    Row("bad key, longer", SEEN, 400, "API key not valid. Please pass a valid API key.", "AuthenticationError", "aistudio.google.com/apikey", details=(reason("API_KEY_INVALID"),)),
    Row("unknown field", "https://github.com/Vali-98/ChatterUI/issues/227", 400, 'Invalid JSON payload received. Unknown name "store": Cannot find field.', "InvalidRequestError", "`extra_body`", details=(FIELD,)),
    Row("google at the wrong level", "https://github.com/Alishahryar1/free-claude-code/issues/542", 400, 'Invalid JSON payload received. Unknown name "google": Cannot find field.', "InvalidRequestError", "`extra_body`", details=(FIELD,)),
    Row("extra_body too deep", "https://github.com/MinLL/SkyrimNet-GamePlugin/issues/77", 400, "Invalid JSON payload received. Unknown name \"extra_body\" at 'extra_body': Cannot find field.", "InvalidRequestError", "`extra_body`", details=(FIELD,)),
    Row("no reason", "https://github.com/NousResearch/hermes-agent/issues/69231", 400, "Request contains an invalid argument.", "InvalidRequestError", SENTENCE),
    Row("missing signature", "https://github.com/manthanabc/paws/issues/103", 400, "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:shell` , position 2. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.", "MissingSignatureError", "does not pass thought signatures on"),
    Row("missing signature on Vertex", "https://github.com/openai/openai-agents-python/issues/2137", 400, "Unable to submit request because function call `default_api:web_extract` in the 2. content block is missing a `thought_signature`. Learn more: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/thought-signatures", "MissingSignatureError", "does not pass thought signatures on"),
    Row("missing signature, documented", "https://ai.google.dev/gemini-api/docs/thought-signatures", 400, "Function call `search` in the 3 content block is missing a thought_signature.", "MissingSignatureError", "does not pass thought signatures on"),
    Row("corrupted signature", "https://github.com/decolua/9router/issues/4136", 400, "Corrupted thought signature.", "InvalidSignatureError", "signature"),
    Row("invalid signature", SEEN, 400, "Invalid thought signature.", "InvalidSignatureError", "signature"),
    Row("signature not valid", SEEN, 400, "Thought signature is not valid", "InvalidSignatureError", "signature"),
    Row("signature that is no base64", "https://github.com/BerriAI/litellm/issues/37849", 400, 'Base64 decoding failed for "skip"', "InvalidSignatureError", "signature"),
    Row("model without a publisher", SEEN, 400, "Malformed publisher model (`model`: 'gemini-3.5-flash') for the 'openapi' request endpoint ID; expected '<publisher>/<model>'.", "ModelNotFoundError", "`google/gemini-3.8-flash`", surface="vertex"),
    Row("URL that Google cannot read", SEEN, 400, "Cannot fetch content from the provided URL. fileUri is not accessible.", "InvalidRequestError", "`base64`", surface="vertex"),
    Row("file of an unknown type", "https://github.com/google/adk-python/issues/5693", 400, "Unsupported MIME type: image/svg+xml", "InvalidRequestError", "PNG, JPEG or WebP"),
    Row("file of an unknown type on Vertex", "https://github.com/epam/ai-dial-adapter-vertexai/issues/148", 400, "Unable to submit request because it has a mimeType parameter with value application/json, which is not supported. Update the mimeType and try again", "InvalidRequestError", "PNG, JPEG or WebP", surface="vertex"),
    Row("penalty", "https://github.com/Ikalus1988/MisakaNet/issues/1473", 400, "Penalty is not enabled for this model", "InvalidRequestError", "`presence_penalty`", surface="vertex"),
    Row("penalty of 2.5", SEEN, 400, "Penalty is not enabled for models/gemini-2.5-flash", "InvalidRequestError", "`presence_penalty`"),
    Row("country", SEEN, 400, "User location is not supported for the API use.", "InvalidRequestError", "Vertex", status="FAILED_PRECONDITION"),
    Row("global only", SEEN, 400, "Publisher model 'xai/grok-4.1-fast-non-reasoning' in region 'us-central1' is only available via global endpoint.", "InvalidRequestError", 'location="global"', status="FAILED_PRECONDITION"),
    Row("overflow", "https://github.com/BerriAI/litellm/issues/18282", 400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "ContextOverflowError", "trim"),
    Row("overflow on Vertex", "https://github.com/BerriAI/litellm/issues/18282", 400, "Unable to submit request because the input token count is 1200000 but model only supports up to 1048576. Reduce the input token count and try again.", "ContextOverflowError", "trim"),
    Row("overflow of a local server", "https://github.com/ggml-org/llama.cpp", 400, "request (300 tokens) exceeds the available context size (256 tokens), try increasing it", "ContextOverflowError", "trim", status="exceed_context_size_error", shape="object"),
    Row("schema keyword", "https://github.com/zed-industries/zed/issues/44875", 400, "Invalid JSON payload received. Unknown name \"const\" at 'tools[0].function_declarations[0].parameters.properties[0].value': Cannot find field.", "SchemaRejectedError", "schema", details=(FIELD,)),
    Row("schema dialect", NATIVE, 400, "Invalid JSON payload received. Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters': Cannot find field.", "SchemaRejectedError", "schema"),
    Row("empty object", SEEN, 400, "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties: should be non-empty for OBJECT type", "SchemaRejectedError", "schema"),
    Row("fields beside anyOf", "https://github.com/langchain-ai/langchain-google/issues/1216", 400, "Unable to submit request because `book` functionDeclaration `parameters.when` schema specified other fields alongside any_of. When using any_of, it must be the only field set.", "SchemaRejectedError", "schema"),
    Row("format of a string", SEEN, 400, "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[when].format: only 'enum' and 'date-time' are supported for STRING type", "SchemaRejectedError", "schema"),
    Row("thinking level", "https://github.com/BerriAI/litellm/issues/37314", 400, "Thinking level MINIMAL is not supported for this model", "InvalidRequestError", SENTENCE),
    Row("trailing model turn", "https://github.com/envoyproxy/ai-gateway/pull/2686", 400, "Requests ending with a model turn are not supported", "InvalidRequestError", SENTENCE),
    Row("call order", "https://github.com/google-gemini/gemini-cli/issues/26486", 400, "Please ensure that function call turn comes immediately after a user turn or after a function response turn.", "InvalidRequestError", SENTENCE),
    Row("unequal parts", "https://github.com/microsoft/vscode/issues/299295", 400, "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.", "InvalidRequestError", SENTENCE),
    Row("broken arguments", SEEN, 400, "Expected a valid JSON object in the request", "InvalidRequestError", SENTENCE),
    Row("several candidates", SEEN, 400, "Unable to submit request because candidateCount must be 1 but the entered value was 2. Update the candidateCount value and try again.", "InvalidRequestError", SENTENCE),
    Row("several candidates on AI Studio", SEEN, 400, "Only one candidate can be specified in the current model", "InvalidRequestError", SENTENCE),
    Row("logprobs", "https://github.com/Vela-Research/think-reason-learn/issues/34", 400, "Logprobs is not enabled for models/gemini-2.5-flash", "InvalidRequestError", SENTENCE),
    Row("result without a name", "https://github.com/openclaw/openclaw/issues/47857", 400, "* GenerateContentRequest.contents[2].parts[0].function_response.name: Name cannot be empty.", "InvalidRequestError", SENTENCE),
    Row("empty text", "https://github.com/Portkey-AI/gateway/issues/462", 400, "Unable to submit request because it has an empty text parameter. Add a value to the parameter and try again.", "InvalidRequestError", SENTENCE),
    Row("no contents", "https://github.com/langchain-ai/langchain-google/issues/1351", 400, "* GenerateContentRequest.contents: contents is not specified", "InvalidRequestError", SENTENCE),
    Row("API key on Vertex", "https://github.com/SillyTavern/SillyTavern/issues/4223", 401, "API keys are not supported by this API. Expected OAuth2 access token or other authentication credentials that assert a principal. See https://cloud.google.com/docs/authentication", "AuthenticationError", "gcloud auth application-default login", details=(reason("CREDENTIALS_MISSING"),), surface="vertex"),
    Row("forged token", SEEN, 401, "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.", "AuthenticationError", "gcloud auth print-access-token", details=(reason("ACCESS_TOKEN_TYPE_UNSUPPORTED"),), surface="vertex"),
    Row("key that Google cannot check", SEEN, 401, "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.", "AuthenticationError", "https://aistudio.google.com/apikey", details=(reason("ACCESS_TOKEN_TYPE_UNSUPPORTED"),)),
    Row("expired token", "https://cloud.google.com/apis/design/errors", 401, "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.", "AuthenticationError", "gcloud auth application-default login", shape="object", surface="vertex"),
    Row("expired token of one's own", SEEN, 401, "Request had invalid authentication credentials.", "AuthenticationError", "A token of your own, given as `api_key`, may have expired", surface="vertex"),
    Row("no key at all", "https://ai.google.dev/gemini-api/docs/troubleshooting", 403, "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.", "AuthenticationError", "https://aistudio.google.com/apikey"),
    Row("API disabled", "https://cloud.google.com/apis/design/errors", 403, "Generative Language API has not been used in project 1 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/generativelanguage.googleapis.com/overview?project=1 then retry.", "PermissionDeniedError", "gcloud services enable generativelanguage.googleapis.com", details=(reason("SERVICE_DISABLED"),)),
    Row("API disabled on Vertex", "https://cloud.google.com/apis/design/errors", 403, "Vertex AI API has not been used in project 1 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?project=1 then retry.", "PermissionDeniedError", "gcloud services enable aiplatform.googleapis.com", details=(reason("SERVICE_DISABLED"),), surface="vertex"),
    Row("project denied", SEEN, 403, "Your project has been denied access.", "PermissionDeniedError", SENTENCE),
    Row("leaked key", SEEN, 403, "Your API key was reported as leaked. Please use another API key.", "AuthenticationError", "https://aistudio.google.com/apikey"),
    Row("no billing", SEEN, 403, "This API method requires billing to be enabled. Please enable billing on project #1 by visiting https://console.developers.google.com/billing/enable?project=1 then retry.", "PermissionDeniedError", "billing", details=(reason("BILLING_DISABLED"),)),
    Row("no permission on Vertex", "https://cloud.google.com/apis/design/errors", 403, "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p/locations/global' (or it may not exist).", "PermissionDeniedError", "roles/aiplatform.user", details=(reason("IAM_PERMISSION_DENIED"),), surface="vertex"),
    Row("no such model", "https://github.com/MrMirhan/intellyrouter", 404, "models/x is not found for API version v1main, or is not supported for generateContent. Call ModelService.ListModels to see the list of available models and their supported methods.", "ModelNotFoundError", "`model`"),
    Row("closed to new users", SEEN, 404, "This model models/gemini-2.5-flash is no longer available to new users. Please update your code to use models/gemini-3.8-flash.", "ModelNotFoundError", "`model`"),
    Row("web page", "https://github.com/n8n-io/n8n/issues/16807", 404, PAGE, "ModelNotFoundError", "`model`", shape="html", text="Error 404 (Not Found)!!1"),
    Row("per minute", "https://github.com/dcdpr/jp/pull/1061", 429, f"{QUOTA}\nPlease retry in 45.837906927s.", "RateLimitError", " seconds, or request a higher quota", details=(violation(PER_MINUTE), wait("45.837906927s"))),
    Row("per day", "https://github.com/dcdpr/jp/pull/1061", 429, f"{QUOTA} limit: 250, model: gemini-3.1-pro\nPlease retry in 10h50m43.651927829s.", "QuotaExhaustedError", "reset", details=(violation(PER_DAY), wait("39043s"))),
    Row("per day that tells a minute", "https://github.com/KimSoungRyoul/ag-ui-rust", 429, QUOTA, "QuotaExhaustedError", "reset", details=(violation(f"{PER_DAY}-FreeTier"), wait("58s")), shape="object"),
    Row("spending cap", SEEN, 429, "Your project has exceeded its monthly spending cap. Please go to https://ai.studio/spend to manage it.", "QuotaExhaustedError", "Raise the cap"),
    Row("credits", SEEN, 429, "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.", "QuotaExhaustedError", "credits"),
    Row("limit 0, written as the source writes its limit of 20", "https://github.com/ogkalu2/comic-translate/issues/403", 429, f"{QUOTA}\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0\nPlease retry in 22.4s.", "QuotaExhaustedError", "limit 0"),
    Row("429 on Vertex", "https://github.com/google-gemini/gemini-cli/issues/14831", 429, "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.", "RateLimitError", SENTENCE),
    Row("cancelled", SEEN, 499, "The operation was cancelled.", "ServerError", "Ask again"),
    Row("internal", "https://cloud.google.com/apis/design/errors", 500, "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting", "ServerError", "Retry later"),
    Row("high demand", "https://github.com/KimSoungRyoul/ag-ui-rust", 503, "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.", "ServerError", "another model"),
    Row("overloaded", "https://github.com/vercel/ai/issues/5217", 503, "The model is overloaded. Please try again later.", "ServerError", "another model", shape="object"),
    Row("deadline", "https://cloud.google.com/apis/design/errors", 504, "Deadline expired before operation could complete.", "ServerError", "Retry later"),
    Row("proxy's text", SEEN, 502, "upstream connect error or disconnect/reset before headers", "ServerError", "Retry later", shape="text"),
    Row("proxy's text, too large", SEEN, 413, "Request Entity Too Large", "InvalidRequestError", SENTENCE, shape="text"),
    Row("proxy's page", SEEN, 502, "<html><head><title>502 Bad Gateway</title></head></html>", "ServerError", "Retry later", shape="html", text="an HTML page (502 Bad Gateway). (502) Retry later"),
    Row("proxy's page, too many", SEEN, 429, "<html><title>Slow down</title></html>", "RateLimitError", SENTENCE, shape="html", text="an HTML page (Slow down). (429) Wait"),
    Row("page of another server", SEEN, 404, PAGE, "ModelNotFoundError", "`base_url`", shape="html", text="so this URL is not an endpoint of this API", surface="vertex"),
    Row("empty body", SEEN, 503, "", "ServerError", "Retry later", shape="empty", text="gave no reason"),
    Row("empty body, 401", SEEN, 401, "", "AuthenticationError", "api_key", shape="empty", text="gave no reason"),
    Row("other number inside", "https://github.com/ggml-org/llama.cpp", 500, "request (300 tokens) exceeds the available context size (256 tokens)", "ContextOverflowError", "trim", status="exceed_context_size_error", code=400, shape="object"),
)  # fmt: skip
BY_NAME = {row.name: row for row in ROWS}
IN_STREAM = [
    BY_NAME[name]
    for name in ("high demand", "overloaded", "cancelled", "per minute", "per day", "internal", "deadline", "expired token")
]  # fmt: skip
PLACES = ("array", "object", "event array", "event object")
RECORDED = {
    "ais-07-intellyrouter-404-error": ("ModelNotFoundError", "NOT_FOUND", 404, "`model`"),
    "ais-err-400-bad-key": ("AuthenticationError", "INVALID_ARGUMENT", 400, "aistudio.google.com/apikey"),
    "ais-err-400-missing-thought-signature": (
        "MissingSignatureError",
        "INVALID_ARGUMENT",
        400,
        "does not pass thought signatures on",
    ),
    "ais-err-429-per-minute-free-tier": (
        "RateLimitError",
        "RESOURCE_EXHAUSTED",
        429,
        " seconds, or request a higher quota",
    ),
    "ais-N6-gemma4-26b-500-internal": ("ServerError", "INTERNAL", 500, "Retry later"),
    "ais-N7-frequency_penalty-400": ("InvalidRequestError", "INVALID_ARGUMENT", 400, "Remove the field"),
    "ais-N8-gemma4-reasoning_effort-400": ("InvalidRequestError", "INVALID_ARGUMENT", 400, "`preview()`"),
}


async def ask(mode, chat, texts):
    """Call the model in one of the four modes. Streamed texts are appended to `texts`."""
    if mode == "invoke":
        chat.invoke("hi")
    elif mode == "ainvoke":
        await chat.ainvoke("hi")
    elif mode == "stream":
        texts.extend(part.text for part in chat.stream("hi"))
    else:
        note = texts.append
        async for part in chat.astream("hi"):
            note(part.text)


async def failure(mode, raw, surface="ai_studio"):
    """Return the exception for `raw`, and the texts that were streamed before."""
    texts = []
    with pytest.raises(errors.GeminiCompatError) as caught:
        await ask(mode, FakeGemini(raw, surface=surface).chat_model(max_retries=0), texts)
    return caught.value, texts


def check(error, kind, status, code, words, remedy):
    """Assert the class and its base classes, the attributes, and a message with the server's text and a remedy."""
    theirs, cores, retryable = KINDS[kind]
    assert type(error) is getattr(errors, kind)
    assert isinstance(error, theirs)
    assert isinstance(error, cores)
    assert (error.is_retryable, error.status, error.status_code) == (retryable, status, code)
    assert words in str(error)
    assert error.remedy
    assert remedy in error.remedy
    assert error.remedy in str(error)
    assert re.search(rf"\b{code}\b", str(error))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_error_body_raises_the_exception_of_its_row(row, mode):
    """The server sends the body with its HTTP status, for whole replies and for streams."""
    error, _ = await failure(mode, Raw(row.body, row.http), row.surface)
    status = None if row.shape in ("html", "text", "empty") else row.status or WORDS[row.http]
    check(error, row.kind, status, row.code or row.http, row.words, row.remedy)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("row", IN_STREAM, ids=lambda row: row.name)
async def test_error_with_status_200_raises_the_same_exception(row, mode, place):
    """The error is in the middle of a stream (as an event or as bare JSON), or is the body of a whole reply."""
    error = json.loads(row.body)
    error = error if isinstance(error, dict) else error[0]
    shaped = [error] if "array" in place else error
    if "invoke" in mode:
        body = json.dumps(shaped)
    else:
        said = f"data: {json.dumps(chunk(content='Half of '))}\n\n"
        body = (
            f"{said}data: {json.dumps(shaped)}\n\n" if "event" in place else said + json.dumps(shaped, indent=2) + "\n"
        )
    caught, texts = await failure(mode, Raw(body), row.surface)
    check(caught, row.kind, row.status or WORDS[row.http], row.http, row.words, row.remedy)
    assert texts == ([] if "invoke" in mode else ["Half of "])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("file", RECORDED)
async def test_recorded_error_body_raises_the_exception_of_its_row(file, mode):
    response = read_capture(file)["response"]
    kind, status, code, remedy = RECORDED[file]
    error, _ = await failure(mode, Raw(response["body"], response["status"], response["content_type"]))
    check(error, kind, status, code, json.loads(response["body"])[0]["error"]["message"], remedy)


@pytest.mark.skipif(not all(folder.is_dir() for folder in FOLDERS), reason=ABSENT)
def test_every_recorded_error_body_is_in_the_table():
    """A new recording must be added to the table."""
    files = {path.stem: json.loads(path.read_text())["response"] for path in capture_paths()}
    assert {name for name, response in files.items() if response.get("status", 200) >= 300} == set(RECORDED)


@pytest.mark.parametrize("mode", MODES)
async def test_rate_limit_has_its_wait_and_its_quota(mode):
    """The error has the server's waiting time, with fractions of a second, and Google's name of the exceeded quota."""
    minute, _ = await failure(mode, Raw(BY_NAME["per minute"].body, 429))
    day, _ = await failure(mode, Raw(BY_NAME["per day"].body, 429))
    silent, _ = await failure(mode, Raw(BY_NAME["per day that tells a minute"].body, 429))
    assert (minute.retry_after, minute.quota_id) == (pytest.approx(45.837906927), PER_MINUTE)
    assert (day.retry_after, day.quota_id) == (pytest.approx(39043.651927829), PER_DAY)
    assert (silent.retry_after, silent.quota_id) == (58.0, f"{PER_DAY}-FreeTier")


def test_table_covers_every_shape_and_class():
    """The table has at least 25 error bodies, and each name is used once."""
    assert len(BY_NAME) == len(ROWS) >= 25
    assert {row.shape for row in ROWS} == {"array", "object", "html", "text", "empty"}
    assert {row.kind for row in ROWS} == set(KINDS)
