"""Compiles JSON schemas of tools and answers to the subset that Gemini accepts.

A rewrite with the same meaning is not reported. A weaker rewrite is returned as a `Loss`, and described in the schema's
`description` if that helps the model. Compiled schemas are cached, together with their losses. The subset is that of
Google's function declarations, which follow OpenAPI 3.0:
https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_gemini_compat._schema.cache import BoundedCache, build_key
from langchain_gemini_compat._schema.compiler import Compiler
from langchain_gemini_compat._schema.counts import find_most_items, has_bounds
from langchain_gemini_compat._schema.node import NOT_SENT, Loss, Source, as_text
from langchain_gemini_compat._schema.references import Reader
from langchain_gemini_compat._schema.unions import merge_object_union

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat._wire.json_types import JsonObject

__all__ = ["Loss", "compile_all_parameters", "compile_parameters", "compile_response_schema"]

#: Each row has three limits: how often a recursive definition is expanded, the nesting depth, and the number of
#: subschemas. If a compiled schema is too large, it is compiled again with the next row.
#: Only the first row expands a definition twice. The second expansion helps the model, but is not worth a huge prompt.
_BOUNDS = ((2, 32, 1_000), (1, 32, 10_000), (1, 12, 10_000), (1, 6, 10_000), (1, 4, 10_000))
#: Maximum size of a compiled schema, in bytes.
_MAX_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A compiled schema and its losses, shared between calls."""

    schema: JsonObject
    losses: tuple[Loss, ...]
    #: Whether the compiled schema has array bounds. Gemini limits the sum of all array bounds in a request.
    has_bounds: bool

    @property
    def parameters(self) -> JsonObject | None:
        return self.schema if self.schema.get("properties") else None

    @property
    def size(self) -> int:
        """Return an upper estimate of the bytes of memory that this object takes."""
        # These numbers were measured with the schemas of published MCP servers. The Python version was 3.10, which has
        # the largest objects.
        return (
            1_000 + 3 * len(as_text(self.schema)) + sum(200 + len(loss.path) + len(loss.reason) for loss in self.losses)
        )


#: Cache of compiled schemas. Compiling takes about a millisecond for each schema, and a lookup some microseconds. The
#: limits leave room for the tools of several large MCP servers.
_cache: BoundedCache[_Compiled] = BoundedCache(max_entries=4_096, max_bytes=32 * 2**20)


def compile_parameters(schema: JsonObject, most_items: int | None = None) -> tuple[JsonObject | None, list[Loss]]:
    """Return the `parameters` of a function declaration, and the restrictions of `schema` that are lost.

    An array bound above `most_items`, or too high for Gemini, goes into the description and not into the schema. A
    union at the top of the schema is merged into one object. For a function without arguments, the parameters are
    `None`, since Gemini refuses empty `properties`. `schema` is not changed. The parameters are shared between calls,
    so the caller must not change them.
    """
    compiled = _compile_cached(schema, is_function=True, most_items=most_items)
    return compiled.parameters, [*compiled.losses]


def compile_all_parameters(schemas: Sequence[JsonObject]) -> list[tuple[JsonObject | None, tuple[Loss, ...]]]:
    """Return the result of `compile_parameters` for each function of a request.

    Gemini's limit on array bounds applies to the sum over all functions.
    """
    compiled = [_compile_cached(schema, is_function=True) for schema in schemas]
    most = find_most_items(one.schema for one in compiled if one.has_bounds)
    if most is not None:
        compiled = [
            _compile_cached(schema, is_function=True, most_items=most) if one.has_bounds else one
            for schema, one in zip(schemas, compiled, strict=True)
        ]
    return [(one.parameters, one.losses) for one in compiled]


def compile_response_schema(schema: JsonObject) -> tuple[JsonObject, list[Loss]]:
    """Return the compiled schema for a `response_format`, and the restrictions of `schema` that are lost.

    Unlike parameters, the compiled schema may have any type at the top. It may contain empty objects, and it keeps
    `additionalProperties`. `schema` is not changed. The compiled schema is shared between calls, so the caller must not
    change it.
    """
    compiled = _compile_cached(schema, is_function=False)
    return compiled.schema, [*compiled.losses]


def _compile_cached(schema: JsonObject, *, is_function: bool, most_items: int | None = None) -> _Compiled:
    exact = build_key(schema)
    key = is_function, most_items, exact
    found = None if exact is None else _cache.get(key)
    if found is not None:
        return found
    sources = [Source(schema, "", ("",))]
    if is_function:
        sources.insert(0, Source({"type": "object"}, ""))
    found = _compile(schema, sources, keep_additional=not is_function, most_items=most_items)
    if exact is not None:
        _cache.add(key, found, len(exact) + found.size)
    return found


def _compile(root: JsonObject, sources: list[Source], *, keep_additional: bool, most_items: int | None) -> _Compiled:
    compiled, losses = _compile_bounded(root, sources, keep_additional=keep_additional, most_items=most_items)
    own = find_most_items([compiled])
    if own is not None:
        compiled, losses = _compile_bounded(root, sources, keep_additional=keep_additional, most_items=own)
    return _Compiled(compiled, tuple(losses), has_bounds(compiled))


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
    """Return a `Loss` for each keyword that has no meaning for its schema's type, such as `minLength` for numbers."""
    listed = {loss.path for loss in losses}
    unread: list[Loss] = []
    for path, is_read in met.items():
        if not is_read and path not in listed:
            keyword = path.rpartition("/")[2]
            reason = f"`{keyword}` does not apply to the type that is sent, so it is left out."
            unread.append(Loss(path, keyword, reason))
    return unread


def _drop_reference_targets(losses: list[Loss], targets: set[str]) -> list[Loss]:
    """Return `losses` without the entries of unknown keywords that contain the target of a `$ref`."""
    return [
        loss
        for loss in losses
        if loss.reason != NOT_SENT or not any(target.startswith(f"{loss.path}/") for target in targets)
    ]
