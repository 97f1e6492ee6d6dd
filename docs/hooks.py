"""Hooks of the docs site: the changelog, links for edits, a simulation, and `llms.txt` for language models."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from types import ModuleType

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
#: A paragraph of prose: the lines from one that begins with a letter up to an empty line.
PROSE = re.compile(r"^(?=[A-Z])[^\n]+(?:\n[^\n]+)*", re.MULTILINE)
FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
#: A search for a topic finds the page that explains it before the page with its docstrings.
API_PAGES, API_BOOST = "reference/api", 0.5
SIMULATION_PAGE, PLOT = "how-to/rate-limits.md", "images/shared-quota.svg"
#: The navigation of the build, kept between two events.
_found: list[Navigation] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give every page a link to its source if `repo_url` is set."""
    if config.repo_url:
        config.edit_uri = "edit/main/docs/"
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the changelog of the repository as a page, and the plot of the simulation in place of the committed one."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=text))
    old = files.get_file_from_path(PLOT)
    if old is not None:
        files.remove(old)
    files.append(File.generated(config, PLOT, content=_simulate_quota()[1]))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the tables of the simulation into their page, and rank API pages lower in the search."""
    del config, files
    if page.file.src_uri.startswith(API_PAGES):
        page.meta["search"] = {"boost": API_BOOST}
    if page.file.src_uri != SIMULATION_PAGE:
        return markdown
    return str(_load_report().insert_tables(markdown, _simulate_quota()[0]))


@lru_cache(maxsize=1)
def _simulate_quota() -> tuple[str, str]:
    """Run the simulation of a shared quota. Return its tables in Markdown and its plot as SVG."""
    tables, plot = _load_report().build_report()
    return tables, plot


def _load_report() -> ModuleType:
    folder = str(ROOT / "tests" / "cost" / "simulation")
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module("quota_report")


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Keep the navigation for `llms.txt`."""
    del config, files
    _found[:] = [nav]
    return nav


def on_post_build(config: MkDocsConfig) -> None:
    """Write `llms.txt`, a list of all pages with their first sentence, in the form of https://llmstxt.org."""
    (nav,) = _found
    site = Path(config.site_dir)
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    section = None
    for page in nav.pages:
        heading = _section_of(page)
        if heading != section:
            section = heading
            lines += ["", f"## {section}", ""]
        lines.append(f"- [{page.title}]({config.site_url or '/'}{page.url}): {_lead_of(page)}")
    (site / "llms.txt").write_text("\n".join(lines).replace("\n\n\n", "\n\n") + "\n", encoding="utf-8")


def _section_of(page: Page) -> str:
    """Return the title of the top section that a page is in."""
    return str(page.ancestors[-1].title) if page.ancestors else "Start"


def _lead_of(page: Page) -> str:
    """Return the page's description, or the first sentence of its prose without links."""
    if "description" in page.meta:
        return str(page.meta["description"])
    lead = PROSE.search(FENCE.sub("", page.markdown or ""))
    text = " ".join(lead[0].split()) if lead else str(page.title)
    return LINK.sub(r"\1", text).partition(". ")[0].rstrip(".:") + "."
