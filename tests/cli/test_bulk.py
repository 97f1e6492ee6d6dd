"""The command `bulk`: its output, its exit codes, and what a terminal shows."""

import io
import json
import os
import threading

import pytest

from langchain_gemini_compat import bulk as package
from langchain_gemini_compat.bulk import Progress
from langchain_gemini_compat.cli import bulk, main
from langchain_gemini_compat.cli._bulk_progress import ProgressLine, describe_progress
from langchain_gemini_compat.cli._terminal import Screen
from langchain_gemini_compat.testing import FakeGemini, Fault


@pytest.fixture
def fake():
    return FakeGemini(
        lambda request: Fault.context_overflow() if request.prompt == "bad" else f"About {request.prompt}"
    )


@pytest.fixture
def run(fake, capsys, tmp_path, monkeypatch):
    """Run the command on rows, and return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run_main(rows, *options):
        (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        with fake.serve() as url:
            try:
                code = main(["bulk", "in.jsonl", "out.jsonl", "--base-url", url, *options])
            except SystemExit as end:
                code = end.code
        output = capsys.readouterr()
        return code, output.out, output.err

    return run_main


def read(tmp_path):
    return [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]


def test_all_rows_answered_exits_with_0(run, tmp_path):
    code, out, err = run(["one", {"prompt": "two", "id": "b"}], "--concurrency", "2")
    assert (code, err) == (0, "")
    assert out.startswith("2 of 2 rows answered, ")
    assert out.endswith("Output: out.jsonl\n")
    assert [(row["id"], row["text"]) for row in read(tmp_path)] == [(None, "About one"), ("b", "About two")]


def test_failed_rows_exit_with_1_and_are_asked_again_on_request(run, fake, tmp_path):
    code, out, err = run(["one", "bad"])
    assert (code, out.startswith("1 of 2 rows answered, 1 failed, ")) == (1, True)
    assert err == "note: 1 ContextOverflowError. To send failed rows again, add --retry-failed.\n"
    fake.answer_with("Better")
    assert run(["one", "bad"])[0] == 1
    assert len(fake.requests) == 2
    assert run(["one", "bad"], "--retry-failed")[0] == 0
    assert [row["text"] for row in read(tmp_path)] == ["About one", "Better"]


def test_daily_quota_exits_with_1_and_says_how_to_go_on(run, fake):
    fake.answer_with(Fault.rate_limit("39043s", per="day"))
    code, out, err = run(["one", "two"], "--concurrency", "1")
    assert (code, len(fake.requests)) == (1, 1)
    assert out.startswith("0 of 2 rows answered, 2 still to send.")
    assert err.startswith("error: The run stopped because a quota is exhausted. ")
    assert err.endswith("Run the same command again to go on.\n")


def test_rows_that_a_refused_key_leaves_open_have_a_reason(run, fake):
    fake.answer_with(Fault.bad_key())
    code, out, err = run(["one", "two"])
    assert (code, out.startswith("0 of 2 rows answered, 2 still to send.")) == (1, True)
    assert err.startswith("error: 2 rows were not answered. The last error is AuthenticationError: ")
    assert err.endswith("Run the same command again to go on.\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_input_may_be_a_named_pipe(fake, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=['"one"\n'], daemon=True)
    writer.start()
    with fake.serve() as url:
        assert main(["bulk", str(tmp_path / "pipe"), str(tmp_path / "out.jsonl"), "--base-url", url]) == 0
    assert [row["text"] for row in read(tmp_path)] == ["About one"]


def test_schema_gives_objects(run, fake, tmp_path):
    (tmp_path / "schema.json").write_text(
        '{"title": "Fruit", "type": "object", "properties": {"name": {"type": "string"}}}'
    )
    fake.answer_with('{"name": "apple"}')
    assert run(["x"], "--schema", "schema.json")[0] == 0
    assert read(tmp_path)[0]["parsed"] == {"name": "apple"}


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([{"prompt": "x", "temprature": 1}], (), "line 1: `temprature` is not an option of a call. Did you mean"),
        (["x"], ("--schema", "missing.json"), "--schema missing.json cannot be read (FileNotFoundError)"),
        (["x"], ("--schema", "in.jsonl"), "--schema in.jsonl is not a JSON object"),
        (["x"], ("--dask", "local:"), "--dask: `local:` has no valid number of processes"),
        (["x"], ("--dask", "local:2", "--batch-api"), "exclude each other"),
        (["x"], ("--concurrency", "0"), "a whole number, 1 or more"),
    ],
    ids=["row", "no-schema", "schema", "dask", "two-engines", "concurrency"],
)
def test_invalid_arguments_exit_with_2_and_send_nothing(run, fake, rows, options, words):
    code, out, err = run(rows, *options)
    assert (code, out) == (2, "")
    assert words in err
    assert fake.requests == []


def test_missing_input_and_unusable_output_exit_with_2(run, tmp_path, capsys):
    (tmp_path / "out.jsonl").write_text("mine")
    assert run(["x"])[0::2] == (
        2,
        "error: `out.jsonl` exists, but its journal `out.jsonl.journal` does not. Choose another output.\n",
    )
    assert main(["bulk", "none.jsonl", "new.jsonl", "--base-url", "http://127.0.0.1:9/v1"]) == 2
    assert "The input none.jsonl cannot be read." in capsys.readouterr().err


def test_interrupt_says_how_to_go_on(run, fake, monkeypatch):
    shown = ProgressLine.show

    def interrupt(line, progress):
        shown(line, progress)
        if progress.answered:
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressLine, "show", interrupt)
    code, out, err = run(["one", "two"], "--concurrency", "1")
    assert (code, out) == (130, "")
    assert err.startswith("Interrupted. 1 of 2 rows answered, 1 still to send, ")
    assert "Run the same command again to go on." in err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress(**changes):
    values = {
        "rows": 5_000,
        "answered": 2_240,
        "failed": 10,
        "input_tokens": 1_200_000,
        "output_tokens": 90_000,
        "price": 0.451,
        "unpriced": 0,
        "rows_per_second": 12.34,
        "seconds_left": 223.0,
    }
    return Progress(**values | changes)


def test_stopped_run_with_failed_rows_names_the_option(run, fake):
    quota = Fault.rate_limit("39043s", per="day")
    fake.answer_with(lambda request: Fault.context_overflow() if request.prompt == "bad" else quota)
    code, _, err = run(["bad", "one"], "--concurrency", "1")
    assert code == 1
    assert err.startswith("error: The run stopped because a quota is exhausted. ")
    assert err.endswith(
        "note: 1 ContextOverflowError, 1 QuotaExhaustedError. To send failed rows again, add --retry-failed.\n"
    )


def test_progress_has_rate_time_tokens_and_price():
    expected = "2,250 of 5,000, 10 failed, 12.3/s, 3 min 43 s left, 1.20M tokens in, 90.0k out, about 0.45 USD"
    assert describe_progress(progress()) == expected
    assert describe_progress(progress(unpriced=1)) == expected.removesuffix(", about 0.45 USD")
    assert (
        describe_progress(
            progress(answered=0, failed=0, input_tokens=0, output_tokens=0, rows_per_second=None, seconds_left=None)
        )
        == "0 of 5,000"
    )


def test_terminal_shows_a_bar_on_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    line = ProgressLine(Screen(stream))
    line.show(progress())
    line.end()
    shown, cleared = stream.getvalue()[1:].split("\r")[:2]
    assert shown.startswith("[####------] 45% 2,250 of 5,000, 10 failed")
    assert (len(shown), cleared) == (59, " " * 59)


def test_pipe_gets_a_line_now_and_then():
    stream = io.StringIO()
    line = ProgressLine(Screen(stream))
    line.show(progress())
    assert stream.getvalue() == ""
    line._shown_at -= 31
    line.show(progress())
    line.show(progress())
    line.end()
    assert stream.getvalue().count("\n") == 1


def test_command_waits_longer_for_quotas_than_a_call(run, monkeypatch):
    models = []
    monkeypatch.setattr(bulk, "_build_engine", lambda args, errors: None)
    original = package.run_bulk
    monkeypatch.setattr(
        package, "run_bulk", lambda model, *args, **kwargs: models.append(model) or original(model, *args, **kwargs)
    )
    assert run(["x"])[0] == 0
    assert (models[0].max_retries, models[0].timeout["retry_wait"]) == (8, 600)
