"""`DaskEngine` with two worker processes: no row is lost or doubled if a worker is killed."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager

import dask
import pytest
from distributed import Client, LocalCluster

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.bulk import DaskEngine, _dask_client, run_bulk
from langchain_gemini_compat.testing import FakeGemini, Fault, Reply

# The time limit is 300 seconds, because worker processes start slowly on a busy machine.
pytestmark = [pytest.mark.load, pytest.mark.timeout(300)]
CONCURRENCY = 8


@pytest.fixture(scope="module")
def client():
    # On a busy machine, a new worker can need more than the default 15 seconds.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "5m"}):
        cluster = LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=":0")
        with cluster, Client(cluster) as client:
            yield client


def build(url, **kwargs):
    return ChatGeminiCompat(
        **{"model": "gemini-3.8-flash", "surface": "ai_studio", "base_url": url, "api_key": "k"} | kwargs
    )


def answer(request):
    return Fault.context_overflow() if request.prompt == "word 7" else f"About {request.prompt}"


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_killed_worker_loses_and_doubles_no_row(client, tmp_path):
    """Only rows in flight on the killed worker are sent twice."""
    fake, path, killed = FakeGemini(answer), tmp_path / "answers.jsonl", []

    def kill_once(progress):
        if not killed and progress.answered >= 100:
            killed.append(min(client.run(os.getpid).values()))
            os.kill(killed[0], signal.SIGKILL)

    prompts = [f"word {number}" for number in range(200)]
    with fake.serve() as url:
        engine = DaskEngine(client)
        result = run_bulk(build(url), prompts, path, concurrency=CONCURRENCY, engine=engine, report=kill_once)
        asked = Counter(request.prompt for request in fake.requests if request.body)
        run_bulk(build(url), prompts, path, engine=engine)
    assert killed
    assert (result.answered, result.failed, result.errors) == (199, 1, {"ContextOverflowError": 1})
    assert [row["text"] for row in read(path)] == [
        None if number == 7 else f"About word {number}" for number in range(200)
    ]
    assert asked.keys() == set(prompts)
    twice = [prompt for prompt, count in asked.items() if count > 1]
    assert len(twice) <= CONCURRENCY
    # The second run has sent nothing: each prompt was sent as often as before.
    assert Counter(request.prompt for request in fake.requests if request.body) == asked


def test_runs_on_a_cluster_have_models_of_their_own(client, tmp_path):
    """Two runs send the same row with different models. Each run gets the answer of its own model."""
    fake = FakeGemini(lambda request: request.body["model"])
    with fake.serve() as url:
        for name in ("gemini-3.8-flash", "gemini-3.5-flash-lite"):
            run_bulk(build(url, model=name), ["x"], tmp_path / f"{name}.jsonl", engine=DaskEngine(client))
    assert read(tmp_path / "gemini-3.8-flash.jsonl")[0]["text"] == "gemini-3.8-flash"
    assert read(tmp_path / "gemini-3.5-flash-lite.jsonl")[0]["text"] == "gemini-3.5-flash-lite"
    plugins = client.run(lambda dask_worker: [name for name in dask_worker.plugins if name.startswith("bulk")])
    assert [name for names in plugins.values() for name in names] == []


def test_daily_quota_stops_the_run(client, tmp_path):
    exhausted = Fault.rate_limit("39043s", per="day")
    fake = FakeGemini(lambda request: answer(request) if len(fake.requests) <= 10 else exhausted)
    with fake.serve() as url:
        prompts = [f"day {number}" for number in range(100)]
        result = run_bulk(build(url), prompts, tmp_path / "a.jsonl", concurrency=CONCURRENCY, engine=DaskEngine(client))
    assert result.answered == 10
    assert result.stopped.startswith("The run stopped because a quota is exhausted. ")
    assert len(fake.requests) <= 10 + 2 * CONCURRENCY


@pytest.mark.parametrize("cluster", ["local:", "local:0", "local:two"])
def test_number_of_processes_is_checked(cluster):
    with pytest.raises(ValueError, match="has no valid number of processes"):
        DaskEngine(cluster)


def test_pickled_model_is_small_and_connects_at_its_first_call():
    """The pickle of a connected model is about as large as that of a new model, and contains no HTTP client."""
    fake = FakeGemini(answer)
    with fake.serve() as url:
        model = build(url)
        fresh = pickle.dumps(model)
        model.invoke("word 0")
        sent = pickle.dumps(model)
        assert len(sent) <= len(fresh) + 200 < 3_000
        copy = pickle.loads(sent)
        assert copy._link.transport is None
        assert copy.invoke("word 1").text == "About word 1"


@pytest.mark.skipif(os.name != "posix", reason="only POSIX sends a signal to a group of processes")
def test_interrupt_in_a_terminal_ends_the_command_as_elsewhere(tmp_path):
    """A terminal sends Ctrl-C not only to the command, but also to its workers."""
    fake = FakeGemini(lambda request: Fault.slow(between=0.2, reply=Reply(answer(request))))
    (tmp_path / "in.jsonl").write_text("".join(f'"word {number}"\n' for number in range(400)), "utf-8")
    command = [sys.executable, "-m", "langchain_gemini_compat", "bulk", "in.jsonl", "out.jsonl", "--dask", "local:1"]
    with (
        fake.serve() as url,
        subprocess.Popen(
            [*command, "--base-url", url],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        while len(fake.requests) < 40 and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Run the same command again to go on." in errors
    assert sum(row["error_type"] is None for row in read(tmp_path / "out.jsonl")) > 0


def test_cluster_without_workers_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(_dask_client, "_WORKER_SECONDS", 1)
    fake = FakeGemini("x")
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        pytest.raises(TimeoutError, match="has had no worker for 1 s, so no row was sent"),
    ):
        run_bulk(fake.chat_model(), ["x"], tmp_path / "answers.jsonl", engine=DaskEngine(client))
    assert fake.requests == []


@contextmanager
def cluster_of_processes(folder):
    """Start a scheduler and a worker with Dask's own commands, in another folder. Yield the scheduler's address."""
    file, name = folder / "scheduler.json", [sys.executable, "-m", "dask"]
    options = ["--scheduler-file", str(file), "--no-dashboard"]
    with ExitStack() as stack:
        for command in (["scheduler", "--host", "127.0.0.1", "--port", "0"], ["worker", "--nthreads", "4"]):
            process = stack.enter_context(
                subprocess.Popen([*name, *command, *options], cwd=folder, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
        while not file.exists():
            time.sleep(0.05)
        yield json.loads(file.read_text("utf-8"))["address"]


def test_command_sends_rows_from_a_cluster_and_leaves_it_running(tmp_path):
    """The second run shows that the first run did not stop the cluster."""
    fake, other = FakeGemini(answer), tmp_path / "cluster"
    other.mkdir()
    (tmp_path / "in.jsonl").write_text("".join(f'"word {number}"\n' for number in range(20)), "utf-8")
    command = [sys.executable, "-m", "langchain_gemini_compat", "bulk", "in.jsonl"]
    with fake.serve() as url, cluster_of_processes(other) as address:
        for name in ("first.jsonl", "second.jsonl"):
            subprocess.run([*command, name, "--dask", address, "--base-url", url], cwd=tmp_path, check=False)
    for name in ("first.jsonl", "second.jsonl"):
        rows = read(tmp_path / name)
        assert [row["text"] for row in rows] == [None if at == 7 else f"About word {at}" for at in range(20)]
        assert rows[7]["error_type"] == "ContextOverflowError"
    assert len(fake.requests) == 40


def test_scheduler_that_does_not_answer_is_an_error(tmp_path):
    fake = FakeGemini("x")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(OSError, match="Timed out trying to connect to tcp://127"),
    ):
        run_bulk(fake.chat_model(), ["x"], tmp_path / "answers.jsonl", engine=DaskEngine("tcp://127.0.0.1:9"))
    assert fake.requests == []
