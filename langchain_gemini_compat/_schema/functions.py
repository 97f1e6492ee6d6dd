"""Compiles JSON schemas of tools and answers to the subset that Gemini accepts.

A rewrite with the same meaning is not reported. A weaker rewrite is returned as a `Loss`, and described in the schema's
`description` if that helps the model. The subset is that of Google's function declarations, which follow OpenAPI 3.0:
https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._schema.compiler import Compiler
from langchain_gemini_compat._schema.counts import find_most_items
from langchain_gemini_compat._schema.node import NOT_SENT, Loss, Source, as_text
from langchain_gemini_compat._schema.references import Reader
from langchain_gemini_compat._schema.unions import merge_object_union

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat._wire.json_types import JsonObject

__all__ = ["Loss", "compile_parameters", "compile_response_schema", "find_most_items"]

#: Limits for one attempt: how often a recursive definition is expanded, how deep places nest, and how many sources are
#: read or places built. If the result is too large, the next row is tried. Expanding a definition twice helps the
#: model, but is not worth a huge prompt.
_BOUNDS = ((2, 32, 1_000), (1, 32, 10_000), (1, 12, 10_000), (1, 6, 10_000), (1, 4, 10_000))
#: Maximum size of a compiled schema, in bytes.
_MAX_BYTES = 100_000


def compile_parameters(schema: JsonObject, most_items: int | None = None) -> tuple[JsonObject | None, list[Loss]]:
    """Return the `parameters` of a function declaration, and the restrictions of `schema` that they lose.

    Array bounds above `most_items`, or too high for one schema, go into the description and not into the schema.
    The parameters are `None` if the function has no arguments, since Gemini refuses empty `properties`.
    Alternatives at the top are merged into one object. `schema` is not changed.
    """
    sources = [Source({"type": "object"}, ""), Source(schema, "", ("",))]
    compiled, losses = _compile(schema, sources, keep_additional=False, most_items=most_items)
    return compiled if compiled.get("properties") else None, losses


def compile_response_schema(schema: JsonObject) -> tuple[JsonObject, list[Loss]]:
    """Return the schema of a `response_format`, and the restrictions of `schema` that it loses.

    Unlike parameters, it may have any type at the top and empty objects, and it keeps `additionalProperties`.
    `schema` is not changed.
    """
    return _compile(schema, [Source(schema, "", ("",))], keep_additional=True)


def _compile(
    root: JsonObject, sources: list[Source], *, keep_additional: bool, most_items: int | None = None
) -> tuple[JsonObject, list[Loss]]:
    compiled, losses = _compile_bounded(root, sources, keep_additional=keep_additional, most_items=most_items)
    own = find_most_items([compiled])
    if own is None:
        return compiled, losses
    return _compile_bounded(root, sources, keep_additional=keep_additional, most_items=own)


def _compile_bounded(
    root: JsonObject, sources: list[Source], *, keep_additional: bool, most_items: int | None
) -> tuple[JsonObject, list[Loss]]:
    compiled: JsonObject = {}
    losses: list[Loss] = []
    for max_nesting, max_depth, budget in _BOUNDS:
        losses = []
        compiler = Compiler(Reader(root, max_nesting, budget, losses), max_depth, keep_additional, most_items)
        compiled = compiler.compile("", sources, 1)
        if not keep_additional:
            compiled = merge_object_union(compiled, compiler.top_unions, losses)
        losses = _drop_reference_targets(losses, compiler.reader.targets)
        losses += _list_unread(compiler.reader.checks_read, losses)
        if not compiler.is_exhausted and len(as_text(compiled).encode(errors="surrogatepass")) <= _MAX_BYTES:
            break
    return compiled, list(dict.fromkeys(losses))


def _list_unread(met: Mapping[str, bool], losses: list[Loss]) -> list[Loss]:
    """Return a loss for each check that does not apply to its place, such as `minLength` of a number."""
    listed = {loss.path for loss in losses}
    unread = (path for path, is_read in met.items() if not is_read and path not in listed)
    return [Loss(path, path.rpartition("/")[2], "It does not apply to the type that is sent.") for path in unread]


def _drop_reference_targets(losses: list[Loss], targets: set[str]) -> list[Loss]:
    """Return the losses without unknown keywords that only contain the targets of references."""
    return [
        loss
        for loss in losses
        if loss.reason != NOT_SENT or not any(target.startswith(f"{loss.path}/") for target in targets)
    ]
