"""Tests of each value of each thinking option, family and surface: valid on the wire, or an error before the request.

The tables of valid values are independent of the code. They come from Google's pages and from public refusals:

- https://ai.google.dev/gemini-api/docs/thinking and the model cards: levels, budget ranges and refused values.
- https://ai.google.dev/gemini-api/docs/openai: values of `reasoning_effort`, which excludes a level or a budget.
- https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview: Vertex accepts an effort
  or a `thinking_config` but not both, and maps `low`, `medium` and `high` to budgets.
- Three captures of a 400 of 2026: Vertex accepts `high`, `low`, `max`, `medium` and `minimal`.
- pydantic-ai's profile notes on live requests (2026-10-23): budget 0 on Vertex.
- https://github.com/BerriAI/litellm/issues/37314: `minimal` and `none` are refused.
- Vertex's page on thinking: levels are refused before Gemini 3.
"""

import warnings
from dataclasses import replace
from enum import Enum

import pytest
from families import CHAT_FAMILIES
from langchain_core.messages import HumanMessage
from outgoing import PLACES, SURFACES, broken_rules, build, endpoint

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat._request.options import read_options
from langchain_gemini_compat._request.thinking import encode_thinking, warn_of_tight_limit
from langchain_gemini_compat.errors import GeminiCompatWarning, UnsupportedParameterError
from langchain_gemini_compat.testing import FakeGemini

HI = [HumanMessage("Hi.")]
L, M, H, N, X = "low", "medium", "high", "minimal", "xhigh"

#: Maps a model to its thinking levels; `None` if it does not accept levels.
LEVELS = {
    "gemini-4-argon": {L, M, H},
    "gemini-4-carbon": {L, M, H},
    "gemini-4-carbon-cyber-permissive": {L, M, H},
    "gemini-4-hydrogen": {L, M, H, X},
    "gemini-4-neon": {L, M, H, X},
    "gemini-4-radon": {L, M, H},
    "nano-banana-pro-preview": None,
    "gemini-nano-banana-2.1": {N, M, H},
    "gemini-3.8-flash": {L, M, H},
    "gemini-3.8-flash-cyber": {L, M, H},
    "gemini-3.7-flash": {L, M, H},
    "gemini-3.6-flash": {N, L, M, H},
    "gemini-3.5-flash-lite": {N, L, M, H},
    "gemini-3.5-flash": {N, L, M, H},
    "gemini-3.1-flash-lite-image": {N, H},
    "gemini-3.1-flash-image": {N, H},
    "gemini-3.1-flash-lite": {N, L, M, H},
    "gemini-3.1-pro-preview": {L, M, H},
    "gemini-3-flash-preview": {N, L, M, H},
    "gemini-3-pro-image": {L, H},
    "gemini-3-pro-preview": {L, H},
    "gemini-robotics-er-2-preview": {N, L, M, H},
    "gemini-flash-latest": {L, M, H},
    "gemini-pro-latest": {L, M, H},
    "gemini-5-xenon": {L, M, H},
    "gemini-2.5-flash-image": None,
    "gemini-2.5-pro": None,
    "gemini-2.5-flash-lite": None,
    "gemini-2.5-flash": None,
    "gemini-2.0-flash": None,
    "gemini-1.5-pro": None,
}
#: Maps a model to the budgets that it accepts, except -1. Gemini 3 accepts budgets for compatibility, but always thinks.
BUDGETS = {
    "gemini-2.5-pro": range(128, 32_769),
    "gemini-2.5-flash-lite": {0, *range(512, 24_577)},
    "gemini-2.5-flash": range(24_577),
    **{model: range(1, 65_537) for model in LEVELS if model.startswith("gemini-3") and "image" not in model},
}
#: Models whose thinking can be switched off: `MAY_STOP` on each surface, `MAY_STOP_ON_VERTEX` on Vertex AI only.
MAY_STOP = {"gemini-2.5-flash", "gemini-2.5-flash-lite"}
MAY_STOP_ON_VERTEX = {"gemini-3.5-flash", "gemini-3.1-pro-preview"}
#: The values of `reasoning_effort` that each surface accepts.
EFFORTS = {"vertex": {N, L, M, H, "max"}, "ai_studio": {"none", N, L, M, H}}
SILENT = {"nano-banana-pro-preview", "gemini-2.5-flash-image", "gemini-2.0-flash", "gemini-1.5-pro"}

WORDS = ["none", N, L, M, H, X, "max"]
LIMITS = [-1, 0, 1, 127, 128, 129, 511, 512, 513, 1024, 1025, 8192, 8193, 24_575, 24_576, 24_577, 32_767, 32_768,
          32_769, 65_535, 65_536, 65_537, 10**9]  # fmt: skip
SETTINGS = [
    {},
    *({"reasoning_effort": word} for word in WORDS),
    *({"thinking_level": word} for word in WORDS),
    *({"thinking_budget": budget} for budget in LIMITS),
]
THOUGHTS = [None, True, False]
WRONG = [
    {"reasoning_effort": "hihg"}, {"reasoning_effort": ""}, {"reasoning_effort": 5}, {"reasoning_effort": True},
    {"reasoning_effort": ["low"]}, {"thinking_level": "THINKING_LEVEL_UNSPECIFIED"}, {"thinking_level": 1},
    {"thinking_budget": "1024"}, {"thinking_budget": True}, {"thinking_budget": False}, {"thinking_budget": 1024.0},
    {"thinking_budget": -2}, {"thinking_budget": "low"}, {"include_thoughts": "false"}, {"include_thoughts": 1},
]  # fmt: skip


def faults(model, surface, body):
    """Return what Google would refuse or ignore in the thinking options of `body`."""
    google = body.get("extra_body", {}).get("google", {})
    config, effort = google.get("thinking_config", {}), body.get("reasoning_effort")
    level, budget = config.get("thinking_level"), config.get("thinking_budget")
    thoughts, levels = config.get("include_thoughts"), LEVELS[model]
    refused = {
        "an empty or unknown config": "thinking_config" in google and not (config and config.keys() <= CONFIG),
        "thinking asked of a model that has none": model in SILENT and bool(config or effort),
        "two settings": sum(setting is not None for setting in (effort, level, budget)) > 1,
        "an effort and a config on Vertex": surface == "vertex" and effort is not None and bool(config),
        "an effort the surface does not have": effort is not None and effort not in EFFORTS[surface],
        "an effort Vertex does not map to a budget": surface == "vertex" and not levels and effort not in (None, L, M, H),
        "an effort the model does not have": effort is not None and effort not in efforts(model, surface),
        "a level the model does not have": level is not None and level not in (levels or ()),
        "a budget that is no number": budget is not None and type(budget) is not int,
        "a budget the model does not have": budget not in (None, -1) and budget not in budgets(model, surface),
        "a budget where no source says that one is taken": budget is not None and model not in BUDGETS,
        "thoughts without thinking": thoughts and (budget == 0 or effort == "none"),
        "untagged thoughts on Vertex": surface == "vertex" and thoughts and not google.get("thought_tag_marker"),
        "a marker for nothing": "thought_tag_marker" in google and not thoughts,
    }  # fmt: skip
    return [fault for fault, found in refused.items() if found]


CONFIG = {"thinking_level", "thinking_budget", "include_thoughts"}


def may_stop(model, surface):
    """Return whether the model's thinking can be switched off."""
    return model in MAY_STOP or (surface == "vertex" and model in MAY_STOP_ON_VERTEX)


def efforts(model, surface):
    """Return the `reasoning_effort` values that a model accepts. Google maps them to levels, or for 2.5 to budgets."""
    return {*(LEVELS[model] or (N, L, M, H)), *({"none"} if may_stop(model, surface) else ())}


def budgets(model, surface):
    """Return the budgets other than -1 that a model accepts."""
    return {*BUDGETS.get(model, ()), *({0} if may_stop(model, surface) else ())}


def test_table_has_each_family():
    """A new family needs a row with its valid values."""
    assert {family_of(model).name for model in LEVELS} >= {family.name for family in CHAT_FAMILIES}


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize("model", LEVELS)
def test_each_value_is_valid_on_the_wire(model, surface):
    """Each value is tried with `include_thoughts` on, off and unset. Each option adds at most one note."""
    for setting in SETTINGS:
        for thoughts in THOUGHTS:
            request = build(HI, surface, model, **setting, include_thoughts=thoughts)
            assert faults(model, surface, request.payload) == [], (setting, thoughts, request.payload)
            assert broken_rules(request.payload, surface) == [], (setting, thoughts, request.payload)
            assert len(request.notes) <= len(setting) + bool(thoughts), (setting, thoughts, request.notes)
            assert shows_thoughts(request.payload) == (bool(thoughts) and thinks(model, surface, setting)), (
                setting,
                thoughts,
            )


def shows_thoughts(body):
    google = body.get("extra_body", {}).get("google", {})
    return bool(google.get("thinking_config", {}).get("include_thoughts"))


def thinks(model, surface, setting):
    """Return whether the model thinks with this setting."""
    return model not in SILENT and not (may_stop(model, surface) and {*setting.values()} & {"none", 0})


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize("model", LEVELS)
def test_setting_of_the_model_is_sent_unchanged(model, surface):
    """A setting that the model supports adds no note. Its form depends on the surface."""
    for word in efforts(model, surface) if model not in SILENT else ():
        request = build(HI, surface, model, reasoning_effort=word.upper())
        assert request.notes == ()
        assert meaning(request.payload) in (word, {"none": 0, N: 1024, L: 1024, M: 8192, H: 24_576}.get(word))
    for word in LEVELS[model] or ():
        request = build(HI, surface, model, thinking_level=word)
        assert (meaning(request.payload), request.notes) == (word, ())
    for budget in set(LIMITS) & budgets(model, surface):
        request = build(HI, surface, model, thinking_budget=budget)
        assert (meaning(request.payload), request.notes) == (budget, ())


def meaning(body):
    config = body.get("extra_body", {}).get("google", {}).get("thinking_config", {})
    found = [body.get("reasoning_effort"), config.get("thinking_level"), config.get("thinking_budget")]
    (one,) = [value for value in found if value is not None]
    return one


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize("model", LEVELS)
def test_setting_that_the_model_lacks_is_fitted_with_one_note(model, surface):
    """An unsupported setting adds one note. But if a model cannot think, switching thinking off adds none."""
    for setting in SETTINGS[1:]:
        (name, value), = setting.items()  # fmt: skip
        legal = {
            "reasoning_effort": efforts(model, surface), "thinking_level": LEVELS[model] or (),
            "thinking_budget": {-1, *budgets(model, surface)},
        }[name]  # fmt: skip
        if model in SILENT:
            legal = {"none", 0}
        request = build(HI, surface, model, **setting)
        assert len(request.notes) == (value not in legal), (setting, request.notes)
        assert all(name in note.message for note in request.notes)


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize("model", LEVELS)
def test_higher_setting_never_gives_less_thinking(model, surface):
    """For each thinking option, a higher requested value never leads to a lower sent value."""
    order = {"none": 0, N: 1, L: 1024, M: 8192, H: 24_576, "xhigh": 32_768}
    tokens = [budget for budget in LIMITS if budget > 0 or (budget == 0 and not LEVELS[model])]
    for name, values in (("reasoning_effort", WORDS), ("thinking_level", WORDS), ("thinking_budget", tokens)):
        if model not in SILENT:
            sent = [meaning(build(HI, surface, model, **{name: value}).payload) for value in values]
            amounts = [order.get(one, one) for one in sent]
            assert amounts == sorted(amounts), (name, sent)


@pytest.mark.parametrize("setting", WRONG, ids=str)
@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-4-argon", "gemini-2.5-pro", "gemini-2.0-flash", "gemini-flash-latest"])  # fmt: skip
def test_invalid_setting_raises_before_the_request(model, surface, setting):
    """The error names the option and its valid values."""
    (name,) = setting
    with pytest.raises(UnsupportedParameterError, match=f"`{name}` is "):
        build(HI, surface, model, **setting)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-flash", "gemini-2.0-flash", "meta/llama-4", "gemma-3-270m"])  # fmt: skip
def test_two_thinking_options_raise_everywhere(model, surface):
    """Setting two thinking options raises an error, even if both have the same meaning."""
    for pair in (
        {"reasoning_effort": "low", "thinking_level": "low"},
        {"reasoning_effort": "none", "thinking_budget": 0},
        {"thinking_level": "low", "thinking_budget": 1024},
    ):
        with pytest.raises(UnsupportedParameterError, match="set the same thing"):
            build(HI, surface, model, **pair)


class Level(Enum):
    HIGH = "HIGH"


@pytest.mark.parametrize("surface", SURFACES)
def test_enum_members_are_sent_as_their_values(surface):
    """In Google's own packages, the thinking levels are members of an enum."""
    body = build(HI, surface, "gemini-3.8-flash", thinking_level=Level.HIGH).payload
    assert meaning(body).lower() == "high"


@pytest.mark.parametrize("model", [*LEVELS, "gemma-3-270m", "gpt-oss", "anything"])
def test_compatible_server_gets_the_options_unchanged(model):
    """Google's rules may not apply to a compatible server."""
    at = endpoint("openai_compatible", model)
    for setting in (*SETTINGS, {"thinking_budget": "1024"}, {"reasoning_effort": "weird"}):
        for thoughts in THOUGHTS:
            request = build(HI, at=at, **setting, include_thoughts=thoughts)
            given = {**setting, **({} if thoughts is None else {"include_thoughts": thoughts})}
            effort = given.pop("reasoning_effort", None)
            config = request.payload.get("extra_body", {"google": {"thinking_config": {}}})["google"]
            assert (request.payload.get("reasoning_effort"), config) == (effort, {"thinking_config": given})
            assert request.notes == ()


@pytest.mark.parametrize(
    ("surface", "model"), [("vertex", "meta/llama-4"), ("vertex", "xai/grok-5"), ("ai_studio", "gemma-3-27b-it")]
)
def test_other_model_gets_the_options_unchanged(surface, model):
    """Vertex AI applies one rule even to models other than Gemini: no `reasoning_effort` with a `thinking_config`."""
    for setting in SETTINGS:
        request = build(HI, surface, model, **setting)
        assert request.notes == ()
        assert setting == {} or [meaning(request.payload)] == [*setting.values()]
        if setting.get("reasoning_effort", L) in EFFORTS[surface]:
            assert broken_rules(build(HI, surface, model, **setting, include_thoughts=True).payload, surface) == []


def test_gemma_4_gets_no_effort_on_ai_studio():
    """For Gemma 4, AI Studio answers 400 to `reasoning_effort`. Other settings and other servers are not affected."""
    request = build(HI, "ai_studio", "models/gemma-4-31b-it", reasoning_effort="high", include_thoughts=True)
    assert "reasoning_effort" not in request.payload
    assert [note.message for note in request.notes] == [
        "`reasoning_effort` was left out: ai_studio refuses it for gemma-4-31b-it."
    ]
    assert broken_rules(request.payload, "ai_studio") == []
    assert broken_rules({**request.payload, "reasoning_effort": "high"}, "ai_studio")[0].rule == "thinking-level"
    with pytest.raises(UnsupportedParameterError, match="gemma-4"):
        build(HI, "ai_studio", "gemma-4-31b-it", strict=True, reasoning_effort="high")
    for surface, setting in (
        ("vertex", {"reasoning_effort": "high"}),
        ("openai_compatible", {"reasoning_effort": "high"}),
        ("ai_studio", {"thinking_level": "high"}),
    ):
        request = build(HI, surface, "gemma-4-31b-it", **setting)
        assert (meaning(request.payload), request.notes) == ("high", ())


@pytest.mark.parametrize(("model", "sent"), [("gemma-4-31b-it", "high"), ("gemini-3.8-flash", "high")])
def test_catalog_says_whether_ai_studio_takes_an_effort(model, sent, tmp_path):
    """A catalog file can say whether AI Studio accepts `reasoning_effort` for a model.

    If AI Studio does not accept it for a Gemini model, the request has a thinking level instead.
    """
    gemma = model.startswith("gemma")
    path = tmp_path / f"{model}.json"
    path.write_text(f'{{"families": {{"{model}": {{"takes_effort_on_ai_studio": {str(gemma).lower()}}}}}}}')
    at = replace(endpoint("ai_studio", model), catalog=str(path))
    request = build(HI, at=at, reasoning_effort="high")
    assert (meaning(request.payload), request.notes) == (sent, ())
    assert ("reasoning_effort" in request.payload) == gemma


def is_refused(model, surface, setting):
    """Return whether Google's server refuses `setting` for this model if the package sends it unchanged."""
    ((name, value),) = setting.items()
    if model in SILENT:
        return True
    if name == "reasoning_effort":
        return value not in EFFORTS[surface] & efforts(model, surface)
    if name == "thinking_level":
        return value not in (LEVELS[model] or ())
    if LEVELS[model]:
        # Only a budget of 0 on AI Studio counts as refused, because no source states the highest budget of models with
        # thinking levels.
        return value == 0 and surface == "ai_studio"
    return value != -1 and value not in budgets(model, surface)


#: Models that the next test leaves out. The fake endpoint knows less about them than the package, because they are new,
#: or because no source shows their thinking levels.
UNKNOWN = {"gemini-flash-latest", "gemini-pro-latest", "gemini-5-xenon", "nano-banana-pro-preview"}


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize("model", sorted(LEVELS.keys() - UNKNOWN))
def test_fake_endpoint_and_package_know_the_same_values(model, surface):
    """The values are put into requests without the package's checks. The fake refuses those that Google refuses."""
    for setting in SETTINGS[1:]:
        config = {name: value for name, value in setting.items() if name != "reasoning_effort"}
        body = build(HI, surface, model).payload | {key: setting[key] for key in setting.keys() - config.keys()}
        body |= {"extra_body": {"google": {"thinking_config": config}}} if config else {}
        assert bool(broken_rules(body, surface)) == is_refused(model, surface, setting), (setting, body)


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
def test_fake_endpoint_accepts_the_request(surface):
    """The request passes through the chat model, a client and langchain-core."""
    for model in LEVELS:
        fake = FakeGemini(surface=surface)
        chat = fake.chat_model(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GeminiCompatWarning)
            for setting in SETTINGS[1::3]:
                chat.invoke("Hi.", include_thoughts=True, **setting)
        assert (fake.refusals, fake.ignored) == ([], [])
        assert all(faults(model, surface, request.body) == [] for request in fake.requests)


def test_adjusted_option_is_warned_of_and_logged_once(caplog):
    """With `strict`, an adjusted option raises an error."""
    chat = FakeGemini().chat_model("gemini-3.8-flash", reasoning_effort="minimal")
    with caplog.at_level("INFO", "langchain_gemini_compat"):
        with pytest.warns(GeminiCompatWarning, match="minimal") as told:
            chat.batch(["Hi.", "Hi again."], {"max_concurrency": 1})
        assert (len(told), len(caplog.records)) == (1, 1)
    with pytest.raises(UnsupportedParameterError, match="minimal"):
        build(HI, "vertex", "gemini-3.8-flash", strict=True, reasoning_effort="minimal")


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
def test_thinking_option_survives_binding(surface):
    """`bind_tools` and `with_structured_output` keep a thinking option that is set at construction or bound."""
    for model in (
        ChatGeminiCompat(model="gemini-3.8-flash", thinking_level="high", **PLACES[surface]),
        ChatGeminiCompat(model="gemini-3.8-flash", **PLACES[surface]).bind(thinking_level="high"),
    ):
        bound = model.bind_tools([]) if isinstance(model, ChatGeminiCompat) else model
        body, _ = bound.bound.preview("Hi.", **bound.kwargs)
        assert meaning(body) == "high"


#: Each case has a model, its thinking options, `max_tokens`, and whether thinking may use up `max_tokens`. The first
#: cases come from public reports.
TIGHT = [
    ("gemini-2.5-pro", {}, 256, True),
    ("gemini-2.5-flash", {}, 3072, True),
    ("gemini-3-flash-preview", {}, 1024, True),
    ("gemini-3.6-flash", {}, 500, True),
    ("gemini-3.6-flash", {}, 1500, True),
    ("gemini-3.8-flash", {}, 300, True),
    ("gemini-3.5-flash", {}, 120, True),
    ("gemini-2.5-flash", {}, 4096, True),
    ("gemini-3.8-flash", {}, 4096, True),
    ("gemini-3.8-flash", {}, 4097, False),
    ("gemini-3.8-flash", {"reasoning_effort": "low"}, 512, True),
    ("gemini-3.8-flash", {"reasoning_effort": "low"}, 513, False),
    ("gemini-3.8-flash", {"thinking_level": "high"}, 12_288, True),
    ("gemini-3.8-flash", {"thinking_level": "high"}, 12_289, False),
    ("gemini-3.8-flash", {"thinking_level": "minimal"}, 512, True),
    ("gemini-3.8-flash", {"thinking_budget": 0}, 512, True),
    ("gemini-3.8-flash", {"thinking_budget": 2000}, 2000, True),
    ("gemini-3.8-flash", {"thinking_budget": 2000}, 2001, False),
    ("gemini-3.8-flash", {"thinking_budget": -1}, 4096, True),
    ("gemini-4-argon", {"thinking_budget": 20_000}, 12_288, True),
    ("gemini-4-hydrogen", {"reasoning_effort": "xhigh"}, 12_288, True),
    ("gemini-4-hydrogen", {"thinking_level": "xhigh"}, 12_288, True),
    ("gemini-3.5-flash", {"reasoning_effort": "high"}, 12_288, True),
    ("gemini-3.6-flash", {"reasoning_effort": "minimal"}, 1, False),
    ("gemini-3.5-flash-lite", {}, 1, False),
    ("gemini-2.5-flash", {"reasoning_effort": "none"}, 1, False),
    ("gemini-2.5-flash", {"thinking_budget": 0}, 1, False),
    ("gemini-2.5-flash", {"reasoning_effort": "low"}, 512, True),
    ("gemini-2.5-flash", {"thinking_level": "low"}, 512, True),
    ("gemini-2.5-pro", {"thinking_budget": 1}, 128, True),
    ("gemini-flash-latest", {}, 1, False),
    ("gemini-flash-latest", {"reasoning_effort": "high"}, 5000, True),
    ("gemini-2.0-flash", {"reasoning_effort": "high"}, 1, False),
    ("gemini-3.8-flash", {}, None, False),
]


@pytest.mark.parametrize("thoughts", THOUGHTS)
@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize(("model", "setting", "limit", "tight"), TIGHT)
def test_tight_max_tokens_is_warned_of(model, setting, limit, tight, surface, thoughts):
    """The warning is the same on each surface, with and without thoughts in the reply."""
    family = family_of(model)
    fields = encode_thinking(
        read_options({**setting, "include_thoughts": thoughts}), endpoint(surface, model), family, []
    )
    said = warn_of_tight_limit(limit, fields, family)
    assert (said is not None) == tight
    assert said is None or said.startswith(f"`max_tokens` {limit} may leave no room for an answer")


@pytest.mark.parametrize(
    ("model", "setting", "cure"),
    [
        ("gemini-3.8-flash", {}, '`reasoning_effort="low"`'),
        ("gemini-3.6-flash", {}, '`reasoning_effort="minimal"`'),
        ("gemini-2.5-flash", {}, '`reasoning_effort="none"`'),
        ("gemini-2.5-pro", {}, '`reasoning_effort="minimal"`'),
        ("gemini-3.8-flash", {"reasoning_effort": "low"}, "leave it out."),
        ("gemini-2.5-pro", {"thinking_budget": 200}, "leave it out."),
    ],
)
def test_warning_suggests_an_effort_of_the_model(model, setting, cure):
    """Less thinking is suggested only if the model has a lower effort."""
    family = family_of(model)
    fields = encode_thinking(read_options(setting), endpoint("vertex", model), family, [])
    said = warn_of_tight_limit(100, fields, family)
    assert cure in said
    assert ("think less" in said) == ("effort" in cure)


@pytest.mark.parametrize("limit", [0, 1, 100])
def test_unknown_model_gets_no_warning_about_max_tokens(limit):
    """Models on compatible servers and models other than Gemini are unknown."""
    for place, model in (("openai_compatible", "gemini-3.8-flash"), ("vertex", "meta/llama-4")):
        family = family_of(model)
        fields = encode_thinking(read_options({"reasoning_effort": "high"}), endpoint(place, model), family, [])
        assert warn_of_tight_limit(limit, fields, family) is None
