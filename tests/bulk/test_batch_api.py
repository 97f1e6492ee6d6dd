"""`BatchApiEngine`: rows go through the fake's version of Google's batch endpoint."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import count
from threading import Thread, main_thread
from types import SimpleNamespace

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import HumanMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField
from wire import http

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat.bulk import BatchApiEngine, BatchError, OpenRows, OutputError, run_bulk
from langchain_gemini_compat.bulk._batch_answers import LineReader
from langchain_gemini_compat.bulk._batch_state import BatchState
from langchain_gemini_compat.bulk._database import Database
from langchain_gemini_compat.testing import BatchPlan, Call, FakeGemini, Fault, Raw, Reply

ENGINE = "langchain_gemini_compat.bulk._batch_work"
SCHEMA = {"title": "Answer", "type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
TOOL = {"title": "weather", "description": "The weather.", "type": "object", "properties": {"city": {"type": "string"}}}
CREATION = ("POST", "/v1beta/openai/batches")


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    for name in ("SETTLE_SECONDS", "DOUBT_SECONDS", "OUTAGE_SECONDS"):
        monkeypatch.setattr(f"{ENGINE}.{name}", 0.0)
    monkeypatch.setattr("langchain_gemini_compat.bulk._batch_service._WAITS", (0.0, 0.0))


def run(model, rows, path, *, retry_failed=False, schema=None, **options):
    engine = BatchApiEngine(path, poll_seconds=(0.001, 0.001), **options)
    return run_bulk(model, rows, path, engine=engine, retry_failed=retry_failed, schema=schema)


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def number(rows):
    return [f"word {at}" for at in range(rows)]


def asked(fake):
    """Return the prompts that batches have answered."""
    return [request.prompt for batch in fake.batches for request in batch.requests]


def count_requests(fake, request):
    return sum((one.method, one.path) == request for one in fake.requests)


class Killed(BaseException):
    """Ends a run as if the process were killed: no `except Exception` of the package catches this exception."""


@contextmanager
def killed_at(monkeypatch, method):
    """End the run when `BatchApiEngine` calls `method`, for example `BatchState.drop_rows`."""

    def end(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"{ENGINE}.{method}", end)
        with pytest.raises(Killed):
            yield


@contextmanager
def breaking(fake, request, times, *, after, first=0, error=http.ReadError):
    """Break the connections of `times` requests, after the first `first` requests have passed.

    `request` is the method and path of these requests. With `after`, the fake handles a request before its connection
    breaks.
    """
    plain, numbers = fake.batches.answer, count()

    def respond(seen, url, content):
        if (seen.method, seen.path) != request or not first <= next(numbers) < first + times:
            return plain(seen, url, content)
        if after:
            plain(seen, url, content)
        raise error("The connection broke.")

    fake.batches.answer = respond
    yield
    fake.batches.answer = plain


def reply_variously(request):
    """Return a reply or a fault. The number in the prompt selects which one."""
    replies = [
        Reply("A word.", thoughts="Thinking about it."),
        Reply(calls=[Call("weather", {"city": "Oslo"}), Call("weather", {"city": "Rome"})]),
        '{"word": "moon"}',
        "no JSON",
        Fault.overloaded(),
        Fault.rate_limit(),
        Fault.context_overflow(),
        Fault.blocked(),
        Fault.malformed_call(),
    ]
    return replies[int(request.prompt.split()[-1]) % len(replies)]


def test_rows_get_the_answers_of_batches_for_half_the_price(fake, model, path):
    rows = ["one", {"id": "x", "prompt": "two", "temperature": 0.5}, {"messages": [HumanMessage("three")]}]
    result = run(model, rows, path)
    assert (result.answered, result.failed, len(fake.batches)) == (3, 0, 1)
    assert [row["text"] for row in read(path)] == ["About one", "About two", "About three"]
    assert [row["id"] for row in read(path)] == [None, "x", None]
    assert fake.batches[0].requests[1].body["temperature"] == 0.5
    assert not any("stream" in request.body for request in fake.batches[0].requests)
    usual = run_bulk(model, rows, path.with_name("usual.jsonl"))
    assert result.price == pytest.approx(usual.price / 2)
    assert (result.input_tokens, result.output_tokens) == (usual.input_tokens, usual.output_tokens)
    assert sorted(one.name for one in path.parent.iterdir() if "usual" not in one.name) == [
        "answers.jsonl",
        "answers.jsonl.journal",
    ]


@pytest.mark.parametrize("kind", ["plain", "thoughts", "tools", "schema"])
@pytest.mark.parametrize(
    "plan",
    [
        BatchPlan(),
        BatchPlan(camel_case="all", error_form="response"),
        BatchPlan(camel_case="none", has_error_file=True),
    ],
)
def test_outcomes_are_those_of_calls(fake, model, path, kind, plan):
    fake.answer_with(reply_variously)
    fake.batches.plan = plan
    if kind == "thoughts":
        model = fake.chat_model(max_retries=0, include_thoughts=True)
    if kind == "tools":
        model = model.bind_tools([TOOL])
    schema = SCHEMA if kind == "schema" else None
    run(model, number(18), path, schema=schema)
    run_bulk(model, number(18), path.with_name("usual.jsonl"), schema=schema)
    for row, usual in zip(read(path), read(path.with_name("usual.jsonl")), strict=True):
        assert {**row, "price": None, "error_message": None} == {**usual, "price": None, "error_message": None} | {
            # Only the presence of tool calls is compared, because the server gives them new ids in each run.
            "tool_calls": row["tool_calls"] and usual["tool_calls"] and row["tool_calls"]
        }
        assert (row["error_message"] or "")[:40] == (usual["error_message"] or "")[:40]


def test_inputs_are_split_by_count_and_by_size(fake, model, path):
    run(model, number(5), path, max_requests=2)
    assert [len(batch.requests) for batch in fake.batches] == [2, 2, 1]
    run(model, ["x" * 500, "y" * 500, "z", "z"], path.with_name("sizes.jsonl"), max_bytes=1000)
    assert [len(batch.requests) for batch in fake.batches[3:]] == [1, 3]
    assert sorted(asked(fake)) == sorted([*number(5), "x" * 500, "y" * 500, "z", "z"])


def test_status_is_asked_for_until_the_end(fake, model, path):
    fake.batches.plan, notes = BatchPlan(seconds=0.1), []
    run(model, ["one"], path, notify=notes.append)
    assert notes[0] == "Sent 1 rows as batches/000000000001."
    assert "batches/000000000001 is in_progress, 0 requests done." in notes


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (BatchPlan(ends="expired"), "expired: Google ends a batch after 48 hours"),
        (BatchPlan(ends="failed", message="No capacity."), "ended with the status failed.*Google says: No capacity."),
        (BatchPlan(ends="cancelled", answered=1), "ended with the status cancelled"),
        (BatchPlan(answered=1), "has no line for this row"),
    ],
)
def test_rows_without_an_answer_have_an_error_and_are_asked_again_on_demand(fake, model, path, plan, reason):
    fake.batches.plan = plan
    result = run(model, number(3), path)
    unanswered = 3 - (plan.answered or 0)
    assert (result.answered, result.failed) == (3 - unanswered, unanswered)
    assert {row["error_type"] for row in read(path)[3 - unanswered :]} == {"BatchError"}
    assert re.search(reason, read(path)[-1]["error_message"])
    assert run(model, number(3), path).failed == unanswered
    assert len(fake.batches) == 1
    fake.batches.plan = BatchPlan()
    assert run(model, number(3), path, retry_failed=True).answered == 3
    assert sorted(asked(fake)) == number(3)


def test_a_failed_request_of_a_batch_is_asked_again_on_demand(fake, model, path):
    fake.answer_with(["fine", Fault.overloaded(), "fine, too"])
    assert run(model, number(2), path).failed == 1
    assert read(path)[1]["error_type"] == "ServerError"
    assert run(model, number(2), path, retry_failed=True).answered == 2
    assert asked(fake) == ["word 0", "word 1", "word 1"]


def test_a_creation_without_an_answer_is_looked_up_and_not_repeated(fake, model, path):
    with breaking(fake, CREATION, 1, after=True):
        assert run(model, number(2), path).answered == 2
    assert (len(fake.batches), count_requests(fake, CREATION)) == (1, 1)


def test_a_creation_that_did_not_arrive_is_repeated_if_the_list_has_another_batch(fake, model, path):
    with breaking(fake, CREATION, 2, after=False, first=1):
        assert run(model, number(2), path, max_requests=1).answered == 2
    assert (len(fake.batches), count_requests(fake, CREATION)) == (2, 4)


def test_a_creation_without_a_connection_is_repeated(fake, model, path):
    with breaking(fake, CREATION, 2, after=False, error=http.ConnectError):
        assert run(model, number(2), path).answered == 2
    assert (len(fake.batches), count_requests(fake, CREATION)) == (1, 3)


def test_the_first_creation_without_an_answer_is_repeated_on_demand_only(fake, model, path):
    """Google may have created the batch, so the rows are sent again only with `retry_failed`.

    The list of batches is empty, but this proves nothing: Google does not say that its native list contains
    OpenAI-compatible batches.
    """
    with breaking(fake, CREATION, 1, after=False):
        assert run(model, number(2), path).failed == 2
    assert "It is not known whether Google has created a batch from the file files/" in read(path)[0]["error_message"]
    assert run(model, number(2), path).failed == 2
    assert not fake.batches
    assert run(model, number(2), path, retry_failed=True).answered == 2


def test_another_batch_of_the_run_shows_that_the_list_is_complete(fake, model, path, monkeypatch):
    monkeypatch.setattr(f"{ENGINE}.DOUBT_SECONDS", 600.0)
    with breaking(fake, CREATION, 1, after=False):
        assert run(model, number(2), path, max_requests=1).answered == 2
    assert sorted(asked(fake)) == number(2)


def test_a_creation_that_stays_unknown_ends_the_run_after_some_tries(fake, model, path):
    with breaking(fake, CREATION, 100, after=False, first=1), pytest.raises(errors.APIConnectionError):
        run(model, number(2), path, max_requests=1)
    assert count_requests(fake, CREATION) < 15
    assert asked(fake) == ["word 0"]


def test_a_batch_whose_file_was_deleted_is_not_created(fake, model, path, monkeypatch):
    monkeypatch.setattr(f"{ENGINE}._FILE_SECONDS", 0.0)
    with breaking(fake, CREATION, 1, after=False, first=1):
        assert run(model, number(2), path, max_requests=1).answered == 1
    assert "has deleted the file by now" in read(path)[1]["error_message"]


@pytest.mark.parametrize("after", [False, True])
def test_a_program_that_died_at_the_creation_pays_once(fake, model, path, monkeypatch, after):
    """After `SIGKILL`, the state contains the intent to create a batch. The batch may exist or not."""
    with killed_at(monkeypatch, "BatchState.note_batch" if after else "BatchService.create"):
        run(model, number(4), path)
    assert len(fake.batches) == after
    assert run(model, [*number(4), "new"], path).answered == 5
    assert sorted(asked(fake)) == ["new", *number(4)]


def test_a_list_is_read_only_when_it_shows_a_new_batch(fake, model, path, monkeypatch):
    """The server's list may lack a batch that was just created, so the run does not read the list at once."""
    slept = []
    monkeypatch.setattr(f"{ENGINE}.SETTLE_SECONDS", 60.0)
    monkeypatch.setattr(OpenRows, "wait", lambda _, seconds: slept.append(seconds))
    now = iter(range(1_800_000_000, 1_900_000_000, 1))
    monkeypatch.setattr(f"{ENGINE}.time.time", lambda: float(next(now)))
    with breaking(fake, CREATION, 1, after=True):
        run(model, ["one"], path)
    assert len(slept) > 20
    assert len(fake.batches) == 1


def test_rows_of_a_creation_that_stays_unknown_are_not_sent_again(fake, model, path):
    plain = fake.batches._describe_native

    def describe(batch):
        described = plain(batch)
        del described["metadata"]["inputConfig"]
        return described

    fake.batches._describe_native = describe
    with breaking(fake, CREATION, 1, after=True):
        assert run(model, ["one"], path).failed == 1
    assert "It is not known whether Google has created a batch from the file files/" in read(path)[0]["error_message"]
    assert len(fake.batches) == 1


def test_a_batch_waits_until_the_server_takes_it(fake, model, path):
    fake.batches.max_batches, fake.batches.plan, notes = 1, BatchPlan(seconds=0.5), []
    assert run(model, number(3), path, max_requests=1, notify=notes.append).answered == 3
    assert sorted(asked(fake)) == number(3)
    assert any(note.startswith("The server has not created the batch yet") for note in notes)


@pytest.mark.parametrize(
    ("fault", "kind", "creations"),
    [
        (Fault.rate_limit("0s"), errors.RateLimitError, 8),
        (Fault.rate_limit("39043s", per="day"), errors.QuotaExhaustedError, 1),
        (Fault.permission_denied(), errors.PermissionDeniedError, 1),
    ],
)
def test_a_creation_that_fails_again_and_again_ends_the_run(fake, model, path, fault, kind, creations):
    fake.batches.fault_rule = lambda request: fault if (request.method, request.path) == CREATION else None
    with pytest.raises(kind):
        run(model, ["one"], path)
    assert count_requests(fake, CREATION) == creations
    fake.batches.fault_rule = None
    assert run(model, ["one"], path).answered == 1
    assert len(fake.batches) == 1


def test_errors_that_pass_do_not_end_a_run(fake, model, path):
    faults = {}

    def fail_once(request):
        if (request.method, request.path) == CREATION:
            return None
        faults[request.path] = faults.get(request.path, 0) + 1
        return Fault.overloaded() if faults[request.path] == 1 else None

    fake.batches.fault_rule = fail_once
    assert run(model, number(2), path).answered == 2
    assert asked(fake) == number(2)


def test_a_run_goes_on_with_its_batch_after_an_error(fake, model, path):
    notes = []
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    with pytest.raises(errors.ServerError):
        run(model, number(2), path)
    assert path.with_name("answers.jsonl.batches").exists()
    fake.batches.fault_rule = None
    assert run(model, number(3), path, notify=notes.append).answered == 3
    assert sorted(asked(fake)) == number(3)
    assert "Sent 1 rows as batches/000000000002." in notes


def test_a_key_without_permission_does_not_lose_a_batch(fake, model, path):
    with_permission = fake.batches.fault_rule
    denied = Fault.permission_denied()
    fake.batches.fault_rule = lambda request: denied if "/batches/batches/" in request.path else None
    with pytest.raises(errors.PermissionDeniedError):
        run(model, ["one"], path)
    fake.batches.fault_rule = with_permission
    assert run(model, ["one"], path).answered == 1
    assert asked(fake) == ["one"]


def test_a_batch_whose_rows_left_the_input_is_kept_for_later(fake, model, path):
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    with pytest.raises(errors.ServerError):
        run(model, number(2), path)
    fake.batches.fault_rule = None
    assert run(model, ["other"], path).answered == 1
    assert run(model, number(2), path).answered == 2
    assert sorted(asked(fake)) == ["other", *number(2)]


def test_rows_inserted_into_the_input_do_not_make_a_batch_paid_twice(fake, model, path):
    """An earlier run created a batch for the rows a, gone and b. Now the input is a, three new rows, and b.

    The run has to wait before it can send the new rows. During this wait, the batch ends, and the run has not read
    the row b yet.
    """
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    with pytest.raises(errors.ServerError):
        run(model, ["a", "gone", "b"], path)
    refusals = iter(range(2))

    def refuse(request):
        is_refused = (request.method, request.path) == CREATION and next(refusals, None) is not None
        return Fault.rate_limit("0s") if is_refused else None

    fake.batches.fault_rule = refuse
    rows = ["a", "x1", "x2", "x3", "b"]
    assert run(model, rows, path, max_requests=2).answered == 5
    assert sorted(asked(fake)) == sorted([*rows, "gone"])
    assert not path.with_name("answers.jsonl.batches").exists()


def test_an_ended_batch_is_no_reason_to_wait_for_a_quota(fake, model, path):
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    with pytest.raises(errors.ServerError):
        run(model, ["a", "b"], path)
    fake.batches.fault_rule = lambda one: Fault.rate_limit("0s") if (one.method, one.path) == CREATION else None
    with pytest.raises(errors.RateLimitError):
        run(model, ["a", "x1", "x2", "b"], path, max_requests=2)
    fake.batches.fault_rule = None
    assert run(model, ["a", "x1", "x2", "b"], path).answered == 4
    assert sorted(asked(fake)) == ["a", "b", "x1", "x2"]


def test_ctrl_c_in_a_notebook_leaves_the_batches_to_the_next_run(fake, model, path):
    fake.batches.plan, notes = BatchPlan(seconds=60), []

    def note(text):
        notes.append(text)
        if len(notes) == 2:
            signal.pthread_kill(main_thread().ident, signal.SIGINT)
        # After Ctrl-C (sent at the second note), the fake's clock jumps ahead, and the batch is done. So a run that
        # ignores Ctrl-C ends without `KeyboardInterrupt`, and the test fails.
        fake.batches.clock = lambda: 4_000_000_000.0 if len(notes) > 1 else time.time()

    async def run_cell():
        run_bulk(model, ["one"], path, engine=BatchApiEngine(path, notify=note, poll_seconds=(5.0, 5.0)))

    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(run_cell())
    loop.close()
    assert len(notes) == 2
    assert read(path)[0]["error_type"] == "NotSent"
    assert run(model, ["one"], path).answered == 1
    assert asked(fake) == ["one"]


@pytest.mark.parametrize("at", range(3))
def test_interrupt_at_the_begin_of_a_transaction_of_the_state_pays_nothing_twice(fake, model, path, monkeypatch, at):
    """Ctrl-C arrives right after `BEGIN`, before the first statement in the `with` block of the transaction."""
    execute, begun = Database.execute, []

    def interrupt(database, statement, values=()):
        cursor = execute(database, statement, values)
        if statement.startswith("BEGIN") and database.path.suffix == ".batches":
            begun.append(statement)
            if len(begun) == at + 1:
                raise KeyboardInterrupt
        return cursor

    with monkeypatch.context() as patch:
        patch.setattr(Database, "execute", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(model, number(4), path, max_requests=2)
    assert run(model, number(4), path, max_requests=2).answered == 4
    assert sorted(asked(fake)) == number(4)
    assert not path.with_name("answers.jsonl.batches").exists()


def test_another_engine_does_not_send_rows_that_are_in_a_batch(fake, model, path):
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    with pytest.raises(errors.ServerError):
        run(model, ["one"], path)
    fake.batches.fault_rule = None
    with pytest.raises(OutputError, match="are in batches at Google"):
        run_bulk(model, ["one"], path)
    assert run(model, ["one"], path).answered == 1
    assert run_bulk(model, ["one"], path).answered == 1
    assert asked(fake) == ["one"]


def test_another_engine_can_be_used_if_no_batch_was_created(fake, model, path):
    fake.batches.fault_rule = lambda one: Fault.rate_limit("0s") if (one.method, one.path) == CREATION else None
    with pytest.raises(errors.RateLimitError):
        run(model, ["one"], path)
    assert run_bulk(model, ["one"], path).answered == 1


def test_answers_that_a_run_could_not_forget_do_not_keep_the_state(fake, model, path, monkeypatch):
    """If a run crashes before it deletes the answered rows from its state, the next run deletes the state."""
    with killed_at(monkeypatch, "BatchState.drop_rows"):
        run(model, ["one", "two"], path)
    assert path.with_name("answers.jsonl.batches").exists()
    assert run_bulk(model, ["one", "two"], path).answered == 2
    assert not path.with_name("answers.jsonl.batches").exists()
    assert asked(fake) == ["one", "two"]


def test_an_engine_for_another_output_is_refused(fake, model, path):
    with pytest.raises(OutputError, match="Pass the same path to `BatchApiEngine`"):
        run_bulk(model, ["one"], path, engine=BatchApiEngine(path.with_name("other.jsonl")))
    assert not fake.batches


def test_an_unusable_line_is_counted_once(fake, path):
    fake.answer_with(lambda _: "")
    result = run(fake.chat_model(max_retries=2), ["one"], path)
    once = run_bulk(fake.chat_model(max_retries=0), ["one"], path.with_name("once.jsonl"))
    assert (result.input_tokens, result.price) == (once.input_tokens, pytest.approx(once.price / 2))


def test_an_upload_without_the_name_of_a_file_ends_the_run(fake, model, path):
    fake.batches.fault_rule = lambda one: Fault("raw", raw=Raw('{"file": {}}')) if "upload_id" in one.query else None
    with pytest.raises(BatchError, match="has no file name"):
        run(model, ["one"], path)


def test_a_listed_batch_without_a_name_is_not_known(fake, model, path):
    plain = fake.batches._describe_native

    def describe(batch):
        described = plain(batch)
        del described["name"]
        described["metadata"].pop("name", None)
        return described

    fake.batches._describe_native = describe
    with breaking(fake, CREATION, 1, after=True):
        assert run(model, ["one"], path).failed == 1
    assert "It is not known whether Google has created a batch" in read(path)[0]["error_message"]


NOT_FOUND = Fault.model_not_found()
GONE = [("/batches/batches/", NOT_FOUND), (":download", NOT_FOUND), (":download", Fault.permission_denied())]


@pytest.mark.parametrize(("place", "fault"), GONE, ids=["status", "output", "output-403"])
class TestMissingBatch:
    """Tests in which the server says that a batch or its output does not exist."""

    def test_a_short_time_is_endured(self, fake, model, path, place, fault):
        faults = iter([fault])
        fake.batches.fault_rule = lambda request: next(faults, None) if place in request.path else None
        assert run(model, ["one"], path).answered == 1
        assert asked(fake) == ["one"]

    def test_a_long_time_ends_the_run_and_keeps_the_rows(self, fake, model, path, place, fault):
        fake.batches.fault_rule = lambda request: fault if place in request.path else None
        with pytest.raises(BatchError, match=r"The rows of this batch stay in `.*answers.jsonl.batches`"):
            run(model, ["one"], path)
        fake.batches.fault_rule = None
        assert run(model, ["one"], path).answered == 1
        assert asked(fake) == ["one"]

    def test_other_batches_are_collected_before_the_run_ends(self, fake, model, path, place, fault):
        """The server no longer has the first batch, or its output. The second batch is still collected."""
        gone = {"/batches/batches/": "000000000001", ":download": "batch-000000000005"}[place]
        fake.batches.plan = BatchPlan(seconds=0.2)
        fake.batches.fault_rule = lambda one: fault if place in one.path and gone in one.path else None
        with pytest.raises(BatchError):
            run(model, number(2), path, max_requests=1)
        assert [row["error_type"] for row in read(path)] == ["NotSent", None]

    def test_after_the_life_of_all_files_the_rows_have_an_error(self, fake, model, path, place, fault, monkeypatch):
        monkeypatch.setattr(f"{ENGINE}._FILE_SECONDS", 0.0)
        monkeypatch.setattr(f"{ENGINE}._BATCH_SECONDS", 0.0)
        fake.batches.fault_rule = lambda request: fault if place in request.path else None
        assert run(model, ["one"], path).failed == 1
        assert "is not available" in read(path)[0]["error_message"]
        assert not path.with_name("answers.jsonl.batches").exists()


@pytest.fixture
def clock(fake, monkeypatch):
    """Replace the waits of a run. A wait takes no real time, and only advances the clock of the engine and the fake.

    Returns a function that returns the seconds since the start.
    """
    slept, start = [], 1_800_000_000.0

    def now():
        return start + sum(slept)

    monkeypatch.setattr(OpenRows, "wait", lambda rows, seconds: slept.append(seconds) or rows.is_stopped)
    monkeypatch.setattr(f"{ENGINE}.time", SimpleNamespace(time=now, monotonic=now))
    fake.batches.clock = now
    return lambda: sum(slept)


def test_an_outage_of_half_an_hour_does_not_end_a_run_that_polls(fake, model, path, clock, monkeypatch):
    monkeypatch.setattr(f"{ENGINE}.OUTAGE_SECONDS", 3600.0)
    fake.batches.plan, notes = BatchPlan(seconds=5 * 3600), []
    fake.batches.fault_rule = lambda one: Fault.overloaded() if one.method == "GET" and 7200 < clock() < 9000 else None
    engine = BatchApiEngine(path, notify=notes.append)
    assert run_bulk(model, ["one"], path, engine=engine).answered == 1
    assert sum("batches/000000000001 is not available" in note for note in notes) > 3
    assert asked(fake) == ["one"]


def test_an_outage_of_more_than_an_hour_ends_a_run_that_polls(fake, model, path, clock, monkeypatch):
    monkeypatch.setattr(f"{ENGINE}.OUTAGE_SECONDS", 3600.0)
    fake.batches.plan = BatchPlan(seconds=5 * 3600)
    fake.batches.fault_rule = lambda one: Fault.overloaded() if one.method == "GET" and clock() > 7200 else None
    with pytest.raises(errors.ServerError):
        run_bulk(model, ["one"], path, engine=BatchApiEngine(path))
    assert 7200 + 3600 < clock() < 7200 + 3600 + 900


def test_an_unknown_creation_of_rows_that_left_the_input_does_not_block_a_run(fake, model, path, monkeypatch):
    with killed_at(monkeypatch, "BatchState.note_batch"):
        run(model, ["old 1", "old 2"], path)
    plain, waits = fake.batches._describe_native, iter(range(200))

    def describe(batch):
        described = plain(batch)
        del described["metadata"]["inputConfig"]
        return described

    fake.batches._describe_native = describe
    # After 200 calls, this `wait` raises an error. Otherwise, a run that waits for the batch of the earlier run would
    # never end.
    monkeypatch.setattr(OpenRows, "wait", lambda rows, _: next(waits) < 0 or rows.is_stopped)
    assert run(model, number(4), path, max_requests=2).answered == 4
    assert sorted(asked(fake)) == ["old 1", "old 2", *number(4)]


def test_failed_lines_do_not_stop_a_run(fake, model, path):
    fake.answer_with(lambda request: Fault.overloaded() if int(request.prompt.split()[-1]) < 60 else "ok")
    for _ in range(2):
        result = run(model, number(80), path, max_requests=60)
        assert (result.answered, result.failed, result.stopped) == (20, 60, None)
    assert len(asked(fake)) == 80


def test_a_refused_line_is_sent_again_on_demand_only(fake, model, path):
    fake.answer_with([Fault.permission_denied(), "ok"])
    assert run(model, ["one"], path).failed == 1
    assert run(model, ["one"], path).failed == 1
    assert run(model, ["one"], path, retry_failed=True).answered == 1


def test_answers_of_rows_that_left_the_input_are_kept(fake, model, path):
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    with pytest.raises(errors.ServerError):
        run(model, ["a", "b", "c"], path)
    fake.batches.fault_rule, progress = None, []
    run_bulk(model, ["a"], path, engine=BatchApiEngine(path, poll_seconds=(0.001, 0.001)), report=progress.append)
    assert (progress[-1].rows, progress[-1].answered, progress[-1].missing) == (1, 1, 0)
    assert not path.with_name("answers.jsonl.batches").exists()
    assert run(model, ["a", "b", "c"], path).answered == 3
    assert asked(fake) == ["a", "b", "c"]


def test_rows_of_another_schema_are_left_to_a_run_with_it(fake, model, path):
    """A run without a schema does not collect the answers to a run with a schema: they would have no `parsed`."""
    fake.answer_with(lambda _: '{"word": "moon"}')
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    with pytest.raises(errors.ServerError):
        run(model, ["one"], path, schema=SCHEMA)
    fake.batches.fault_rule = None
    assert run(model, ["one"], path).answered == 1
    assert run(model, ["one"], path, schema=SCHEMA).answered == 1
    assert read(path)[0]["parsed"] == {"word": "moon"}
    assert len(asked(fake)) == 2


def test_an_error_that_a_run_could_not_forget_does_not_keep_the_state(fake, model, path, monkeypatch):
    """If a run crashes before it deletes a failed row from its state, the next run deletes the state."""
    fake.answer_with(lambda _: Fault.overloaded())
    with killed_at(monkeypatch, "BatchState.drop_rows"):
        run(model, ["one"], path)
    result = run(model, ["one"], path)
    assert (result.failed, len(asked(fake))) == (1, 1)
    assert not path.with_name("answers.jsonl.batches").exists()


def test_a_batch_has_the_rows_of_one_model(fake, model, path):
    rows = [{"prompt": str(at), "model": name} for at in range(3) for name in ("gemini-3.8-flash", "gemini-3.5-flash")]
    assert run(model, rows, path, max_requests=2).answered == 6
    models = [[request.body["model"] for request in batch.requests] for batch in fake.batches]
    assert sorted(models) == [
        ["gemini-3.5-flash"],
        ["gemini-3.5-flash"] * 2,
        ["gemini-3.8-flash"],
        ["gemini-3.8-flash"] * 2,
    ]


def test_the_cache_of_langchain_does_not_replace_the_answers_of_a_batch(fake, model, path):
    numbers = count(1)
    fake.answer_with(lambda _: f"answer {next(numbers)}")
    set_llm_cache(InMemoryCache())
    try:
        run(model, ["same", "same"], path)
    finally:
        set_llm_cache(None)
    assert [row["text"] for row in read(path)] == ["answer 1", "answer 2"]
    assert all(row["usage"] for row in read(path))


@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_decoding_neither_retries_nor_waits_for_a_rate_limiter(fake, path, monkeypatch, schema):
    class Limiter(InMemoryRateLimiter):
        def acquire(self, *, blocking=True):
            raise AssertionError

    decoded, plain = [], LineReader._respond
    monkeypatch.setattr(LineReader, "_respond", lambda *args: decoded.append(1) or plain(*args))
    fake.answer_with(lambda _: Fault.overloaded())
    model = fake.chat_model(max_retries=2, rate_limiter=Limiter()).bind(top_p=0.5)
    model = (model if schema is None else model.with_structured_output(schema, include_raw=True)).with_retry()
    assert run(model, number(2), path).failed == 2
    assert len(decoded) == 2


def test_config_of_a_binding_sets_parameters_of_the_model(fake, model, path):
    chat = model.configurable_fields(temperature=ConfigurableField("temperature")).bind(top_p=0.3)
    run(chat.with_config(configurable={"temperature": 0.5}), ["x"], path)
    assert fake.batches[0].requests[0].body["temperature"] == 0.5


def test_a_row_that_cannot_be_sent_has_its_error(fake, model, path):
    bad = {"messages": [{"role": "user", "content": [{"type": "nonsense"}]}]}
    assert run(model, ["one", bad], path).answered == 1
    assert read(path)[1]["error_type"] == "UnsupportedContentError"
    assert len(fake.batches[0].requests) == 1


@pytest.mark.parametrize("surface", ["vertex", "openai_compatible"])
def test_other_surfaces_have_no_batches(path, surface):
    with pytest.raises(BatchError, match=f"AI Studio only, and this model's surface is {surface}"):
        run(FakeGemini(surface=surface).chat_model(), ["one"], path)


def test_a_base_url_without_the_path_of_ai_studio_is_refused(path):
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="x", surface="ai_studio", base_url="http://127.0.0.1/v1")
    with pytest.raises(BatchError, match="has to end in `/v1beta/openai`"):
        run(model, ["one"], path)


def test_two_runs_at_one_output_do_not_mix(fake, model, path):
    path.with_name("answers.jsonl.batches").write_text("not a database, but a text of someone")
    with pytest.raises(OutputError, match="cannot be used"):
        run(model, ["one"], path)


def test_state_of_the_batches_is_open_in_one_process_only(tmp_path):
    """A run opens the state that an earlier run has left. Meanwhile, no other run can open this state."""
    path = tmp_path / "answers.jsonl.batches"
    with BatchState(path) as state:
        state.note_intent(state.add_part("files/1", []), 1.0)
    with BatchState(path), pytest.raises(OutputError, match="Another run uses"):
        BatchState(path)
    with BatchState(path) as state:
        assert len(state.read_parts()) == 1


def test_secrets_are_not_in_the_state(fake, path):
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    with pytest.raises(errors.ServerError):
        run(fake.chat_model(max_retries=0, api_key="a-very-secret-key"), ["one"], path)
    assert b"a-very-secret-key" not in path.with_name("answers.jsonl.batches").read_bytes()


def test_calls_of_other_threads_go_to_the_server_while_lines_are_decoded(fake, model, path, monkeypatch):
    found, plain = [], LineReader._respond

    def respond(self, request):
        thread = Thread(target=lambda: found.append(fake.chat_model().invoke("Elsewhere").text))
        thread.start()
        thread.join()
        return plain(self, request)

    monkeypatch.setattr(LineReader, "_respond", respond)
    run(model, ["one"], path)
    assert found == ["About Elsewhere"]


PROGRAM = """
import sys
from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.bulk import BatchApiEngine, _batch_work, run_bulk

_batch_work.SETTLE_SECONDS = 0.5
url, path = sys.argv[1:]
model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="a-key-of-ai-studio", base_url=url, max_retries=0)
rows = [f"word {at}" for at in range(300)]
engine = BatchApiEngine(path, poll_seconds=(0.01, 0.01), max_requests=120)
print(run_bulk(model, rows, path, engine=engine).answered)
"""


def test_a_killed_run_pays_each_row_once(path):
    """The run is killed twice: while it creates a batch, and while it downloads the output of the batch."""
    fake = FakeGemini(lambda request: f"About {request.prompt}")
    plain, running = fake.batches.answer, []
    kills = [CREATION, "download"]

    def respond(request, url, content):
        found = plain(request, url, content)
        place = "download" if request.path.endswith(":download") else (request.method, request.path)
        if kills and place == kills[0]:
            kills.pop(0)
            os.kill(running[-1].pid, signal.SIGKILL)
        return found

    fake.batches.answer = respond
    with fake.serve() as url:
        for _ in range(3):
            running.append(
                subprocess.Popen([sys.executable, "-c", PROGRAM, url, str(path)], stdout=subprocess.PIPE, text=True)
            )
            output, _ = running[-1].communicate()
    assert [process.returncode for process in running] == [-signal.SIGKILL] * 2 + [0]
    assert output == "300\n"
    assert [row["text"] for row in read(path)] == [f"About {prompt}" for prompt in number(300)]
    assert sorted(asked(fake)) == sorted(number(300))
    assert len(fake.batches) == 3
