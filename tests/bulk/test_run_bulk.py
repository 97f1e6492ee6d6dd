"""`run_bulk` with the default engine: which rows it sends, what it writes, and what the next run does."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

import pyarrow.parquet
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import HumanMessage, SystemMessage, messages_to_dict
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from langchain_gemini_compat.bulk import InvalidRowsError, OutputError, Progress, read_error, read_reply, run_bulk
from langchain_gemini_compat.bulk._database import Database
from langchain_gemini_compat.errors import (
    GeminiCompatWarning,
    InvalidRequestError,
    QuotaExhaustedError,
    RateLimiterError,
)
from langchain_gemini_compat.testing import FAULTS, Call, FakeGemini, Fault
from langchain_gemini_compat.testing._model.faults import GoogleError


def answer(request):
    return f"About {request.prompt}"


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def prompts_of(fake, after=0):
    """Return the sorted prompts of the requests. They are sorted because concurrent calls arrive in any order."""
    return sorted(request.prompt for request in fake.requests[after:])


def number(count, word="word"):
    return [f"{word} {at}" for at in range(count)]


class Fruit(BaseModel):
    name: str
    colour: str = "red"


def test_output_has_one_row_per_input_row_in_its_order(fake, model, path):
    fake.answer_with(lambda asked: Fault.context_overflow() if asked.prompt == "word 7" else f"About {asked.prompt}")
    result = run_bulk(model, number(20), path)
    rows = read(path)
    assert [row["row"] for row in rows] == list(range(1, 21))
    assert [row["text"] for row in rows] == [None if at == 7 else f"About word {at}" for at in range(20)]
    assert [row["error_type"] for row in rows if row["error_type"]] == ["ContextOverflowError"]
    assert "Shorten" in rows[7]["error_message"]
    assert rows[0]["usage"]["total_tokens"] == rows[0]["input_tokens"] + rows[0]["output_tokens"] > 0
    assert rows[0] | {"finish_reason": "stop", "model": "gemini-3.8-flash"} == rows[0]
    assert rows[0]["price"] > 0
    assert (result.rows, result.answered, result.failed, result.missing, result.stopped) == (20, 19, 1, 0, None)
    assert result.price == pytest.approx(sum(row["price"] or 0 for row in rows))
    assert result.output_tokens == sum(row["output_tokens"] or 0 for row in rows)


def test_second_run_asks_only_for_what_is_new(fake, model, path):
    """A changed row is sent again, at any position. Rows that moved keep their answers."""
    run_bulk(model, number(5), path)
    result = run_bulk(model, ["first", *number(3), "changed", "word 4"], path)
    assert prompts_of(fake, 5) == ["changed", "first"]
    assert [row["text"] for row in read(path)] == [
        f"About {prompt}" for prompt in ["first", *number(3), "changed", "word 4"]
    ]
    assert (result.rows, result.answered) == (6, 6)
    # The journal still has the answers to the original five rows, so this third run sends no request.
    run_bulk(model, number(5), path)
    assert len(fake.requests) == 7


def test_equal_rows_are_each_asked_once(fake, model, path):
    rows = ["toss"] * 3 + [{"prompt": "toss", "id": "a"}, {"prompt": "toss", "id": "b"}]
    run_bulk(model, rows, path)
    run_bulk(model, [*rows, "toss"], path)
    assert prompts_of(fake) == ["toss"] * 6
    assert [row["id"] for row in read(path)] == [None, None, None, "a", "b", None]


def test_other_options_and_models_are_other_requests(fake, model, path):
    rows = [{"prompt": "x", "temperature": 0.5, "max_output_tokens": 9_000}, {"prompt": "x", "stop_sequences": ["y"]}]
    run_bulk(model, rows, path, concurrency=1)
    assert [fake.requests[0].body[key] for key in ("temperature", "max_tokens")] == [0.5, 9_000]
    assert fake.requests[1].body["stop"] == ["y"]
    run_bulk(model.bind(top_p=0.5), rows, path)
    run_bulk(model.model_copy(update={"model": "gemini-3.5-flash-lite"}), rows, path)
    assert [request.body.get("top_p") for request in fake.requests] == [None, None, 0.5, 0.5, None, None]


def test_parameter_that_the_server_refuses_does_not_change_the_keys(path):
    """A row keeps its key in the journal, even after its requests leave out a parameter that the server refused."""
    unknown = GoogleError(
        400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "user": Cannot find field.'
    )

    def rule(request):
        return Fault("user", error=unknown) if "user" in request.body else answer(request)

    fake = FakeGemini(rule, surface="openai_compatible")
    model = fake.chat_model(model_kwargs={"user": "u"})
    with pytest.warns(GeminiCompatWarning, match="`user`"):
        assert run_bulk(model, number(3), path, concurrency=1).answered == 3
    assert ["user" in request.body for request in fake.requests] == [True, False, False, False]
    assert run_bulk(model, number(3), path).answered == 3
    assert len(fake.requests) == 4


def test_config_of_a_binding_chooses_the_model(fake, model, path):
    chat = model.configurable_fields(model_name=ConfigurableField("model")).bind(top_p=0.3)
    names = ["gemini-2.5-flash", "gemini-2.5-pro"]
    for name in [*names, *names]:
        run_bulk(chat.with_config(configurable={"model": name}), ["x"], path)
    assert [request.body["model"] for request in fake.requests] == names


def test_messages_may_be_dicts_of_openai_or_of_langchain(fake, model, path):
    history = [SystemMessage("Be short."), HumanMessage("Hi")]
    plain = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    run_bulk(model, [{"messages": each} for each in (plain, messages_to_dict(history), history)], path)
    assert [request.body["messages"] for request in fake.requests] == [plain] * 3


def test_file_of_rows_may_have_blank_lines_and_a_byte_order_mark(fake, model, path, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('\ufeff{"prompt": "Grüße"}\n\n"a plain string"\n', "utf-8")
    run_bulk(model, source, path)
    assert prompts_of(fake) == ["Grüße", "a plain string"]
    assert "Grüße" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "x", "temprature": 1}, "`temprature` is not an option of a call. Did you mean `temperature`?"),
        ({"prompt": "x", "colour": 1}, "`colour` is not an option of a call. Put other keys"),
        ({"prompt": "x", "api_key": "k"}, "`api_key` is not an option of a call"),
        ({"prompt": "x", "messages": []}, "either `prompt` or `messages`"),
        ({"id": 3}, "either `prompt` or `messages`"),
        ({"prompt": 3}, "`prompt` has to be a string"),
        ({"messages": {"role": "user"}}, "`messages` has to be a list"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "wizard"),
        ({"messages": [3]}, "Unsupported message type"),
        ({"prompt": "x", "id": 1.5}, "`id` has to be a string or an integer"),
        ({"prompt": "x", "id": 2**70}, "`id` is too large for an integer of 64 bits"),
        ({"prompt": "x", "stop": 5}, "`stop` has to be a string or a list of strings"),
        ({"prompt": "x", "stop_sequences": ["a", 5]}, "`stop_sequences` has to be"),
        ({"prompt": "x", "model": 5}, "Check its options"),
        ({"prompt": "x", "extra_body": 5}, "Check its options"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
        ({"messages": [{"data": {}}]}, "Check its options and messages"),
        ({"prompt": "x", "id": "same"}, "Another row has the same `id`"),
        ({"prompt": "x", "thinking_level": "high", "thinking_budget": 7}, "thinking_level"),
    ],
    ids=lambda value: "" if isinstance(value, str) else json.dumps(value),
)
def test_invalid_row_is_named_before_anything_is_sent(fake, model, path, row, words):
    rows = [{"prompt": "fine", "id": "same"}, row, "also fine"]
    with pytest.raises(InvalidRowsError) as caught:
        run_bulk(model, rows, path)
    assert str(caught.value).startswith("The input has invalid rows. Nothing was sent. Correct them:\nrow 2: ")
    assert words in str(caught.value)
    assert fake.requests == []
    assert not path.exists()


def test_invalid_input_leaves_the_rows_of_the_last_run(fake, model, path):
    run_bulk(model, number(2), path)
    written = path.read_text()
    with pytest.raises(InvalidRowsError) as caught:
        run_bulk(model, [{"no": 1}] * 9, path)
    assert str(caught.value).count("\n") == 5
    assert path.read_text() == written
    run_bulk(model, number(2), path)
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{'prompt': 1}", "line 2 is not JSON"),
        (b"[1]", "line 2 is not an object"),
        (b'{"prompt": "\xe9"}', "line 2 is not UTF-8"),
        (b"[" * 100_000, "line 2 is not JSON"),
        (b'{"prompt": "x", "temperature": NaN}', r"line 2 is not JSON \(JSON has no NaN\)"),
    ],
    ids=["quotes", "list", "Latin-1", "deep", "NaN"],
)
def test_line_that_is_no_object_is_named(model, path, tmp_path, line, words):
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"prompt": "x"}\n' + line + b"\n")
    with pytest.raises(InvalidRowsError, match=words):
        run_bulk(model, source, path)


def test_content_that_the_model_cannot_send_is_the_error_of_its_row(fake, model, path):
    block = {"type": "video", "url": "https://example.invalid/a.mp4"}
    rows = [{"messages": []}, {"messages": [{"role": "user", "content": [block]}]}, "fine"]
    result = run_bulk(model, rows, path)
    assert [row["error_type"] for row in read(path)] == ["InvalidHistoryError", "UnsupportedContentError", None]
    assert (result.answered, result.failed, len(fake.requests)) == (1, 2, 1)


def test_failed_rows_are_asked_again_only_on_request(fake, model, path):
    fake.answer_with(lambda request: Fault.overloaded() if request.prompt.endswith("1") else answer(request))
    assert run_bulk(model, number(12), path).failed == 2
    fake.answer_with(answer)
    assert run_bulk(model, number(12), path).failed == 2
    assert len(fake.requests) == 12
    assert {row["error_type"] for row in read(path)} == {None, "ServerError"}
    result = run_bulk(model, number(12), path, retry_failed=True)
    assert prompts_of(fake, 12) == ["word 1", "word 11"]
    assert (result.answered, result.failed) == (12, 0)
    assert {row["error_type"] for row in read(path)} == {None}


def test_row_that_fails_again_has_its_newest_error(fake, model, path):
    fake.answer_with(Fault.overloaded())
    run_bulk(model, ["x"], path)
    fake.answer_with(Fault.empty_reply())
    result = run_bulk(model, ["x"], path, retry_failed=True)
    assert [row["error_type"] for row in read(path)] == ["EmptyReplyError"]
    # An empty reply costs money, so its tokens are counted.
    assert (result.failed, result.input_tokens) == (1, 5051)
    assert read(path)[0]["input_tokens"] == 5051


def test_daily_quota_stops_the_run_and_the_next_one_goes_on(fake, model, path):
    exhausted = Fault.rate_limit("39043s", per="day")
    fake.answer_with(lambda request: answer(request) if len(fake.requests) <= 10 else exhausted)
    result = run_bulk(model, number(60), path, concurrency=4)
    assert (result.answered, result.failed, result.missing) == (10, 0, 50)
    assert result.stopped.startswith("The run stopped because a quota is exhausted. ")
    # More than 11 requests are possible, because running calls are not cancelled when the quota is exhausted.
    assert len(fake.requests) <= 18
    errors = [row["error_type"] for row in read(path)]
    assert errors[:11] == [None] * 10 + ["QuotaExhaustedError"]
    assert errors[-1] == "NotSent"
    assert len(errors) == 60
    fake.answer_with(answer)
    before = len(fake.requests)
    result = run_bulk(model, number(60), path)
    assert (result.answered, result.stopped) == (60, None)
    assert len(fake.requests) == before + 50


@pytest.mark.parametrize(
    ("fault", "failed"), [("bad_key", 0), ("model_not_found", 0), ("permission_denied", 0), ("overloaded", 0)]
)
def test_run_stops_if_all_calls_fail_for_a_general_reason(fake, model, path, fault, failed):
    """The rows did not cause these errors, so the next run sends the rows again."""
    fake.answer_with(FAULTS[fault]())
    result = run_bulk(model, number(60), path, concurrency=1)
    assert result.stopped.startswith("The run stopped after 50 errors in a row. The last is ")
    assert (result.answered, result.failed, len(fake.requests)) == (0, failed, 50)
    fake.answer_with(answer)
    assert run_bulk(model, number(60), path).answered == 60 - failed


def test_outage_leaves_its_rows_open_and_earlier_failures_failed(fake, model, path):
    fake.answer_with(
        lambda request: (
            answer(request)
            if request.prompt == "word 1"
            else Fault.overloaded()
            if request.prompt == "word 0"
            else Fault.dropped_connection()
        )
    )
    result = run_bulk(model, number(80), path, concurrency=1)
    assert (result.answered, result.failed, result.missing, result.errors["ServerError"]) == (1, 1, 78, 1)
    fake.answer_with(answer)
    assert run_bulk(model, number(80), path).answered == 79


@pytest.mark.parametrize(
    "failure",
    [
        RateLimiterError("Redis cannot be reached."),
        InvalidRequestError("The server redirects (302)."),
        type("NewQuotaError", (QuotaExhaustedError,), {})("The week is over (429)."),
    ],
    ids=["rate limiter", "redirect", "subclass"],
)
def test_error_of_the_account_stops_the_run_and_leaves_the_rows_open(model, path, failure):
    class Failing:
        def run(self, model, rows, concurrency):
            for row in rows:
                yield [(row, read_error(failure))]

    result = run_bulk(model, number(80), path, engine=Failing())
    assert result.stopped
    assert (result.failed, result.missing) == (0, 80)
    assert run_bulk(model, number(80), path).answered == 80


def test_stopped_run_that_retries_counts_the_failed_rows(fake, model, path):
    fake.answer_with(Fault.empty_reply())
    first = run_bulk(model, number(5), path, concurrency=1)
    fake.answer_with(Fault.rate_limit("39043s", per="day"))
    second = run_bulk(model, number(5), path, concurrency=1, retry_failed=True)
    assert (second.answered, second.failed, second.missing) == (0, 4, 1)
    assert second.stopped
    assert second.input_tokens == first.input_tokens > 0
    fake.answer_with(answer)
    third = run_bulk(model, number(5), path, retry_failed=True)
    paid = sum(row["input_tokens"] for row in read(path))
    assert third.input_tokens == paid + first.input_tokens
    assert run_bulk(model, number(5), path).input_tokens == third.input_tokens


def test_answer_from_a_cache_costs_nothing(path):
    fake = FakeGemini(answer)
    result = run_bulk(fake.chat_model(cache=InMemoryCache()), ["x"] * 3, path, concurrency=1)
    paid, *cached = read(path)
    assert len(fake.requests) == 1
    assert [row["text"] for row in cached] == ["About x"] * 2
    assert [(row["price"], row["usage"]) for row in cached] == [(0, None)] * 2
    assert (result.input_tokens, result.unpriced) == (paid["input_tokens"], 0)
    assert result.price == paid["price"] > 0


def test_run_goes_on_if_the_errors_are_those_of_the_rows(fake, model, path):
    fake.answer_with(Fault.blocked())
    result = run_bulk(model, number(60), path, concurrency=8)
    assert (result.failed, result.stopped) == (60, None)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_gives_an_answer_or_a_typed_error(fake, model, path, name):
    fake.answer_with(FAULTS[name]())
    run_bulk(model, ["x"], path)
    (row,) = read(path)
    assert (row["error_type"] is None) == (name in {"length", "slow"})
    assert row["text"] if row["error_type"] is None else row["error_message"]


def test_schema_gives_objects_or_a_typed_error(fake, model, path):
    replies = {"good": '{"name": "apple"}', "bad": "no fruit", "dropped": Fault.overloaded()}
    fake.answer_with(lambda request: replies[request.prompt])
    run_bulk(model, list(replies), path, schema=Fruit)
    good, bad, dropped = read(path)
    assert fake.requests[0].body["response_format"]["json_schema"]["name"] == "Fruit"
    assert (good["parsed"], good["error_type"]) == ({"name": "apple", "colour": "red"}, None)
    assert (bad["parsed"], bad["text"], bad["error_type"]) == (None, "no fruit", "OutputParserException")
    assert bad["output_tokens"] > 0
    assert dropped["error_type"] == "ServerError"
    json_schema = {"title": "Fruit", "type": "object", "properties": {"name": {"type": "string"}}}
    run_bulk(model, ["good"], path, schema=json_schema)
    assert read(path)[0]["parsed"] == {"name": "apple"}
    assert len(fake.requests) == 4


def test_tool_calls_are_in_the_output(fake, model, path):
    fake.answer_with(Call("add", '{"a": 1}'))
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    run_bulk(model, [{"prompt": "x", "tools": [tool]}], path)
    ((call,),) = [row["tool_calls"] for row in read(path)]
    assert (call["name"], call["args"]) == ("add", {"a": 1})


def test_sqlite_output_is_a_view(fake, model, tmp_path):
    fake.answer_with(lambda request: Fault.internal() if request.prompt == "word 1" else answer(request))
    run_bulk(model, [{"prompt": prompt, "id": at} for at, prompt in enumerate(number(3))], tmp_path / "out.sqlite")
    run_bulk(model, [{"prompt": prompt, "id": at} for at, prompt in enumerate(number(3))], tmp_path / "out.sqlite")
    assert len(fake.requests) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out.sqlite"]
    with closing(sqlite3.connect(tmp_path / "out.sqlite")) as database:
        rows = database.execute("SELECT row, id, text, error_type, usage ->> 'total_tokens' FROM answers").fetchall()
    assert [row[:4] for row in rows] == [
        (1, 0, "About word 0", None),
        (2, 1, None, "ServerError"),
        (3, 2, "About word 2", None),
    ]
    assert rows[0][4] > 0


def test_parquet_output_has_types(fake, model, tmp_path):
    rows = [{"prompt": "a", "id": 4}, {"prompt": "b", "id": 2}]
    run_bulk(model, rows, tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table.column("id").to_pylist() == [4, 2]
    assert table.column("text").to_pylist() == ["About a", "About b"]
    types = {name: str(table.schema.field(name).type) for name in ("row", "price", "usage", "error_type")}
    assert types == {"row": "int64", "price": "double", "usage": "string", "error_type": "string"}
    run_bulk(model, [*rows, {"prompt": "c", "id": "x"}], tmp_path / "out.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").column("id").to_pylist() == ["4", "2", "x"]


def test_text_that_utf_8_cannot_hold_is_kept_as_far_as_possible(model, tmp_path):
    """Half a surrogate pair in one answer does not end the run."""

    class Broken:
        def run(self, model, rows, concurrency):
            for row in rows:
                reply = model.invoke(row.question)
                yield [(row, read_reply(reply.model_copy(update={"content": "half \ud83d"})))]

    for name in ("out.jsonl", "out.sqlite"):
        assert run_bulk(model, ["x"], tmp_path / name, engine=Broken()).answered == 1
    assert read(tmp_path / "out.jsonl")[0]["text"] == "half ?"


def test_second_run_at_the_same_output_is_refused(fake, model, path):
    refused = []

    def rule(request):
        if not refused:
            with pytest.raises(OutputError) as caught:
                run_bulk(model, ["y"], path)
            refused.append(str(caught.value))
        return answer(request)

    fake.answer_with(rule)
    assert run_bulk(model, number(3), path).answered == 3
    assert refused == [f"Another run writes `{path}.journal`. Wait until it has ended, or choose another output."]
    assert len(fake.requests) == 3


@pytest.mark.parametrize("name", ["out.jsonl", "out.sqlite"])
def test_file_of_another_program_is_not_replaced(fake, model, tmp_path, name):
    (tmp_path / name).write_text("my notes, which are longer than the header of a database" * 20)
    with pytest.raises(OutputError, match="Choose another"):
        run_bulk(model, ["x"], tmp_path / name)
    assert (tmp_path / name).read_text().startswith("my notes")
    assert fake.requests == []


def test_database_of_another_program_is_not_used(model, tmp_path):
    own = tmp_path / "own.db"
    with closing(sqlite3.connect(own)) as database:
        database.execute("CREATE TABLE bulk_rows (mine TEXT)")
    before = own.read_bytes()
    with pytest.raises(OutputError, match="was not created by `run_bulk`"):
        run_bulk(model, ["x"], own)
    assert own.read_bytes() == before
    assert [*tmp_path.iterdir()] == [own]


@pytest.mark.parametrize("rows", ["missing.jsonl", [{"no": 1}]], ids=["missing input", "invalid row"])
@pytest.mark.parametrize("name", ["out.jsonl", "out.sqlite"])
def test_input_that_cannot_be_used_leaves_no_files(model, tmp_path, monkeypatch, name, rows):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InvalidRowsError, FileNotFoundError)):
        run_bulk(model, rows, name)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [("out.csv", "Use .jsonl, .sqlite or .parquet"), ("missing/out.jsonl", "Choose a file in an existing folder")],
)
def test_output_that_cannot_be_written_is_refused(model, tmp_path, name, words):
    with pytest.raises(OutputError, match=words):
        run_bulk(model, ["x"], tmp_path / name)


def test_calls_in_flight_are_bounded_and_rows_are_read_as_needed(fake, path):
    """The run reads a row only when the row can be sent. So it does not hold the whole input in memory."""
    seen = []

    class Watching:
        def run(self, model, rows, concurrency):
            for row in rows:
                seen.append(row.number)
                yield [(row, read_reply(model.invoke(row.question)))]
                if row.number == 3:
                    return

    result = run_bulk(fake.chat_model(), (f"word {at}" for at in range(1_000)), path, engine=Watching())
    assert seen == [1, 2, 3]
    assert (result.answered, result.missing) == (3, 997)


async def test_most_calls_in_flight_is_the_concurrency(path):
    flying, most = set(), []

    class Slow:
        def preview(self, messages, **kwargs):
            return {"messages": messages}, []

        async def ainvoke(self, question):
            flying.add(question)
            most.append(len(flying))
            await asyncio.sleep(0.001)
            flying.discard(question)
            return FakeGemini("x").chat_model().invoke("x")

    assert run_bulk(Slow(), number(30), path, concurrency=5).answered == 30
    assert max(most) == 5


async def test_function_works_inside_an_event_loop(fake, model, path):
    """Notebooks run cells on an event loop."""
    assert run_bulk(model, number(20), path).answered == 20


def test_interrupt_keeps_the_answers_and_the_next_run_goes_on(fake, model, path):
    def interrupt(progress):
        if progress.answered >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_bulk(model, number(50), path, concurrency=4, report=interrupt)
    kept = [row["text"] for row in read(path) if row["error_type"] is None]
    assert 10 <= len(kept) <= 14
    assert [row["error_type"] for row in read(path)].count("NotSent") == 50 - len(kept)
    assert run_bulk(model, number(50), path).answered == 50
    assert len(fake.requests) <= 50 + 4


def test_interrupt_at_the_begin_of_a_transaction_is_raised_and_keeps_the_answers(fake, model, path, monkeypatch):
    """Ctrl-C can come at any time, even between the begin of the transaction and its `with` block."""
    execute, begun = Database.execute, []

    def interrupt(database, statement, values=()):
        cursor = execute(database, statement, values)
        if statement.startswith("BEGIN") and fake.requests and not begun:
            begun.append(statement)
            raise KeyboardInterrupt
        return cursor

    monkeypatch.setattr(Database, "execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_bulk(model, number(20), path, concurrency=4)
    assert [row["error_type"] for row in read(path)] == ["NotSent"] * 20
    assert run_bulk(model, number(20), path).answered == 20


@pytest.fixture
def database(tmp_path):
    opened = Database(tmp_path / "file", lambda path, err: f"{path}: {err}")
    yield opened
    opened.close()


def list_tables(database):
    return [name for (name,) in database.execute("SELECT name FROM sqlite_master")]


def test_transaction_that_an_interrupt_left_open_is_not_committed(database):
    """Ctrl-C can come between the begin of the transaction and the first statement in its `with` block."""
    database.transaction().__enter__()
    database.execute("CREATE TABLE lost (number)")
    with database.transaction():
        database.execute("CREATE TABLE kept (number)")
    assert list_tables(database) == ["kept"]


def test_error_in_a_transaction_commits_nothing(database):
    with suppress(ZeroDivisionError), database.transaction():
        database.execute("CREATE TABLE lost (number)")
        raise ZeroDivisionError
    assert list_tables(database) == []
    database.execute("CREATE TABLE kept (number)")
    with database.transaction():
        pass
    assert list_tables(database) == ["kept"]


def test_full_disk_is_an_error_with_advice_and_loses_no_recorded_answer(path):
    resource = pytest.importorskip("resource", reason="Windows has no limit of file sizes")
    fake, reports = FakeGemini(lambda request: f"{request.prompt} {'x' * 20_000}"), []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Limit the size of files to simulate a full disk. Python ignores the signal SIGXFSZ, so a write beyond this size
    # raises an error.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot be written .* Check the free space"):
            run_bulk(fake.chat_model(), number(100), path, report=reports.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sent = len(fake.requests)
    assert 10 < reports[-1].answered < 100
    assert run_bulk(fake.chat_model(), number(100), path).answered == 100
    assert len(fake.requests) == sent + 100 - reports[-1].answered


def test_rows_that_stopped_a_run_come_last_in_the_next(fake, model, path):
    """Here, 60 of 100 rows always fail. If the next run sent them first, it would stop before the other 40 rows."""
    bad = set(number(60))
    fake.answer_with(lambda request: Fault.overloaded() if request.prompt in bad else answer(request))
    assert run_bulk(model, number(100), path, concurrency=1).answered == 0
    assert run_bulk(model, number(100), path, concurrency=1).answered == 40
    assert [row["row"] for row in read(path)] == list(range(1, 101))


def test_row_that_fails_in_a_run_with_retry_is_sent_once(fake, model, path):
    fake.answer_with(Fault.empty_reply())
    run_bulk(model, number(5), path)
    before = len(fake.requests)
    run_bulk(model, number(10), path, retry_failed=True)
    assert prompts_of(fake, before) == sorted(number(10))


def test_rows_without_an_answer_because_of_the_account_are_the_reason_of_the_end(fake, model, path):
    """If rows have no answer because of a problem of the account, such as a wrong key, `stopped` has the reason.

    This also applies if too few rows are affected to stop the run early.
    """
    fake.answer_with(Fault.bad_key())
    result = run_bulk(model, number(3), path)
    assert result.stopped.startswith("3 rows were not answered. The last error is AuthenticationError: ")
    assert (result.failed, result.missing, result.errors) == (0, 3, {"AuthenticationError": 3})
    fake.answer_with(answer)
    assert run_bulk(model, number(3), path).stopped is None
    fake.answer_with(Fault.bad_key())
    assert run_bulk(model, [*number(3), "new"], path).stopped.startswith("1 row was not answered. ")


def test_number_that_json_does_not_have_is_null_in_the_output(fake, model, path):
    fake.answer_with('{"name": NaN, "sizes": [Infinity, 1]}')
    schema = {"title": "Thing", "type": "object", "properties": {"name": {"type": "number"}}}
    run_bulk(model, ["x"], path, schema=schema)
    assert "NaN" not in json.dumps(read(path)[0]["parsed"])


def test_single_dict_is_refused(fake, model, path):
    """A dict is iterable, so its keys would be sent as prompts."""
    with pytest.raises(TypeError, match=r"Pass a list of rows"):
        run_bulk(model, {"prompt": "x", "temperature": 0}, path)
    assert fake.requests == []


def test_report_gets_the_progress(model, path):
    reports = []
    run_bulk(model, number(10), path, concurrency=2, report=reports.append)
    assert all(isinstance(report, Progress) for report in reports)
    assert [reports[0].answered, reports[0].seconds_left] == [0, None]
    assert [reports[-1].answered, reports[-1].seconds_left] == [10, 0]
    assert reports[-1].rows_per_second > 0
    assert reports[-1].input_tokens > 0
    run_bulk(model, number(10), path, report=reports.append)
    assert (reports[-1].answered, reports[-1].rows_per_second) == (10, None)


def test_concurrency_below_one_is_refused(model, path):
    with pytest.raises(ValueError, match="`concurrency`"):
        run_bulk(model, ["x"], path, concurrency=0)


def test_importing_the_package_does_not_load_bulk():
    code = (
        "import sys, langchain_gemini_compat as p; p.ChatGeminiCompat; "
        "print([name for name in sys.modules if name in ('langchain_gemini_compat.bulk', 'sqlite3')]); "
        "import langchain_gemini_compat.bulk; print('distributed' in sys.modules, 'pyarrow' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["[]", "False False"]
