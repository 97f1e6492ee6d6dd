"""Tests structured output for strict pydantic classes: every method validates an answer as JSON."""

import datetime as dt
import decimal
import enum
import ipaddress
import json
import pathlib
import uuid
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
import structured_chains
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, ConfigDict, Field, RootModel, Strict, field_validator, v1
from pydantic_core import core_schema
from wire import Wire, chunk

from langchain_gemini_compat import ChatGeminiCompat

METHODS = ["json_schema", "function_calling", "json_mode"]
T = TypeVar("T")


class Colour(enum.Enum):
    """Colours."""

    RED = "red"


class Number(enum.IntEnum):
    """Numbers."""

    ONE = 1


class Inner(BaseModel):
    """A strict class for fields of `Whole`."""

    model_config = ConfigDict(strict=True)

    at: dt.datetime


class Cat(BaseModel):
    """A pet whose `kind` is `cat`."""

    model_config = ConfigDict(strict=True)

    kind: Literal["cat"]
    born: dt.date


class Dog(BaseModel):
    """A pet whose `kind` is `dog`."""

    model_config = ConfigDict(strict=True)

    kind: Literal["dog"]
    born: dt.date


class Box(BaseModel, Generic[T]):
    """A strict generic class."""

    model_config = ConfigDict(strict=True)

    item: T


class Whole(BaseModel):
    """Has all types for which JSON uses another type."""

    model_config = ConfigDict(strict=True)

    day: dt.date
    moment: dt.datetime
    clock: dt.time
    span: dt.timedelta
    key: uuid.UUID
    colour: Colour
    number: Number
    price: decimal.Decimal
    data: bytes
    pair: tuple[int, str]
    tags: set[str]
    frozen: frozenset[int]
    path: pathlib.Path
    address: ipaddress.IPv4Address
    ratio: float
    inner: Inner
    inners: list[Inner]
    by_day: dict[dt.date, int]
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    box: Box[uuid.UUID]


KEY = "12345678-1234-5678-1234-567812345678"
MOMENT = "2026-01-02T03:04:05Z"
WHOLE: dict[str, Any] = {
    "day": "2026-01-02", "moment": MOMENT, "clock": "10:00:00", "span": "PT1H", "key": KEY, "colour": "red", "number": 1,
    "price": "1.50", "data": "abc", "pair": [1, "x"], "tags": ["a"], "frozen": [1], "path": "/x", "address": "1.2.3.4",
    "ratio": 1, "inner": {"at": MOMENT}, "inners": [{"at": MOMENT}], "by_day": {"2026-01-02": 1},
    "pet": {"kind": "dog", "born": "2026-01-02"}, "box": {"item": KEY},
}  # fmt: skip


class ByField(BaseModel):
    """Has a field that is strict because of `Field`."""

    day: dt.date = Field(strict=True)


class ByAnnotation(BaseModel):
    """Has a field that is strict because of `Strict`."""

    key: Annotated[uuid.UUID, Strict()]


class Days(RootModel[list[dt.date]]):
    """A strict root model."""

    model_config = ConfigDict(strict=True)


class Aliased(BaseModel):
    """Has an alias and a default factory, and forbids other members."""

    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=True)

    day: dt.date = Field(alias="theDay")
    tags: set[str] = Field(default_factory=set)


CASES = {
    "all types": (Whole, WHOLE),
    "Field": (ByField, {"day": "2026-01-02"}),
    "Strict": (ByAnnotation, {"key": KEY}),
    "RootModel": (Days, ["2026-01-02"]),
    "generic": (Box[dt.date], {"item": "2026-01-02"}),
    "alias": (Aliased, {"theDay": "2026-01-02"}),
    "name": (Aliased, {"day": "2026-01-02", "tags": ["a"]}),
}


def build_chain(schema, value, method, **kwargs):
    """Return a chain whose model answers with `value`.

    The arguments of a function call must be an object. So with `method="function_calling"`, a list is put into an
    object with the key `answer`.
    """
    wrapped = {"answer": value} if isinstance(value, list) and method == "function_calling" else value
    name = schema.__name__.replace("[", "_").replace("]", "_")
    return structured_chains.build_chain(schema, name, wrapped, method, **kwargs)[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
async def test_strict_class_is_validated_as_json(case, method):
    """Replies are whole or streamed, sync or async, with or without `include_raw`. Field case C3."""
    schema, value = CASES[case]
    expected = schema.model_validate_json(json.dumps(value))
    assert build_chain(schema, value, method).invoke("hi") == expected
    assert await build_chain(schema, value, method).ainvoke("hi") == expected
    told = build_chain(schema, value, method, include_raw=True).invoke("hi")
    assert (told["parsed"], told["parsing_error"]) == (expected, None)
    assert list(build_chain(schema, value, method, streamed=True).stream("hi"))[-1] == expected
    parts = [part async for part in build_chain(schema, value, method, streamed=True).astream("hi")]
    assert parts[-1] == expected
    raw = list(build_chain(schema, value, method, streamed=True, include_raw=True).stream("hi"))
    assert [part["parsed"] for part in raw if "parsed" in part][-1] == expected


def test_strict_class_streams_partial_objects():
    """A partial answer that satisfies the class becomes an instance. Field case C3."""

    class Log(BaseModel):
        """Days."""

        model_config = ConfigDict(strict=True)

        name: str
        days: list[dt.date] = []

    events = [
        chunk(content='{"name": "a", "days": ["2026-01-02"'),
        chunk(content=', "2026-01-03"]}'),
        chunk(finish="stop"),
        "[DONE]",
    ]
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(events).clients)
    parts = list(model.with_structured_output(Log).stream("hi"))
    assert [len(part.days) for part in parts] == [1, 2]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [{"day": 5}, {"day": "no day"}, {}])
def test_value_that_a_strict_class_refuses_as_json_raises(value, method):
    """Validation as JSON is still strict. Field case C3."""
    with pytest.raises(OutputParserException, match="day"):
        build_chain(ByField, value, method).invoke("hi")


def test_base64_is_decoded_as_the_class_says():
    """Pydantic uses the class's setting `val_json_bytes` only when it validates JSON. Field case C3."""
    if "val_json_bytes" not in ConfigDict.__annotations__:
        pytest.skip("pydantic before 2.9 has no `val_json_bytes`")

    class Data(BaseModel):
        """Bytes."""

        model_config = ConfigDict(val_json_bytes="base64")

        data: bytes

    assert build_chain(Data, {"data": "aGk="}, "json_schema").invoke("hi").data == b"hi"


class OnlyPython:
    """A type without a form in JSON."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> core_schema.CoreSchema:
        made = core_schema.no_info_plain_validator_function(lambda _: cls())
        return core_schema.union_schema([core_schema.is_instance_schema(cls), made])

    @classmethod
    def __get_pydantic_json_schema__(cls, *_: object) -> dict[str, str]:
        return {"type": "string"}


def test_class_without_json_validation_gets_python_values():
    """Pydantic cannot validate JSON for this class: it raises `NotImplementedError`. Field case C3."""

    class Holder(BaseModel):
        """Has a field of the class `OnlyPython`."""

        item: OnlyPython

    assert isinstance(build_chain(Holder, {"item": "x"}, "json_schema").invoke("hi").item, OnlyPython)


def test_validators_and_pydantic_1_classes_get_python_values():
    """Validators get parsed JSON, such as dicts and strings, and not the JSON text. Field case C3."""

    class Checked(BaseModel):
        """Upper case."""

        model_config = ConfigDict(strict=True)

        name: str

        @field_validator("name", mode="before")
        @classmethod
        def raise_case(cls, value: str) -> str:
            """Upper case."""
            return value.upper()

    class Old(v1.BaseModel):
        """A class of pydantic 1."""

        day: dt.date

    assert build_chain(Checked, {"name": "a"}, "json_schema").invoke("hi").name == "A"
    for method in METHODS:
        assert build_chain(Old, {"day": "2026-01-02"}, method).invoke("hi").day == dt.date(2026, 1, 2)


def test_class_validated_by_name_is_declared_by_name():
    """A class that accepts no aliases is sent to the model with the names of its fields. Field case C3."""
    if "validate_by_alias" not in ConfigDict.__annotations__:
        pytest.skip("pydantic before 2.11 has no `validate_by_alias`")

    class Named(BaseModel):
        """Accepts field names and no aliases."""

        model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)

        day: dt.date = Field(alias="theDay")

    chain = build_chain(Named, {"day": "2026-01-02"}, "json_schema")
    assert chain.invoke("hi").day == dt.date(2026, 1, 2)
    schema = chain.first.kwargs["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["day"]
