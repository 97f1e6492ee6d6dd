"""Tools with generated schemas of the kind that MCP servers publish.

They have nested objects, arrays, enumerations, `anyOf` with `null`, `$ref` into `$defs`, bounds, formats and defaults.
The same seed gives the same schemas.
"""

import random
from importlib import import_module

#: Name of the tool that the benchmark's server calls in its replies (see `replies.py`).
CALLED = "find_items_0"
_VERBS = ("list", "create", "update", "delete", "export", "merge", "review", "assign")
_NOUNS = ("issue", "page", "invoice", "channel", "record", "branch", "event", "contact", "dataset", "ticket")
_WORDS = (
    "owner",
    "status",
    "label",
    "cursor",
    "region",
    "filter",
    "team",
    "priority",
    "body",
    "title",
    "source",
    "due",
)
_LEAVES = (
    {"type": "string"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "minLength": 1, "maxLength": 255},
    {"type": "string", "enum": ["open", "closed", "all"], "default": "open"},
    {"type": "integer", "minimum": 1, "maximum": 100, "default": 30},
    {"type": "number", "exclusiveMinimum": 0},
    {"type": "boolean", "default": False},
    {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    {"type": "array", "items": {"type": "string"}, "maxItems": 20},
)


def build_tools(count, seed=1):
    """Return `count` tools. The first is `CALLED`."""
    draw = random.Random(seed)
    return [_build_tool(draw, number) for number in range(count)]


def _build_tool(draw, number):
    name = f"{draw.choice(_VERBS)}_{draw.choice(_NOUNS)}_{number}" if number else CALLED
    schema = _object(draw, depth=2)
    if number == 0:
        schema["properties"] = {"query": {"type": "string", "description": "What to look for."}, **schema["properties"]}
        schema["required"] = ["query"]
    schema["$defs"] = {"Person": _object(draw, depth=0)}
    schema["properties"]["requested_by"] = {"$ref": "#/$defs/Person"}
    described = (
        f"Tool {number} of {draw.random():.9f}: acts on a {draw.choice(_NOUNS)} of the workspace, see its guide."
    )
    tool = import_module("langchain_core.tools").StructuredTool
    return tool(name=name, description=described, args_schema=schema, func=_run, coroutine=_arun)


def _object(draw, *, depth):
    properties = {}
    for word in draw.sample(_WORDS, draw.randint(2, 5)):
        kind = draw.random()
        if depth and kind < 0.15:
            field = _object(draw, depth=depth - 1)
        elif depth and kind < 0.25:
            field = {"type": "array", "items": _object(draw, depth=depth - 1)}
        else:
            field = dict(draw.choice(_LEAVES))
        field["description"] = f"The {word} of the {draw.choice(_NOUNS)}."
        properties[word] = field
    required = [word for word in properties if draw.random() < 0.3]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _run(**_):
    return "Three items were found: one, two and three."


async def _arun(**_):
    return _run()
