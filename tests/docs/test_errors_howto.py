"""Tests of the how-to page about errors: each quoted error message can occur, and has the class that the page names.

`CASES` contains each message of the page with its class. In a message, `…` stands for words that are left out.
"""

import asyncio
import re
import warnings
from pathlib import Path

import google.auth
import pytest
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from google.oauth2.credentials import Credentials
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel, ValidationError

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Raw, Reply, Usage

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "errors.md"
ENTRY = re.compile(r"^### `(?P<text>[^`]+)`\n\n(?P<body>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
RAISED = re.compile(r"\A`(\w+)`")
ALSO = re.compile(r"^- `([^`]+)`: `(\w+)`", re.MULTILINE)
#: Classes of LangChain and pydantic. The page names these classes without their module.
THEIRS = {"OutputParserException": OutputParserException, "ValidationError": ValidationError}
FLAGS = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
SPENT = "You exceeded your current quota, please check your plan and billing details."
FIELD = 'Invalid JSON payload received. Unknown name "{}"{}: Cannot find field.'
PARTS = "function response parts is equal to the number of function call parts of the function call turn."


class Answer(BaseModel):
    """The shape of an answer."""

    city: str


def ask(reply, surface="ai_studio", prompt="hi", **options):
    """Send `prompt` to a model whose endpoint answers with `reply`."""
    return FakeGemini(reply, surface=surface).chat_model(**{"max_retries": 0, **options}).invoke(prompt)


def refuse(code, message, status="INVALID_ARGUMENT", surface="ai_studio"):
    """Return a function that calls a model whose server answers with this error in Google's format."""
    body = [{"error": {"code": code, "message": message, "status": status}}]
    return lambda _: ask(Raw(body, code), surface)


def fail(fault, surface="ai_studio", **options):
    """Return a function that calls a model whose server has this fault."""
    return lambda _: ask(fault, surface, **options)


def parse(reply):
    """Return a function that asks a model for a structured answer and gets `reply`."""
    return lambda _: FakeGemini(reply).chat_model(max_retries=0).with_structured_output(Answer).invoke("hi")


def without_login(monkeypatch, **arguments):
    """Call a model without application default credentials."""

    def look_up(**_):
        raise DefaultCredentialsError("Your default credentials were not found.")

    monkeypatch.setattr(google.auth, "default", look_up)
    ChatGeminiCompat(model="gemini-3.8-flash", surface="vertex", **arguments).invoke("hi")


def without_project(monkeypatch):
    """Call a model with credentials but without a project."""
    monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials("token"), None))
    ChatGeminiCompat(model="gemini-3.8-flash", surface="vertex").invoke("hi")


class Expired(Credentials):
    """Credentials whose login has ended, because a company limits how long a login is valid."""

    def refresh(self, request):
        """Raise Google's error for an ended login."""
        raise RefreshError("invalid_grant: Bad Request", {"error": "invalid_grant", "error_subtype": "invalid_rapt"})


def with_old_login(_):
    """Call a model with credentials whose login has ended."""
    ChatGeminiCompat(model="gemini-3.8-flash", project="p", credentials=Expired(None, refresh_token="r")).invoke("hi")


def send(**options):
    """Return a function that calls a model with `options` and raises each warning as an error."""

    def run(_):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ask("fine", **options)

    return run


def stream_cut(_):
    """Read a stream that breaks off."""

    async def read():
        async for _ in FakeGemini(Fault.cut_stream()).chat_model(max_retries=0).astream("hi"):
            pass

    asyncio.run(read())


ORPHAN = [HumanMessage("hi"), ToolMessage("4", tool_call_id="call_1"), AIMessage("Four."), HumanMessage("And?")]
THOUGHT_OUT = Reply(finish_reason="length", usage=Usage(9, 0, thoughts=100))

#: Maps an error on the page, given as its message and its class, to a function that raises the error.
CASES = {
    ("API key not valid. Please pass a valid API key.", "AuthenticationError"): refuse(
        400, "API key not valid. Please pass a valid API key."
    ),
    ("Please pass a valid API key", "AuthenticationError"): fail(Fault.bad_key()),
    ("Your API key was reported as leaked.", "AuthenticationError"): refuse(
        403, "Your API key was reported as leaked. Please use another API key.", "PERMISSION_DENIED"
    ),
    ("API keys are not supported by this API.", "AuthenticationError"): fail(Fault.bad_key(), "vertex"),
    ("No Google credentials were found.", "CredentialsError"): without_login,
    ("the login has expired or was revoked", "CredentialsError"): with_old_login,
    ("Request had invalid authentication credentials.", "AuthenticationError"): fail(Fault.expired_token(), "vertex"),
    ("No endpoint: give …", "ValidationError"): lambda _: ChatGeminiCompat(model="gemini-3.8-flash"),
    ("AI Studio needs a key: pass …", "ValidationError"): lambda _: ChatGeminiCompat(
        model="gemini-3.8-flash", surface="ai_studio"
    ),
    ("No project is set, and the credentials do not name one.", "CredentialsError"): without_project,
    ("models/… is not found for API version", "ModelNotFoundError"): fail(Fault.model_not_found()),
    ("Publisher Model … was not found or your project does not have access to it", "ModelNotFoundError"): fail(
        Fault.model_not_found(), "vertex"
    ),
    ("is no longer available to new users.", "ModelNotFoundError"): refuse(
        404, "This model models/gemini-2.5-flash is no longer available to new users.", "NOT_FOUND"
    ),
    ("is only available via global endpoint.", "InvalidRequestError"): refuse(
        400,
        "Publisher model 'x' in region 'us-central1' is only available via global endpoint.",
        "FAILED_PRECONDITION",
        "vertex",
    ),
    ("Invalid model name passed in model=…", "ModelNotFoundError"): refuse(
        400, "Invalid model name passed in model=x."
    ),
    ("Rate limit exceeded: free-models-per-day", "QuotaExhaustedError"): refuse(
        429, "Rate limit exceeded: free-models-per-day"
    ),
    ("Model is not yet ready for inference.", "ServerError"): fail(
        Raw("Model is not yet ready for inference. Please wait while model completes scale-up from zero.", 429)
    ),
    ("Loading model", "ServerError"): refuse(503, "Loading model", "unavailable_error"),
    ("too many states for serving", "SchemaRejectedError"): refuse(
        400, "The specified schema produces a constraint that has too many states for serving."
    ),
    ("exceeds the maximum allowed nesting depth", "SchemaRejectedError"): refuse(
        400, "A schema in GenerationConfig in the request exceeds the maximum allowed nesting depth."
    ),
    (FLAGS, "InvalidRequestError"): refuse(400, FLAGS),
    ("The server answered with an HTML page", "ModelNotFoundError"): fail(Fault.html_404()),
    ("Permission 'aiplatform.endpoints.predict' denied on resource", "PermissionDeniedError"): fail(
        Fault.permission_denied(), "vertex"
    ),
    ("Your project has been denied access.", "PermissionDeniedError"): fail(Fault.permission_denied()),
    ("requires billing to be enabled", "PermissionDeniedError"): refuse(
        403, "This API method requires billing to be enabled.", "PERMISSION_DENIED"
    ),
    ("User location is not supported for the API use.", "InvalidRequestError"): refuse(
        400, "User location is not supported for the API use.", "FAILED_PRECONDITION"
    ),
    ("You exceeded your current quota … Please retry in … seconds", "RateLimitError"): fail(Fault.rate_limit()),
    ("Resource exhausted. Please try again later.", "RateLimitError"): fail(Fault.rate_limit(), "vertex"),
    ("You exceeded your current quota … This daily quota is spent", "QuotaExhaustedError"): fail(
        Fault.rate_limit("39043s", per="day")
    ),
    ("Your prepayment credits are depleted.", "QuotaExhaustedError"): refuse(
        429, "Your prepayment credits are depleted. Please go to AI Studio.", "RESOURCE_EXHAUSTED"
    ),
    ("Your project has exceeded its monthly spending cap.", "QuotaExhaustedError"): refuse(
        429, "Your project has exceeded its monthly spending cap.", "RESOURCE_EXHAUSTED"
    ),
    ("This model is currently experiencing high demand.", "ServerError"): fail(Fault.overloaded()),
    ("The model is overloaded. Please try again later.", "ServerError"): fail(Fault.error_in_stream(after="")),
    ("Internal error encountered.", "ServerError"): fail(Fault.internal()),
    ("No answer within … seconds.", "RequestTimeoutError"): fail(Fault.slow(first_byte=30), timeout=0.05),
    ("The call was not over within … seconds.", "RequestTimeoutError"): fail(
        Fault.slow(first_byte=30), timeout={"total": 0.05}
    ),
    ("Deadline expired before operation could complete.", "ServerError"): refuse(
        504, "Deadline expired before operation could complete.", "DEADLINE_EXCEEDED"
    ),
    ("Function call is missing a thought_signature in functionCall parts.", "MissingSignatureError"): refuse(
        400, "Function call is missing a thought_signature in functionCall parts. This is required for tools to work."
    ),
    ("Unable to submit request because function call … is missing a", "MissingSignatureError"): refuse(
        400,
        "Unable to submit request because function call `default_api:add` in the 2. content block is missing a "
        "`thought_signature`.",
        surface="vertex",
    ),
    ("Corrupted thought signature.", "InvalidSignatureError"): refuse(400, "Corrupted thought signature."),
    ("Invalid thought signature.", "InvalidSignatureError"): refuse(
        400, "Invalid thought signature.", surface="vertex"
    ),
    (f"Please ensure that the number of {PARTS}", "InvalidRequestError"): refuse(
        400, f"Please ensure that the number of {PARTS}"
    ),
    ("Please ensure that function call turn comes immediately after a user turn", "InvalidRequestError"): refuse(
        400,
        "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
    ),
    ("contents is not specified", "InvalidRequestError"): refuse(
        400, "* GenerateContentRequest.contents: contents is not specified"
    ),
    (
        "was left out: no call before it has that id. … no changed request is sent",
        "InvalidHistoryError",
    ): send(prompt=ORPHAN, strict=True),
    ("There is nothing to send: every message is empty…", "InvalidHistoryError"): send(prompt=""),
    ("exceeds the maximum number of tokens allowed", "ContextOverflowError"): fail(Fault.context_overflow()),
    ("but model only supports up to", "ContextOverflowError"): fail(Fault.context_overflow(), "vertex"),
    ("Unknown name … at 'tools[0].function_declarations … Cannot find field.", "SchemaRejectedError"): refuse(
        400, FIELD.format("$schema", " at 'tools[0].function_declarations[0].parameters'")
    ),
    ("should be non-empty for OBJECT type", "SchemaRejectedError"): refuse(
        400,
        "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties: should be non-empty for "
        "OBJECT type",
    ),
    ("Invalid function name. Must start with a letter or an underscore.", "SchemaRejectedError"): refuse(
        400,
        "* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name. Must start with a "
        "letter or an underscore.",
    ),
    ('Invalid JSON payload received. Unknown name "…": Cannot find field.', "InvalidRequestError"): refuse(
        400, FIELD.format("store", "")
    ),
    ("was left out: ai_studio does not take it.", "GeminiCompatWarning"): send(seed=7),
    ("was left out. The server's reason: …", "GeminiCompatWarning"): send(extra_body={"seed": 7}, max_retries=1),
    ("is not an argument of ChatGeminiCompat and is left out of requests.", "GeminiCompatWarning"): send(temprature=0),
    ("set the same thing. Set only one of them.", "UnsupportedParameterError"): send(
        reasoning_effort="low", thinking_budget=100
    ),
    ("Request contains an invalid argument.", "InvalidRequestError"): refuse(
        400, "Request contains an invalid argument."
    ),
    ("The reply is empty (finish reason 'length' … thinking used it up.", "EmptyReplyError"): fail(THOUGHT_OUT),
    ("The answer was cut off at the token limit.", "OutputParserException"): parse(Fault.length('{"city": "Par')),
    ("The model refused to answer: A filter stopped the reply", "ModelRefusalError"): parse(Fault.blocked("SAFETY")),
    ("finish reason 'function_call_filter: MALFORMED_FUNCTION_CALL'", "MalformedToolCallError"): fail(
        Fault.malformed_call()
    ),
    ("The reply is empty (finish reason 'stop'", "EmptyReplyError"): fail(Fault.empty_reply()),
    ("The model returned an invalid tool call of …", "MalformedToolCallError"): fail(Reply(calls=[Call("add", '{"a')])),
    ("The model announced a tool call but did not send it", "MalformedToolCallError"): fail(
        Reply("Let me see.", finish_reason="tool_calls")
    ),
    ("The stream broke off before its end", "TruncatedStreamError"): stream_cut,
}


def read_page():
    """Return a dict from each heading of the page to a list of pairs: an error message and its class."""
    entries = {}
    for text, body in ENTRY.findall(PAGE.read_text()):
        raised = RAISED.match(body)
        assert raised, f"{text}: no class"
        entries[text] = [(text, raised[1]), *ALSO.findall(body)]
    return entries


def test_page_and_cases_have_the_same_messages():
    """The page and `CASES` list the same error messages, each of them once."""
    quoted = [pair for pairs in read_page().values() for pair in pairs]
    assert sorted(quoted) == sorted(CASES)


def test_page_has_27_entries_with_cause_and_cure():
    """Every heading of level 3 is an entry with one cause and one cure."""
    page = PAGE.read_text()
    entries = ENTRY.findall(page)
    assert len(entries) == page.count("\n### ") == 27
    for text, body in entries:
        assert (body.count("\n**Cause.** "), body.count("\n**Cure.** ")) == (1, 1), text


@pytest.mark.parametrize(("text", "name"), CASES, ids=lambda part: part[:40])
def test_message_has_the_class_and_words_on_the_page(text, name, monkeypatch):
    """The error has the class that the page names, and its text contains the quoted words."""
    with pytest.raises((Exception, Warning)) as caught:
        CASES[text, name](monkeypatch)
    assert type(caught.value) is (THEIRS.get(name) or getattr(errors, name))
    assert re.search(".*".join(re.escape(part.strip()) for part in text.split("…")), str(caught.value), re.DOTALL)
