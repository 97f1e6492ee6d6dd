"""The program of the how-to page on bulk work, with two worker processes.

No answer is lost or doubled if a worker or the program is killed.
"""

import os
import pickle
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import dask
import pytest

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.testing import FakeGemini, Fault, Raw

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "bulk.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
(PROGRAM,) = (block for block in BLOCKS if "def ask_all" in block)
WORKERS, THREADS = 2, 8
AT_ONCE = 2 * WORKERS * THREADS
START_SECONDS = 60

# Four processes are slow on a busy machine.
pytestmark = [pytest.mark.load, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bulk():
    """Return the names that the page's program defines.

    Other processes cannot import the program, so Dask sends it by value.
    """
    namespace = {"__name__": "bulk_page"}
    exec(compile(PROGRAM, str(PAGE), "exec"), namespace)
    return namespace


@pytest.fixture(scope="module")
def cluster(bulk):
    # On a busy machine, a new worker can need more than the default 15 seconds.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "5m"}):
        cluster = bulk["LocalCluster"](n_workers=WORKERS, threads_per_worker=THREADS, dashboard_address=":0")
        with cluster, bulk["Client"](cluster) as client:
            yield client


@pytest.fixture
def client(cluster):
    """Return a Dask client of two workers. A worker that an earlier test killed has been replaced."""
    cluster.wait_for_workers(WORKERS, timeout=START_SECONDS)
    return cluster


def number_prompts(word, count):
    return [f"{word} {number}" for number in range(count)]


def answer(request):
    return f"About {request.prompt}"


def build(url, **kwargs):
    """Return a model whose key ends with the id of its process. The fake keeps the last four characters of a key."""
    connection = {"model": "gemini-3.8-flash", "surface": "ai_studio", "base_url": url}
    return ChatGeminiCompat(**{**connection, "api_key": lambda: f"test-key-{os.getpid() % 10_000:04}", **kwargs})


def asker(request):
    return request.headers["authorization"][-4:]


def mark(pid):
    return f"{pid % 10_000:04}"


def list_pids(client):
    return set(client.run(os.getpid).values())


def group_askers(fake):
    """Return for each prompt the processes that sent it, in order.

    The request of a process that died can have no body.
    """
    askers = defaultdict(list)
    for request in fake.requests:
        if request.body:
            askers[request.prompt].append(asker(request))
    return askers


def read_store(path):
    with closing(sqlite3.connect(path)) as store:
        return store.execute("SELECT prompt, text FROM answers ORDER BY rowid").fetchall()


def check_answers(path, prompts):
    rows = read_store(path)
    assert len(rows) == len(prompts)
    assert dict(rows) == {prompt: f"About {prompt}" for prompt in prompts}


def test_killed_worker_loses_and_doubles_no_answer(bulk, client, tmp_path):
    """Only the prompts of the killed worker whose answers had not arrived are sent twice."""
    prompts, path = number_prompts("word", 600), tmp_path / "answers.db"
    fake, counts, arrived = FakeGemini(answer), [], []
    before = list_pids(client)
    victim = min(before)

    def report(line):
        answered = re.fullmatch(r"(\d+) of 600 answered, 0 failed", line)
        counts.append(int(answered[1]))
        if not arrived and counts[-1] >= len(prompts) // 2:
            arrived.extend(prompt for prompt, _ in read_store(path))
            os.kill(victim, signal.SIGKILL)

    with fake.serve() as url:
        began = time.monotonic()
        # Four prompts occur twice. They are sent once.
        assert bulk["ask_all"](client, build(url), [*prompts, *prompts[:4]], path, report) == {}
        seconds = time.monotonic() - began
        askers = group_askers(fake)
        # The worker that replaced the killed one got the model too.
        client.wait_for_workers(WORKERS, timeout=START_SECONDS)
        after = list_pids(client)
        assert list(client.run(lambda dask_worker: "model" in dask_worker.plugins).values()) == [True, True]
        # The second run sends no request.
        idle = []
        assert bulk["ask_all"](client, build(url), prompts, path, idle.append) == {}
        assert idle == ["600 of 600 answered, 0 failed"]
        assert group_askers(fake) == askers
        assert bulk["ask_all"](client, build(url), number_prompts("more", 64), path, lambda line: None) == {}
        new_askers = {asker for prompt in number_prompts("more", 64) for asker in group_askers(fake)[prompt]}
    twice = {prompt: pids for prompt, pids in askers.items() if len(pids) > 1}
    unsettled = twice.keys() & set(arrived)
    print(f"{seconds:.1f} s, {len(counts)} reports, {len(twice)} asked twice, {len(unsettled)} of them had arrived")
    assert len(before) == len(after) == WORKERS
    assert victim not in after
    assert {mark(pid) for pid in before} <= {asker for pids in askers.values() for asker in pids}
    assert {mark(pid) for pid in after} == new_askers
    check_answers(path, [*prompts, *number_prompts("more", 64)])
    assert askers.keys() == set(prompts)
    assert all(len(pids) == 2 and pids[0] == mark(victim) != pids[1] for pids in twice.values())
    # An answer is not sent again once Dask has registered it, which takes a moment.
    assert unsettled <= set(arrived[-AT_ONCE:])
    assert len(twice) <= AT_ONCE
    assert counts == sorted(counts)
    assert len(counts) > 600 // AT_ONCE
    assert counts[0] == 0
    assert counts[-1] == len(prompts)
    assert fake.refusals == []


CLIENT = """
import sys
from bulk import ChatGeminiCompat, Client, LocalCluster, ask_all

if __name__ == "__main__":
    model = ChatGeminiCompat(model="gemini-3.8-flash", surface="ai_studio", base_url=sys.argv[1], api_key="test")
    prompts = [f"letter {number}" for number in range(200)]
    cluster = LocalCluster(n_workers=2, threads_per_worker=8, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        ask_all(client, model, prompts, "answers.db", lambda line: print(line, flush=True))
"""


def test_killed_program_runs_again_for_the_missing_answers_only(bulk, client, tmp_path):
    """The whole program, saved as the page says, is killed with its workers."""
    (tmp_path / "bulk.py").write_text(PROGRAM)
    (tmp_path / "client.py").write_text(CLIENT)
    prompts, path = number_prompts("letter", 200), tmp_path / "answers.db"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    fake = FakeGemini(answer)
    with fake.serve() as url:
        command = [sys.executable, "client.py", url]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment) as process:
            kept = next(count for line in process.stdout if (count := int(line.split()[0])) >= len(prompts) // 2)
            process.kill()
        arrived = {prompt for prompt, _ in read_store(path)}
        assert kept <= len(arrived) < len(prompts)
        assert bulk["ask_all"](client, build(url), prompts, path, print) == {}
    askers = group_askers(fake)
    twice = {prompt for prompt, pids in askers.items() if len(pids) > 1}
    print(f"{len(twice)} asked twice")
    check_answers(path, prompts)
    assert arrived.isdisjoint(twice)
    assert len(twice) <= AT_ONCE
    assert all(len(pids) <= 2 for pids in askers.values())


def test_exhausted_quota_ends_the_run_and_the_next_one_continues(bulk, client, tmp_path):
    """A failed prompt is returned with its error and is not stored."""
    prompts, path = number_prompts("day", 150), tmp_path / "answers.db"
    exhausted = Fault.rate_limit("39043s", per="day")
    fake = FakeGemini(lambda request: answer(request) if len(fake.requests) <= 50 else exhausted)
    with fake.serve() as url:
        failed = bulk["ask_all"](client, build(url), prompts, path, print)
        assert {type(error).__name__ for error in failed.values()} == {"QuotaExhaustedError"}
        assert len(read_store(path)) == 50
        assert len(fake.requests) == 50 + len(failed) <= 50 + AT_ONCE
        fake.answer_with(answer)
        assert bulk["ask_all"](client, build(url), prompts, path, print) == {}
        assert len(fake.requests) == len(prompts) + len(failed)
    check_answers(path, prompts)


def test_each_worker_has_one_rate_gate_for_all_its_threads(bulk, client, tmp_path):
    """For two seconds, all requests get a 429 with a wait of half a second.

    Each thread gets one 429. Then one thread sends probes for all threads.
    """
    prompts, path = number_prompts("minute", 120), tmp_path / "answers.db"
    fake, refused, closed_at = FakeGemini(), [], []

    def refuse_for_two_seconds(request):
        if len(fake.requests) <= 50:
            return answer(request)
        closed_at.append(time.monotonic())
        if closed_at[-1] > closed_at[0] + 2:
            return answer(request)
        refused.append(asker(request))
        return Fault.rate_limit("0.5s")

    fake.answer_with(refuse_for_two_seconds)
    with fake.serve() as url:
        assert bulk["ask_all"](client, build(url, max_retries=10), prompts, path, print) == {}
    print(f"{len(refused)} refusals")
    check_answers(path, prompts)
    assert set(refused) == {mark(pid) for pid in list_pids(client)}
    # The requests under way, then one for each process and half second. A race can let one more pass.
    assert len(refused) <= WORKERS * THREADS + WORKERS * 4 + 4
    assert len(fake.requests) == len(prompts) + len(refused)


def test_prompts_wait_for_workers_that_start(bulk, tmp_path):
    """The scheduler starts before its workers. No answer is lost, even if the server sends no token counts."""
    uncounted = {
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}]
    }
    fake = FakeGemini(Raw(uncounted))
    cluster = bulk["LocalCluster"](n_workers=0, threads_per_worker=2, processes=False, dashboard_address=":0")
    with fake.serve() as url, cluster, bulk["Client"](cluster) as client:
        starter = threading.Timer(1, cluster.scale, [1])
        starter.start()
        assert bulk["ask_all"](client, build(url), number_prompts("early", 8), tmp_path / "answers.db", print) == {}
        starter.join()
    assert {text for _, text in read_store(tmp_path / "answers.db")} == {"Yes."}
    assert len(fake.requests) == 8


def test_pickled_model_is_small_and_connects_at_its_first_call(bulk):
    """A connected model has the same size as a new one, and its copy has no client."""
    fake = FakeGemini(answer)
    with fake.serve() as url:
        model = build(url, api_key="test")
        fresh = pickle.dumps(model)
        model.invoke("word 0")
        sent = pickle.dumps(model)
        print(len(sent), "bytes")
        assert len(sent) <= len(fresh) + 200 < 3_000
        copy = pickle.loads(sent)
        assert copy._link.transport is None
        assert copy.invoke("word 1").text == "About word 1"
        assert bulk["key_of"](copy, "word 1") == bulk["key_of"](model, "word 1")
        assert bulk["key_of"](build(url, temperature=0.5), "word 1") != bulk["key_of"](model, "word 1")
