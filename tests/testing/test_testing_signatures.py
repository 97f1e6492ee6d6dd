"""The rules of `FakeGemini` for thought signatures: where they are required, and which are valid."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy
from typing import Any

import pytest
from fake_requests import BOTH, STAND_IN, USER, answered, body_for, called, history, refusals, send, signature

from langchain_gemini_compat.testing import Call, FakeGemini, Reply, Style


def test_missing_signature_is_refused_with_the_text_of_the_surface() -> None:
    """The error has the function's name with the prefix `default_api:`, and the number of the call's message."""
    for surface, start in (
        ("ai_studio", "Function call is missing a thought_signature in functionCall parts."),
        ("vertex", "Unable to submit request because function call `default_api:weather` in the 2. content block"),
    ):
        messages = [{"role": "system", "content": "x"}, *history(surface)]
        del messages[2]["tool_calls"][0]["extra_content"]
        rules, message = refusals(surface, body_for(surface, messages))
        assert rules == ["signature-missing"]
        assert message.startswith(start)
        if surface == "ai_studio":
            assert "function call `default_api:weather` , position 2." in message


@pytest.mark.parametrize("surface", BOTH)
def test_changed_signature_is_refused(surface: str) -> None:
    """A changed, missing or additional character is detected at any place."""
    word = {"ai_studio": "Corrupted", "vertex": "Invalid"}[surface]
    genuine = signature(called(surface)["tool_calls"][0])["thought_signature"]
    swapped = [genuine[:at] + ("A" if genuine[at] != "A" else "B") + genuine[at + 1 :] for at in range(len(genuine))]
    for altered in (*swapped, genuine[:-4], genuine + "AAAA", genuine * 2, genuine.lower(), "?"):
        messages = history(surface)
        signature(messages[1]["tool_calls"][0])["thought_signature"] = altered
        assert refusals(surface, body_for(surface, messages)) == (["signature-invalid"], f"{word} thought signature.")


def test_signature_is_valid_only_on_its_surface() -> None:
    """A signature from a fake in another process is accepted on the same surface, and refused on the other surface."""
    code = (
        "from langchain_gemini_compat.testing._rules.signatures import *\n"
        "print(issue_signature(Issued('vertex', 'gemini-3.8-flash', 'weather', 0, 'x')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    foreign = done.stdout.strip()
    for surface, expected in (
        ("vertex", ([], "")),
        ("ai_studio", (["signature-invalid"], "Corrupted thought signature.")),
    ):
        messages = history(surface)
        signature(messages[1]["tool_calls"][0])["thought_signature"] = foreign
        assert refusals(surface, body_for(surface, messages)) == expected
    messages = history("vertex")
    signature(messages[1]["tool_calls"][0])["thought_signature"] = signature(called("ai_studio")["tool_calls"][0])[
        "thought_signature"
    ]
    assert refusals("vertex", body_for("vertex", messages))[1] == "Invalid thought signature."


def test_signature_is_valid_only_on_its_call() -> None:
    """The fake refuses a call with the signature of another call, of another step or of a text."""
    first, second = called("ai_studio", Call("weather")), called("ai_studio", Call("news"), Call("weather"))
    swapped = deepcopy([USER, first, *answered(first), second, *answered(second)])
    one, two = swapped[1]["tool_calls"][0], swapped[3]["tool_calls"][0]
    one["extra_content"], two["extra_content"] = two["extra_content"], one["extra_content"]
    assert refusals("ai_studio", body_for("ai_studio", swapped))[0] == ["signature-invalid"] * 2
    copied = deepcopy([USER, second, *answered(second)])
    copied[1]["tool_calls"][1]["extra_content"] = second["tool_calls"][0]["extra_content"]
    assert refusals("ai_studio", body_for("ai_studio", copied))[0] == ["signature-invalid"]
    text = send(FakeGemini("Hi"), body_for("ai_studio")).json()["choices"][0]["message"]
    from_text = history("ai_studio")
    from_text[1]["tool_calls"][0]["extra_content"] = text["extra_content"]
    assert refusals("ai_studio", body_for("ai_studio", from_text))[0] == ["signature-invalid"]


def test_signatures_of_earlier_turns_are_not_checked() -> None:
    """Calls of a finished turn need no signature."""
    messages = history("ai_studio")
    messages += [{"role": "assistant", "content": "Sunny."}, {"role": "user", "content": "Thanks"}]
    del messages[1]["tool_calls"][0]["extra_content"]
    assert refusals("ai_studio", body_for("ai_studio", messages)) == ([], "")
    messages[1]["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "from elsewhere"}}
    assert refusals("ai_studio", body_for("ai_studio", messages)) == ([], "")


@pytest.mark.parametrize(
    ("model", "demanded"),
    [
        ("gemini-2.5-flash", False),
        ("gemini-2.5-pro", False),
        ("gemini-3.1-pro-preview", True),
        ("models/gemini-3-flash-preview", True),
        ("gemini-flash-latest", True),
        ("gemini-4-ultra", True),
        ("gemma-4-31b-it", False),
    ],
)
def test_families_demand_signatures_from_gemini_3_on(model: str, demanded: bool) -> None:
    """The fake requires signatures for the models for which it sends them. For an alias, the newest rules apply."""
    message = called("ai_studio", model=model)
    assert ("extra_content" in message["tool_calls"][0]) is demanded
    message["tool_calls"][0].pop("extra_content", None)
    body = body_for("ai_studio", [USER, message, *answered(message)], model=model)
    assert refusals("ai_studio", body)[0] == (["signature-missing"] if demanded else [])


@pytest.mark.parametrize("surface", BOTH)
def test_placeholder_is_accepted_where_a_signature_is_required(surface: Any) -> None:
    """The placeholder is accepted on the first call of a step in the current turn, and each use is counted."""
    fake = FakeGemini(surface=surface)
    messages = history(surface, Call("weather"), Call("weather", {"city": "Rome"}))
    signature(messages[1]["tool_calls"][0])["thought_signature"] = STAND_IN
    assert send(fake, body_for(surface, messages)).status_code == 200
    assert fake.stand_ins == 1


@pytest.mark.parametrize("place", ["sibling", "earlier turn", "text", "part", "2.5"])
def test_placeholder_is_refused_in_other_places(place: str) -> None:
    """The fake refuses a placeholder signature where no signature is required.

    This applies to later calls of a step, texts, calls of earlier turns, and models without signatures.
    """
    extra = {"google": {"thought_signature": STAND_IN}}
    messages = history("ai_studio", Call("weather"), Call("weather", {"city": "Rome"}))
    body = body_for("ai_studio", messages)
    if place == "sibling":
        messages[1]["tool_calls"][1]["extra_content"] = extra
    elif place == "text":
        messages.insert(0, {"role": "user", "content": "Hi"})
        messages.insert(1, {"role": "assistant", "content": "Hello", "extra_content": extra})
    elif place == "part":
        messages[0] = {"role": "user", "content": [{"type": "text", "text": "Hi", "extra_content": extra}]}
    else:
        messages[1]["tool_calls"][0]["extra_content"] = extra
    if place == "earlier turn":
        messages += [{"role": "assistant", "content": "Sunny."}, USER]
    if place == "2.5":
        body["model"] = "gemini-2.5-flash"
    assert refusals("ai_studio", body)[0] == ["placeholder-misplaced"]


def test_signature_of_the_message_is_valid_only_on_the_message() -> None:
    """If the signature of a call is moved to the message, the call counts as unsigned."""
    messages = history("ai_studio", style=Style(signature="on_delta"))
    assert "extra_content" not in messages[1]["tool_calls"][0]
    assert refusals("ai_studio", body_for("ai_studio", messages)) == ([], "")
    elsewhere = history("vertex")
    elsewhere[1] = messages[1]
    elsewhere[2]["tool_call_id"] = messages[1]["tool_calls"][0]["id"]
    assert refusals("vertex", body_for("vertex", elsewhere))[0] == ["signature-invalid"]
    moved = history("ai_studio")
    moved[1]["extra_content"] = moved[1]["tool_calls"][0].pop("extra_content")
    assert refusals("ai_studio", body_for("ai_studio", moved))[0] == ["signature-missing"]


def test_whole_message_has_signature_and_thought_flag_together() -> None:
    """The signature and the thought flag are in the same object."""
    style = Style(signature="on_delta")
    reply = Reply(thoughts="Hm", text="Let me look.", calls=[Call("weather")], style=style)
    asked = {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
    message = send(FakeGemini([reply]), body_for("ai_studio", **asked)).json()["choices"][0]["message"]
    assert signature(message).keys() == {"thought", "thought_signature"}
    assert refusals("ai_studio", body_for("ai_studio", [USER, message, *answered(message)], **asked)) == ([], "")


def test_signature_in_another_namespace_is_accepted() -> None:
    """A gateway may use the key `vertex` instead of `google`. The fake accepts a signature under this key."""
    messages = history("vertex", style=Style(signature="other_namespace"))
    assert "vertex" in messages[1]["tool_calls"][0]["extra_content"]
    assert refusals("vertex", body_for("vertex", messages)) == ([], "")
