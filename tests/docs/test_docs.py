"""The README and the docs: Python blocks run and print what the page says, links and `pip install` lines are right."""

import ast
import re
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import langchain_page
import pytest
from google.oauth2.credentials import Credentials
from page_blocks import OFFLINE, TABS, read_blocks, read_tabs

from langchain_gemini_compat._model import connection as _connection
from langchain_gemini_compat.cli import main
from langchain_gemini_compat.testing import FakeGemini

ROOT = Path(__file__).parents[2]
README, INDEX = ROOT / "README.md", ROOT / "docs" / "index.md"
#: The page that is written for docs.langchain.com and not for the site.
LANGCHAIN = ROOT / "docs" / "integrations" / "chat" / "gemini_compat.mdx"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "cassettes" / "README.md", LANGCHAIN]
RUNS = [(page, tab) for page in PAGES for tab in read_tabs(page.read_text(encoding="utf-8"))]
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
#: Maps an argument of `pip install` to those of its modules that the pages import. `clone` is the path of a clone of this
#: repository.
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
    "clone[cli]": {"langchain", "langgraph", "uvicorn"},
    "clone[server]": {"uvicorn"},
    "deepagents": {"deepagents"},
    "distributed": {"dask"},
    "fastapi": {"anyio", "fastapi"},
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
#: Modules such as `google.auth`. The name `google` alone does not show which distribution must be installed.
APART = {module for modules in BRINGS.values() for module in modules if "." in module}
#: Maps a function or class to a module that it needs, and that has to be installed separately.
INSIDE = {"serve": "uvicorn", "InMemoryVectorStore": "numpy"}
INSTALLED = re.compile(r"pip install ([^`\n&#]+)")
CLONE = re.compile(r"(?:\.|/path/to/the/clone)(\[\w+\])?")
with suppress(ModuleNotFoundError):
    # The module stores `sys.stderr` at its import, as a default value. So import it before pytest replaces `sys.stderr`.
    import_module("mcp.client.stdio")


def name_of(page):
    """Return the path of a page in the repository."""
    return str(page.relative_to(ROOT))


def refuse_offline(request):
    """Raise an error, because a docs page that must work offline called a service."""
    raise AssertionError(f"The offline form of a page called a service: {request.prompt}")


class Places:
    """Connects the models of a docs page to fakes, so that no model calls a real service.

    If `fake` is `None`, as for the offline tab, models connect only to fakes and servers that the page itself creates.
    For the other tabs, `fake` is the fake of the offline tab, so that each tab gets the same replies.
    """

    def __init__(self, tab):
        self.tab = tab
        self.fake = None
        self.fakes = []
        self.open = _connection.open_transport

    def open_transport(self, connection, *, credentials, **options):
        if options["http_client"] is None and not (self.fake is None and is_served(connection.endpoint.base_url)):
            fake = self.fake or FakeGemini(refuse_offline)
            fake.surface = connection.endpoint.surface
            self.fakes.append(fake)
            options |= {"http_client": fake.http_client, "http_async_client": fake.http_async_client}
        if connection.api_key is None:
            credentials = credentials or Credentials("test")
        return self.open(connection, credentials=credentials, **options)


def is_served(url):
    """Return whether the page itself may have started the server at `url`.

    Such a server is on this machine, at a port from 30000 on.
    """
    return re.match(r"http://127\.0\.0\.1:[3-6]\d{4}/", url) is not None


@pytest.fixture
def places(request, monkeypatch, tmp_path):
    """Connect the models of a page to fakes, for the tab `request.param`. The fakes must not refuse a request."""
    monkeypatch.chdir(tmp_path)
    places = Places(request.param)
    monkeypatch.setattr(_connection, "open_transport", places.open_transport)
    yield places
    assert [refusal for fake in places.fakes for refusal in fake.refusals] == []


def read_fake(page, namespace):
    """Return the fake of a page's offline tab."""
    namespace = dict(namespace)
    for language, code, tab in read_blocks(page.read_text(encoding="utf-8")):
        if tab == OFFLINE and language == "python":
            run_block(code, page, namespace)
    return namespace["fake"]


def run_block(code, page, namespace):
    """Run a block. Skip the test if the block needs deepagents and this Python is too old for deepagents."""
    try:
        exec(compile(code, str(page), "exec"), namespace)
    except ModuleNotFoundError as missing:
        if missing.name != "deepagents" or sys.version_info >= (3, 11):
            raise
        pytest.skip("All blocks ran up to deepagents, which needs Python 3.11.")


@pytest.mark.parametrize(
    ("page", "places"),
    RUNS,
    indirect=["places"],
    ids=[f"{name_of(page)}-{tab}" if tab else name_of(page) for page, tab in RUNS],
)
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.filterwarnings("ignore:Inferred .model_provider=:DeprecationWarning")
def test_python_blocks_print_the_output_on_the_page(page, places, capsys, monkeypatch):
    """Run the Python blocks of a page in one namespace. Compare their output with the `text` blocks below them.

    A page with tabs runs once for each tab. The fake of the offline tab is built in a namespace of its own, so that the
    blocks of the other tabs cannot use names of the offline tab. The README has no tabs, and gets the replies of the
    front page.
    """
    namespace = {"__name__": "docs"}
    printed = None
    if page == LANGCHAIN:
        monkeypatch.setenv("GOOGLE_API_KEY", "test-key")
        places.fake = FakeGemini(langchain_page.answer)
    elif page == README or places.tab not in (None, OFFLINE):
        places.fake = read_fake(INDEX if page == README else page, namespace)
    for language, code, tab in read_blocks(page.read_text(encoding="utf-8")):
        if tab not in (None, places.tab):
            continue
        if language == "python":
            run_block(code, page, namespace)
            printed = capsys.readouterr().out
        elif language == "text" and printed is not None:
            assert printed == code


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tabs_begin_with_the_offline_fake(page):
    """On a page with tabs, the first tab runs without a key. Python blocks are only in tabs that `TABS` lists."""
    used = [
        block.tab for block in read_blocks(page.read_text(encoding="utf-8")) if block.tab and block.language == "python"
    ]
    assert used[:1] in ([], [OFFLINE])
    assert set(used) <= set(TABS)


#: Maps each page that has some of the tabs, but not all, to the names of the missing tabs and the reason.
FEWER_TABS = {
    "docs/how-to/context-caching.md": "Own server: context caches are Google's.",
    "docs/how-to/correct-the-catalog.md": "Own server: it gets options unchanged, whatever the catalog says.",
    "docs/how-to/google-tools.md": "AI Studio, Own server: Google documents these tools of chat for Vertex AI only.",
    "docs/how-to/images.md": "AI Studio: Google documents no images in chat replies for it.",
    "docs/how-to/move-from-chatgooglegenerativeai.md": "Own server: both classes call Google.",
    "docs/how-to/move-from-chatlitellm.md": "Own server: the stored threads are of Google's models.",
    "docs/how-to/move-from-chatopenai.md": "Own server: the stored threads are of Google's models.",
    "docs/reference/embeddings.md": "Vertex AI: its compatible API has no embeddings.",
    "docs/tutorial-rag.md": "Vertex AI: its compatible API has no embeddings.",
}
#: Maps each page with Python blocks, but without tabs, to the reason why it has no tabs.
WITHOUT_TABS = {
    "README.md": "It is short, and gets the model of the front page.",
    "docs/how-to/bulk.md": "Its blocks build their own models, since they show processes and files.",
    "docs/how-to/errors.md": "Each block is a part for a program of the reader, and names the service of its error.",
    "docs/how-to/gateways.md": "It is about servers of your own.",
    "docs/how-to/rate-limits.md": "Only a fake answers with a 429 when asked to.",
    "docs/how-to/report-a-bug.md": "It records and replays an exchange with the fake.",
    "docs/how-to/testing-your-agent.md": "It is about the fake.",
    "docs/how-to/troubleshooting.md": "Its block shows a note of AI Studio.",
    "docs/how-to/vertex.md": "It is about Vertex AI.",
    "docs/integrations/chat/gemini_compat.mdx": "LangChain's pages have no tabs.",
    "docs/reference/chat-model.md": "It constructs a model of each surface.",
    "docs/reference/errors.md": "Its block compares classes.",
    "docs/reference/families.md": "Its block asks for facts about a model.",
    "docs/reference/faults.md": "It is about the fake.",
    "docs/reference/limits.md": "Only a fake fails when asked to.",
    "docs/reference/versions.md": "Its block asks for versions.",
    "docs/tutorial-testing.md": "It is about the fake.",
}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_with_code_has_a_tab_for_each_place_of_the_model(page):
    """If a page with code lacks a tab, `FEWER_TABS` or `WITHOUT_TABS` gives the reason."""
    blocks = read_blocks(page.read_text(encoding="utf-8"))
    missing = {*TABS} - {block.tab for block in blocks if block.language == "python"}
    if missing == {*TABS}:
        has_code = any(block.language == "python" for block in blocks)
        assert not has_code or name_of(page) in WITHOUT_TABS, "Add tabs, or a reason to `WITHOUT_TABS`."
    elif missing:
        named = FEWER_TABS.get(name_of(page), "").partition(":")[0]
        assert sorted(missing) == named.split(", "), "Add the tabs, or a reason to `FEWER_TABS`."


def test_tables_of_missing_tabs_name_pages():
    """`FEWER_TABS` and `WITHOUT_TABS` list only pages that exist."""
    assert FEWER_TABS.keys() | WITHOUT_TABS.keys() <= {name_of(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_have_targets(page):
    """Relative links name existing files, and anchors name existing headings."""
    for target, anchor in LINK.findall(page.read_text()):
        if "://" in target or target.startswith(("/oss/", "/langsmith/")):
            continue
        file = (page.parent / target).resolve()
        assert file.exists(), target
        if anchor:
            headings = [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()) for line in file.read_text().splitlines()]
            assert anchor[1:] in [heading.replace(" ", "-") for heading in headings]


def read_installed(text):
    """Return what a reader of the page installs with `pip install`.

    If the page does not install this package, the result also contains what the README installs.
    """
    words = [word.strip("\"'") for line in INSTALLED.findall(text) for word in line.split()]
    named = {f"clone{match[1] or ''}" if (match := CLONE.fullmatch(word)) else word for word in words}
    return named | ({"clone"} if any(word.startswith("clone") for word in named) else {"clone", "clone[cli]"})


def read_imports(code):
    """Return the modules that the code imports, and those that `INSIDE` lists for names in the code."""
    nodes = [*ast.walk(ast.parse(code))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {module for name, module in INSIDE.items() if name in used}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_installs_what_it_imports(page):
    """The `pip install` lines of the page, or the README's, install every module that the page imports."""
    text = page.read_text()
    found = set().union(*[read_imports(code) for language, code, _ in read_blocks(text) if language == "python"])
    found = {name for name in found if name.partition(".")[0] not in sys.stdlib_module_names}
    found = {
        next((part for part in APART if f"{name}.".startswith(f"{part}.")), name.partition(".")[0]) for name in found
    }
    brought = set().union(*[BRINGS.get(word, set()) for word in read_installed(text)])
    assert found - brought == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_does_not_install_this_package_from_an_index(page):
    """No page installs this package from PyPI, because it is not published yet.

    LangChain's page is an exception, because it will appear after the package is published.
    """
    if page == LANGCHAIN:
        return
    assert [line for line in INSTALLED.findall(page.read_text()) if "langchain-gemini-compat" in line] == []


#: The sections that the README and the front page share.
SHARED = ("Install", "Build an agent", "Choose a class", "Where to go")


@pytest.mark.parametrize("heading", ["langchain-gemini-compat", *SHARED])
def test_readme_and_front_page_say_the_same(heading):
    """A section that both pages have is equal in both, except for the folder in its links."""
    section = re.compile(rf"^##? {heading}\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
    readme, index = (section.search(page.read_text(encoding="utf-8")) for page in (README, INDEX))
    assert readme[1].replace("](docs/", "](") == index[1]


def test_readme_is_short():
    """The README has at most 120 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_example_of_the_readme_reads_well():
    """The README's example prints each content block on its own line, and also the thoughts. Field case D10."""
    blocks = read_blocks(README.read_text(encoding="utf-8"))
    (output,) = (code for language, code, _ in blocks if language == "text")
    lines = [line.split(maxsplit=2) for line in output.splitlines()]
    assert [line[:2] for line in lines] == [
        ["human", "text"],
        ["ai", "reasoning"],
        ["ai", "tool_call"],
        ["tool", "text"],
        ["ai", "text"],
    ]
    assert [line for *_, line in lines if re.search(r"[.!?][A-Z]", line)] == []


@pytest.mark.filterwarnings("ignore:Inferred .model_provider=:DeprecationWarning")
@pytest.mark.parametrize("name", ["gemini_compat:gemini-3.8-flash", "gemini-3.8-flash"])
def test_pages_have_the_message_of_init_chat_model(name, monkeypatch):
    """`init_chat_model` does not know this package. Its error message asks for another package.

    The docs quote this message, so that people who search for it find the solution. Field case D6.
    """
    pytest.importorskip("langchain", minversion="1.4", reason="earlier versions have other words")
    monkeypatch.setitem(sys.modules, "langchain_google_vertexai", None)
    with pytest.raises(ImportError) as caught:
        import_module("langchain.chat_models").init_chat_model(name)
    message = str(caught.value).partition(".")[0]
    how_to = ROOT / "docs" / "how-to"
    assert f"## `{message}`\n" in (how_to / "init-chat-model.md").read_text(encoding="utf-8")
    assert " ".join(message.split()[:3]) in (how_to / "troubleshooting.md").read_text(encoding="utf-8")


def test_demo_prints_the_lines_of_the_readme(capsys):
    """Every line of the README's `console` block is a line of the demo."""
    readme = (ROOT / "README.md").read_text()
    (lines,) = (code.splitlines() for language, code, _ in read_blocks(readme) if language == "console")
    assert main(["demo"]) == 0
    assert set(lines) <= set(capsys.readouterr().out.splitlines())


def test_index_lists_every_page():
    """The index names every other page of the site. LangChain's page (`.mdx`) is not on the site."""
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [page for page in PAGES if page.is_relative_to(ROOT / "docs") and page.suffix == ".md"]
    missing = [page.name for page in pages if page.name not in index]
    assert missing == ["index.md"]


def test_index_lists_no_page_twice():
    """The tables under *Where to go* on the front page link each page once."""
    lists = INDEX.read_text(encoding="utf-8").partition("## Where to go")[2]
    pages = [target for target, _ in LINK.findall(lists)]
    assert sorted(set(pages)) == sorted(pages)
