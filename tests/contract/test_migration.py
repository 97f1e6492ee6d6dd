"""Programs of other chat models, moved by changing the import and the name of the class.

A page of `tests/contract/migration` has a program for each class, with the arguments that users of the class write. The
program prints the same output before and after the change. For `ChatLiteLLM`, the prefix of the model's name is removed
as well.
"""

import json
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
from google.oauth2.credentials import Credentials
from migration import CLASSES, NEEDED, PAGES, move, read_program, run

from langchain_gemini_compat._model import connection as _connection
from langchain_gemini_compat.errors import GeminiCompatWarning
from langchain_gemini_compat.testing import FakeGemini

SUPPORT = Path(__file__).parents[1] / "support"


def programs_of(classes):
    """Return pytest's parameters: one for each pair of page and class."""
    return [pytest.param(page, name, id=f"{page.stem}-{name}") for page in PAGES for name in classes]


@pytest.fixture
def program(page, name):
    """Return the program of the page for the class."""
    if page.stem in NEEDED:
        pytest.importorskip(NEEDED[page.stem])
    return read_program(page, name)


@pytest.fixture
def fake(name, program, monkeypatch):
    """Connect the models of the program to a strict fake of the surface that the program uses."""
    fake = FakeGemini(program.read_replies(), surface=CLASSES[name][1])
    real = _connection.open_transport

    def open_transport(connection, *, credentials, **options):
        assert connection.endpoint.surface == fake.surface
        options |= {"http_client": fake.http_client, "http_async_client": fake.http_async_client}
        return real(connection, credentials=credentials or Credentials("test"), **options)

    monkeypatch.setattr(_connection, "open_transport", open_transport)
    return fake


@pytest.mark.parametrize(("page", "name"), programs_of(CLASSES))
def test_moved_program_prints_the_same(page, name, program, fake, capsys):
    """The fake applies Google's rules and refuses no request. The only warnings are those that the page lists."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", GeminiCompatWarning)
        run(move(program.code))
    assert capsys.readouterr().out == program.output
    assert fake.refusals == []
    assert "".join(f"{warning.message}\n" for warning in caught) == program.warnings
    replies = program.read_replies()
    if isinstance(replies, list):
        assert sum(request.path.endswith("/completions") for request in fake.requests) == len(replies)


@pytest.fixture(scope="module")
def outputs():
    """Return the output of each program, run with its own class: by class, then by page."""
    command = [sys.executable, SUPPORT / "original_programs.py"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize(("page", "name"), programs_of(["ChatOpenAI", "ChatGoogleGenerativeAI", "ChatLiteLLM"]))
def test_program_prints_the_same_with_its_own_class(page, name, program, outputs):
    """The original class prints the output that the page states, which shows that the program is realistic."""
    if not find_spec(CLASSES[name][0]):
        pytest.skip(f"{CLASSES[name][0]} is optional, since its import is slow")
    assert outputs[name][page.stem] == program.output


class FirstCallError(Exception):
    """Raised instead of the first request of a program."""


def stop_program(*args, **kwargs):
    """Raise `FirstCallError`. The test replaces each method that sends a request with this function."""
    raise FirstCallError


@pytest.mark.parametrize(("page", "name"), programs_of(["ChatVertexAI"]))
@pytest.mark.filterwarnings("ignore")
def test_program_of_vertexai_runs_to_its_first_call(page, name, program, monkeypatch):
    """`ChatVertexAI` accepts the arguments of the program. No request is sent.

    If its package is not installed, the test is skipped, because the package is large and uses gRPC.
    """
    cls = pytest.importorskip("langchain_google_vertexai").ChatVertexAI
    monkeypatch.setattr("google.auth.default", lambda *args, **kwargs: (Credentials("test"), "my-project"))
    for method in ("_generate", "_agenerate", "_stream", "_astream"):
        monkeypatch.setattr(cls, method, stop_program)
    with pytest.raises(FirstCallError):
        run(program.code)


def test_move_changes_only_import_and_name():
    """A name that this package does not have, such as `HarmCategory`, is still imported from the other package."""
    code = "from langchain_google_genai import ChatGoogleGenerativeAI, HarmCategory\nllm = ChatGoogleGenerativeAI()\n"
    assert move(code) == (
        "from langchain_google_genai import HarmCategory\n"
        "from langchain_gemini_compat import ChatGeminiCompat\n"
        "llm = ChatGeminiCompat()\n"
    )


def test_move_removes_the_route_of_litellm():
    """LiteLLM's prefix `gemini/` is removed from the model's name, because Google does not know this prefix."""
    code = 'from langchain_litellm import ChatLiteLLM\nllm = ChatLiteLLM(model="gemini/gemini-3.8-flash")\n'
    assert move(code) == (
        'from langchain_gemini_compat import ChatGeminiCompat\nllm = ChatGeminiCompat(model="gemini-3.8-flash")\n'
    )
