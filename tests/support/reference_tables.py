"""Writes the pages of `docs/reference/` about model families and parameters from the code.

Run `python tests/support/reference_tables.py` to write them. Each cell comes from a table in the code, from the
description of a parameter, or from a request that the package built.
"""

import ast
import re
from pathlib import Path
from typing import Literal, get_args, get_origin

from constructor_docs import COMPOSITES, read_constructor
from families import CHAT_FAMILIES
from langchain_core.messages import HumanMessage
from outgoing import SURFACES, build

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings
from langchain_gemini_compat._catalog.models import LATER_GEMINI, known_families, read_facts
from langchain_gemini_compat._catalog.surfaces import BODY_KEYS, GOOGLE_KEYS, OFFICE_TYPES
from langchain_gemini_compat._request.thinking import EFFORT_BUDGETS
from langchain_gemini_compat._settings import argument_types
from langchain_gemini_compat._settings.fields import ConnectionFields, aliases_of

DOCS = Path(__file__).parents[2] / "docs" / "reference"
COMMAND = "python tests/support/reference_tables.py"
UNKNOWN = "not known"
ROWS = [*CHAT_FAMILIES, LATER_GEMINI]
#: Maps each source of a fact to the number of this source on the page.
NUMBERS = {
    source: number
    for number, source in enumerate(
        dict.fromkeys(source for facts in read_facts().values() for fact in facts.values() for source in fact.sources),
        1,
    )
}
#: Link to the issue about a rule: models before Gemini 3 refuse a request with both tools and JSON output.
BESIDE_TOOLS = "<sup>[issue 706](https://github.com/googleapis/python-genai/issues/706)</sup>"
WORDS = ("none", "minimal", "low", "medium", "high", "xhigh")
BUDGETS = (-1, 0, 100, 1024, 10_000, 50_000)
HI = [HumanMessage("Hi.")]

_FAMILIES = f"""# Model families

The package adapts each request to its model. This page lists the facts about models that the package uses.

```python
from langchain_gemini_compat.testing import FakeGemini

model = FakeGemini().chat_model("gemini-3.8-flash")
print(model.profile["max_input_tokens"], model.profile["max_output_tokens"])

body, notes = model.preview("Hello!", reasoning_effort="minimal")
print(body["reasoning_effort"])
print(notes[0].message)
```

```text
1048576 65536
low
`reasoning_effort` 'minimal' became 'low': gemini-3.8-flash accepts low, medium, high.
```

A family contains all models whose names begin with the name of the family:

| name of the model | family |
|---|---|
| `google/gemini-3.8-flash`, `models/gemini-3.8-flash`, `gemini-3.8-flash-001` | `gemini-3.8-flash`; prefixes and suffixes do not matter |
| `gemini-3.1-flash-lite-image`, which begins with the names of two families | the longer name: `gemini-3.1-flash-lite-image`, not `gemini-3.1-flash-lite` |
| `gemini-flash-latest`, and every other name that begins with `gemini` | the last row of each table: facts that all newer text models share |
| `gemma-4-31b-it` | `gemma-4`: see [models other than Gemini](#models-other-than-gemini) |
| any other name | no family; your parameters are sent unchanged |

A number after a value links to its source. [Sources](#sources) lists all sources, each with the date on which we last
read it. A word after the number says how certain the fact is:

| mark | meaning |
|---|---|
| number without a word | a page of Google's documents the fact |
| *observed* | somebody published a reply of the service that shows the fact |
| *reported* | a source other than Google's pages states the fact, such as another library |
| *{UNKNOWN}* | no source states the fact, so the package changes the request as little as possible |

To correct a fact without a new release, see [correct the facts about a model](../how-to/correct-the-catalog.md).
`{COMMAND}` writes this page from `_catalog/models.json`.

## Limits and locations

| column | meaning |
|---|---|
| input, output | limits in tokens |
| reads, writes | kinds of content that the model accepts and generates |
| Vertex AI | the locations that serve the model; *regions* are single regions such as `us-central1`; AI Studio has no locations |
| input, *shared* | the limit holds for input, thoughts and output together |
| output | the highest number of tokens that one call can generate |
| Google's endpoint | whether a source shows that Google's own Chat Completions endpoint serves the model |
| shutdown | the date on which the service of the model ends, and its successor; *deprecated* means that the date is not known |

"""
_THINKING = f"""
## Thinking

- *dynamic* means that the model chooses a budget itself, up to 8,192 tokens.
- Gemini 3 accepts budgets, but Google states no range. The largest budget that the package sends is the model's output
  limit.
- Google's pages disagree on whether 2.5 Flash-Lite thinks by default.
- *on Vertex AI* means that thinking can be switched off only on Vertex AI. For these models, AI Studio answers 400 to a
  budget of 0.

{{thinking}}
### What `reasoning_effort` becomes

The header row has the values that you can set. Each cell has the value that the package sends: the highest value that
the family accepts and that is not above yours, otherwise the lowest. If this is not your value, `preview()` has a note.

{{efforts}}
- `max` is treated like `xhigh`.
- `thinking_level` accepts the same values as `reasoning_effort`. For models with budgets, the package sends `thinking_level` as a budget, with
  a note.
- On Vertex AI, `none` and `minimal` are sent in Google's `thinking_config` and not as `reasoning_effort`. With
  `include_thoughts`, this is true of every value, on both surfaces.
- For models with budgets, the package sends these numbers of tokens:
  {", ".join(f"`{word}` {tokens:,}" for word, tokens in EFFORT_BUDGETS.items())}.

### What `thinking_budget` becomes

The header row has examples of budgets in tokens. Each cell has the value that the package sends to this family.

{{budgets}}"""
_RULES = """
## Rules that differ

| column | meaning |
|---|---|
| signatures | *required* means that the server answers 400 to a tool call of the current turn without its signature |
| text beside calls | *left out* means that the package leaves out the text of an assistant message with tool calls, because Vertex AI answers 400 to a message with text and tool calls |
| JSON | whether the model has structured output |
| JSON beside tools | whether a request can have structured output and tools; models [before Gemini 3](https://github.com/googleapis/python-genai/issues/706) refuse such a request |
| sampling | whether `temperature` and `top_p` have an effect. *ignored*: a source says that they have none. *sent*: no source says so |
| penalties | whether `presence_penalty` and `frequency_penalty` are sent. *left out*: a source says that the server refuses penalties. *sent*: no source says so |
| explicit cache | whether `cached_content` is sent. *left out*: a source says that the model has no explicit cache. *sent*: no source says so |
| media in results | MIME types that can be part of a tool result on Vertex AI; other media are sent in a user message after the results |

"""
_NAMES = """
## Names and dates

On langchain-core 1.7 and later, the profile of a model has these values as `name`, `status`, `release_date` and
`last_updated`. Variants of a model, such as `gemini-3.8-flash-cyber`, have no name and no dates in their profile.

"""
_NOT_GEMINI = """
## Models other than Gemini

This table has the only exception: all other parameters are sent unchanged to models other than Gemini.

"""
_OTHER_APIS = """
## Models of other APIs

These models are not chat models, or Google serves them only over another API.

"""
_NOTES = """
## Notes

"""
_SOURCES = """
## Sources

"""
_PARAMETERS = f"""# Parameters

This page lists every parameter of the two constructors: its type, its default, the surfaces that accept it, and what it
does. Names in parentheses are aliases: the names of the parameter in other chat models. The text of a parameter is also
in its field, for example in `ChatGeminiCompat.model_fields["max_tokens"].description`.

If a surface does not accept a parameter, the package leaves it out. You get a warning, and `preview()` has a note. With
`strict=True`, you get an error instead. A model that you deployed to a Vertex AI endpoint counts as a compatible server.
`{COMMAND}` writes this page.

## ChatGeminiCompat

You can also pass the options of a request to a call: `model.invoke("Hello", temperature=0)`. These options are the
parameters from *Sampling* to *Additional fields*, without `model_kwargs`, `default_headers` and `default_query`. The
parameters that every LangChain chat model has (`cache`, `callbacks`, `disable_streaming`, `metadata`, `name`,
`output_version`, `profile`, `rate_limiter`, `tags`, `verbose`) are in
[LangChain's reference](https://python.langchain.com/api_reference/core/language_models/langchain_core.language_models.chat_models.BaseChatModel.html).
"""
_OTHERS = """
### Arguments of other chat models

Each of these arguments sets one or more of the parameters above. If you also pass one of these parameters with a
different value, `ValueError` is raised. `generation_config` is an exception: it overrides the parameter.

"""
_LANDINGS = """
## Where a parameter goes in the request

This table shows where each parameter is in the requests for `gemini-3.5-flash`. Some models accept fewer parameters: see
[model families](families.md#rules-that-differ).

- `google.x`: the parameter is the key `x` of the object `google`, in the body's own key `extra_body`.
- *left out*: the surface does not accept the parameter.
- *not sent*: the parameter is for the package, not for the server.
- *applied to the reply*: the parameter is not sent. The package applies it to the reply.

Vertex AI ignores keys that it does not know. AI Studio answers 400 to them. The sources are Google's pages on OpenAI
compatibility for
[Vertex AI](https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview) and for
[AI Studio](https://ai.google.dev/gemini-api/docs/openai).

"""
_KEYS = """
## Keys of the body

You can also pass keys that are not parameters, in `model_kwargs` or in a call. Google gets such a key only if this
table says *yes* for the surface. Compatible servers get every key. The content of `extra_body` is added last and sent unchanged.

"""
_EMBEDDINGS = """
## GeminiCompatEmbeddings

`GeminiCompatEmbeddings` also accepts the parameters above under *Model*, *Endpoint*, *Credentials* and *Transport*, and
`model_kwargs`, `default_headers`, `default_query` and `strict`.

"""
#: Maps each heading of the page to the parameters of `ChatGeminiCompat` under it.
GROUPS = {
    "Model": ("model",),
    "Endpoint": ("project", "location", "endpoint_id", "base_url", "api_version", "surface"),
    "Credentials": ("api_key", "credentials", "quota_project_id"),
    "Sampling": (
        "temperature", "top_p", "max_tokens", "stop", "n", "seed", "presence_penalty", "frequency_penalty", "logprobs",
        "top_logprobs",
    ),
    "Thinking": (
        "reasoning_effort", "thinking_level", "thinking_budget", "include_thoughts", "thought_tag_marker",
    ),
    "Gemini": (
        "safety_settings", "cached_content", "media_resolution", "modalities", "stream_function_call_arguments",
        "service_tier",
    ),
    "Additional fields": ("extra_body", "model_kwargs", "default_headers", "default_query"),
    "Transport": ("timeout", "max_retries", "http_client", "http_async_client"),
    "Replies and errors": (
        "streaming", "stream_usage", "strict", "invalid_tool_calls", "include_response_headers",
    ),
    "Facts about models": ("catalog",),
}  # fmt: skip
#: Maps the name of a type to its description on the page. A `Literal` needs no entry: the page shows its values.
_TYPES = {
    "ApiKey": "`str` or `SecretStr` or function",
    "Stop": "`str` or `list[str]`",
    "Headers": "`dict[str, str]`",
    "SafetySettings": "list or dict",
    "Timeout": "`float` or `timedelta` or tuple or [`Timeouts`](api.md) or `httpx.Timeout`",
    "ThinkingConfig": "dict",
    "SyncClient": "`httpx.Client`",
    "AsyncClient": "`httpx.AsyncClient`",
    "Surface": " or ".join(f'`"{surface}"`' for surface in SURFACES),
    "Enum": "Google's enum",
    "BaseModel": "Google's class",
    "Mapping[str, object]": "dict",
    "PathLike[str]": "`Path`",
}
#: Matches the description of a parameter.
DESCRIPTION = re.compile(
    r"(?P<what>[A-Z].+\.) (?P<default>Required|Default: `.+`(?:, which .+)?)\. Surfaces: (?P<surfaces>[A-Za-z, ]+)\."
)
#: Maps each parameter to a sample value. `parameters.md` says which body keys and headers the parameter sets in a
#: request with this value.
SAMPLES = {
    "temperature": 0.5,
    "top_p": 0.5,
    "max_tokens": 100_000,
    "stop": ["END"],
    "n": 2,
    "seed": 1,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logprobs": True,
    "top_logprobs": 3,
    "reasoning_effort": "high",
    "thinking_level": "high",
    "thinking_budget": 1024,
    "include_thoughts": True,
    "thought_tag_marker": "think",
    "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    "cached_content": "cachedContents/1",
    "media_resolution": "MEDIA_RESOLUTION_LOW",
    "modalities": ["text"],
    "stream_function_call_arguments": True,
    "service_tier": "priority",
    "extra_body": {"google": {"x": 1}},
    "stream_usage": True,
    "invalid_tool_calls": "keep",
    "include_response_headers": True,
    "tools": [{"type": "function", "function": {"name": "f"}}, {"google_search": {}}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
    "web_search_options": {},
}
#: The model of the requests from which the page about parameters is made. It accepts penalties and explicit caches,
#: which some other models refuse.
TAKES_ALL = "gemini-3.5-flash"
#: How pages name the surfaces.
WORDS_OF_SURFACES = {"vertex": "Vertex AI", "ai_studio": "AI Studio", "openai_compatible": "compatible servers"}
_ONE_TOOL = {"tools": SAMPLES["tools"][:1]}
#: Some parameters have no effect alone. Maps each of them to what its sample request also needs.
_BESIDE = {
    "tool_choice": _ONE_TOOL,
    "parallel_tool_calls": _ONE_TOOL,
    "stream_usage": {"stream": True, "stream_usage": False},
}
_SPELLED = {"n": "`n` above 1", "parallel_tool_calls": "`parallel_tool_calls=False`", "stream_usage": "`stream_usage`, in streams"}  # fmt: skip


def print_families():
    """Return the text of `families.md`."""
    thinking = _THINKING.format(
        thinking=table(("family", "levels", "default", "budget", "can be switched off"), map(_thinking_row, ROWS)),
        efforts=table(("family", *map(_code, WORDS)), (_becomes(row, "reasoning_effort", WORDS) for row in ROWS)),
        budgets=table(
            ("family", *(f"{number:,}" for number in BUDGETS)),
            (_becomes(row, "thinking_budget", BUDGETS) for row in ROWS),
        ),
    )
    limits = table(
        ("family", "input", "output", "reads", "writes", "Vertex AI", "Google's endpoint", "shutdown"),
        map(_limits_row, ROWS),
    )
    heads = (
        "family", "signatures", "text beside calls", "tools", "JSON", "JSON beside tools", "sampling", "penalties",
        "explicit cache", "media in results",
    )  # fmt: skip
    rules = table(heads, map(_rules_row, ROWS))
    names = table(("family", "name", "status", "released", "updated"), map(_names_row, ROWS))
    rest = [family for family in known_families() if not family.is_gemini and not family.other_api]
    not_gemini = table(("family", "`reasoning_effort` on AI Studio"), map(_not_gemini_row, rest))
    others = table(("family", "API"), map(_other_row, filter(lambda family: family.other_api, known_families())))
    notes = table(("note", "fact", "families"), _note_rows())
    sources = table(("number", "source", "read"), _source_rows())
    links = "\n" + "".join(f"[{number}]: {source.url}\n" for source, number in NUMBERS.items())
    parts = (
        _FAMILIES,
        limits,
        thinking,
        _RULES,
        rules,
        _NAMES,
        names,
        _NOT_GEMINI,
        not_gemini,
        _OTHER_APIS,
        others,
        _NOTES,
        notes,
        _SOURCES,
        sources,
        links,
    )
    return "".join(parts)


def print_parameters():
    """Return the text of `parameters.md`."""
    tables = [f"\n### {group}\n\n{describe(ChatGeminiCompat, names)}" for group, names in GROUPS.items()]
    own = GeminiCompatEmbeddings.model_fields.keys() - ConnectionFields.model_fields.keys()
    embeddings = describe(GeminiCompatEmbeddings, [name for name in GeminiCompatEmbeddings.model_fields if name in own])
    heads = ("parameter", *WORDS_OF_SURFACES.values())
    rows = ([_SPELLED.get(name, _code(name)), *(landing(name, surface) for surface in SURFACES)] for name in SAMPLES)
    keys = table(("key", "Vertex AI", "AI Studio"), _key_rows())
    parts = (_PARAMETERS, *tables, _OTHERS, describe_others(), _EMBEDDINGS, embeddings, _LANDINGS, table(heads, rows))
    return "".join((*parts, _KEYS, keys))


def describe_others():
    """Return a table of the arguments that set other parameters."""
    annotations = read_annotations(ChatGeminiCompat)
    rows = ([_code(name), show_type(annotations[name]), text] for name, text in COMPOSITES.items())
    return table(("argument", "type", "what it does"), rows)


def describe(model, names):
    """Return a table of the parameters `names` of `model`, from their descriptions."""
    others, annotations = aliases_of(model), read_annotations(model)
    rows = []
    for name in names:
        field = model.model_fields[name]
        parts = DESCRIPTION.fullmatch(field.description).groupdict()
        further = [other for other, target in others.items() if target == name]
        shown = _code(name) + (f" ({', '.join(map(_code, further))})" if further else "")
        default = parts["default"].removeprefix("Default: ")
        rows.append(
            [
                shown,
                show_type(annotations[name]),
                default.replace(", which means", ":"),
                parts["surfaces"],
                parts["what"],
            ]
        )
    return table(("parameter", "type", "default", "surfaces", "what it does"), rows)


def read_annotations(model):
    """Return the type of each argument of the constructor of `model`, as in its source."""
    return {argument.arg: argument.annotation for argument in read_constructor(model).args.kwonlyargs}


def show_type(annotation):
    """Return the type of an argument as text. `None` is left out, because the column with the default shows it."""
    if isinstance(annotation, ast.BinOp):
        shown = [show_type(one) for one in (annotation.left, annotation.right) if ast.unparse(one) != "None"]
        return " or ".join(shown)
    text = ast.unparse(annotation).removeprefix("types.")
    if text in _TYPES:
        return _TYPES[text]
    if isinstance(annotation, ast.Subscript) and text.startswith("Sequence["):
        return f"list of {show_type(annotation.slice)}"
    found = getattr(argument_types, text, None)
    if get_origin(found) is Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(found))
    return _code(text)


def table(heads, rows):
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


def _code(word):
    return f"`{word}`"


def _name(family):
    return _code(family.name) + ("" if family.known else " (all others)")


def _limits_row(family):
    ends = [_end(family, *one) for one in (("Vertex AI", "end_on_vertex"), ("AI Studio", "end_on_ai_studio"))]
    return [
        _name(family),
        _cell(family, "max_input_tokens", lambda most: f"{most:,}" + (", shared" if family.shares_limit else "")),
        _cell(family, "max_output_tokens", lambda most: f"{most:,}"),
        _cell(family, "inputs", ", ".join),
        _cell(family, "image_output", lambda image: "text, image" if image else "text"),
        _cell(family, "locations", ", ".join),
        _cell(family, "on_chat_completions", _yes_or_no),
        "; ".join(filter(None, ends)),
    ]


def _cell(family, key, show):
    """Return a table cell: the value of a fact, and links to its sources. `show` converts the value to text."""
    fact, default = read_facts().get(family.name, {}).get(key), getattr(family, key)
    if fact is None and default is None:
        return UNKNOWN
    if fact is None:
        return f"{show(default)} ({UNKNOWN})" if family.known else show(default)
    return f"{show(fact.value)} {_marks(fact)}"


def _marks(fact):
    """Return links to the sources of a fact, and then its grade. The grade `documented` is left out."""
    grade = "" if fact.grade == "documented" else f" {fact.grade}"
    return f"<sup>{', '.join(f'[{NUMBERS[source]}]' for source in fact.sources)}{grade}</sup>"


def _yes_or_no(flag):
    return "yes" if flag else "no"


def _end(family, surface, key):
    """Return when the service ends on a surface, and which model follows. If no end is known, return `""`."""
    end = getattr(family, key)
    if end is None:
        return ""
    last = "deprecated" if end.date is None else str(end.date)
    follows = f", then `{end.successor}`" if end.successor else ""
    return f"{surface}: {last}{follows} {_marks(read_facts()[family.name][key])}"


def _names_row(family):
    return [_name(family), *(_cell(family, key, str) for key in ("title", "status", "release_date", "last_updated"))]


def _not_gemini_row(family):
    return [_name(family), _cell(family, "takes_effort_on_ai_studio", lambda taken: "sent" if taken else "left out")]


def _other_row(family):
    return [_name(family), _cell(family, "other_api", str)]


def _note_rows():
    """Return the rows of the table of notes: a note, the name of the fact, and the model families with this note."""
    families = {}
    for name, facts in read_facts().items():
        for key, fact in facts.items():
            if fact.note:
                families.setdefault((fact.note, key), []).append(_code(name))
    return ((note, _code(key), ", ".join(names)) for (note, key), names in families.items())


def _source_rows():
    return ((str(number), source.url, source.read) for source, number in NUMBERS.items())


def _thinking_row(family):
    if family.thinking == "none":
        return [_name(family), "none", _cell(family, "thinking", lambda _: "no thinking"), "none", "does not think"]
    counts = family.thinking == "budget"
    return [
        _name(family),
        "none" if counts else _cell(family, "levels", ", ".join),
        _cell(family, "default_thinking", str),
        _cell(family, "budgets", lambda ends: f"{ends[0]:,} to {ends[1]:,}" if counts else "accepted, no range stated"),
        _switch(family),
    ]


def _switch(family):
    """Return the table cell that says whether thinking can be switched off: `yes`, `no` or `on Vertex AI`."""
    if family.may_stop_thinking_on_vertex:
        return _cell(family, "may_stop_thinking_on_vertex", lambda _: "on Vertex AI")
    return _cell(family, "may_stop_thinking", _yes_or_no)


def _becomes(family, option, values):
    return [_name(family), *(_sent(build(HI, "ai_studio", family.name, **{option: value})) for value in values)]


def _sent(request):
    google = request.payload.get("extra_body", {}).get("google", {})
    config = {"reasoning_effort": request.payload.get("reasoning_effort"), **google.get("thinking_config", {})}
    found = [value for value in config.values() if value is not None]
    return ", ".join(f"{value:,}" if isinstance(value, int) else value for value in found) or "left out"


def _rules_row(family):
    native = family.structured_output
    beside = native and family.takes_json_beside_functions
    return [
        _name(family),
        _cell(family, "signatures_demanded", lambda demanded: "required" if demanded else "optional"),
        _cell(family, "text_beside_calls", lambda taken: "sent" if taken else "left out"),
        _cell(family, "calls_tools", _yes_or_no),
        _cell(family, "structured_output", _yes_or_no),
        f"{_yes_or_no(beside)} {BESIDE_TOOLS}" if native and not beside else _yes_or_no(beside),
        _cell(family, "honours_sampling", lambda counts: "sent" if counts else "ignored"),
        _cell(family, "takes_penalties", lambda taken: "sent" if taken else "left out"),
        _cell(family, "takes_cached_content", lambda taken: "sent" if taken else "left out"),
        _cell(family, "result_types", _show_types) if family.takes_media_in_results else "none",
    ]


def _show_types(types):
    """Return the subtypes of MIME types as text. One short name stands for all types of Office files."""
    shown = [kind.rpartition("/")[2] for kind in types if kind not in OFFICE_TYPES]
    return ", ".join(shown + (["Office and OpenDocument files"] if {*types} >= OFFICE_TYPES else []))


def landing(name, surface):
    """Return the body keys and headers that the parameter sets in a request to `surface`.

    If the parameter sets none, return `applied to the reply`, `left out` or `not sent`.
    """
    beside = _BESIDE.get(name, {})
    bare = build(HI, surface, TAKES_ALL, **beside)
    full = build(HI, surface, TAKES_ALL, **{**beside, name: SAMPLES[name]})
    before = dict(_leaves(bare.payload))
    paths = [path for path, value in _leaves(full.payload) if before.get(path) != value]
    places = ", ".join([*map(_code, paths), *(f"header {_code(header)}" for header in full.headers)])
    kinds = {note.kind for note in full.notes}
    return places or (
        "applied to the reply" if "adjusted" in kinds else "left out" if "dropped" in kinds else "not sent"
    )


def _leaves(body):
    google = body.get("extra_body", {}).get("google", {})
    yield from ((key, value) for key, value in body.items() if key not in ("model", "messages", "extra_body"))
    yield from ((f"google.{key}", value) for key, value in google.items())


def _key_rows():
    for prefix, keys in (("", BODY_KEYS), ("google.", GOOGLE_KEYS)):
        lists = [keys[surface] for surface in ("vertex", "ai_studio")]
        for key in sorted(frozenset.union(*lists)):
            yield [_code(prefix + key), *("yes" if key in taken else "no" for taken in lists)]


PAGES = {"families.md": print_families, "parameters.md": print_parameters}

if __name__ == "__main__":
    for page, print_page in PAGES.items():
        (DOCS / page).write_text(print_page(), encoding="utf-8")
