"""Writes the docstrings of the typed constructors from the descriptions of the fields.

Run `python tests/support/constructor_docs.py` to write the docstrings into the package. A test fails if a docstring
differs from the descriptions.
"""

import ast
import inspect
import textwrap
from pathlib import Path

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings
from langchain_gemini_compat._settings.fields import aliases_of

MODELS = (ChatGeminiCompat, GeminiCompatEmbeddings)
#: Maps each argument without a field of its own to its documentation. Such an argument is known from other chat models,
#: and sets one or several parameters of this package.
COMPOSITES = {
    "api_endpoint": "Address of the API as Google's packages take it: a host, with or without a scheme. It sets "
    "`base_url`.",
    "client_options": "`ClientOptions` of Google's packages, or a dict with the keys `api_endpoint`, `api_key` and "
    "`quota_project_id`. It sets `base_url`, `api_key` and `quota_project_id`.",
    "vertexai": "`True` selects Vertex AI. `False` selects AI Studio, unless `base_url` selects the surface. It sets "
    "`surface`.",
    "thinking_config": "Google's `ThinkingConfig`, or a dict with its keys. It sets `thinking_level`, "
    "`thinking_budget` and `include_thoughts`.",
    "response_mime_type": '`"application/json"` for an answer in JSON, or `"text/plain"`. It sets `response_format`.',
    "response_schema": "Schema of an answer in JSON: a pydantic class, a `TypedDict` or a JSON schema. It sets "
    "`response_format`.",
    "generation_config": "Google's `GenerateContentConfig`, or a dict with its keys. It sets the options for its keys, "
    "and overrides the arguments of the same options.",
}
#: Parameters of every LangChain chat model.
LANGCHAIN = {
    "name": "Name of the model in traces. Default: `None`, which means the name of the class.",
    "cache": "Whether answers are cached: `True` uses LangChain's global cache, and an object is the cache. Default: "
    "`None`, which means the global cache if there is one.",
    "callbacks": "Callback handlers of every call. Default: `None`.",
    "tags": "Tags of every call in traces. Default: `None`.",
    "metadata": "Metadata of every call in traces. Default: `None`.",
    "verbose": "Whether LangChain prints every call. Default: LangChain's global setting.",
    "rate_limiter": "Rate limiter that each request waits for before it is sent. Default: `None`, which means no limit.",
    "disable_streaming": "Whether `stream` sends the request of `invoke` and returns the whole reply as one chunk. With "
    '`"tool_calling"`, only calls with tools do so. Default: `False`.',
    "output_version": 'Form of the `content` of messages: `"v0"`, or `"v1"` for standard content blocks. Default: '
    "`None`, which means the environment variable `LC_OUTPUT_VERSION`, then `v0`.",
    "profile": "What the model can do, for agents and middleware. Default: `None`, which means the known facts about "
    "the model.",
    "custom_get_token_ids": "Function from a text to token IDs, for `get_token_ids`. Default: `None`.",
}


def describe_argument(model, name):
    """Return the documentation of the argument `name` of the constructor of `model`."""
    aliases = aliases_of(model)
    if name in aliases:
        return f"Same as `{aliases[name]}`."
    return COMPOSITES.get(name) or LANGCHAIN.get(name) or model.model_fields[name].description


def path_of(model):
    """Return the file of the class `model`."""
    return Path(inspect.getfile(model))


def find_constructor(model, text):
    """Return the definition of the constructor of `model` in the module `text`."""
    found = next(node for node in ast.parse(text).body if getattr(node, "name", "") == model.__name__)
    return next(node for node in ast.walk(found) if getattr(node, "name", "") == "__init__")


def read_constructor(model):
    """Return the definition of the constructor of `model`."""
    return find_constructor(model, path_of(model).read_text(encoding="utf-8"))


def read_arguments(model):
    """Return the names of the arguments in the constructor that type checkers read, in the order of its definition."""
    return [argument.arg for argument in read_constructor(model).args.kwonlyargs]


def wrap_lines(text, first, further):
    """Wrap `text` and return its lines.

    The first line starts with `first`, and every other line starts with `further`.
    """
    return textwrap.wrap(
        text, 120, initial_indent=first, subsequent_indent=further, break_on_hyphens=False, break_long_words=False
    )


def print_docstring(model, constructor):
    """Return the lines of the constructor's docstring."""
    summary = ast.get_docstring(constructor).partition("\n")[0]
    margin = " " * constructor.body[0].col_offset
    lines = [f'{margin}"""{summary}', "", f"{margin}Args:"]
    for argument in constructor.args.kwonlyargs:
        # Editors show the first line beside the argument, so this line has one sentence.
        first, stop, rest = describe_argument(model, argument.arg).partition(". ")
        lines += wrap_lines(f"{argument.arg}: {first}{stop.strip()}", f"{margin}    ", f"{margin}        ")
        lines += wrap_lines(rest, f"{margin}        ", f"{margin}        ")
    return [*lines, f'{margin}"""']


def print_module(model):
    """Return the source code of the module of `model`, in which the constructor's docstring is up to date."""
    text = path_of(model).read_text(encoding="utf-8")
    constructor = find_constructor(model, text)
    docstring = constructor.body[0]
    lines = text.splitlines()
    lines[docstring.lineno - 1 : docstring.end_lineno] = print_docstring(model, constructor)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for one in MODELS:
        path_of(one).write_text(print_module(one), encoding="utf-8")
