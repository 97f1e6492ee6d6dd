"""Starts and stops the real programs of `tests/real`, which `tests/real/run.py` has installed."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

#: The environment variable with the path of the folder into which `tests/real/run.py` installs software.
VARIABLE = "REAL_SOFTWARE"
SECONDS_TO_STOP = 10


def software_folder():
    """Return the folder of the installed software, or `None`."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else None


def tool(name, program="python"):
    """Return the path of a program in the tool environment `name`, or skip the test."""
    path = _installed() / name / "bin" / program
    if not path.exists():
        pytest.skip(f"{program} of the environment {name!r} is not installed")
    return str(path)


def npm_program(name):
    """Return the path of a program of an npm package, or skip the test."""
    path = _installed() / "npm" / "node_modules" / ".bin" / name
    if not path.exists():
        pytest.skip(f"the npm program {name!r} is not installed")
    return str(path)


def debian_program(name):
    """Return the path of a program of Debian, or skip the test."""
    # Debian installs PostgreSQL's programs in a folder that is not in PATH.
    places = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    path = shutil.which(name, path=places)
    if path is None:
        pytest.skip(f"the program {name!r} is not installed")
    return path


def _installed():
    folder = software_folder()
    if folder is None:
        pytest.skip(f"real software is not installed ({VARIABLE} is not set)")
    return folder


def free_port():
    """Return a port of loopback that nothing listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def running(command, *, ready, seconds=90, env=None, cwd=None, log=None):
    """Run a program until the block ends. Yield its process when it is ready.

    Args:
        command: The program and its arguments.
        ready: How to check that the program is ready: a URL that answers, a port of loopback that accepts
            connections, or a function that returns true.
        seconds: The maximum time until the program is ready.
        env: Environment variables, beside those of this process.
        cwd: The folder to run in.
        log: The file for the output of the program. Without a file, the output is shown only if the program does not
            get ready.
    """
    with log.open("w+") if log else tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
        try:
            _wait(process, ready, time.monotonic() + seconds, output)
            yield process
        finally:
            stop(process)


def _wait(process, ready, end, log):
    while not _is_ready(ready):
        if process.poll() is not None or time.monotonic() > end:
            log.seek(0)
            state = "did not get ready" if process.poll() is None else f"ended with {process.returncode}"
            pytest.fail(f"{process.args[0]} {state}: {log.read()[-3000:]}")
        time.sleep(0.1)


def _is_ready(ready):
    if callable(ready):
        return ready()
    try:
        if isinstance(ready, int):
            socket.create_connection(("127.0.0.1", ready), timeout=5).close()
            return True
        return httpx.get(ready, timeout=5, trust_env=False).status_code < 500
    except (OSError, httpx.HTTPError):
        return False


def stop(process):
    """Stop a program and the processes that it has started, which are all in one process group."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_STOP)
            break
    # Kill the whole group again, because children of the program may still run.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
