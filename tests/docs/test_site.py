"""The built site: its search finds the words that people type, and `llms.txt` lists every page.

The tests need the dependency group `docs`. `DOCS_SITE` names the folder of a site that has been built already. Without
it, the site is built here, which takes 15 seconds:

    uv run --group docs pytest tests/docs/test_site.py
"""

import importlib
import os
import re
import subprocess
import sys
import zlib
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INVENTORIES = ROOT / "docs" / "inventories"
#: Maps a search text to the page that must be the first result.
FIRST = {
    "tool calling": "how-to/tool-calling/",
    "streaming": "how-to/streaming/",
    "rate limit": "how-to/rate-limits/",
    "cache": "how-to/context-caching/",
    "init_chat_model": "how-to/init-chat-model/",
    "Initializing ChatVertexAI requires": "how-to/init-chat-model/",
    "Google Search": "how-to/google-tools/",
    "image": "how-to/images/",
    "429": "how-to/rate-limits/",
    "thought_signature": "explanation/thought-signatures/",
    "timeout": "how-to/network/",
    "proxy": "how-to/network/",
    "token counting": "how-to/tokens-and-cost/",
    "LiteLLM": "how-to/gateways/",
}
needs_mkdocs = pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is in the dependency group `docs`")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of the built site."""
    if "DOCS_SITE" in os.environ:
        return Path(os.environ["DOCS_SITE"])
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    return folder


@pytest.fixture(scope="module")
def search(site):
    """Return the search of the site."""
    return importlib.import_module("site_search").SiteSearch(site)


@needs_mkdocs
@pytest.mark.parametrize("words", FIRST)
def test_search_finds_the_right_page_first(words, search):
    assert search.find(words)[:1] == [FIRST[words]]


@needs_mkdocs
def test_llms_txt_lists_every_page_once(site, search):
    """Each line of a page has its title, its address and a sentence."""
    lines = (site / "llms.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# langchain-gemini-compat"
    listed = re.findall(r"^- \[[^\]]+\]\(/([^)]*)\): .+\.$", "\n".join(lines), re.MULTILINE)
    assert sorted(listed) == sorted(search.pages)


@needs_mkdocs
def test_api_pages_link_to_python_and_langchain(site):
    page = (site / "reference" / "api-chat-model" / "index.html").read_text(encoding="utf-8")
    assert "https://docs.python.org/3/library/stdtypes.html#dict" in page
    assert "https://reference.langchain.com/python/langchain-core/messages/ai/AIMessage" in page


@needs_mkdocs
def test_pages_load_nothing_from_elsewhere(site):
    """Scripts, styles, fonts and images are part of the site.

    There is one exception: on a page with a diagram, the theme's script loads Mermaid from another host.
    """
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|link rel=\"(?:stylesheet|preconnect)\")[^>]*?(?:src|href)=\"(https?:[^\"]+)",
            page.read_text(encoding="utf-8"),
        )
        assert loaded == [], page


@pytest.fixture(scope="module")
def inventories():
    """Return the module that writes the inventories."""
    spec = spec_from_file_location("write_inventories", INVENTORIES / "write.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["python", "langchain"])
def test_inventory_is_up_to_date(name, inventories):
    """`python docs/inventories/write.py` writes both inventories."""
    places = {"python": inventories.PYTHON, "langchain": inventories.LANGCHAIN}[name]
    written = (INVENTORIES / f"{name}.inv").read_bytes().split(b"using zlib.\n")[1]
    fresh = inventories.build_inventory(name, places).split(b"using zlib.\n")[1]
    assert zlib.decompress(written) == zlib.decompress(fresh)


def test_inventory_of_langchain_names_the_defining_modules(inventories):
    """`DEFINED` maps the public name of an object to the module that defines this object."""
    for name, module in inventories.DEFINED.items():
        package, _, attribute = name.rpartition(".")
        value = getattr(importlib.import_module(package), attribute)
        assert value is getattr(importlib.import_module(module), attribute)
