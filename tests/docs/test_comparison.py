"""Checks the comparison of four classes on the front page. The classes of other packages call fakes of Google.

If a test fails, another package may have changed. In that case, update the table in `README.md` and `docs/index.md`, and
its sources on the page `why-not-chatopenai.md`.
"""

import re
from importlib import import_module
from pathlib import Path

import pytest
from native_google import NativeGoogle

from langchain_gemini_compat.testing import FakeGemini, Fault

ROOT = Path(__file__).parents[2]
TABLE = re.compile(r"^\| \[?([^|\]]+).*\|$", re.MULTILINE)


def read_rows(page, heading):
    """Return the names of the rows of the first table under `heading`.

    The name is the text of the first cell. If the cell is a link, it is the text of the link.
    """
    section = (ROOT / page).read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    return [row.strip() for row in TABLE.findall(section.partition("|---")[2].partition("\n\n")[0])]


def test_every_row_has_a_source():
    """The table on the front page and the table of its sources have the same rows."""
    rows = read_rows("docs/index.md", "Choose a class")
    assert len(rows) == 9
    assert read_rows("docs/explanation/why-not-chatopenai.md", "Sources of the comparison") == rows


def test_chat_google_generative_ai_uses_the_native_api():
    """`ChatGoogleGenerativeAI` sends the key `contents`, which only the native API accepts."""
    google = NativeGoogle("ai_studio", [{"text": "Hi."}])
    assert google.chat_model().invoke("Hi").text == "Hi."
    assert google.contents == [[{"role": "user", "parts": [{"text": "Hi"}]}]]


def test_chat_google_generative_ai_keeps_thoughts_out_of_the_text():
    """A text that Google marks with `thought` becomes a reasoning block."""
    google = NativeGoogle("ai_studio", [{"text": "Easy.", "thought": True}, {"text": "Yes."}])
    reply = google.chat_model().invoke("Is it?")
    assert reply.text == "Yes."
    assert [block["type"] for block in reply.content_blocks] == ["reasoning", "text"]


def test_chat_openai_wants_a_key(monkeypatch):
    """`ChatOpenAI` raises an error without a key, because it cannot use application default credentials."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    url = FakeGemini(surface="vertex").connection()["base_url"]
    with pytest.raises(import_module("openai").OpenAIError, match="api_key"):
        import_module("langchain_openai").ChatOpenAI(model="google/gemini-3.8-flash", base_url=url)


def test_chat_openai_does_not_wait_as_long_as_google_says(monkeypatch):
    """AI Studio says in the body of the error how long to wait.

    Here, AI Studio says 26 seconds, but `ChatOpenAI` waits for less than 10 seconds.
    """
    waits = []
    monkeypatch.setattr("openai._base_client.time.sleep", waits.append)
    fake = FakeGemini([Fault.rate_limit("26s"), "Hi."])
    url = fake.connection()["base_url"]
    model = import_module("langchain_openai").ChatOpenAI(
        model="gemini-3.8-flash", base_url=url, api_key="test-key", http_client=fake.http_client, max_retries=1
    )
    assert model.invoke("Hi").text == "Hi."
    assert len(waits) == 1
    assert waits[0] < 10
