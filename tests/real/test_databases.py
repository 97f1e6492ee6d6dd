"""Tests that signatures survive in PostgreSQL and in Redis.

PostgreSQL keeps the state of an agent whose process is killed. Redis caches the replies of a model.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from agents import SCRIPT
from real_software import debian_program, free_port, running

from langchain_gemini_compat.testing import FakeGemini

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: run `uv run python tests/real/run.py`")
PROGRAMS = Path(__file__).parent / "support"
ANSWER = SCRIPT[-1].text
#: The types of the messages: a question, two tool calls, each with its result, and the answer.
TYPES = "human ai tool ai tool tool ai"


def as_another_user():
    """Return the beginning of a command that runs as another user, because PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []


@pytest.fixture(scope="module")
def postgres():
    """The address of a new PostgreSQL server."""
    # This is not a folder of pytest, because the user that runs the server could not read such a folder.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
        options = ["-D", str(folder / "data")]
        create = [debian_program("initdb"), *options, "-U", "tests", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run([*as_another_user(), *create], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        port = free_port()
        address = f"postgresql://tests@127.0.0.1:{port}/postgres"
        server = [debian_program("postgres"), *options, "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
        with running([*as_another_user(), *server], ready=lambda: accepts(address), cwd=folder):
            yield address
    finally:
        shutil.rmtree(folder)


def accepts(address):
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def database(postgres):
    """The address of an empty database."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS agents WITH (FORCE)")
        connection.execute("CREATE DATABASE agents")
    return postgres.removesuffix("postgres") + "agents"


@pytest.fixture
def redis(tmp_path):
    """The address of an empty Redis server, without modules."""
    port = free_port()
    command = [debian_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running(command, ready=port, cwd=tmp_path):
        yield f"redis://127.0.0.1:{port}/0"


def run(program, *arguments):
    """Run a program to its end. Return the lines that it prints."""
    done = subprocess.run([sys.executable, PROGRAMS / program, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def kill_in_tool(*arguments):
    """Run an agent until its endless tool is called, and kill it with `SIGKILL`."""
    command = [sys.executable, PROGRAMS / "killed_agent.py", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        process.kill()
    assert first == "called\n"


@pytest.mark.parametrize(("mode", "surface"), [("sync", "ai_studio"), ("async", "vertex")])
def test_agent_killed_twice_goes_on_in_new_processes(mode, surface, database):
    """The first kill is between a call and its result, the second between the results of two parallel calls."""
    fake = FakeGemini(list(SCRIPT), surface=surface)
    with fake.serve() as url:
        place = mode, database, surface, url
        kill_in_tool(*place, "sunny in Paris")
        kill_in_tool(*place, "noon in Rome")
        assert run("killed_agent.py", *place, "") == [TYPES, ANSWER]
    assert len(fake.requests) == len(SCRIPT), "a reply of the model was lost and asked for again"
    assert fake.refusals == []
    assert fake.stand_ins == 0, "a signature was lost on the way"


@pytest.mark.parametrize(("kind", "surface"), [("model", "ai_studio"), ("async model", "vertex"), ("node", "vertex")])
def test_cached_call_goes_on_with_its_signature(kind, surface, redis):
    """One process calls the model, and the reply with the tool call is cached in Redis.

    Another process gets the reply from Redis, runs the tool and asks the model for the next step.
    """
    fake = FakeGemini(list(SCRIPT), surface=surface)
    with fake.serve() as url:
        assert run("cached_agent.py", kind, "ask", redis, surface, url)[0] == "human ai"
        assert len(fake.requests) == 1
        assert run("cached_agent.py", kind, "go on", redis, surface, url) == [TYPES, ANSWER]
    assert len(fake.requests) == len(SCRIPT), "the cached reply was asked for again"
    assert fake.refusals == []
    assert fake.stand_ins == 0, "a signature was lost on the way"
