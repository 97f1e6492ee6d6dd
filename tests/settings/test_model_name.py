"""Tests of `model` and `model_name`, and of configurable fields under any of their names."""

import pickle

import pytest
from langchain_core.load import dumpd, load
from langchain_core.runnables import ConfigurableField
from pydantic import SecretStr

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings
from langchain_gemini_compat._settings.fields import aliases_of
from langchain_gemini_compat.testing import FakeGemini

MODELS = [ChatGeminiCompat, GeminiCompatEmbeddings]
#: Maps each parameter with several names to two values: one for the constructor, and one for the configuration.
VALUES = {
    "model": ("gemini-3.8-flash", "gemini-2.5-flash"),
    "base_url": ("http://one.test/v1", "http://two.test/v1"),
    "api_key": (SecretStr("one"), SecretStr("two")),
    "default_headers": ({"a": "1"}, {"a": "2"}),
    "default_query": ({"a": "1"}, {"a": "2"}),
    "timeout": (1, 2),
    "max_retries": (1, 2),
    "max_tokens": (1, 2),
    "stop": (["a"], ["b"]),
    "n": (1, 2),
    "modalities": (["text"], ["image"]),
    "dimensions": (1, 2),
    "batch_size": (1, 2),
}
NAMES = [(model, name, field) for model in MODELS for name, field in [*aliases_of(model).items(), ("model", "model")]]


def build(cls, **arguments):
    """Return a model for a gateway."""
    place = (
        {} if arguments.keys() & {"base_url", "openai_api_base", "api_base"} else {"base_url": "http://gateway.test/v1"}
    )
    name = {} if "model_name" in arguments else {"model": "gemini-3.8-flash"}
    key = (
        {} if arguments.keys() & {"api_key", "google_api_key", "gemini_api_key", "openai_api_key"} else {"api_key": "k"}
    )
    return cls(**{**place, **name, **key, **arguments})


def ids(value):
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize("model", MODELS, ids=ids)
@pytest.mark.parametrize("name", ["model", "model_name"])
def test_model_is_read_and_written_under_both_names(model, name):
    """This applies to the constructor, the attribute, a copy, `dumps` and a pickle. Field case D9."""
    made = build(model, **{name: "one"})
    assert (made.model, made.model_name) == ("one", "one")
    changed = made.model_copy(update={name: "two"})
    assert (changed.model, changed.model_name, changed.endpoint_info()["model"]) == ("two", "two", "two")
    setattr(made, name, "three")
    assert (made.model, made.model_name, made.endpoint_info()["model"]) == ("three", "three", "three")
    assert "model='three'" in repr(made)
    dumped = dumpd(made)
    kwargs = dumped["kwargs"]
    kwargs[name] = kwargs.pop("model")
    restored = load(dumped, allowed_objects=[model], valid_namespaces=["langchain_gemini_compat"])
    assert (restored.model, pickle.loads(pickle.dumps(made)).model) == ("three", "three")


def test_pickle_of_an_older_form_is_restored():
    """In pickles of the older form, the field has the name `model_name`."""
    model = ChatGeminiCompat(model="one", api_key="k", temperature=0)
    state = model.__getstate__()
    values = {"model_name" if name == "model" else name: value for name, value in state["__dict__"].items()}
    given = {"model_name" if name == "model" else name for name in state["__pydantic_fields_set__"]}
    restored = ChatGeminiCompat.__new__(ChatGeminiCompat)
    restored.__setstate__({**state, "__dict__": values, "__pydantic_fields_set__": given})
    assert restored == model
    assert restored.endpoint_info() == model.endpoint_info()


def test_values_of_every_parameter_with_several_names_are_listed():
    """If a parameter gets its first alias, add two values of the parameter to `VALUES`."""
    assert {field for _, _, field in NAMES} == VALUES.keys()


@pytest.mark.parametrize(("model", "name", "field"), NAMES, ids=ids)
def test_two_names_with_different_values_raise(model, name, field):
    """The test tries each pair of names that a parameter has. Field case D3."""
    names = [field, *(alias for alias, target in aliases_of(model).items() if target == field)]
    for other in names:
        if other != name:
            one, two = VALUES[field]
            with pytest.raises(
                ValueError, match=f"`({name}|{other})` and `({name}|{other})` are names of the same parameter"
            ):
                build(model, **{name: one, other: two})
            assert getattr(build(model, **{name: one, other: one}), field) == one


CHAT_NAMES = [(name, field) for model, name, field in NAMES if model is ChatGeminiCompat]


@pytest.mark.parametrize(("name", "field"), CHAT_NAMES)
def test_configured_value_takes_precedence_under_every_name(name, field):
    """The constructor and `configurable_fields` may use different names of one parameter. Field case D9."""
    one, two = VALUES[field]
    other = next((alias for alias, target in aliases_of(ChatGeminiCompat).items() if target == field), field)
    model = build(ChatGeminiCompat, **{other: one})
    chain = model.configurable_fields(**{name: ConfigurableField(id="x")})
    configured, _ = chain.with_config(configurable={"x": two}).prepare()
    assert getattr(configured, field) == two
    assert getattr(chain.prepare()[0], field) == one
    assert [spec.id for spec in chain.config_specs] == ["x"]


def test_configured_model_answers():
    """The request contains the configured model. Field case D9."""
    fake = FakeGemini(["one", "two", "three"])
    chain = fake.chat_model().configurable_fields(
        model=ConfigurableField(id="m"), max_output_tokens=ConfigurableField(id="most")
    )
    chain.invoke("hi", config={"configurable": {"m": "gemini-2.5-flash", "most": 9000}})
    chain.with_config(configurable={"m": "gemini-2.5-pro"}).invoke("hi")
    chain.invoke("hi")
    sent = [(request.model, request.body.get("max_tokens")) for request in fake.requests]
    assert sent == [("gemini-2.5-flash", 9000), ("gemini-2.5-pro", None), ("gemini-3.8-flash", None)]


@pytest.mark.parametrize(
    ("name", "advice"),
    [("max_token", "Did you mean `max_tokens`"), ("thinking_config", "`thinking_config` sets `thinking_level`, `thinking_budget`"),
     *((name, "is not a field of ChatGeminiCompat.$") for name in ("zzz", "response_schema", "generation_config"))],
)  # fmt: skip
def test_configuring_an_unknown_name_raises_with_the_right_name(name, advice):
    """The message does not contain the model."""
    with pytest.raises(ValueError, match=f"`{name}`.*{advice}"):
        build(ChatGeminiCompat).configurable_fields(**{name: ConfigurableField(id="x")})


def test_configuring_two_names_of_one_field_raises():
    """Without the error, one of the two values would have no effect."""
    with pytest.raises(ValueError, match="are names of the same parameter"):
        build(ChatGeminiCompat).configurable_fields(
            max_tokens=ConfigurableField(id="a"), max_output_tokens=ConfigurableField(id="b")
        )


@pytest.mark.parametrize(
    ("name", "value", "fields"),
    [
        ("api_endpoint", "gateway.test", "`base_url`"),
        ("client_options", {"api_endpoint": "gateway.test"}, "`base_url`, `api_key`"),
        ("vertexai", True, "`surface`"),
        ("thinking_config", {"thinking_budget": 5}, "`thinking_level`, `thinking_budget`"),
        ("response_mime_type", "application/json", ""),
        ("generation_config", {"temperature": 1}, ""),
    ],
)
@pytest.mark.parametrize("way", ["model_copy", "copy"])
@pytest.mark.filterwarnings("ignore:The `copy` method:DeprecationWarning")
def test_copy_with_an_argument_for_several_fields_raises(name, value, fields, way):
    """Without the error, a copy would ignore an argument that is not a field. Field case D3."""
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    with pytest.raises(ValueError, match=f"`{name}` is not a field of ChatGeminiCompat.*{fields}"):
        getattr(model, way)(update={name: value})


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")
def test_subclass_with_the_field_model_name_is_refused():
    """The field would hide the property, and the model would have no name."""
    with pytest.raises(TypeError, match="Rename the field to `model`"):
        type("Mine", (ChatGeminiCompat,), {"__annotations__": {"model_name": str}, "model_name": "gemini-3.8-flash"})
