"""The fault matrix: every fault at every entry point has the outcome of the table."""

import pytest
from fault_entries import EMPTY, ENTRIES, TEXT, Answer, Case, Say, Sum, classify
from fault_matrix import CASES, COMMAND, GROUPS, PAGE, print_page, run_matrix
from langchain_core.messages import AIMessage

from langchain_gemini_compat import errors
from langchain_gemini_compat._response.v3_events import CORE_TAKES_PIECES
from langchain_gemini_compat.testing import FAULTS, Fault

#: Libraries that an agent loads may issue deprecation warnings, which are irrelevant to these tests.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WORDS = {
    "correct",
    "correct, with a placeholder",
    "correct after 1 retry",
    "refusal block",
    "cut text, refusal block",
    "cut text, finish reason length",
    "cut text, finish reason content_filter",
    "OutputParserException",
    *errors.__all__,
    *(f"part of the reply, then {name}" for name in errors.__all__),
}
STOP = {"finish_reason": "stop"}
CALLED = {"finish_reason": "tool_calls"}
TOKENS = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def call(call_id, a, b):
    return {"name": "add", "args": {"a": a, "b": b}, "id": call_id}


def case(**more):
    return Case("a case", "", None, {}, **more)


#: With langchain-core before 1.7, `stream_events` has another outcome in this case: the caller gets the tool's name
#: before the stream is cut.
NAME_THEN_LENGTH = "a call without arguments, then the finish reason `length`"


def fit(name, expected):
    """Return the outcomes in `expected`, adjusted to the installed version of langchain-core.

    Before langchain-core 1.7, `stream_events` has the same outcome as `stream` in the case `NAME_THEN_LENGTH`.
    """
    if CORE_TAKES_PIECES or name != NAME_THEN_LENGTH:
        return expected
    return {**expected, "stream_events": expected["stream"]}


@pytest.mark.parametrize("name", CASES)
def test_outcome_of_one_request_is_the_expected_one(name):
    """With `max_retries=0`, each fault has the expected outcome at every entry point."""
    assert run_matrix()[name][0] == fit(name, CASES[name].expected)


@pytest.mark.parametrize("name", CASES)
def test_outcome_with_a_retry_is_the_expected_one(name):
    """With `max_retries=1` and a good reply after the fault, each fault has the expected outcome."""
    assert run_matrix()[name][1] == fit(name, CASES[name].again or CASES[name].expected)


@pytest.mark.parametrize("name", CASES)
def test_no_entry_point_returns_an_empty_message(name):
    """No entry point returns an empty message, with or without a retry."""
    assert [word for table in run_matrix()[name] for word in table.values() if EMPTY in word] == []


@pytest.mark.skipif(not CORE_TAKES_PIECES, reason="the page is about langchain-core 1.7 and later")
def test_the_page_has_the_observed_outcomes():
    """The generated page of the documentation has the outcomes that the tests observe."""
    assert PAGE.read_text(encoding="utf-8") == print_page(run_matrix()), f"Run `{COMMAND}` to write the page again."


def test_expected_outcomes_are_known_for_every_entry_point():
    """Every case has an expected outcome for each entry point.

    No expected outcome is a wrong call, a wrong text or an empty message.
    """
    tables = [table for it in CASES.values() for table in (it.expected, it.again) if table]
    assert {word for table in tables for word in table.values()} <= WORDS
    assert all(set(table) == set(ENTRIES) for table in tables)


def test_names_of_faults_are_unique():
    """A second fault with the same name would replace the first."""
    assert len(CASES) == sum(map(len, GROUPS.values()))


def test_every_fault_of_the_fake_endpoint_is_in_the_matrix():
    """Each fault in `FAULTS` has a case."""

    def key(fault):
        details = str(fault.error.details) if fault.error else ""
        said = bool(fault.reply.text), bool(fault.reply.calls), fault.reply.finish_reason
        return fault.name, fault.shape, bool(details), "PerDay" in details, *said

    made = [it.fault(Say(TEXT, (), stream=True)) for it in CASES.values()]
    known = {key(fault) for fault in made if isinstance(fault, Fault)}
    assert {name for name, make in FAULTS.items() if key(make()) not in known} == set()


@pytest.mark.parametrize(
    ("came", "about", "word"),
    [
        (AIMessage(TEXT, response_metadata=STOP), {}, "correct"),
        (AIMessage("", response_metadata=STOP), {}, EMPTY),
        (AIMessage([], response_metadata=STOP), {}, EMPTY),
        (AIMessage([{"type": "reasoning", "reasoning": "Hm."}], response_metadata=STOP), {}, EMPTY),
        (AIMessage(TEXT[:5], response_metadata=STOP), {}, "cut text, finish reason stop"),
        (AIMessage(TEXT + "!", response_metadata=STOP), {}, "wrong text, finish reason stop"),
        (AIMessage(TEXT), {}, "correct, finish reason None"),
        (AIMessage(TEXT, response_metadata=STOP), {"thoughts": "Hm."}, "correct, wrong thoughts ''"),
        (AIMessage(TEXT, response_metadata=STOP, usage_metadata=TOKENS), {"tokens": ()}, "correct, wrong tokens (1, 2, 3)"),
        (AIMessage(TEXT, response_metadata=STOP, usage_metadata=TOKENS), {"tokens": (1, 2, 3)}, "correct"),
        (AIMessage("", tool_calls=[call("x", 1, 2)], response_metadata=CALLED), {"calls": 1}, "correct"),
        (AIMessage("", tool_calls=[call("x", 1, 2)], response_metadata=STOP), {"calls": 1}, "correct calls, finish reason stop"),
        (AIMessage("", tool_calls=[call("", 1, 2)], response_metadata=CALLED), {"calls": 1}, "correct calls without ids of their own"),
        (AIMessage("", tool_calls=[call("x", 1, 2), call("x", 3, 4)], response_metadata=CALLED), {"calls": 2}, "correct calls without ids of their own"),
        (AIMessage("", tool_calls=[call("x", 1, 3)]), {"calls": 1}, "wrong calls [('add', {'a': 1, 'b': 3})]"),
        (AIMessage("", tool_calls=[call("x", 1, 2)]), {"calls": 2}, "wrong calls [('add', {'a': 1, 'b': 2})]"),
        (AIMessage("", tool_calls=[call("x", 1, 2)]), {}, "wrong calls [('add', {'a': 1, 'b': 2})]"),
        (AIMessage("", invalid_tool_calls=[{"name": "add", "args": "{", "id": "x", "error": None}]), {"calls": 1}, "invalid call"),
        (Answer(value=42, unit="km"), {}, "correct"),
        (Sum(a=1, b=2), {"calls": 1}, "correct"),
        (None, {}, "wrong object None"),
    ],
)  # fmt: skip
def test_different_results_have_different_outcomes(came, about, word):
    """Only a result without a defect has the outcome `correct`."""
    assert classify(came, case(**about)) == word
