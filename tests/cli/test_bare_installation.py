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
    """Run Python without extras, and return the finished process."""
    folder = link_bare_installation(tmp_path_factory.mktemp("site"))
    home = str(tmp_path_factory.mktemp("home"))
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "HOME": home, "CLOUDSDK_CONFIG": home,
        "NO_GCE_CHECK": "true", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip

    def run_python(*arguments):
        command = [sys.executable, "-S", "-W", "error", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)

    return run_python


def test_installation_lacks_the_extras(run):
    """If the extras were installed, the other tests of this file would prove nothing."""
    code = "import importlib.util as u; print([u.find_spec(n) for n in ('langchain', 'rich', 'uvicorn', 'aiohttp')])"
    assert run("-c", code).stdout == "[None, None, None, None]\n"


def test_doctor_and_chat_need_no_extra_and_demo_names_its_packages(run):
    """One process runs all commands, because the imports of a process take seconds."""
    code = (
        "import sys; from langchain_gemini_compat.cli import main; url = sys.argv[1]\n"
        "print([main(['doctor', '--call', '--base-url', url]), main(['chat', '-p', 'Hi', '--base-url', url]),"
        " main(['demo']), main(['fake'])])"
    )
    with FakeGemini("Hello!").serve() as url:
        done = run("-c", code, url)
    assert done.stdout.endswith("No problems found.\nHello!\n[0, 0, 2, 2]\n")
    assert "langchain-core" in done.stdout
    assert "uvicorn" not in done.stdout
    assert done.stderr == (
        "error: `demo` needs langchain and uvicorn: run `pip install langchain uvicorn`.\n"
        "error: `fake` needs uvicorn: run `pip install uvicorn`.\n"
    )


def test_module_runs_the_command(run):
    """`python -m langchain_gemini_compat` works without the folder of scripts on the PATH, unlike the command."""
    done = run("-m", "langchain_gemini_compat", "doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["ok"] is False
