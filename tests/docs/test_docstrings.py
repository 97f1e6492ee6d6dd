"""The examples in the docstrings of the models and of their methods run, and print the output that they show."""

import inspect

import pytest
from docstring_answers import PNG, answer
from docstring_figures import compare_models
from google.oauth2.credentials import Credentials
from page_blocks import read_blocks

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings
from langchain_gemini_compat._model import connection as _connection
from langchain_gemini_compat.testing import FakeGemini

#: Maps the names of files that the examples read to their content.
FILES = {"picture.png": PNG, "report.pdf": b"%PDF-1.4\n", "talk.mp3": b"ID3\x03\x00"}
#: Code that runs before the examples of methods, because the examples use its imports and variables.
START = """
from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings
from pydantic import BaseModel

def get_weather(city: str) -> str:
    "Return the weather of a city."
    return city

tools = [get_weather]
model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
"""


def find_examples():
    """Return a dict of the docstrings that contain examples. A key is a name such as `ChatGeminiCompat.close`."""
    found = {}
    for model in (ChatGeminiCompat, GeminiCompatEmbeddings):
        found[model.__name__] = model.__doc__
        for cls in model.__mro__:
            if cls.__module__.startswith("langchain_gemini_compat"):
                members = {name: member for name, member in vars(cls).items() if not name.startswith("_")}
                found |= {f"{model.__name__}.{name}": inspect.getdoc(member) for name, member in members.items()}
    return {name: inspect.cleandoc(text) for name, text in found.items() if text and "```python" in text}


EXAMPLES = find_examples()


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Connect the models of the examples to a fake of their surface."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOOGLE_API_KEY", "test-key")
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    fakes, open_transport = [], _connection.open_transport

    def open_offline(connection, *, credentials, **options):
        if options["http_client"] is None:
            fakes.append(FakeGemini(answer, surface=connection.endpoint.surface))
            options |= {"http_client": fakes[-1].http_client, "http_async_client": fakes[-1].http_async_client}
        return open_transport(connection, credentials=credentials or Credentials("test"), **options)

    monkeypatch.setattr(_connection, "open_transport", open_offline)
    yield
    assert [refusal for fake in fakes for refusal in fake.refusals] == []


@pytest.mark.filterwarnings("ignore::langchain_gemini_compat.errors.GeminiCompatWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_a_docstring_print_what_they_say(name, offline, capsys):
    """All blocks of a docstring share a namespace. A `text` block after a Python block is its output."""
    namespace = {"__name__": "examples"}
    exec(START, namespace)
    printed = None
    for language, code, _ in read_blocks(EXAMPLES[name]):
        # `read_blocks` has already removed the indent that the code has in the docstring.
        if language == "python":
            exec(compile(code, f"the docstring of {name}", "exec"), namespace)
            printed = capsys.readouterr().out
        elif language == "text":
            assert printed == code


def test_chat_model_and_its_methods_have_examples():
    methods = {"bind_tools", "with_structured_output", "preview", "configurable_fields", "endpoint_info", "close"}
    assert {f"ChatGeminiCompat.{name}" for name in methods} <= EXAMPLES.keys()


def test_code_documents_as_much_as_the_class_of_google_s_package():
    """The docstrings have at least as many words, documented parameters and examples as those of Google's package.

    Each parameter and each method has a text.
    """
    for part, (ours, theirs) in compare_models().items():
        assert ours.documented == ours.names, part
        assert ours.words >= theirs.words, part
        assert ours.documented >= theirs.documented, part
        # The text of a parameter needs no example, so examples are compared only for the class and its methods.
        assert ours.examples >= theirs.examples or "parameters" in part, part
