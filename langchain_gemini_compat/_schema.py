"""A JSON Schema, as pydantic, MCP servers and people write it, to the subset that Gemini takes.

Its one rule: what cannot be kept is said. A rewrite that means the same is silent; everything weaker is returned as
a `Loss` and, where that helps the model, put into the description. The subset is that of Google's function
declarations, read as OpenAPI 3.0:
https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._schema_compiler import Compiler
from langchain_gemini_compat._schema_node import Loss, Source, as_text
from langchain_gemini_compat._schema_refs import Reader
from langchain_gemini_compat._schema_unions import fold_alternatives

if TYPE_CHECKING:
    from langchain_gemini_compat._wire import JsonObject

__all__ = ["Loss", "compile_parameters", "compile_response_schema"]

#: How often a definition opens inside itself, how deep places nest, and how many places are read and built; the next
#: row where one grows too large. Opening twice helps the model, but not at the price of a huge prompt.
_BOUNDS = ((2, 32, 1_000), (1, 32, 10_000), (1, 12, 10_000), (1, 6, 10_000), (1, 4, 10_000))
#: Bytes of a compiled schema.
_MOST_BYTES = 100_000


def compile_parameters(schema: JsonObject) -> tuple[JsonObject | None, list[Loss]]:
    """The `parameters` of a function declaration, and what they say less than `schema`.

    `None` where the function takes no arguments: Gemini refuses an object with empty `properties`, so the key
    must stay out. Alternatives at the top are put together in one object. `schema` stays as it is.
    """
    sources = [Source({"type": "object"}, ""), Source(schema, "", ("",))]
    compiled, losses = _compile(schema, sources, keep_additional=False)
    return compiled if compiled.get("properties") else None, losses


def compile_response_schema(schema: JsonObject) -> tuple[JsonObject, list[Loss]]:
    """The schema of a `response_format`, and what it says less than `schema`.

    As for parameters, but any type may stand at the top, objects may be empty, and `additionalProperties` stays.
    `schema` stays as it is.
    """
    return _compile(schema, [Source(schema, "", ("",))], keep_additional=True)


def _compile(root: JsonObject, sources: list[Source], *, keep_additional: bool) -> tuple[JsonObject, list[Loss]]:
    compiled: JsonObject = {}
    losses: list[Loss] = []
    for levels, deepest, budget in _BOUNDS:
        losses = []
        compiler = Compiler(Reader(root, levels, budget, losses), deepest, keep_additional)
        compiled = compiler.compile("", sources, 1)
        if not keep_additional:
            compiled = fold_alternatives(compiled, compiler.top_groups, losses)
        if not compiler.exhausted and len(as_text(compiled).encode(errors="surrogatepass")) <= _MOST_BYTES:
            break
    return compiled, list(dict.fromkeys(losses))
