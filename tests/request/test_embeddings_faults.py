"""Tests of `FakeGemini` faults for embeddings: which faults apply, which errors they cause, which are refused."""

import pytest

from langchain_gemini_compat import errors
from langchain_gemini_compat.testing import FAULTS, FakeGemini, Fault, Raw

#: Maps each example fault to the error that embedding raises without retries; `None` if embedding returns vectors.
RAISES = {
    "rate_limit_per_minute": errors.RateLimitError,
    "rate_limit_per_day": errors.RateLimitError,
    "rate_limit_without_details": errors.RateLimitError,
    "overloaded": errors.ServerError,
    "bad_key": errors.AuthenticationError,
    "expired_token": errors.AuthenticationError,
    "forged_token": errors.AuthenticationError,
    "missing_credential": errors.AuthenticationError,
    "permission_denied": errors.PermissionDeniedError,
    "model_not_found": errors.ModelNotFoundError,
    "context_overflow": errors.ContextOverflowError,
    "internal": errors.ServerError,
    "html_404": errors.ModelNotFoundError,
    "redirect": errors.InvalidRequestError,
    "error_in_stream_bare_object": errors.ServerError,
    "error_in_stream_bare_array": errors.ServerError,
    "error_in_stream_data_object": errors.ServerError,
    "error_in_stream_data_array": errors.ServerError,
    "cut_stream": errors.TruncatedStreamError,
    "cut_stream_in_call": errors.TruncatedStreamError,
    "dropped_connection": errors.TruncatedStreamError,
    "empty_reply": TypeError,
    "malformed_call": TypeError,
    "blocked": TypeError,
    "blocked_after_text": TypeError,
    "no_choices": TypeError,
    "length": TypeError,
    "slow": None,
}


@pytest.mark.parametrize("surface", ["ai_studio", "openai_compatible"])
@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_hits_embeddings_or_is_refused(name, surface):
    """The fake sends each fault to a sync and an async call. A fault that is not in `RAISES` fails the test."""
    fake = FakeGemini([FAULTS[name](), FAULTS[name]()], surface=surface)
    embeddings = fake.embeddings(max_retries=0, dimensions=8)
    expected = RAISES[name]
    if expected is None:
        assert len(embeddings.embed_query("a")) == len(await embeddings.aembed_query("a")) == 8
    else:
        with pytest.raises(expected):
            embeddings.embed_query("a")
        with pytest.raises(expected):
            await embeddings.aembed_query("a")
    assert len(fake.requests) == 2
    assert len(embeddings.embed_query("a")) == 8


def test_refused_fault_names_the_remedy():
    """A refused fault is a mistake in a user's test, so the error is not a `GeminiCompatError`."""
    with pytest.raises(TypeError, match=r"Fault.blocked\(\) applies only to chat replies.*`embedding_rule`"):
        FakeGemini(Fault.blocked()).embeddings().embed_query("a")


def test_scripted_fault_hits_the_next_request_and_replies_stay_for_chat():
    """Requests for embeddings skip the text replies, tool calls and raw bodies, which are kept for chat requests."""
    fake = FakeGemini([Fault.rate_limit("0.01s"), "Hello!", Fault.overloaded(), Raw({"choices": []})])
    embeddings, model = fake.embeddings(dimensions=8), fake.chat_model(max_retries=0)
    assert len(embeddings.embed_query("a")) == 8
    assert len(fake.requests) == 2
    assert len(embeddings.embed_query("a")) == 8
    assert model.invoke("Hi").text == "Hello!"
    with pytest.raises(errors.ServerError):
        fake.embeddings(max_retries=0).embed_query("a")
    assert len(embeddings.embed_query("a")) == 8
    with pytest.raises(errors.GeminiCompatError):
        model.invoke("Hi")
    assert len(embeddings.embed_query("a")) == 8
    with pytest.raises(AssertionError, match="no reply for request 5"):
        model.invoke("Hi")


def test_fault_for_every_request_hits_embeddings():
    """The fault applies until another reply is set."""
    fake = FakeGemini(Fault.internal())
    for _ in range(2):
        with pytest.raises(errors.ServerError):
            fake.embeddings(max_retries=0).embed_query("a")
    fake.answer_with(None)
    assert len(fake.embeddings(dimensions=8).embed_query("a")) == 8


def test_reply_function_is_called_for_chat_only():
    """A reply function may read messages, which an embeddings request does not have."""
    fake = FakeGemini(lambda request: request.messages[-1]["content"])
    assert len(fake.embeddings(dimensions=8).embed_query("a")) == 8
    assert fake.chat_model().invoke("Hi").text == "Hi"


def test_embedding_rule_alone_chooses_the_fault():
    """If `embedding_rule` is set, requests for embeddings use no scripted faults. Chat requests still use them."""
    fake = FakeGemini([Fault.overloaded()])
    fake.embedding_rule = lambda request: Fault.internal() if "bad" in request.body["input"] else None
    embeddings = fake.embeddings(max_retries=0, dimensions=8)
    assert len(embeddings.embed_query("good")) == 8
    with pytest.raises(errors.ServerError) as caught:
        embeddings.embed_query("bad")
    assert caught.value.status_code == 500
    with pytest.raises(errors.ServerError) as caught:
        fake.chat_model(max_retries=0).invoke("Hi")
    assert caught.value.status_code == 503
    fake.embedding_rule = lambda request: "Hello!"
    with pytest.raises(TypeError, match="a Fault or None, not 'Hello!'"):
        embeddings.embed_query("good")


def test_refused_request_uses_no_fault():
    """A request for embeddings that the fake refuses uses up no scripted fault."""
    fake = FakeGemini([Fault.overloaded()])
    with pytest.raises(errors.InvalidRequestError):
        fake.embeddings(dimensions=4000).embed_query("a")
    with pytest.raises(errors.ServerError):
        fake.embeddings(max_retries=0).embed_query("a")


async def test_slow_embeddings_time_out():
    """The fake runs in the process of the test, and delays the first byte of its response."""
    embeddings = FakeGemini(Fault.slow(first_byte=30)).embeddings(timeout=0.05, max_retries=0)
    with pytest.raises(errors.RequestTimeoutError):
        embeddings.embed_query("a")
    with pytest.raises(errors.RequestTimeoutError):
        await embeddings.aembed_query("a")
