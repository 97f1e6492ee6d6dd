"""Tests that tools of published MCP servers compile into the subset, and that every lost restriction is listed."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import StructuredTool
from schema_judge import Judge, find_covered, find_unexplained
from schema_samples import build_samples
from schema_subset import refuse

from langchain_gemini_compat._request.tools import format_tool
from langchain_gemini_compat._schema.functions import compile_parameters

CORPUS = Path(__file__).parents[3] / "shared" / "mcp-schemas"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the corpus of published schemas is not beside the repository"
)


def load_checker() -> Any:
    """Load the checker that comes with the corpus."""
    spec = importlib.util.spec_from_file_location("check_subset", CORPUS / "check_subset.py")
    assert spec is not None
    assert spec.loader is not None
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    return checker


@cache
def load_tools() -> list[tuple[str, Any]]:
    """Return the name and schema of each tool."""
    servers = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(CORPUS.glob("*.json"))}
    return [
        (f"{server}: {tool['name']}", tool["inputSchema"])
        for server, found in servers.items()
        for tool in found["tools"]
    ]


@cache
def compile_tools() -> list[tuple[str, Any, Any, Any]]:
    """Return the name, schema, compiled schema and losses of each tool."""
    return [(name, schema, *compile_parameters(schema)) for name, schema in load_tools()]


def measure() -> tuple[Counter[str], Counter[str], list[str]]:
    """Check samples of each compiled schema against the original schema.

    Return the totals, the number of invalid samples for each keyword, and the failures that no loss explains.
    """
    counts: Counter[str] = Counter()
    explained: Counter[str] = Counter()
    unexplained: list[str] = []
    for name, schema, compiled, losses in compile_tools():
        judge = Judge(schema, {find_covered(loss) for loss in losses})
        samples = build_samples(compiled)
        counts.update({"tools": 1, "losses": len(losses), "tools with losses": bool(losses), "samples": len(samples)})
        counts["tools with a sample"] += bool(samples)
        for sample in samples:
            failing = {str(error.validator) for error in judge.validator.iter_errors(sample)}
            if failing:
                unexplained += [f"{name}: {text}" for text in judge.find_unexplained(sample)]
                counts["explained samples"] += 1
                explained.update(failing)
    return counts, explained, unexplained


def test_every_tool_of_the_corpus_compiles_into_the_subset():
    """The checker of the corpus finds no error in the compiled schema. Compiling this schema again changes nothing."""
    checker = load_checker()
    assert len(load_tools()) > 2_000
    for name, schema in load_tools():
        before = copy.deepcopy(schema)
        compiled, _ = compile_parameters(schema)
        assert schema == before
        assert checker.check(compiled) == [], name
        assert compiled is None or refuse(compiled) == "", name
        assert compiled is None or json.dumps(compile_parameters(compiled)[0]) == json.dumps(compiled)


def test_each_difference_from_the_original_has_a_loss():
    """A validator of JSON Schema checks samples of each compiled schema against the original."""
    counts, explained, unexplained = measure()
    assert unexplained == []
    assert counts["tools with a sample"] == counts["tools"] > 2_000
    assert counts["samples"] > 10 * counts["tools"]
    # An explained sample violates the original schema because of a recorded loss. More than 90% of the samples violate
    # nothing.
    assert counts["explained samples"] < counts["samples"] / 10
    assert len(explained) > 5


@pytest.mark.parametrize("keyword", ["const", "enum", "exclusiveMinimum", "format", "if", "pattern", "uniqueItems"])
def test_a_missing_loss_is_detected(keyword):
    """If the losses of one keyword are removed, some samples violate the original schema, and no loss explains why."""
    found: list[str] = []
    for _, schema, compiled, losses in compile_tools():
        told = [loss for loss in losses if loss.keyword != keyword]
        if len(told) < len(losses):
            found += find_unexplained(schema, compiled, told)
    assert found


def test_a_tool_without_parameters_takes_no_arguments_or_has_a_loss():
    bare = {"type", "properties", "required", "additionalProperties", "title", "description", "$schema", "$defs"}
    for name, schema, compiled, losses in compile_tools():
        if compiled is None:
            more = (
                schema.get("properties") or schema.get("additionalProperties", False) is not False or set(schema) - bare
            )
            assert not more or "" in {loss.path for loss in losses}, name


def test_a_langchain_tool_compiles_like_its_schema():
    """The test uses every twentieth tool of the corpus, and all tools whose schema has a `$ref`."""
    found = load_tools()
    sample = [*found[::20], *((name, schema) for name, schema in found if "$ref" in json.dumps(schema))]
    for name, schema in sample:
        before = copy.deepcopy(schema)
        tool = StructuredTool(name="f", description="Does it.", args_schema=schema, func=print)
        function = format_tool(tool)["function"]
        bare = {key: value for key, value in schema.items() if key != "description"}
        expected, losses = compile_parameters(bare)
        assert compile_parameters(function.get("parameters", {})) == (expected, losses), name
        assert (function["name"], function["description"], schema) == ("f", "Does it.", before)


if __name__ == "__main__":
    for found in measure():
        print(found)
