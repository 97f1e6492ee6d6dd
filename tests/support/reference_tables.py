"""The pages of `docs/reference/` that say what the code's own tables say: model families, and parameters per surface.

`python tests/support/reference_tables.py` writes them. Its one rule: every cell is a field of a table, or was seen in a request
that the package built.
"""

from pathlib import Path

from langchain_core.messages import HumanMessage
from outgoing import SURFACES, build, endpoint

from langchain_gemini_compat._catalog.langchain_profile import build_profile
from langchain_gemini_compat._catalog.models import FAMILIES, LATER_GEMINI
from langchain_gemini_compat._catalog.surfaces import BODY_KEYS, GOOGLE_KEYS
from langchain_gemini_compat._request.thinking import EFFORT_BUDGETS

DOCS = Path(__file__).parents[2] / "docs" / "reference"
COMMAND = "python tests/support/reference_tables.py"
UNKNOWN = "not known"
ROWS = [*FAMILIES, LATER_GEMINI]
WORDS = ("none", "minimal", "low", "medium", "high", "xhigh")
BUDGETS = (-1, 0, 100, 1024, 10_000, 50_000)
HI = [HumanMessage("Hi.")]

_FAMILIES = f"""# Model families

What the package knows of each family, and goes by. A family is all names that begin so, whatever stands before
(`google/`, `models/`) or after (`-preview`, `-001`); the first row that fits counts. Every other name with `gemini`,
`gemini-flash-latest` among them, is the last row: what all newer text models share. Models that are no Gemini get what
you give. *{UNKNOWN}* means that no source says. `{COMMAND}` writes this page from the code's own table.

Sources, read in November 2026: Google's [models](https://ai.google.dev/gemini-api/docs/models),
[thinking](https://ai.google.dev/gemini-api/docs/thinking),
[deprecations](https://ai.google.dev/gemini-api/docs/deprecations) and
[OpenAI compatibility](https://ai.google.dev/gemini-api/docs/openai) for AI Studio, its
[cards and guides](https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/guides/gemini-3-8-flash) for
Vertex AI; [models.dev](https://models.dev) for image models, whose *no* means "not listed there"; public reports where a
line says so.

## Limits and places

Tokens in and out. AI Studio has no locations. Vertex serves a model in the locations named; *regions* are those like
`us-central1`. Gemini 4 shares its 1,048,576 tokens between input and output; a reply that is not streamed ends at 32,768.

"""
_THINKING = f"""
## Thinking

What a model can be told, and what it does when it is told nothing. *dynamic* is a budget of its own choice, up to 8,192
tokens. Gemini 3 takes budgets "for compatibility", with no range stated; we keep to its output limit. Of 2.5 Flash-Lite
Google's pages disagree on whether it thinks unasked. `minimal` on 3.7 and 3.8 Flash is
[refused](https://github.com/BerriAI/litellm/issues/37314).

{{thinking}}
### What `reasoning_effort` becomes

The nearest word that the model has. On Vertex `none` and `minimal` go out as the level or budget they stand for, and so
does every word with `include_thoughts`: {", ".join(f"`{word}` {tokens:,}" for word, tokens in EFFORT_BUDGETS.items())}
tokens on models that count. `max` is as `xhigh`. Where a cell differs from its head, there is a note. `thinking_level`
takes the same words to the same levels; on models that count it is a budget, which is noted.

{{efforts}}
### What `thinking_budget` becomes

{{budgets}}"""
_RULES = """
## Rules that differ

- **signatures**: a tool call of the current turn without its signature is a 400.
- **text beside calls**: on Vertex an assistant message with text and tool calls is a
  [400](https://github.com/NousResearch/hermes-agent/issues/69231) where it says *left out*.
- **JSON**: structured output without tools. **beside tools**: JSON and tools in one request; refused
  [before Gemini 3](https://github.com/googleapis/python-genai/issues/706).
- **sampling**: `temperature` and `top_p`. **penalties**: `presence_penalty`, `frequency_penalty`. What no source calls
  ignored or refused is sent.

"""
_PARAMETERS = f"""# Parameters per surface

Where each parameter goes, as seen in requests that the package built. What a surface does not take is left out and
noted: a warning, a line of `preview()`, an error with `strict=True`. `google.x` stands for `extra_body.google.x` of the
body, under a literal key `extra_body`. A model of your own on a Vertex endpoint is treated as a compatible server.
`{COMMAND}` writes this page.

Sources: Google's pages on OpenAI compatibility for
[Vertex AI](https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview), which passes
over keys it does not know, and for [AI Studio](https://ai.google.dev/gemini-api/docs/openai), which answers 400 to them.

"""
_KEYS = """
## Keys of the body

Any other key, from `model_kwargs` or at a call, goes out where it is in these lists, and to compatible servers always.
`extra_body` is merged in last and not looked at.

"""
#: A value for each parameter; a model on which it counts.
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
    "service_tier": "flex",
    "extra_body": {"google": {"x": 1}},
    "stream_usage": True,
    "invalid_tool_calls": "keep",
    "tools": [{"type": "function", "function": {"name": "f"}}, {"google_search": {}}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
    "web_search_options": {},
}
#: What a parameter needs beside it, to be looked at.
_ONE_TOOL = {"tools": SAMPLES["tools"][:1]}
_BESIDE = {
    "tool_choice": _ONE_TOOL,
    "parallel_tool_calls": _ONE_TOOL,
    "stream_usage": {"stream": True, "stream_usage": False},
}
_SPELLED = {"n": "`n` above 1", "parallel_tool_calls": "`parallel_tool_calls=False`", "stream_usage": "`stream_usage`, in streams"}  # fmt: skip


def print_families():
    """`families.md`."""
    thinking = _THINKING.format(
        thinking=table(("family", "levels", "unasked", "budget", "off"), map(_thinking_row, ROWS)),
        efforts=table(("family", *map(_code, WORDS)), (_becomes(row, "reasoning_effort", WORDS) for row in ROWS)),
        budgets=table(
            ("family", *(f"{number:,}" for number in BUDGETS)),
            (_becomes(row, "thinking_budget", BUDGETS) for row in ROWS),
        ),
    )
    limits = table(("family", "in", "out", "takes", "makes", "Vertex", "end"), map(_limits_row, ROWS))
    heads = ("family", "signatures", "text beside calls", "tools", "JSON", "beside tools", "sampling", "penalties")
    return _FAMILIES + limits + thinking + _RULES + table(heads, map(_rules_row, ROWS))


def print_parameters():
    """`parameters.md`."""
    heads = ("parameter", "Vertex AI", "AI Studio", "compatible servers")
    rows = ([_SPELLED.get(name, _code(name)), *(_landing(name, surface) for surface in SURFACES)] for name in SAMPLES)
    return _PARAMETERS + table(heads, rows) + _KEYS + table(("key", "Vertex AI", "AI Studio"), _key_rows())


def table(heads, rows):
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


def _code(word):
    return f"`{word}`"


def _name(family):
    return _code(family.name) + ("" if family.known else " and what follows")


def _limits_row(family):
    limits = (family.max_input_tokens, family.max_output_tokens)
    return [
        _name(family),
        *(UNKNOWN if limit is None else f"{limit:,}" for limit in limits),
        ", ".join(family.inputs),
        "text, image" if family.image_output else "text",
        ", ".join(family.locations or [UNKNOWN]),
        family.end,
    ]


def _thinking_row(family):
    if family.thinking == "none":
        return [_name(family), "none", "off", "none", "always"]
    counts = family.thinking == "budget"
    least, most = family.budgets or (None, None)
    return [
        _name(family),
        "none" if counts else ", ".join(family.levels),
        family.default_thinking or UNKNOWN,
        UNKNOWN if least is None else f"{least:,} to {most:,}" if counts else "taken",
        "yes" if family.may_stop_thinking else "no",
    ]


def _becomes(family, knob, values):
    return [_name(family), *(_sent(build(HI, "ai_studio", family.name, **{knob: value})) for value in values)]


def _sent(request):
    google = request.payload.get("extra_body", {}).get("google", {})
    config = {"reasoning_effort": request.payload.get("reasoning_effort"), **google.get("thinking_config", {})}
    found = [value for value in config.values() if value is not None]
    return ", ".join(f"{value:,}" if isinstance(value, int) else value for value in found) or "left out"


def _rules_row(family):
    profile = build_profile(family, endpoint())
    native = family.structured_output
    return [
        _name(family),
        "demanded" if family.signatures_demanded else "optional",
        "sent" if family.text_beside_calls else "left out",
        "yes" if profile["tool_calling"] else "no",
        "yes" if native else "no",
        "yes" if native and family.generation == "gemini-3" else "no",
        "sent" if family.honours_sampling else "ignored",
        "sent" if family.takes_penalties else "left out",
    ]


def _landing(name, surface):
    beside = _BESIDE.get(name, {})
    bare = build(HI, surface, **beside)
    full = build(HI, surface, **{**beside, name: SAMPLES[name]})
    before = dict(_leaves(bare.payload))
    paths = [path for path, value in _leaves(full.payload) if before.get(path) != value]
    places = ", ".join(_code(path) for path in paths)
    kinds = {note.kind for note in full.notes}
    return places or ("kept by the package" if "adjusted" in kinds else "left out" if "dropped" in kinds else "nothing")


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
