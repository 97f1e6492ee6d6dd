"""Workers of Celery and of `multiprocessing` use a model that their parent has used before."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from real_software import running

from langchain_gemini_compat.testing import FakeGemini, Fault

SUPPORT = Path(__file__).parent / "support"
MODES = ("sync", "async")


def answer(request):
    return Fault.rate_limit("3s") if request.prompt == "limited" else request.prompt


@pytest.fixture
def fake():
    return FakeGemini(answer)


@pytest.fixture
def environment(fake):
    with fake.serve() as url:
        yield {**os.environ, "MODEL_URL": url}


def run(environment, program, *arguments):
    """Run a program to its end. Return what it prints, as JSON."""
    command = [sys.executable, SUPPORT / program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def check_workers(reports, expected):
    """Assert that each call got its own answer, and that no two processes used the same socket.

    The first report belongs to the first text in `expected`, and so on.
    """
    assert [texts for texts, _, _ in reports] == [[text, text] for text in expected]
    assert len({process for _, process, _ in reports}) > 1
    for _, process, sockets in reports:
        others = {socket for _, other, theirs in reports if other != process for socket in theirs}
        assert not others & set(sockets)


def sockets_by_process(reports):
    """Return the sockets that each process has opened."""
    opened = {}
    for _, process, sockets in reports:
        opened.setdefault(process, set()).update(sockets)
    return opened


@pytest.mark.parametrize(
    ("method", "mode"), [("fork", "sync"), ("fork", "async"), ("spawn", "sync"), ("forkserver", "async")]
)
def test_pool_of_processes_uses_the_model_of_its_parent(method, mode, environment):
    """The process pool starts while its parent has an open stream, idle connections, and a call at the rate gate."""
    done = run(environment, "process_pool.py", method, mode)
    stream = "a stream of the parent with many words, which is open all the time"
    before, after = ["parent before"] * 2, ["parent after"] * 2
    assert done["parent"] == [*before, stream, "RateLimitError", *after]
    check_workers(done["children"], [f"child {number}" for number in range(8)])
    opened = sockets_by_process(done["children"])
    assert all(opened.values()), "a child has used a connection of its parent"
    assert not set.union(*opened.values()) & set(done["sockets"])


def test_children_of_a_busy_parent_get_their_answers(environment):
    """A child must not wait forever for a lock that a thread of its parent held at the time of the fork."""
    assert run(environment, "busy_parent.py") == [0] * 12


def test_celery_workers_use_the_model_of_their_parent(environment, tmp_path, monkeypatch):
    """Celery forks its workers and replaces each worker after four tasks."""
    for name in ("queue", "results", "control"):
        (tmp_path / name).mkdir()
    for name, value in {**environment, "CELERY_FOLDER": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(SUPPORT))
    work = import_module("celery_tasks").work

    questions = [(mode, f"{mode} {number}") for number in range(8) for mode in MODES]
    command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--concurrency", "2"]
    options = ["--loglevel", "warning", "--without-gossip", "--without-mingle"]
    with running([*command, *options], ready=lambda: True, cwd=SUPPORT):
        tasks = [work.delay(*question) for question in questions]
        reports = [task.get(timeout=200) for task in tasks]
    check_workers(reports, [text for _, text in questions])
    assert len({process for _, process, _ in reports}) >= 4
    # Check only sync calls. Each async call has a new event loop, so it opens a new connection in any case.
    opened = sockets_by_process(report for report, (mode, _) in zip(reports, questions, strict=True) if mode == "sync")
    assert all(opened.values()), "a worker has used a connection of its parent"
