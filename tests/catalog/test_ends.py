"""Warnings of models whose service ends soon or has ended."""

import json
import warnings
from datetime import date

import pytest

from langchain_gemini_compat._catalog import ends
from langchain_gemini_compat.errors import GeminiCompatWarning
from langchain_gemini_compat.testing import FakeGemini

END = {"date": "2027-05-19", "successor": "gemini-9"}


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Return a function that calls a model on the day `today`, and returns the warnings of the calls.

    By default, the service of the model ends on the day in `END`.
    """
    monkeypatch.setattr(ends, "_seen", set())
    path = tmp_path / "facts.json"

    def call(today, *, surface="vertex", key="end_on_vertex", calls=1, model="gemini-8-x", **fact):
        path.write_text(json.dumps({"families": {"gemini-8": {key: {"value": END, **fact}}}}), "utf-8")
        monkeypatch.setattr(ends, "clock", lambda: date.fromisoformat(today))
        fake = FakeGemini(["Hi."] * calls, surface=surface)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(calls):
                chat = fake.chat_model(model, catalog=path)
                chat.preview("Hi.")
                chat.invoke("Hi.")
        assert {one.category for one in caught} <= {GeminiCompatWarning}
        return [str(one.message) for one in caught]

    return call


@pytest.mark.parametrize(
    ("today", "verb"), [("2027-04-18", None), ("2027-04-19", "ends"), ("2027-05-19", "ends"), ("2027-05-20", "ended")]
)
def test_end_within_30_days_or_past_is_warned_of(call, today, verb):
    """The warning has the day, the surface and the successor."""
    told = (
        f"The service of google/gemini-8-x on Vertex AI {verb} on 2027-05-19, as Google documents. Use `gemini-9`. "
        "If the date has changed, correct it with `catalog`."
    )
    assert call(today) == ([told] if verb else [])


def test_only_the_first_call_of_the_process_warns(call):
    """This holds even if a program builds a model for each call.

    `preview` does not warn and does not count as a call.
    """
    assert len(call("2027-06-01", calls=3)) == 1
    assert call("2027-06-01") == []


def test_end_that_google_does_not_document_is_not_warned_of(call):
    assert call("2027-06-01", grade="reported") == []


@pytest.mark.parametrize(("surface", "told"), [("ai_studio", 0), ("vertex", 1), ("openai_compatible", 0)])
def test_end_holds_for_its_surface(call, surface, told):
    assert len(call("2027-06-01", surface=surface)) == told


def test_end_on_ai_studio_is_warned_of(call):
    assert "on AI Studio ended" in call("2027-06-01", surface="ai_studio", key="end_on_ai_studio")[0]


def test_end_without_a_day_or_a_successor(call):
    assert call("2027-06-01", value={"successor": "gemini-9"}) == []


def test_end_without_a_successor_names_a_remedy(call):
    assert "Use a newer model." in call("2027-06-01", value={"date": "2027-05-19"})[0]


def test_known_model_is_warned_of(call):
    """The catalog of this package contains the day on which the service of the model ends."""
    assert "AI Studio ends on 2026-12-01" in call("2026-11-30", surface="ai_studio", model="gemini-2.5-pro")[0]
