"""The README and the docs: Python blocks run against the fake endpoint, links and `pip install` lines are right."""

import ast
import re
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from google.oauth2.credentials import Credentials
from standard_rule import answer

from langchain_gemini_compat import _connection
from langchain_gemini_compat.cli import main
from langchain_gemini_compat.testing import FakeGemini

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "cassettes" / "README.md"]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
#: For each word of a `pip install` line, the modules that it installs and that pages import. `clone` is this package.
BRINGS = {
    "clone": {
        "langchain_gemini_compat",
        "langchain_core",
        "langsmith",
        "openai",
        "google.auth",
        "google.oauth2",
        "pydantic",
    },
    "clone[cli]": {"langchain", "langgraph", "rich", "uvicorn"},
    "clone[server]": {"uvicorn"},
    "deepagents": {"deepagents"},
    "distributed": {"dask"},
    "fastapi": {"fastapi"},
    "langchain": {"langchain", "langgraph"},
    "langchain-mcp-adapters": {"langchain_mcp_adapters", "mcp"},
    "langchain-text-splitters": {"langchain_text_splitters"},
    "langgraph": {"langgraph"},
    "langgraph-checkpoint-sqlite": {"langgraph.checkpoint.sqlite"},
    "numpy": {"numpy"},
    "openinference-instrumentation-langchain": {"openinference.instrumentation.langchain"},
    "opentelemetry-instrumentation-langchain": {"opentelemetry.instrumentation.langchain"},
    "opentelemetry-sdk": {"opentelemetry.sdk"},
    "pytest": {"pytest"},
}
#: Modules inside a package that belong to another distribution than the package itself.
APART = {module for modules in BRINGS.values() for module in modules if "." in module}
#: Names whose use imports a module of another distribution.
INSIDE = {"serve": "uvicorn", "InMemoryVectorStore": "numpy"}
INSTALLED = re.compile(r"pip install ([^`\n&#]+)")
CLONE = re.compile(r"(?:\.|/path/to/the/clone)(\[\w+\])?")
with suppress(ModuleNotFoundError):
    # The module keeps the `sys.stderr` of its import as a default. Import it before pytest captures a test's output.
    import_module("mcp.client.stdio")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Connect every model to a strict fake of its surface. The environment has a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOOGLE_API_KEY", "test-key")
    real, fakes = _connection.open_transport, []

    def open_transport(connection, *, credentials, **options):
        fake = FakeGemini(answer, surface=connection.endpoint.surface)
        fakes.append(fake)
        if options["http_client"] is None:
            options |= {"http_client": fake.http_client, "http_async_client": fake.http_async_client}
        return real(connection, credentials=credentials or Credentials("test"), **options)

    monkeypatch.setattr(_connection, "open_transport", open_transport)
    yield
    assert [refusal for fake in fakes for refusal in fake.refusals] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.filterwarnings("ignore:Inferred .model_provider=:DeprecationWarning")
def test_python_blocks_print_the_output_on_the_page(page, offline, capsys):
    """All blocks of a page share a namespace. A `text` block after a Python block is its output."""
    namespace = {"__name__": "docs"}
    printed = None
    for language, code in FENCE.findall(page.read_text()):
        if language == "python":
            try:
                exec(compile(code, str(page), "exec"), namespace)
            except ModuleNotFoundError as missing:
                if missing.name != "deepagents" or sys.version_info >= (3, 11):
                    raise
                pytest.skip("All blocks ran up to deepagents, which needs Python 3.11.")
            printed = capsys.readouterr().out
        elif language == "text" and printed is not None:
            assert printed == code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_have_targets(page):
    """Relative links name existing files, and anchors name existing headings."""
    for target, anchor in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        file = (page.parent / target).resolve()
        assert file.exists(), target
        if anchor:
            headings = [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()) for line in file.read_text().splitlines()]
            assert anchor[1:] in [heading.replace(" ", "-") for heading in headings]


def read_installed(text):
    """Return the words of the page's `pip install` lines, or of the README's if the page does not install the clone."""
    words = [word.strip("\"'") for line in INSTALLED.findall(text) for word in line.split()]
    named = {f"clone{match[1] or ''}" if (match := CLONE.fullmatch(word)) else word for word in words}
    return named | ({"clone"} if any(word.startswith("clone") for word in named) else {"clone", "clone[cli]"})


def read_imports(code):
    """Return the modules that a block imports, directly or by using a name of `INSIDE`."""
    nodes = [*ast.walk(ast.parse(code))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {module for name, module in INSIDE.items() if name in used}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_installs_what_it_imports(page):
    """The `pip install` lines of the page, or the README's, install every module that the page imports."""
    text = page.read_text()
    found = set().union(*[read_imports(code) for language, code in FENCE.findall(text) if language == "python"])
    found = {name for name in found if name.partition(".")[0] not in sys.stdlib_module_names}
    found = {
        next((part for part in APART if f"{name}.".startswith(f"{part}.")), name.partition(".")[0]) for name in found
    }
    brought = set().union(*[BRINGS.get(word, set()) for word in read_installed(text)])
    assert found - brought == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_does_not_install_this_package_from_an_index(page):
    """The package is not published."""
    assert [line for line in INSTALLED.findall(page.read_text()) if "langchain-gemini-compat" in line] == []


def test_readme_is_short():
    """The README has at most 120 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_demo_prints_the_lines_of_the_readme(capsys):
    """Every line of the README's `console` block is a line of the demo."""
    readme = (ROOT / "README.md").read_text()
    (lines,) = (code.splitlines() for language, code in FENCE.findall(readme) if language == "console")
    assert main(["demo"]) == 0
    assert set(lines) <= set(capsys.readouterr().out.splitlines())


def test_index_lists_every_page():
    """The index names every other page."""
    index = (ROOT / "docs" / "index.md").read_text()
    missing = [page.name for page in PAGES if page.is_relative_to(ROOT / "docs") and page.name not in index]
    assert missing == ["index.md"]
