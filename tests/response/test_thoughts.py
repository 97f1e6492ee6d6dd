"""Tests that the text of a reply is separated into thoughts and answer, wherever the text is cut into deltas."""

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_gemini_compat._response.events import TextDelta, ThoughtDelta
from langchain_gemini_compat._response.thoughts import DEFAULT_TAGS, ThoughtSplitter

PLAIN, FLAGGED = False, True


def split(deltas, tags=DEFAULT_TAGS):
    """Separate thoughts from other text. Return pairs such as `("thought", "Hm.")`.

    Each item of `deltas` is a text, and a flag that says whether the server marked the text as a thought. Adjacent
    texts of the same kind are joined.
    """
    splitter = ThoughtSplitter(tags)
    events = [event for text, flagged in deltas for event in splitter.feed(text, flagged=flagged)]
    events += splitter.finish()
    assert all(isinstance(event, TextDelta | ThoughtDelta) and event.text for event in events)
    kinds = ((type(event), event.text) for event in events)
    names = {TextDelta: "text", ThoughtDelta: "thought"}
    return [(names[kind], "".join(text for _, text in run)) for kind, run in groupby(kinds, lambda pair: pair[0])]


def folded(runs):
    """Return all thoughts of `runs` as one string, and all other text as a second string."""
    return tuple("".join(text for kind, text in runs if kind == wanted) for wanted in ("thought", "text"))


@pytest.mark.parametrize(
    ("deltas", "thoughts", "answer"),
    [
        pytest.param([("hi", PLAIN)], "", "hi", id="no thoughts"),
        pytest.param([("<thought>hm</thought>hi", PLAIN)], "hm", "hi", id="a whole reply of AI Studio"),
        pytest.param([("<think>hm</think>hi", PLAIN)], "hm", "hi", id="the tag of others"),
        pytest.param([(" \n<thought>hm</thought>hi", PLAIN)], " \nhm", "hi", id="white space first"),
        pytest.param([("<thought>hm</thought>\nhi", PLAIN)], "hm", "\nhi", id="white space after"),
        pytest.param([("<thought>hm</think>hi", PLAIN)], "hm</think>hi", "", id="another tag does not close"),
        pytest.param([("<thought>hm", PLAIN)], "hm", "", id="never closed"),
        pytest.param([("<thought>hm</thou", PLAIN)], "hm</thou", "", id="never quite closed"),
        pytest.param([("<thought></thought>hi", PLAIN)], "", "hi", id="no thoughts in the tags"),
        pytest.param(
            [("<thought>a</thought><thought>b</thought>", PLAIN)], "a", "<thought>b</thought>", id="only once"
        ),
        pytest.param(
            [("I say <thought>hm</thought>", PLAIN)], "", "I say <thought>hm</thought>", id="not at the opening"
        ),
        pytest.param([("hi</thought>", PLAIN)], "", "hi</thought>", id="closing what was not opened"),
        pytest.param([("<thoughts>hi", PLAIN)], "", "<thoughts>hi", id="another word"),
        pytest.param([("<", PLAIN), ("b>hi</b>", PLAIN)], "", "<b>hi</b>", id="another tag"),
        pytest.param([("  ", PLAIN)], "", "  ", id="white space only"),
        pytest.param([("<though", PLAIN)], "", "<though", id="almost a tag"),
        pytest.param([("<thought>a", FLAGGED), ("b", FLAGGED), ("</thought>hi", PLAIN)], "ab", "hi", id="AI Studio"),
        pytest.param([(" <thought>a", FLAGGED), ("</thought>b", PLAIN)], " a", "b", id="white space, flagged"),
        pytest.param([("a", FLAGGED), ("hi", PLAIN)], "a", "hi", id="Vertex, no marker"),
        pytest.param([("<think>a</think>", FLAGGED), ("hi", PLAIN)], "a", "hi", id="Vertex, tags in one delta"),
        pytest.param([("<thought>a", FLAGGED), ("hi", PLAIN)], "a", "hi", id="no closing tag before the answer"),
        pytest.param([("<thought>a", FLAGGED)], "a", "", id="no closing tag before a call"),
        pytest.param([("<thought>a", FLAGGED), ("</thought>", PLAIN)], "a", "", id="only a closing tag"),
        pytest.param(
            [("<thought>a", FLAGGED), ("</thought>", PLAIN), ("hi", PLAIN)], "a", "hi", id="closing tag alone"
        ),
        pytest.param([("<thought>a</th", FLAGGED), ("ought>hi", PLAIN)], "a", "hi", id="closing tag in two kinds"),
        pytest.param([("a</th", FLAGGED), ("en", PLAIN)], "a</th", "en", id="no closing tag after all"),
        pytest.param([("a</th", FLAGGED)], "a</th", "", id="no closing tag at the end"),
        pytest.param([("a", FLAGGED), ("</th", PLAIN)], "a", "</th", id="no closing tag at the end of the answer"),
        pytest.param(
            [("a", FLAGGED), ("<thought>hi", PLAIN)], "a", "<thought>hi", id="an answer that opens with a tag"
        ),
        pytest.param(
            [("a</thought>b", FLAGGED), ("hi", PLAIN)], "a</thought>b", "hi", id="thoughts that speak of tags"
        ),
        pytest.param([("hi <", PLAIN), ("a", FLAGGED), ("!", PLAIN)], "a", "hi <!", id="thoughts after the answer"),
        pytest.param([("<", PLAIN), ("a", FLAGGED)], "a", "<", id="the flag beats what might be a tag"),
        pytest.param(
            [("<thought>a</", PLAIN), ("b", FLAGGED), ("</thought>c", PLAIN)], "a</b", "c", id="a tag, then flags"
        ),
        pytest.param(
            [("<thought>a", FLAGGED), ("</thought>x", PLAIN), ("<thought>b", FLAGGED), ("</thought>y", PLAIN)],
            "ab",
            "xy",
            id="thoughts twice",
        ),
        pytest.param(
            [("a<", FLAGGED), ("</thought>/thought>", PLAIN)], "a<", "/thought>", id="half a tag on each side"
        ),
        pytest.param([("", FLAGGED), ("", PLAIN), ("<thought>a</thought>b", PLAIN)], "a", "b", id="empty deltas"),
    ],
)
def test_thoughts_are_separated_from_the_answer(deltas, thoughts, answer):
    """Each reply is split twice: once in the given deltas, and once character by character."""
    assert folded(split(deltas)) == (thoughts, answer)
    assert folded(split([(char, flagged) for text, flagged in deltas for char in text])) == (thoughts, answer)


@pytest.mark.parametrize("marker", ["a.*b", "(x|y)+", "[z]", "\\d", "$^", "é", "think ing"])
def test_marker_is_not_a_regular_expression(marker):
    """The caller's `thought_tag_marker` can contain any characters."""
    text = f"<{marker}>hm</{marker}>hi"
    assert split([(text, PLAIN)], [marker, *DEFAULT_TAGS]) == [("thought", "hm"), ("text", "hi")]
    assert split([("<axxb>hi", PLAIN)], [marker]) == [("text", "<axxb>hi")]


def test_tag_after_thoughts_in_a_separate_field_is_text():
    """If the server separates thoughts and answer, the answer can start with a tag."""
    splitter = ThoughtSplitter()
    splitter.expect_answer()
    assert [*splitter.feed("<think>hi"), *splitter.finish()] == [TextDelta("<think>hi")]


def test_server_that_promises_thoughts_again_does_not_end_the_current_thoughts():
    """The server announces thoughts before the first text, and again in the middle of the thoughts."""
    splitter = ThoughtSplitter()
    splitter.expect_answer()
    splitter.expect_thoughts()
    events = [*splitter.feed("<think>a")]
    splitter.expect_thoughts()
    events += [*splitter.feed("b</think>hi"), *splitter.finish()]
    assert events == [ThoughtDelta("a"), ThoughtDelta("b"), TextDelta("hi")]


def test_at_most_a_tag_is_held_back():
    """Text is held back only while it may be the beginning of a tag."""
    splitter = ThoughtSplitter()
    assert [*splitter.feed("<tho")] == []
    assert [*splitter.feed("ught>abc</th")] == [ThoughtDelta("abc")]
    assert [*splitter.feed("e</")] == [ThoughtDelta("</the")]
    assert [*splitter.feed("thought>d</")] == [TextDelta("d</")]
    assert [*splitter.finish()] == []


bits = st.sampled_from(
    ["<thought>", "</thought>", "<think>", "</think>", "<", "</", "th", "ought>", ">", " ", "\n", "x", "é"]
)
texts = st.lists(bits, max_size=5).map("".join)
words = st.lists(st.sampled_from(["a", " ", "\n", "<", "</", ">", "<b>", "é"]), max_size=6).map("".join)


@st.composite
def cuts(draw, runs):
    """Generate the deltas of a reply: the texts of `runs`, each cut at random positions.

    A run is a pair of a text and a flag that marks thoughts.
    """
    deltas = []
    for text, flagged in runs:
        ends = [*sorted(draw(st.lists(st.integers(0, len(text)), max_size=5))), len(text)]
        deltas += [(text[start:end], flagged) for start, end in zip([0, *ends], ends, strict=False)]
    return deltas


@settings(max_examples=300)
@given(
    st.data(),
    st.sampled_from(["", " ", "\n\n"]),
    st.sampled_from([*DEFAULT_TAGS, "(m|n)*"]),
    words,
    words,
    st.booleans(),
)
def test_tagged_reply_is_split_alike_at_any_cut(data, space, tag, thoughts, answer, is_closed):
    """Each reply has a thought tag, may begin with white space, and may lack the closing tag."""
    closing = f"</{tag}>{answer}" if is_closed else ""
    deltas = data.draw(cuts([(f"{space}<{tag}>{thoughts}{closing}", PLAIN)]))
    assert folded(split(deltas, [*DEFAULT_TAGS, "(m|n)*"])) == (space + thoughts, answer if is_closed else "")


@settings(max_examples=300)
@given(st.data(), st.sampled_from(["", *DEFAULT_TAGS]), words, texts, st.sampled_from(["flagged", "plain", "none"]))
def test_flagged_reply_is_split_alike_at_any_cut(data, tag, thoughts, answer, closing):
    """The server flags the thoughts. Their closing tag is flagged, not flagged, or missing.

    The answer may contain further tags.
    """
    opening, end = (f"<{tag}>", f"</{tag}>") if tag else ("", "")
    answer = f"a{answer}"
    runs = [(f"{opening}{thoughts}{end if closing == 'flagged' else ''}", FLAGGED)]
    runs.append((f"{end if closing == 'plain' else ''}{answer}", PLAIN))
    assert folded(split(data.draw(cuts(runs)))) == (thoughts, answer)


@settings(max_examples=300)
@given(st.data(), st.lists(st.tuples(texts, st.booleans()), max_size=5))
def test_any_mixture_loses_only_tags_at_any_cut(data, runs):
    runs = [("".join(text for text, _ in run), flagged) for flagged, run in groupby(runs, lambda pair: pair[1])]
    found = split(runs)
    assert split(data.draw(cuts(runs))) == found
    _assert_only_tags_are_gone("".join(text for text, _ in runs), "".join(text for _, text in found))


def _assert_only_tags_are_gone(text, rest):
    """Assert that `rest` is what remains of `text` if some tags are removed."""
    places = {0}
    tags = [mark.format(tag) for tag in DEFAULT_TAGS for mark in ("<{}>", "</{}>")]
    for char in [*rest, None]:
        frontier = list(places)
        while frontier:
            place = frontier.pop()
            more = {place + len(tag) for tag in tags if text.startswith(tag, place)} - places
            places |= more
            frontier += more
        if char is not None:
            places = {place + 1 for place in places if text[place : place + 1] == char}
    assert len(text) in places
