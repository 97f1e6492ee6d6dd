"""Tests that `read_text` and `feed` of the assembler return the same text for any chunk."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_gemini_compat._response.assembler import StreamAssembler
from langchain_gemini_compat._response.events import TextDelta

FLAG = {"google": {"thought": True}}
SIGNED = {"google": {"thought_signature": "c2ln"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def text_chunk(text, number=0, **more):
    """Return a text chunk as Vertex writes it."""
    choice = {"index": number, "delta": {"role": "assistant", "content": text}, **more}
    return {"id": "r1", "object": "chat.completion.chunk", "model": "m1", "choices": [choice]}


def read(assembler, wires, *, uses_read_text):
    """Return the events of the chunks `wires`, and a tuple with the reply's id, model, fingerprint and service tier."""
    seen = []
    for wire in wires:
        text = assembler.read_text(wire) if uses_read_text else None
        assert text != ""
        events = assembler.feed(wire) if text is None else [TextDelta(text)]
        seen += [event for event in events if event != TextDelta("")]
    seen += assembler.finish()
    known = (assembler.reply_id, assembler.model, assembler.system_fingerprint, assembler.service_tier)
    return seen, known


#: Valid and invalid values to set in a text chunk, each with its path in the chunk.
ADDITIONS = [
    *[(("choices",), value) for value in (None, [], "x", [None], [{}, {}], {"0": {}})],
    *[(("choices", 0, "delta"), value) for value in (None, {}, "x", {"content": ["a"]}, {"role": "assistant"})],
    *[
        (("choices", 0, "delta", "content"), text)
        for text in ("", "<", "<thou", "<thought>", "</thought>y", "</thou", 1, None)
    ],
    *[(("choices", 0, "delta", "refusal"), value) for value in ("no", "", None, 1)],
    *[(("choices", 0, "delta", "reasoning_content"), value) for value in ("hm", "", None)],
    *[(("choices", 0, "delta", "extra_content"), value) for value in (FLAG, SIGNED, None, [])],
    *[(("choices", 0, "delta", "tool_calls"), value) for value in ([CALL], [], None)],
    *[(("choices", 0, "index"), value) for value in (1, True, None, "0", 0.0)],
    *[(("choices", 0, "finish_reason"), value) for value in ("stop", "length", "", 1)],
    (("choices", 0, "finishReason"), "length"),
    (("choices", 0, "logprobs"), {"content": [{"token": "a"}]}),
    (("choices", 0, "message"), {"content": "whole"}),
    *[((key,), value) for key in ("id", "model") for value in (None, "", 1, "other")],
    *[((key,), value) for key in ("system_fingerprint", "service_tier") for value in ("x", "", 1)],
    *[(("usage",), value) for value in ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, {}, None, [])],
    (("object",), "[DONE]"),
    (("promptFeedback",), {"blockReason": "SAFETY"}),
]


def say(*additions, number=0):
    """Return a text chunk in which the values of `additions` are set.

    An addition is a path in the chunk and a value. It is skipped if the path does not exist.
    """
    wire = text_chunk("more", number)
    for path, value in additions:
        place = wire
        try:
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
        except (TypeError, LookupError):
            continue
    return wire


def check(wires, **options):
    """Assert that the chunks `wires` give the same result with `read_text` and without it."""
    uses_read_text = read(StreamAssembler(**options), wires, uses_read_text=True)
    assert uses_read_text == read(StreamAssembler(**options), wires, uses_read_text=False)


@pytest.mark.parametrize("addition", ADDITIONS, ids=repr)
@pytest.mark.parametrize("choice", [0, 1])
def test_read_text_leaves_other_facts_to_feed(addition, choice):
    odd = say(addition, number=choice)
    thought = say((("choices", 0, "delta", "extra_content"), FLAG), number=choice)
    before, after = text_chunk("a", choice), text_chunk("b", choice)
    for wires in ([odd], [before, odd, after], [before, thought, odd, after]):
        for expects_thoughts in (False, True):
            check(wires, choice=choice, expects_thoughts=expects_thoughts)


@settings(max_examples=200)
@given(st.lists(st.lists(st.sampled_from(ADDITIONS), max_size=3), max_size=8), st.sampled_from([0, 1]), st.booleans())
def test_read_text_equals_feed(additions, choice, expects_thoughts):
    check([say(*said, number=choice) for said in additions], choice=choice, expects_thoughts=expects_thoughts)


@pytest.mark.parametrize("choice", [0, 1])
def test_read_text_reads_plain_text(choice):
    """`read_text` returns `None` for the first chunk, which may begin thoughts, and for a chunk with a finish reason."""
    assembler = StreamAssembler(choice=choice)
    assert assembler.read_text(text_chunk("Hello", choice)) is None
    list(assembler.feed(text_chunk("Hello", choice)))
    assert assembler.read_text(text_chunk(" there", choice)) == " there"
    assert assembler.read_text(text_chunk(".", choice, finish_reason="stop")) is None
