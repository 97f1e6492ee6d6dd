"""Tests of names: the package folder has few entries, and retired words are not used."""

import re
import subprocess
from pathlib import Path

import pytest

import langchain_gemini_compat

ROOT = Path(__file__).parents[2]
PACKAGE = Path(langchain_gemini_compat.__file__).parent
RETIRED = re.compile(r"\b(Its one rule|stand-ins?|manners|watchdog|barks?|twins?|mends?|mended)\b")
KEPT = ("CHANGELOG.md", "uv.lock", "tests/docs/test_names.py")


def test_package_folder_has_at_most_22_entries():
    """With few entries, a newcomer sees where a change belongs."""
    entries = {path.name for path in PACKAGE.iterdir()} - {"__init__.py", "__main__.py", "py.typed", "__pycache__"}
    assert len(entries) <= 22


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git lists the files")
def test_retired_words_are_not_used():
    """For each retired word, the glossary has the term that replaces it (docs/explanation/glossary.md)."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    files = [ROOT / name for name in listed if name and name not in KEPT]
    kinds = (".py", ".md", ".toml", ".yml", ".yaml", "")
    found = [
        f"{path.relative_to(ROOT)}: {word[0]}"
        for path in files
        if path.suffix in kinds and path.exists()
        for word in RETIRED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_each_field_case_has_a_row_and_a_test():
    """Docstrings and ids of tests name a case. `tests/field-cases.md` says what happened in this case."""
    rows = re.findall(r"^\| ([A-H]\d+) \|", (ROOT / "tests/field-cases.md").read_text(encoding="utf-8"), re.MULTILINE)
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    listed = re.findall(r"[Ff]ield cases? ([A-H]\d+(?:(?:,\s|\sand\s)[A-H]\d+)*)", sources)
    named = {name for names in listed for name in re.findall(r"[A-H]\d+", names)}
    named |= set(re.findall(r"id=\"([A-H]\d+): ", sources))
    assert sorted(rows) == sorted(named)


def test_layers_of_the_linter_are_at_most_nine():
    """A layer in `pyproject.toml` is one package, or several packages that do not import each other."""
    layers = re.findall(
        r"^layers = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(layers[0].splitlines()) <= 9
