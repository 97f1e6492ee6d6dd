"""Tests the repair of tool arguments: a value is converted only if there is no doubt what the model meant."""

import copy
import json
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import message_chunk_to_message
from langchain_core.tools import tool
from outgoing import PLACES, SURFACES
from wire import Wire, call, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._schema.arguments import describe_changes, repair_arguments, repair_arguments_text
from langchain_gemini_compat.errors import MalformedToolCallError

INTEGER, NUMBER, STRING, BOOLEAN = ({"type": name} for name in ("integer", "number", "string", "boolean"))
NULL, LIST, OBJECT = {"type": "null"}, {"type": "array"}, {"type": "object"}


def repair(schema, value, **root):
    """Return the only argument after a repair, and check that the input stays unchanged."""
    arguments = {"p": value}
    before = copy.deepcopy(arguments)
    repaired, changes = repair_arguments(
        {"type": "object", "properties": {"p": schema}, "required": ["p"], **root}, arguments
    )
    assert arguments == before
    assert (repaired is arguments) == (changes == [])
    return repaired["p"]


def same(left, right):
    """Return whether two values and their types are equal. With `==`, 1, 1.0 and `True` are equal."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


POINT = {"type": "object", "properties": {"x": INTEGER, "y": INTEGER}, "required": ["x"]}
NODE = {"type": "object", "properties": {"value": INTEGER, "next": {"$ref": "#/$defs/Node"}}}
CAT = {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": INTEGER}, "required": ["kind"]}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}, "lives": STRING}, "required": ["kind"]}

CERTAIN = {
    "a listed integer": ({"enum": [1, 2]}, "2", 2),
    "a listed integer with its type": ({"type": "integer", "enum": [1, 2]}, "2", 2),
    "a listed number": ({"enum": [0.5, 1]}, "0.5", 0.5),
    "a listed boolean": ({"enum": [True]}, "true", True),
    "a listed integer among texts": ({"enum": ["a", 1]}, "1", 1),
    "a listed null": ({"enum": ["a", None]}, "null", None),
    "a constant": ({"const": 5}, "5", 5),
    "an integer": (INTEGER, "-12", -12),
    "a number": (NUMBER, "1.5", 1.5),
    "an integer for a number": (NUMBER, "3", 3),
    "a boolean": (BOOLEAN, "false", False),
    "a null": (NULL, "null", None),
    "one of two types": ({"type": ["integer", "null"]}, "null", None),
    "a type in capitals": ({"type": "INTEGER"}, "3", 3),
    "a whole float": (INTEGER, 3.0, 3),
    "a whole float in the list": ({"type": "integer", "enum": [3]}, 3.0, 3),
    "an object as text": (POINT, '{"x": 1}', {"x": 1}),
    "any object as text": (OBJECT, '\n{"x": [1.5]}', {"x": [1.5]}),
    "an array as text": (LIST, "[]", []),
    "an array as text, with texts for integers": ({"type": "array", "items": INTEGER}, '["1", 2]', [1, 2]),
    "inside members": (POINT, {"x": "1", "y": 2}, {"x": 1, "y": 2}),
    "the null of an optional property": (POINT, {"x": 1, "y": None}, {"x": 1}),
    "inside items": ({"type": "array", "items": POINT}, [{"x": "1"}], [{"x": 1}]),
    "inside a tuple": ({"prefixItems": [INTEGER, STRING], "items": BOOLEAN}, ["1", "1", "true"], [1, "1", True]),
    "inside an older tuple": ({"items": [INTEGER], "additionalItems": BOOLEAN}, ["1", "true"], [1, True]),
    "inside a map": ({"additionalProperties": INTEGER}, {"a": "1"}, {"a": 1}),
    "through a reference": ({"$ref": "#/$defs/Node"}, {"next": {"next": {"value": "7"}}}, {"next": {"next": {"value": 7}}}),
    "through allOf": ({"allOf": [INTEGER, {"minimum": 2}]}, "3", 3),
    "through members of two parts": ({"allOf": [POINT, {"properties": {"z": BOOLEAN}}]}, {"x": "1", "z": "true"},
                                     {"x": 1, "z": True}),
    "through an optional type": ({"anyOf": [INTEGER, NULL]}, "3", 3),
    "through two branches that agree": ({"anyOf": [INTEGER, NUMBER]}, "3", 3),
    "through the branch that fits": ({"oneOf": [CAT, DOG]}, {"kind": "cat", "lives": "9"}, {"kind": "cat", "lives": 9}),
    "through a listed text beside an integer": ({"anyOf": [{"enum": ["all"]}, INTEGER]}, "3", 3),
    "a flagged null beside a reference": ({"$ref": "#/$defs/Node", "nullable": True}, {"value": "1"}, {"value": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "meant"), CERTAIN.values(), ids=CERTAIN)
def test_a_value_with_one_reading_is_repaired(schema, value, meant):
    assert same(repair(schema, value, **{"$defs": {"Node": NODE}}), meant)


DOUBTFUL = {
    "not listed": ({"enum": [1, 2]}, "3"),
    "another spelling of an integer": (INTEGER, "03"),
    "an integer with a sign": (INTEGER, "+3"),
    "an integer with spaces": (INTEGER, " 3"),
    "a float's spelling for an integer": (INTEGER, "3.0"),
    "a float that is not whole": (INTEGER, 3.5),
    "a float too large to be exact": (INTEGER, 1e17),
    "infinity": (NUMBER, "Infinity"),
    "another spelling of a number": (NUMBER, "1e3"),
    "a number that has hundreds of digits": (INTEGER, "9" * 300),
    "a boolean in Python": (BOOLEAN, "True"),
    "a number for a boolean": (BOOLEAN, 1),
    "a boolean for a number": (INTEGER, True),
    "a true for a listed 1": ({"enum": [1]}, True),
    "a null in Python": (NULL, "None"),
    "an empty text": (INTEGER, ""),
    "a number for a text": (STRING, 5),
    "a value for a list of it": ({"type": "array", "items": INTEGER}, 1),
    "a list of one for its value": (INTEGER, [1]),
    "an array where an object is asked": (OBJECT, "[1]"),
    "an object that is cut": (OBJECT, '{"x": 1'),
    "an object with a key twice": (OBJECT, '{"x": 1, "x": 2}'),
    "an object with infinity": (OBJECT, '{"x": 1e999}'),
    "an object in a text in a text": (OBJECT, '"{}"'),
    "a required null": (POINT, {"x": None}),
    "the null of an undeclared property": ({"additionalProperties": INTEGER}, {"a": None}),
    "a missing property": (POINT, {"y": "1"}),
    "a repair beside a value without one": (POINT, {"x": "1", "y": "one"}),
    "a repair out of bounds": ({"type": "integer", "maximum": 2}, "3"),
    "a text where texts are right but not this one": ({"type": ["string", "integer"], "maxLength": 1}, "33"),
    "a text where another branch takes texts": ({"anyOf": [{"type": "string", "maxLength": 1}, INTEGER]}, "33"),
    "a text where a branch behind a reference takes texts": (
        {"anyOf": [{"$ref": "#/$defs/Short"}, {"allOf": [INTEGER]}]}, "33"),
    "two readings": ({"anyOf": [{"properties": {"a": INTEGER, "b": STRING}}, {"properties": {"a": INTEGER, "b": NULL}}]},
                     {"a": "1", "b": None}),
    "a value that two alternatives would take": ({"oneOf": [INTEGER, NUMBER]}, "3"),
    "a schema that nothing satisfies": (False, "3"),
    "a property too many": ({**POINT, "additionalProperties": False}, {"x": "1", "w": 1}),
    "a reference to itself": ({"$ref": "#/properties/p"}, "3"),
    "a reference without a target": ({"$ref": "#/$defs/None"}, "3"),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "value"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_value_without_a_certain_reading_is_unchanged(schema, value):
    """A value whose meaning is in doubt is not converted. The tool's validation then reports the error to the model."""
    assert same(repair(schema, value, **{"$defs": {"Short": {"type": "string", "maxLength": 1}}}), value)


LENIENT = {
    "patternProperties": ({"patternProperties": {"^a": INTEGER}, "additionalProperties": False}, {"a": "1"}),
    "alternatives that differ only in format": (
        {"oneOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "time"}]}, "x"),
    "a type that does not exist": ({"type": "date"}, "3"),
    "not a schema": ("integer", "3"),
    "values that should be lists": ({"anyOf": {}, "oneOf": [], "enum": 1, "required": 1, "properties": []}, "3"),
    "bounds that are not numbers": ({"exclusiveMinimum": True, "maximum": "1"}, 3),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "value"), LENIENT.values(), ids=LENIENT)
def test_an_unchecked_keyword_does_not_prevent_a_repair_of_another_argument(schema, value):
    """One argument has a schema that cannot be checked, or is not valid. The other argument is still repaired."""
    arguments = {"p": value, "q": "1"}
    repaired, changes = repair_arguments({"properties": {"p": schema, "q": INTEGER}}, arguments)
    assert same(repaired, {"p": value, "q": 1})
    assert changes == ["/q (string to integer)"]


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"minimum": 2, "exclusiveMaximum": 4}, 2, 4),
        ({"exclusiveMinimum": 2, "maximum": 4}, 4, 2),
        ({"minLength": 1, "maxLength": 2}, "ab", "abc"),
        ({"minItems": 1, "maxItems": 2}, [1], []),
        ({"minProperties": 1, "maxProperties": 2}, {"a": 1}, {}),
        ({"enum": [[1, {"a": True}]]}, [1.0, {"a": True}], [1, {"a": 1}]),
        ({"anyOf": [INTEGER, BOOLEAN]}, True, []),
        ({"oneOf": [INTEGER, {"maximum": 2}]}, 3, 1),
        ({"nullable": True, "type": "string"}, None, 1),
        ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": 2}, {"a": 1}),
        ({"$ref": "#/properties/q"}, 1, "x"),
    ],
)
def test_arguments_are_repaired_only_if_all_of_them_are_valid(schema, good, bad):
    parameters = {"properties": {"p": schema, "q": INTEGER}}
    assert same(repair_arguments(parameters, {"p": good, "q": "1"})[0], {"p": good, "q": 1})
    assert same(repair_arguments(parameters, {"p": bad, "q": "1"})[0], {"p": bad, "q": "1"})


def test_repair_ends_for_recursive_schemas_and_deep_values():
    twice = {"anyOf": [{"properties": {"a": {"$ref": "#"}}, "required": [key]} for key in "bc"]}
    value = reduce(lambda inner, _: {"a": inner}, range(90), "1")
    assert repair_arguments(twice, value) == (value, [])
    assert repair(INTEGER, "[" * 100_000) == "[" * 100_000
    assert repair(LIST, "[" * 100_000) == "[" * 100_000
    endless = {"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}], "required": ["x"]}
    assert repair_arguments(endless, {"a": 1}) == ({"a": 1}, [])


def test_valid_text_is_returned_unchanged():
    """Arguments that need no repair are not serialized anew, so they keep their white space."""
    text = '{ "x": 1, "y": 2 }'
    assert repair_arguments_text(POINT, text) == (text, [])
    assert repair_arguments_text(POINT, "[1]") == ("[1]", [])
    assert repair_arguments_text(POINT, '{"x": "1"') == ('{"x": "1"', [])
    assert repair_arguments_text(STRING | POINT, '{"x": "1", "y": "ü"}') == ('{"x": "1", "y": "ü"}', [])
    assert repair_arguments_text({"properties": {"x": INTEGER}}, '{"x": "1", "y": "ü"}')[0] == '{"x": 1, "y": "ü"}'


def test_the_description_of_many_changes_is_short_and_has_no_values():
    """The description has no values, because they may be secrets."""
    schema = {"properties": {"a/b": {"type": "array", "items": INTEGER}, "c": STRING}}
    _, changes = repair_arguments(schema, {"a/b": ["1"] * 9, "c": None})
    said = describe_changes("f", changes)
    assert said.startswith("Arguments of 'f' were repaired: /a~1b/0 (string to integer), ")
    assert said.endswith("/a~1b/4 (string to integer), 5 more.")
    assert describe_changes("f", changes[-1:]) == "Arguments of 'f' were repaired: /c (null left out)."


def valid(value, schema, root):
    """Return whether `value` is valid, by an implementation of JSON Schema that is independent of the package."""
    if isinstance(schema, bool):
        return schema
    kinds = {bool: {"boolean"}, int: {"integer", "number"}, float: {"number"}, str: {"string"}, list: {"array"},
             dict: {"object"}, type(None): {"null"}}[type(value)]  # fmt: skip
    named = schema.get("type", [])
    named = {named} if isinstance(named, str) else set(named)
    checks = [not named or named & kinds]
    if "enum" in schema:
        checks.append(any(same(value, one) or (value == one and {type(value), type(one)} == {int, float})
                          for one in schema["enum"]))  # fmt: skip
    if "$ref" in schema:
        checks.append(valid(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root))
    checks += [valid(value, part, root) for part in schema.get("allOf", [])]
    if "anyOf" in schema:
        checks.append(any(valid(value, part, root) for part in schema["anyOf"]))
    if "oneOf" in schema:
        checks.append(sum(bool(valid(value, part, root)) for part in schema["oneOf"]) == 1)
    if kinds & {"number"}:
        checks += [value >= schema.get("minimum", value), value <= schema.get("maximum", value)]
    if isinstance(value, str):
        checks.append(len(value) >= schema.get("minLength", 0))
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        checks += [valid(inner, part, root) for inner, part in zip(value, prefix, strict=False)]
        checks += [valid(inner, schema.get("items", True), root) for inner in value[len(prefix) :]]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        checks += [valid(inner, known.get(name, schema.get("additionalProperties", True)), root)
                   for name, inner in value.items()]  # fmt: skip
        checks += [name in value for name in schema.get("required", [])]
    return all(checks)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from(["a", "1", "-2", "0.5", "true", "null", "[]", "{}", '["1"]', '{"a":"1"}', '{"a":null,"b":1}']),
)  # fmt: skip
NAMES = st.sampled_from("abc")
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
LEAVES = st.one_of(
    st.builds(lambda name: {"type": name}, TYPES),
    st.builds(lambda names: {"type": names}, st.lists(TYPES, min_size=1, max_size=2)),
    st.builds(lambda values: {"enum": values}, st.lists(SCALARS, min_size=1, max_size=3)),
    st.sampled_from([{"type": "integer", "minimum": 1}, {"type": "number", "maximum": 1}, {"minLength": 2}, {},
                     {"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}, True, False]),
)  # fmt: skip


def nest(inner):
    several = st.lists(inner, min_size=1, max_size=3)
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
        optional={"required": st.lists(NAMES, max_size=2), "additionalProperties": inner | st.booleans()},
    )
    arrays = st.fixed_dictionaries({"type": st.just("array")}, optional={"items": inner, "prefixItems": several})
    unions = st.builds(lambda word, parts: {word: parts}, st.sampled_from(["anyOf", "oneOf", "allOf"]), several)
    return objects | arrays | unions


SCHEMAS = st.recursive(LEAVES, nest, max_leaves=8)
#: Schema definitions. A definition may refer to itself, but not to other definitions.
DEFINITIONS = st.fixed_dictionaries(
    {"a": st.just({"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}, "b": INTEGER}}),
     "b": st.just({"type": ["integer", "null"]})}
)  # fmt: skip


@given(
    st.dictionaries(NAMES, SCHEMAS, min_size=1),
    st.lists(NAMES, max_size=1),
    DEFINITIONS,
    st.dictionaries(NAMES, VALUES),
)
def test_repaired_arguments_are_valid_and_valid_ones_are_unchanged(properties, required, definitions, arguments):
    schema = {"properties": properties, "required": required, "$defs": definitions}
    before = copy.deepcopy((schema, arguments))
    repaired, changes = repair_arguments(schema, arguments)
    assert same((schema, arguments), before)
    if valid(arguments, schema, schema) or not changes:
        assert repaired is arguments
    else:
        assert valid(repaired, schema, schema)
    assert repair_arguments(schema, repaired) == (repaired, [])


@st.composite
def slips(draw, depth=0):
    """Generate a schema, a valid value, and this value with mistakes that models make, such as numbers in quotes."""
    kind = draw(st.sampled_from(["integer", "number", "boolean", "enum", *(["array", "object"] if depth < 3 else [])]))
    if kind in ("integer", "number", "boolean", "enum"):
        numbers = st.floats(allow_nan=False, allow_infinity=False)
        value = draw({"integer": st.integers(-(2**70), 2**70), "number": numbers, "boolean": st.booleans(),
                      "enum": st.integers() | st.booleans()}[kind])  # fmt: skip
        schema = {"enum": [value, "other"]} if kind == "enum" else {"type": kind}
    elif kind == "array":
        schema, value, slipped = draw(slips(depth + 1))
        schema, value, slipped = {"type": "array", "items": schema}, [value], [slipped]
    else:
        parts = draw(st.dictionaries(NAMES, slips(depth + 1), max_size=3))
        schema = {"type": "object", "properties": {name: part[0] for name, part in parts.items()}}
        value = {name: part[1] for name, part in parts.items()}
        slipped = {name: part[2] for name, part in parts.items()} | (draw(st.sampled_from([{}, {"z": None}])))
        schema["properties"]["z"] = STRING
    if kind not in ("array", "object"):
        slipped = value
    return schema, value, draw(st.sampled_from([slipped, json.dumps(slipped)]))


@given(slips())
def test_a_misspelled_value_is_repaired_at_any_depth(drawn):
    """A misspelled value is, for example, a number or an object as a string, or null for an optional property."""
    schema, value, slipped = drawn
    assert same(repair(schema, slipped), value)


@tool
def book(seats: int, row: str | None = None) -> str:
    """Book seats."""
    return "done"


SLIP, MEANT = '{"seats": "2", "row": null}', {"seats": 2, "row": None}
SAID = ["Arguments of 'book' were repaired: /seats (string to integer)."]
HEAD, BODY = call("book", "", "call-1", index=0), {"index": 0, "function": {"arguments": SLIP}}
#: For each case: the pieces in which a stream sends one tool call, and whether the package can repair the arguments of
#: this call.
STREAMS = {
    "as one": ([[call("book", SLIP)]], True),
    "as one, after the head": ([[HEAD], [BODY]], True),
    "in pieces": ([[{**HEAD, "function": {"name": "book", "arguments": SLIP[:9]}}],
                   [{"index": 0, "function": {"arguments": SLIP[9:]}}]], False),
    "in pieces, the last one whole": ([[{**HEAD, "function": {"name": "book", "arguments": "{"}}],
                                       [{"index": 0, "function": {"arguments": SLIP[1:]}}]], False),
}  # fmt: skip


def model(surface, *answers):
    return ChatGeminiCompat(model="gemini-3.8-flash", max_retries=0, **PLACES[surface], **Wire(*answers).clients)


def stream(surface, events):
    answer = [*(chunk(tool_calls=calls) for calls in events), chunk("tool_calls", (1, 2, 3)), "[DONE]"]
    chunks = list(model(surface, answer).bind_tools([book]).stream("hi"))
    return message_chunk_to_message(reduce(add, chunks))


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("events", "repaired"), STREAMS.values(), ids=STREAMS)
def test_a_stream_repairs_arguments_that_arrive_in_one_event(events, repaired, surface):
    """Arguments that arrive in several events are not repaired, because the first pieces were already yielded."""
    whole = model(surface, completion("", finish="tool_calls", tool_calls=[call("book", SLIP)]))
    invoked = whole.bind_tools([book]).invoke("hi")
    assert invoked.tool_calls[0]["args"] == MEANT
    assert invoked.response_metadata["repairs"] == SAID
    streamed = stream(surface, events)
    assert streamed.tool_calls[0]["args"] == (MEANT if repaired else json.loads(SLIP))
    assert streamed.response_metadata.get("repairs", []) == (SAID if repaired else [])


@pytest.mark.parametrize("surface", SURFACES)
def test_valid_calls_and_calls_of_unbound_tools_are_unchanged(surface):
    """A tool that was not bound has no schema, so the arguments of its calls are not repaired."""
    calls = [call("book", '{"seats": 2}', "c1"), call("buy", SLIP, "c2"), call("book", "{}", "c3")]
    streamed = stream(surface, [[one] for one in calls])
    assert [made["args"] for made in streamed.tool_calls] == [{"seats": 2}, json.loads(SLIP), {}]
    assert "repairs" not in streamed.response_metadata


def test_two_objects_in_the_arguments_of_one_call_are_an_error():
    """Arguments that consist of two JSON objects are not repaired."""
    with pytest.raises(MalformedToolCallError):
        stream("vertex", [[call("book", SLIP)], [{"id": "call-1", "function": {"arguments": '{"seats": 3}'}}]])


def test_each_parallel_call_is_repaired():
    """AI Studio sends parallel calls in one event, without an index."""
    parallel = [call("book", SLIP, "c1"), call("book", '{"seats": 1.0}', "c2")]
    streamed = stream("ai_studio", [parallel])
    assert [made["args"]["seats"] for made in streamed.tool_calls] == [2, 1]
    assert len(streamed.response_metadata["repairs"]) == 2
