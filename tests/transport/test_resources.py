"""Requests for files and batches: credentials, headers, limits, errors, and the bytes of the body."""

import gzip
from threading import Thread

import pytest
from wire import http

from langchain_gemini_compat import errors
from langchain_gemini_compat._model.connection import build_transport, resolve_fields
from langchain_gemini_compat._transport.resources import ResourceRequest
from langchain_gemini_compat._transport.tape import playing_here
from langchain_gemini_compat.testing import FakeGemini, Fault, Raw

KEY = "a-secret-key-of-ai-studio"
URL = "https://gemini.invalid/v1beta/batches"


def fetch(fake, request, **options):
    """Return the body of the answer to `request`."""
    model = fake.chat_model(api_key=KEY, **options)
    pieces = []
    build_transport(model, resolve_fields(model), "").fetch(request, pieces.append)
    return b"".join(pieces)


def answering(raw):
    """Return a fake that answers requests for batches with `raw`."""
    fake = FakeGemini()
    fake.batches.fault_rule = lambda _: Fault("raw", raw=raw)
    return fake


@pytest.mark.parametrize(
    ("credential", "key", "bearer"), [("native", "…udio", None), ("bearer", None, "Bearer …udio"), ("none", None, None)]
)
def test_the_key_goes_where_the_api_expects_it(credential, key, bearer):
    fake = answering(Raw("{}"))
    url = URL if credential == "native" else "https://gemini.invalid/v1beta/openai/batches"
    url = "https://gemini.invalid/upload/v1beta/files?upload_id=1" if credential == "none" else url
    fetch(fake, ResourceRequest("GET", url, credential=credential), default_headers={"X-Team": "moon"})
    headers = fake.requests[0].headers
    assert (headers.get("x-goog-api-key"), headers.get("authorization")) == (key, bearer)
    assert headers.get("x-team") == (None if credential == "none" else "moon")


def test_default_query_is_sent_except_to_the_url_of_an_upload():
    fake = answering(Raw("{}"))
    query = {"team": "moon & star", "alt": "json"}
    fetch(fake, ResourceRequest("GET", f"{URL}?alt=media&pageSize=2"), default_query=query)
    assert fake.requests[0].query == {"alt": "media", "pageSize": "2", "team": "moon & star"}
    url = "https://gemini.invalid/upload/v1beta/files?upload_id=1"
    fetch(fake, ResourceRequest("POST", url, credential="none"), default_query=query)
    assert fake.requests[1].query == {"upload_id": "1"}


def test_the_body_is_passed_on_decompressed():
    body = b'{"line": 1}\n' * 1000
    assert fetch(answering(Raw(body)), ResourceRequest("GET", URL)) == body
    compressed = Raw(gzip.compress(body), headers={"content-encoding": "gzip"})
    assert fetch(answering(compressed), ResourceRequest("GET", URL)) == body


def test_an_error_has_its_type_and_no_secret():
    with pytest.raises(errors.ServerError) as raised:
        fetch(answering(Raw(f"no such key: {KEY}", status=500)), ResourceRequest("POST", URL, b"{}"))
    assert KEY not in str(raised.value)
    fake = FakeGemini()
    fake.valid_tokens = {"another"}
    with pytest.raises(errors.AuthenticationError):
        fetch(fake, ResourceRequest("GET", URL))
    assert len(fake.requests) == 1


def test_the_time_limits_of_the_model_apply():
    fake = FakeGemini()
    fake.batches.fault_rule = lambda _: Fault.slow(first_byte=60)
    with pytest.raises(errors.RequestTimeoutError, match="first_byte"):
        fetch(fake, ResourceRequest("GET", URL), timeout={"first_byte": 0.05})


def test_a_body_that_breaks_off_is_an_error():
    fake = FakeGemini()
    fake.batches.fault_rule = lambda _: Fault.dropped_connection()
    with pytest.raises(errors.TruncatedStreamError):
        fetch(fake, ResourceRequest("GET", URL))


class Player:
    """Answers every request with one reply."""

    def __init__(self, tokens):
        body = {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Played"}, "finish_reason": "stop"}]
        }
        self.tokens = tokens
        self.client = http.Client(transport=http.MockTransport(lambda _: http.Response(200, json=body)))
        self.async_client = None


def test_a_player_of_this_context_answers_here_only():
    fake, found = FakeGemini("Served"), []
    model = fake.chat_model()
    tokens = build_transport(model, resolve_fields(model), "").tokens
    with playing_here(Player(tokens)):
        thread = Thread(target=lambda: found.append(model.invoke("Hi").text))
        thread.start()
        thread.join()
        assert model.invoke("Hi").text == "Played"
    assert found == [model.invoke("Hi").text] == ["Served"]
    assert len(fake.requests) == 2
