"""Tests of the code that starts servers for the tests in `tests/real`.

A server starts on a free port, and no process is left at the end.
"""

import os
import sys
import time
from pathlib import Path

import httpx
import pytest
from real_software import free_port, running

PROGRAM = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
print(child.pid, file=open(sys.argv[2], "w"), flush=True)
from http.server import SimpleHTTPRequestHandler, test
test(SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie has ended, although its parent has not read its exit code.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_program_and_its_children_are_gone_after_the_block(tmp_path):
    port, note = free_port(), tmp_path / "child"
    url = f"http://127.0.0.1:{port}/"
    with running([sys.executable, "-c", PROGRAM, str(port), str(note)], ready=url) as process:
        assert httpx.get(url).status_code == 200
        child = int(note.read_text())
        assert is_alive(child)
    assert process.poll() is not None
    end = time.monotonic() + 30
    while is_alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_alive(child)


def test_program_that_ends_early_is_reported_with_its_output():
    program = [sys.executable, "-c", "print('no licence'); raise SystemExit(3)"]
    with (
        pytest.raises(pytest.fail.Exception, match=r"(?s)ended with 3.*no licence"),
        running(program, ready=free_port()),
    ):
        pass
