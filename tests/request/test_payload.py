"""Tests of parameters: which surfaces get them, where Google's own fields are sent, and notes for what is left out."""

from enum import Enum

import pytest
from langchain_core.messages import HumanMessage
from outgoing import GOOGLE, PLACES, SURFACES, broken_rules, build, endpoint, notes, send
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import GeminiCompatWarning, InvalidHistoryError, UnsupportedParameterError

HI = [HumanMessage("Hi.")]
BARE = {"model", "messages"}


def request(surface="vertex", model="gemini-3.8-flash", **options):
    return build(HI, surface, model, **options)


def google(made):
    return made.payload.get("extra_body", {}).get("google", {})


#: Each row has a parameter, a value, and the surfaces to which the parameter is sent.
PLAIN = [
    ("temperature", 0.0, SURFACES),
    ("top_p", 0.5, SURFACES),
    ("max_tokens", 60_000, SURFACES),
    ("n", 1, SURFACES),
    ("seed", 0, ("vertex", "openai_compatible")),
    ("presence_penalty", 0.5, ("vertex", "openai_compatible")),
    ("frequency_penalty", 0.5, ("vertex", "openai_compatible")),
    ("logprobs", True, ("openai_compatible",)),
    ("top_logprobs", 3, ("openai_compatible",)),
    ("web_search_options", {}, ("vertex", "openai_compatible")),
    ("modalities", ["image"], ("vertex", "openai_compatible")),
    ("store", True, ("openai_compatible",)),
    ("user", "ann", ("openai_compatible",)),
    ("cache_control", {"type": "ephemeral"}, ("openai_compatible",)),
]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("name", "value", "taken"), PLAIN, ids=[name for name, _, _ in PLAIN])
def test_parameter_is_sent_where_it_is_known_and_noted_elsewhere(name, value, taken, surface):
    """AI Studio would answer 400 to an unknown key, and Vertex AI would ignore it. So the package leaves it out.

    The test uses a model that accepts penalties.
    """
    model = "gemini-3.5-flash"
    made, bare = request(surface, model, **{name: value}), request(surface, model)
    if surface in taken:
        assert made.payload == {**bare.payload, name: value}
        assert made.notes == ()
    else:
        assert made.payload == bare.payload
        assert notes(made) == [f"`{name}` was left out: {surface} does not take it."]
        with pytest.raises(UnsupportedParameterError, match=name):
            request(surface, model, strict=True, **{name: value})


@pytest.mark.parametrize(
    "model",
    [
        "gemini-2.5-flash", "gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash",
        "gemini-4-argon", "gemini-4-carbon", "gemini-4-hydrogen", "gemini-4-neon",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["presence_penalty", "frequency_penalty"])
def test_penalty_that_the_model_refuses_is_left_out(model, name):
    """The answer of Vertex AI is 400: "Penalty is not enabled for this model"."""
    made = request("vertex", model, **{name: 0.5})
    assert name not in made.payload
    assert len(made.notes) == 1
    assert f"`{name}` was left out" in notes(made)[0]
    with pytest.raises(UnsupportedParameterError, match=name):
        request("vertex", model, strict=True, **{name: 0.5})


@pytest.mark.parametrize("model", ["gemini-4-argon", "gemini-4-carbon", "gemini-4-hydrogen", "gemini-4-neon"])
@pytest.mark.parametrize("surface", GOOGLE)
def test_explicit_cache_is_left_out_for_gemini_4(model, surface):
    """Gemini 4 has only implicit caches. A compatible server still gets `cached_content`."""
    made = request(surface, model, cached_content="cachedContents/1")
    assert "extra_body" not in made.payload
    assert notes(made) == [
        f"`cached_content` was left out: {model} has no explicit context cache. It caches repeated prompt beginnings automatically."
    ]
    with pytest.raises(UnsupportedParameterError, match="cached_content"):
        request(surface, model, strict=True, cached_content="cachedContents/1")
    other = request("openai_compatible", model, cached_content="cachedContents/1")
    assert other.payload["extra_body"]["google"] == {"cached_content": "cachedContents/1"}


def test_limit_above_that_of_a_call_is_lowered():
    """The note says "per call", because Gemini 4 can write longer answers through Google's other APIs."""
    made = request("vertex", "gemini-4-hydrogen", max_tokens=200_000)
    assert made.payload["max_tokens"] == 65_536
    assert notes(made) == ["`max_tokens` 200000 became 65536, the maximum of gemini-4-hydrogen per call."]


@pytest.mark.parametrize("surface", SURFACES)
def test_stop_is_a_list(surface):
    """A single stop word may be a string. An empty list is not sent."""
    assert request(surface, stop="END").payload["stop"] == ["END"]
    assert request(surface, stop=["a", "b"]).payload["stop"] == ["a", "b"]
    assert "stop" not in request(surface, stop=[]).payload


@pytest.mark.parametrize("surface", SURFACES)
def test_unset_options_are_not_sent(surface):
    """The server's defaults apply."""
    assert request(surface).payload.keys() == BARE
    assert send("Hi.", surface).keys() == BARE


GOOGLES = [
    ("cached_content", "cachedContents/1", GOOGLE),
    ("media_resolution", "MEDIA_RESOLUTION_LOW", ("vertex",)),
    ("stream_function_call_arguments", True, ("vertex",)),
    ("thought_tag_marker", "think", ("vertex",)),
    ("safety_settings", [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}], GOOGLE),
]


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize(("name", "value", "taken"), GOOGLES, ids=[name for name, _, _ in GOOGLES])
def test_google_fields_are_under_the_literal_extra_body(name, value, taken, surface):
    """Source: Google's examples page.

    Outside of `extra_body`, AI Studio answers 400 to these fields, and Vertex ignores them.
    """
    made = request(surface, **{name: value})
    if surface in taken:
        assert made.payload == {**request(surface).payload, "extra_body": {"google": {name: value}}}
    else:
        assert "extra_body" not in made.payload
        assert notes(made) == [f"`extra_body.google.{name}` was left out: {surface} does not take it."]


class Harm(Enum):
    HARM_CATEGORY_HARASSMENT = 3


class Block(Enum):
    BLOCK_NONE = 4


class Modality(str, Enum):
    IMAGE = "IMAGE"


SETTING = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}


@pytest.mark.parametrize(
    "given",
    [
        {Harm.HARM_CATEGORY_HARASSMENT: Block.BLOCK_NONE},
        {"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE"},
        [SETTING],
        [{"category": Harm.HARM_CATEGORY_HARASSMENT, "threshold": Block.BLOCK_NONE}],
    ],
    ids=["enum mapping", "mapping", "list", "enum list"],
)
def test_safety_settings_have_one_form(given):
    """Google's list and the mapping of `ChatGoogleGenerativeAI` give the same request. Enum members become names."""
    assert google(request(safety_settings=given)) == {"safety_settings": [SETTING]}


def test_modalities_are_in_small_letters():
    """Google's own packages write modalities in capitals; the compatible API uses lowercase."""
    assert request(modalities=["TEXT", Modality.IMAGE]).payload["modalities"] == ["text", "image"]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("given", "root", "nested"),
    [
        ({"google": {"labels": {"a": "b"}}}, {}, {"google": {"labels": {"a": "b"}}}),
        ({"extra_body": {"google": {"labels": {"a": "b"}}}}, {}, {"google": {"labels": {"a": "b"}}}),
        ({"extra_body": {"other": 1}, "google": {"x": 2}}, {}, {"other": 1, "google": {"x": 2}}),
        ({"store": True}, {"store": True}, None),
    ],
    ids=["once", "twice, as the SDK needs it", "both", "no field of Google's"],
)
def test_extra_body_is_merged_last_and_unchanged(given, root, nested, surface):
    """In Google's notebooks, `extra_body` is sometimes nested in `extra_body`. Both forms give the same body."""
    made = request(surface, extra_body=given)
    expected = {**root, **({"extra_body": nested} if nested else {})}
    assert {key: value for key, value in made.payload.items() if key not in BARE} == expected
    assert made.notes == ()


def test_extra_body_overrides_single_keys():
    """Keys that `extra_body` does not have are not changed."""
    made = request(cached_content="a", include_thoughts=True,
                   extra_body={"google": {"cached_content": "b", "thinking_config": {"thinking_budget": 5}}})  # fmt: skip
    assert google(made) == {
        "cached_content": "b",
        "thinking_config": {"include_thoughts": True, "thinking_budget": 5},
        "thought_tag_marker": "thought",
    }


def test_marker_in_extra_body_is_used_to_read_the_answer():
    """The caller's `thought_tag_marker` is the name of the tag around thoughts.

    Without it, thoughts would stay in the text.
    """
    made = request(extra_body={"google": {"thought_tag_marker": "musing"}})
    assert made.tags[0] == "musing"


@pytest.mark.parametrize(
    ("surface", "options", "expected"),
    [
        ("vertex", {}, None),
        ("ai_studio", {}, {"include_usage": True}),
        ("openai_compatible", {}, {"include_usage": True}),
        ("ai_studio", {"stream_usage": False}, None),
        ("openai_compatible", {"stream_options": {"chunk": 1}}, {"include_usage": True, "chunk": 1}),
        ("openai_compatible", {"stream_options": {"include_usage": False}}, {"include_usage": False}),
    ],
)
def test_stream_asks_for_usage_where_needed(surface, options, expected):
    """AI Studio reports usage in a stream only on request. Vertex always does."""
    made = request(surface, stream=True, **options)
    assert made.payload["stream"] is True
    assert made.payload.get("stream_options") == expected
    assert request(surface, **options).payload.keys() == BARE


def test_stream_of_a_self_deployed_model_asks_for_usage():
    """The container of a self-deployed model is a compatible server."""
    made = build(HI, at=endpoint("vertex", "gemma", endpoint_id="1"), stream=True)
    assert made.payload["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("surface", SURFACES)
def test_stream_has_one_candidate(surface):
    """`n` is left out of a request for a stream, because the chunks of several answers could not be told apart."""
    made = request(surface, stream=True, n=3)
    assert "n" not in made.payload
    assert notes(made) == ["`n` was left out: a stream has one candidate."]
    assert request(surface, stream=True, n=1).payload["n"] == 1


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-pro", "gemini-flash-latest"])
def test_n_is_left_out_where_gemini_refuses_it(surface, model):
    """The surfaces refuse `n` with `candidateCount must be 1` and `Only one candidate can be specified`."""
    made = request(surface, model, n=2)
    assert made.payload == request(surface, model).payload
    assert notes(made) == ["`n` was left out: this surface returns one candidate."]
    with pytest.raises(UnsupportedParameterError, match="`n`"):
        request(surface, model, n=2, strict=True)
    assert broken_rules(made.payload, surface) == []


def test_n_is_sent_to_other_models():
    """Gateways, self-deployed models and partners' models on Vertex have their own rules."""
    assert request("openai_compatible", n=2).payload["n"] == 2
    assert request("vertex", "meta/llama-4", n=2).payload["n"] == 2
    assert build(HI, at=endpoint("vertex", "gemma", endpoint_id="1"), n=2).payload["n"] == 2


def test_request_keeps_the_original_schemas_of_its_tools():
    """The schemas are stored by wire name. The arguments of a call are checked against the original schema."""
    schema = {"type": "object", "properties": {"a": {"enum": [1, 3]}}}
    odd = {"type": "function", "function": {"name": "a b", "parameters": schema}}
    flat = {"type": "function", "name": "c", "parameters": schema}
    bare = {"type": "function", "function": {"name": "d"}}
    for surface, name in (("vertex", "a_b"), ("openai_compatible", "a b")):
        made = request(surface, tools=[odd, flat, bare, {"google_search": {}}], tool_choice="c")
        assert made.schemas == {name: schema, "c": schema}
        assert made.names == ({} if name == "a b" else {"a_b": "a b"})
    assert request().schemas == {}


@pytest.mark.parametrize("surface", GOOGLE)
def test_penalties_are_left_out_for_the_family_that_refuses_them(surface):
    """3.5 Flash-Lite refuses penalties. For other families, Vertex accepts them."""
    made = request(surface, "gemini-3.5-flash-lite", presence_penalty=1, frequency_penalty=1)
    assert made.payload.keys() == BARE
    assert len(notes(made, "dropped")) == 2


MINIMAL, NONE = {"reasoning_effort": "minimal"}, {"reasoning_effort": "none"}
CONFIG = "thinking_config"
#: Each case has a surface, a model and thinking options. The last three values are expected: `reasoning_effort`,
#: `extra_body.google` and the number of notes.
THINKING = [
    ("vertex", "gemini-3.8-flash", {"reasoning_effort": "high"}, "high", {}, 0),
    ("ai_studio", "gemini-3.8-flash", {"reasoning_effort": "HIGH"}, "high", {}, 0),
    ("vertex", "gemini-3.8-flash", MINIMAL, "low", {}, 1),
    ("ai_studio", "gemini-3.8-flash", MINIMAL, "low", {}, 1),
    ("ai_studio", "gemini-3.1-pro-preview", NONE, "low", {}, 1),
    ("ai_studio", "gemini-3.6-flash", MINIMAL, "minimal", {}, 0),
    ("ai_studio", "gemini-3.6-flash", {"reasoning_effort": "xhigh"}, "high", {}, 1),
    ("ai_studio", "gemini-3-pro-preview", {"reasoning_effort": "medium"}, "low", {}, 1),
    ("vertex", "gemini-3.6-flash", MINIMAL, "minimal", {}, 0),
    ("vertex", "gemini-2.5-flash", MINIMAL, None, {CONFIG: {"thinking_budget": 1024}}, 0),
    ("ai_studio", "gemini-2.5-flash", NONE, "none", {}, 0),
    ("ai_studio", "gemini-2.5-pro", NONE, "minimal", {}, 1),
    ("vertex", "gemini-2.5-flash", NONE, None, {CONFIG: {"thinking_budget": 0}}, 0),
    ("vertex", "gemini-2.5-pro", MINIMAL, None, {CONFIG: {"thinking_budget": 1024}}, 0),
    ("vertex", "gemini-3.8-flash", {"thinking_level": "LOW"}, None, {CONFIG: {"thinking_level": "low"}}, 0),
    ("vertex", "gemini-3.8-flash", {"thinking_level": "minimal"}, None, {CONFIG: {"thinking_level": "low"}}, 1),
    ("ai_studio", "gemini-2.5-flash", {"thinking_level": "medium"}, None, {CONFIG: {"thinking_budget": 8192}}, 1),
    ("vertex", "gemini-2.5-flash", {"thinking_budget": -1}, None, {CONFIG: {"thinking_budget": -1}}, 0),
    ("vertex", "gemini-2.5-flash", {"thinking_budget": 0}, None, {CONFIG: {"thinking_budget": 0}}, 0),
    ("vertex", "gemini-2.5-pro", {"thinking_budget": 0}, None, {CONFIG: {"thinking_budget": 128}}, 1),
    ("vertex", "gemini-2.5-flash-lite", {"thinking_budget": 99_999}, None, {CONFIG: {"thinking_budget": 24_576}}, 1),
    ("vertex", "gemini-3.8-flash", {"thinking_budget": 500}, None, {CONFIG: {"thinking_budget": 500}}, 0),
    ("ai_studio", "gemini-3.8-flash", {"include_thoughts": True}, None, {CONFIG: {"include_thoughts": True}}, 0),
    (
        "vertex", "gemini-3.8-flash", {"include_thoughts": True},
        None, {CONFIG: {"include_thoughts": True}, "thought_tag_marker": "thought"}, 0,
    ),
    (
        "vertex", "gemini-3.8-flash", {"include_thoughts": True, "thought_tag_marker": "think"},
        None, {CONFIG: {"include_thoughts": True}, "thought_tag_marker": "think"}, 0,
    ),
    ("vertex", "gemini-3.8-flash", {"include_thoughts": False}, None, {CONFIG: {"include_thoughts": False}}, 0),
    (
        "vertex", "gemini-3.8-flash", {"reasoning_effort": "high", "include_thoughts": True},
        None, {CONFIG: {"thinking_level": "high", "include_thoughts": True}, "thought_tag_marker": "thought"}, 0,
    ),
    (
        "ai_studio", "gemini-2.5-flash", {"reasoning_effort": "low", "include_thoughts": True},
        None, {CONFIG: {"thinking_budget": 1024, "include_thoughts": True}}, 0,
    ),
    ("vertex", "gemini-3.8-flash", {"reasoning_effort": "low", "include_thoughts": False}, "low", {}, 0),
    ("vertex", "gemini-2.0-flash-001", {"reasoning_effort": "low", "include_thoughts": True}, None, {}, 2),
    ("openai_compatible", "gpt-oss", {"reasoning_effort": "weird"}, "weird", {}, 0),
    (
        "openai_compatible", "gemma", {"reasoning_effort": "low", "include_thoughts": True},
        "low", {CONFIG: {"include_thoughts": True}}, 0,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("surface", "model", "settings", "effort", "fields", "said"), THINKING)
def test_thinking_options_are_fitted_to_surface_and_model(surface, model, settings, effort, fields, said):
    """The model's nearest setting is sent, so the server never answers 400. A changed setting adds a note."""
    made = request(surface, model, **settings)
    assert (made.payload.get("reasoning_effort"), google(made), len(made.notes)) == (effort, fields, said)
    if surface != "openai_compatible":
        assert broken_rules(made.payload, surface) == []


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "settings",
    [
        {"reasoning_effort": "low", "thinking_level": "low"},
        {"reasoning_effort": "low", "thinking_budget": 0},
        {"thinking_level": "low", "thinking_budget": 5},
    ],
    ids=str,
)
def test_two_thinking_options_raise(settings, surface):
    """The request does not show which option is intended."""
    first, second = settings
    with pytest.raises(UnsupportedParameterError, match=f"`{first}` and `{second}`"):
        request(surface, **settings)


@pytest.mark.parametrize("surface", GOOGLE)
def test_unknown_effort_raises(surface):
    """The error lists the valid efforts."""
    with pytest.raises(UnsupportedParameterError, match="none, minimal, low"):
        request(surface, reasoning_effort="hihg")


NAMES = ["gemini-3.8-flash", "google/gemini-3.8-flash", "models/gemini-3.8-flash",
         "publishers/google/models/gemini-3.8-flash"]  # fmt: skip
SPELLED = {"vertex": "google/gemini-3.8-flash", "ai_studio": "gemini-3.8-flash"}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", NAMES)
def test_each_spelling_of_a_model_name_works_on_each_surface(name, surface):
    """The name may be set at construction or in a call. A compatible server gets it unchanged."""
    expected = SPELLED.get(surface, name)
    assert send("Hi.", surface, name)["model"] == expected
    assert send("Hi.", surface, "gemini-2.5-pro", call={"model": name})["model"] == expected


def test_options_of_a_call_override_those_of_the_model():
    """Options also work under their names in LangChain and in `ChatGoogleGenerativeAI`."""
    body = send("Hi.", temperature=1.0, max_tokens=5, call={"temperature": 0.5, "max_output_tokens": 7, "stop": ["x"]})
    assert (body["temperature"], body["max_tokens"], body["stop"]) == (0.5, 7, ["x"])


def test_model_of_a_call_decides_what_is_fitted():
    """The options are fitted to the model of the call, whose family may differ from that of the constructor's model."""
    body = send("Hi.", thinking_level="medium", call={"model": "gemini-2.5-flash"})
    assert body["extra_body"]["google"] == {"thinking_config": {"thinking_budget": 8192}}


def test_left_out_option_is_warned_of_once():
    """A warning at every call would be noise."""
    wire = Wire(completion())
    chat = ChatGeminiCompat(model="gemini-3.8-flash", seed=1, **PLACES["ai_studio"], **wire.clients)
    with pytest.warns(GeminiCompatWarning, match="`seed` was left out: ai_studio does not take it"):
        chat.invoke("Hi.")
    # The second call must not warn. These tests raise each warning as an error.
    chat.invoke("Hi.")


def test_strict_raises_before_anything_is_sent():
    """Changed parameters and changed histories raise different errors."""
    wire = Wire(completion())
    chat = ChatGeminiCompat(model="gemini-3.8-flash", strict=True, **PLACES["ai_studio"], **wire.clients)
    with pytest.raises(UnsupportedParameterError, match="`seed`"):
        chat.invoke("Hi.", seed=1)
    with pytest.raises(InvalidHistoryError, match=r"'Continue\.' was added at the end"):
        chat.invoke([("user", "Hi."), ("ai", "Once")])
    with pytest.raises(UnsupportedParameterError, match="became 'low'"):
        chat.invoke("Hi.", reasoning_effort="minimal")
    assert wire.requests == []
    chat.invoke("Hi.")


def test_preview_returns_the_request_without_warnings():
    """`preview` returns the body and the notes, and opens no connection."""
    chat = ChatGeminiCompat(model="gemini-3.8-flash", project="p", top_logprobs=2)
    payload, said = chat.preview("Hi.", seed=1, stream=True)
    assert payload == {
        "model": "google/gemini-3.8-flash",
        "messages": [{"role": "user", "content": "Hi."}],
        "seed": 1,
        "stream": True,
    }
    assert [(note.kind, note.message) for note in said] == [
        ("dropped", "`top_logprobs` was left out: vertex does not take it.")
    ]
