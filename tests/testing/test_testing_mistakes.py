"""Mistakes in a test: `FakeGemini` names them, and no retry hides them."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import InvalidRequestError
from langchain_gemini_compat.testing import FakeGemini, FakeRequest, Fault

SURFACES = ("ai_studio", "vertex", "openai_compatible")


async def test_request_after_the_end_of_the_script_fails_the_test() -> None:
    """No method of the model retries after the error."""
    fake = FakeGemini(["one"])
    model = fake.chat_model(max_retries=2)
    model.invoke("Hi")
    end = "no reply for request 2: its script has 1. Add one reply per request, and count each retry as a request"
    for ask in (model.invoke, lambda text: list(model.stream(text))):
        with pytest.raises(AssertionError, match=end):
            ask("Hi")
    with pytest.raises(AssertionError, match=end):
        await model.ainvoke("Hi")
    assert len(fake.requests) == 4


def test_retry_after_the_end_of_the_script_names_the_fault() -> None:
    """The last fault of the script caused the retry, so the error names this fault."""
    model = FakeGemini([Fault.malformed_call()]).chat_model(max_retries=1)
    with pytest.raises(AssertionError, match=r"Fault\.malformed_call\(\), .* or pass `max_retries=0`"):
        model.invoke("Hi")


@pytest.mark.parametrize("surface", SURFACES)
def test_mistake_over_http_is_an_error_without_retries(surface: Any, caplog: Any) -> None:
    """A client gets a 400 whose text names the mistake. The log has the traceback."""

    def assert_in_rule(request: FakeRequest) -> str:
        raise AssertionError(f"{request.prompt} was not to be asked")

    for replies, text in (
        ([], "AssertionError: FakeGemini has no reply for request 1: its script has 0."),
        ([None], "TypeError: A reply of FakeGemini is"),
        (assert_in_rule, "AssertionError: Hi was not to be asked"),
    ):
        fake = FakeGemini(replies, surface=surface)
        name = "gemma-3-270m" if surface == "openai_compatible" else "gemini-3.8-flash"
        with fake.serve() as url, pytest.raises(InvalidRequestError, match=text) as caught:
            ChatGeminiCompat(model=name, **fake.connection(url)).invoke("Hi")
        assert not caught.value.is_retryable
        assert len(fake.requests) == 1
        assert "could not answer" in caplog.text


def test_value_that_is_not_a_reply_is_named() -> None:
    """A function that returns nothing and a script with another value raise `TypeError`."""
    wrong: list[Any] = [[None], [5], [["text"]], [[]], lambda request: None]
    for replies in wrong:
        with pytest.raises(TypeError, match=r"A reply of FakeGemini is a text, .*, not (None|5|\['text'\]|\[\])\."):
            FakeGemini(replies).chat_model().invoke("Hi")
    with pytest.raises(TypeError, match=r"A reply of FakeGemini is a text, .*, not 5\."):
        FakeGemini(wrong[1][0])


def test_an_unknown_surface_is_refused() -> None:
    """A misspelt surface does not become a compatible server."""
    with pytest.raises(ValueError, match="ai_studio"):
        FakeGemini(surface="studio")
