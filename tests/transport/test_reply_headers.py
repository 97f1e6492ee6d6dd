"""`include_response_headers`: headers of the reply on the message."""

import pytest
from langchain_core.messages import AIMessageChunk
from wire import Wire, chunk, completion, http, reply

from langchain_gemini_compat import ChatGeminiCompat

KEY = "AIzaSyA-secret-key-1234"
SENT = {
    "x-request-id": "r-1",
    "X-RateLimit-Remaining-Tokens": "100",
    "set-cookie": "session=1",
    "llm_provider-set-cookie": "session=2",
    "www-authenticate": "Bearer realm=1",
    "x-goog-api-key": KEY,
    "x-auth-token": "t",
    "x-session-id": "s",
    "x-goog-iap-jwt-assertion": "j",
    "x-amzn-oidc-data": "o",
    "phpsessid": "p",
    "x-debug": f"key was {KEY}",
}
KEPT = {"x-request-id": "r-1", "x-ratelimit-remaining-tokens": "100", "x-debug": "key was [hidden]"}
MODES = ["invoke", "ainvoke", "stream", "astream", "v3", "av3"]


def build(*answers, headers=SENT, **options):
    wire = Wire(
        *[reply(answer, headers=headers) if isinstance(answer, dict) else stream_of(answer) for answer in answers]
    )
    return ChatGeminiCompat(model="gemini-3.8-flash", api_key=KEY, **wire.clients, **options)


def stream_of(events):
    whole = reply(events)
    return http.Response(200, content=whole.content, headers={**SENT, "content-type": "text/event-stream"})


async def ask(mode, chat, **options):
    match mode:
        case "invoke":
            return chat.invoke("hi", **options)
        case "ainvoke":
            return await chat.ainvoke("hi", **options)
        case "stream":
            return sum(chat.stream("hi", **options), AIMessageChunk(""))
        case "astream":
            return sum([part async for part in chat.astream("hi", **options)], AIMessageChunk(""))
        case "v3":
            return chat.stream_events("hi", version="v3", **options).output
    return await (await chat.astream_events("hi", version="v3", **options)).output


def answer_for(mode):
    return completion() if "invoke" in mode else [chunk(content="a"), chunk(content="b", finish="stop"), "[DONE]"]


@pytest.mark.parametrize("mode", MODES)
async def test_headers_are_on_the_message_without_secrets(mode):
    """In a stream, only one chunk has the headers, so that adding chunks does not double them."""
    message = await ask(mode, build(answer_for(mode), include_response_headers=True))
    headers = message.response_metadata["headers"]
    assert {name: value for name, value in headers.items() if name.startswith("x-")} == KEPT
    assert not {name for name in headers if "cookie" in name or "auth" in name}
    assert KEY not in str(message)


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_can_ask_for_headers(mode):
    chat = build(answer_for(mode))
    assert "headers" not in (await ask(mode, chat)).response_metadata
    message = await ask(mode, chat, include_response_headers=True)
    assert message.response_metadata["headers"]["x-request-id"] == "r-1"
    chat = build(answer_for(mode), include_response_headers=True)
    assert "headers" not in (await ask(mode, chat, include_response_headers=False)).response_metadata


def test_option_is_not_sent():
    chat = build(completion(), include_response_headers=True)
    body, notes = chat.preview("hi")
    assert "include_response_headers" not in str(body)
    assert not notes


def test_headers_are_those_of_the_last_try():
    answers = [reply("busy", 503, {"x-request-id": "r-0"}), reply(completion(), headers=SENT)]
    chat = ChatGeminiCompat(
        model="gemini-3.8-flash", api_key=KEY, include_response_headers=True, **Wire(*answers).clients
    )
    message = chat.invoke("hi")
    assert message.response_metadata["retries"] == 1
    assert message.response_metadata["headers"]["x-request-id"] == "r-1"
