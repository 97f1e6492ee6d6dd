"""Every rule of `FakeGemini` names its source, and the fake does not use the catalog."""

from __future__ import annotations

import ast
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fake_requests import body_for, send

from langchain_gemini_compat import testing
from langchain_gemini_compat.testing import FakeGemini, Violation
from langchain_gemini_compat.testing._rules.sources import CAPTURE, OUR_CONCLUSION, SOURCES, THE_FAKE

PACKAGE = Path(testing.__file__).parent
TREES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
#: Functions whose first argument is the name of a rule.
BUILDERS = {"Violation", "_not_found", "_wrong"}


def rule_names() -> set[str]:
    """Return the name of each rule in the code of the fake."""
    calls = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    first = [
        node.args[0] for node in calls if isinstance(node.func, ast.Name) and node.func.id in BUILDERS and node.args
    ]
    return {str(name.value) for name in first if isinstance(name, ast.Constant)}


def test_every_rule_has_a_source() -> None:
    """A rule without an entry in `SOURCES` is a mistake. So is an entry without a rule."""
    assert rule_names() == SOURCES.keys()


@pytest.mark.parametrize("rule", SOURCES)
def test_source_is_an_address_or_says_why_it_has_none(rule: str) -> None:
    for source in SOURCES[rule]:
        assert source in (CAPTURE, OUR_CONCLUSION, THE_FAKE) or urlsplit(source).scheme == "https"
    assert SOURCES[rule]


def test_violation_has_the_sources_of_its_rule() -> None:
    fake = FakeGemini(surface="vertex")
    send(fake, body_for("vertex", presence_penalty=1))
    assert [violation.sources for violation in fake.refusals] == [SOURCES["penalty"]]
    assert Violation("mine", "No.").sources == ()


def test_rules_do_not_import_the_catalog() -> None:
    """The rules and the catalog are written separately, so a mistake in one of them makes a test fail."""
    imported = {
        node.module or ""
        for path, tree in TREES.items()
        if path.parent.name == "_rules"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    ours = {name for name in imported if name.startswith("langchain_gemini_compat")}
    assert all(name.startswith("langchain_gemini_compat.testing.") for name in ours)
    assert ours
