"""The command where only this package and its runtime dependencies are installed. Field case D11."""

import json
import os
import subprocess
import sys

import pytest
from distributions import link_bare_installation

from langchain_gemini_compat.testing import FakeGemini


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run `python -m langchain_gemini_compat` without extras, and return the finished process."""
    folder = link_bare_installation(tmp_path_factory.mktemp("site"))
    home = str(tmp_path_factory.mktemp("home"))
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "HOME": home, "CLOUDSDK_CONFIG": home,
        "NO_GCE_CHECK": "true", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip

    def run_module(*arguments, code=("-m", "langchain_gemini_compat"), stdin=""):
        command = [sys.executable, "-S", "-W", "error", *code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, input=stdin, timeout=120)

    return run_module


def test_installation_lacks_the_extras(run):
    """Otherwise these tests would prove nothing."""
    code = "import importlib.util as u; print([u.find_spec(n) for n in ('langchain', 'rich', 'uvicorn', 'aiohttp')])"
    assert run(code=("-c", code)).stdout == "[None, None, None, None]\n"


def test_doctor_needs_no_extra(run):
    with FakeGemini("ok").serve() as url:
        done = run("doctor", "--call", "--base-url", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("No problems found.\n")
    assert "langchain-core" in done.stdout
    assert "uvicorn" not in done.stdout


def test_doctor_without_setup_prints_steps_as_json(run):
    done = run("doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert report["steps"][0].startswith(("# install gcloud", "export GOOGLE_API_KEY="))


def test_chat_needs_no_extra(run):
    with FakeGemini("Hello!").serve() as url:
        done = run("chat", "--base-url", url, "-p", "Hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello!\n", "")


@pytest.mark.parametrize(("command", "needs"), [("demo", "langchain and uvicorn"), ("fake", "uvicorn")])
def test_other_commands_name_the_missing_packages(run, command, needs):
    done = run(command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: `{command}` needs {needs}: run `pip install ")
