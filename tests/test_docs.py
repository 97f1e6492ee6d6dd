"""Every Python block of the README and the docs runs, page by page, against the fake endpoint; links lead somewhere."""

import re
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from google.oauth2.credentials import Credentials
from standard_rule import answer

from langchain_gemini_compat import _transport
from langchain_gemini_compat.testing import FakeGemini

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "cassettes" / "README.md"]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
with suppress(ModuleNotFoundError):
    # A server's stderr is by default what stands there at this import: it must not be the capture of one test.
    import_module("mcp.client.stdio")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Every model talks to a strict fake of its surface; there is a key and a project in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOOGLE_API_KEY", "test-key")
    real, fakes = _transport.open_transport, []

    def open_transport(connection, *, credentials, **options):
        fake = FakeGemini(answer, surface=connection.endpoint.surface)
        fakes.append(fake)
        if options["http_client"] is None:
            options |= {"http_client": fake.http_client, "http_async_client": fake.http_async_client}
        return real(connection, credentials=credentials or Credentials("test"), **options)

    monkeypatch.setattr(_transport, "open_transport", open_transport)
    yield
    assert [refusal for fake in fakes for refusal in fake.refusals] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_python_blocks_run_and_print_what_the_page_says(page, offline, capsys):
    """One namespace for a page; a `text` block after a Python block is its output."""
    namespace = {"__name__": "docs"}
    printed = None
    for language, code in FENCE.findall(page.read_text()):
        if language == "python":
            try:
                exec(compile(code, str(page), "exec"), namespace)
            except ModuleNotFoundError as missing:
                if missing.name != "deepagents" or sys.version_info >= (3, 11):
                    raise
                pytest.skip("All ran but deepagents, which needs Python 3.11")
            printed = capsys.readouterr().out
        elif language == "text" and printed is not None:
            assert printed == code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Relative links name files that exist, and anchors name headings."""
    for target, anchor in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        file = (page.parent / target).resolve()
        assert file.exists(), target
        if anchor:
            headings = [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()) for line in file.read_text().splitlines()]
            assert anchor[1:] in [heading.replace(" ", "-") for heading in headings]


def test_readme_is_short():
    """At most 120 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_every_page_is_in_the_index():
    """Nothing is hidden."""
    index = (ROOT / "docs" / "index.md").read_text()
    missing = [page.name for page in PAGES if page.is_relative_to(ROOT / "docs") and page.name not in index]
    assert missing == ["index.md"]
