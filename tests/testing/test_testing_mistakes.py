"""Mistakes of whoever writes a test: `FakeGemini` says what is wrong, and no retry hides it."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import InvalidRequestError
from langchain_gemini_compat.testing import FakeGemini, FakeRequest, Fault

SURFACES = ("ai_studio", "vertex", "openai_compatible")


async def test_a_script_that_ran_out_fails_the_test() -> None:
    """A test that asks once too often ends there, past all retries, whichever way it asked."""
    fake = FakeGemini(["one"])
    model = fake.chat_model(max_retries=2)
    model.invoke("Hi")
    end = "request 2 came for 1 replies. Give it one for every request; a retry is a request too"
    for ask in (model.invoke, lambda text: list(model.stream(text))):
        with pytest.raises(AssertionError, match=end):
            ask("Hi")
    with pytest.raises(AssertionError, match=end):
        await model.ainvoke("Hi")
    assert len(fake.requests) == 4


def test_a_retry_that_found_no_reply_is_explained() -> None:
    """The fault that was played last is the reason for the request that came too much."""
    model = FakeGemini([Fault.malformed_call()]).chat_model(max_retries=1)
    with pytest.raises(AssertionError, match=r"Fault\.malformed_call\(\), .* or pass `max_retries=0`"):
        model.invoke("Hi")


@pytest.mark.parametrize("surface", SURFACES)
def test_over_http_a_mistake_of_the_test_is_an_answer_without_retries(surface: Any, caplog: Any) -> None:
    """A client elsewhere gets a 400 whose text says what is wrong; the log has the traceback."""

    def assert_in_rule(request: FakeRequest) -> str:
        raise AssertionError(f"{request.prompt} was not to be asked")

    for replies, text in (
        ([], "AssertionError: The script of this FakeGemini is at its end: request 1 came for 0 replies."),
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


def test_what_is_no_reply_is_named() -> None:
    """A rule that forgets to return is told so, and so is a script with something else in it."""
    wrong: list[Any] = [[None], [5], [["text"]], [[]], lambda request: None]
    for replies in wrong:
        with pytest.raises(TypeError, match=r"A reply of FakeGemini is a text, .*, not (None|5|\['text'\]|\[\])\."):
            FakeGemini(replies).chat_model().invoke("Hi")
    with pytest.raises(TypeError, match=r"A reply of FakeGemini is a text, .*, not 5\."):
        FakeGemini(wrong[1][0])


def test_an_unknown_surface_is_refused() -> None:
    """A misspelt surface does not become a plain server."""
    with pytest.raises(ValueError, match="ai_studio"):
        FakeGemini(surface="studio")
