"""Tests of the cache of compiled schemas: exact keys, bounds, threads, and the same result as without a cache."""

import datetime as dt
import json
import os
import pickle
import random
import signal
import sys
import threading
import tracemalloc
from collections import OrderedDict
from copy import deepcopy
from enum import Enum, IntEnum

import pytest
from compiled_schemas import record_compiled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schema_draws import build_any

from langchain_gemini_compat._schema import functions
from langchain_gemini_compat._schema.cache import BoundedCache, build_key
from langchain_gemini_compat._schema.functions import (
    compile_all_parameters,
    compile_parameters,
    compile_response_schema,
)


class Word(str, Enum):
    A = "a"


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


class Changing:
    """An object that decides itself how it is pickled."""

    def __reduce__(self):
        return (str, ("a",))


#: Groups of different values that are equal for Python's `==`, or that `json.dumps` writes as the same text.
CONFUSABLE = [
    (1, 1.0, True),
    (0, 0.0, -0.0, False),
    ("1", 1),
    ("é", "e\u0301"),
    ("\ud800", "\\ud800", "?"),
    ([1, 2], (1, 2)),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"1": 0}, {1: 0}, {1.0: 0}, {True: 0}),
    ({"null": 0}, {None: 0}),
    (b"a", "a"),
    (float("nan"), "NaN"),
    (10**16, 1e16),
    ({}, [], None, ""),
    ([["a"], "b"], [["a", "b"]]),
    (set(), frozenset()),
]


@pytest.mark.parametrize("values", CONFUSABLE, ids=repr)
def test_values_that_differ_in_type_or_order_have_different_keys(values):
    keys = [build_key({"default": value}) for value in values]
    assert None not in keys
    assert len(set(keys)) == len(values)


@pytest.mark.parametrize(
    "value",
    [
        Word.A, Number.ONE, Text("a"), OrderedDict(a=1), bytearray(b"a"), pickle.PickleBuffer(b"a"), Changing(),
        dt.date(2026, 1, 1), len, str, 1j, range(3),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_values_of_other_types_have_no_key(value):
    """An enum member, for example, can equal a string and behave differently. So it gets no cache key."""
    assert build_key({"default": value}) is None
    assert build_key({"default": [{"a": value}]}) is None


def test_values_that_nest_too_deep_have_no_key():
    deep = []
    for _ in range(200_000):
        deep = [deep]
    assert build_key(deep) is None
    while deep:
        deep = deep.pop()


def test_a_key_is_as_small_as_the_objects_that_the_schema_consists_of():
    """A schema can contain one object at very many paths. The cache key contains this object only once."""
    shared = {"type": "string"}
    for _ in range(60):
        shared = {"type": "object", "properties": {"a": shared, "b": shared}}
    assert len(build_key(shared)) < 4_000
    loop = {"type": "object", "properties": {}}
    loop["properties"]["again"] = loop
    assert build_key(loop) == build_key(deepcopy(loop))


def test_the_key_of_a_schema_is_the_same_in_each_call():
    text = json.dumps({"type": "object", "properties": {"a": {"type": "string", "enum": ["string", "a"]}}})
    assert build_key(json.loads(text)) == build_key(json.loads(text))


def add_all(cache, keys, size=10):
    for key in keys:
        cache.add(key, key.upper(), size)


def kept(cache, keys):
    return "".join(key for key in keys if cache.get(key) is not None)


def test_cache_drops_the_least_recently_used_above_the_number_of_entries():
    cache = BoundedCache(max_entries=3, max_bytes=1_000)
    add_all(cache, "abc")
    assert cache.get("a") == "A"
    add_all(cache, "d")
    assert len(cache) == 3
    assert kept(cache, "abcd") == "acd"


def test_cache_drops_the_least_recently_used_above_the_bytes():
    cache = BoundedCache(max_entries=100, max_bytes=35)
    add_all(cache, "abcd")
    assert kept(cache, "abcd") == "bcd"
    cache.add("e", "E", 25)
    assert kept(cache, "abcde") == "de"


def test_cache_counts_a_replaced_value_once():
    cache = BoundedCache(max_entries=100, max_bytes=35)
    add_all(cache, "aaaaabc")
    assert kept(cache, "abc") == "abc"


def test_cache_does_not_keep_a_value_above_the_maximum():
    cache = BoundedCache(max_entries=100, max_bytes=35)
    add_all(cache, "abc")
    cache.add("d", "D", 36)
    assert kept(cache, "abcd") == "abc"


def test_cache_stays_within_its_bounds_with_many_threads():
    cache = BoundedCache(max_entries=20, max_bytes=300)
    faults = []

    def use(seed):
        draw = random.Random(seed)
        for _ in range(2_000):
            key = draw.randrange(60)
            if cache.get(key) not in (None, -key):
                faults.append(key)
            cache.add(key, -key, draw.randrange(1, 40))

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not faults
    assert len(cache) <= 20
    assert cache._bytes == sum(size for _, size in cache._entries.values()) <= 300


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_cache_works_in_a_child_that_was_forked_while_it_was_locked():
    cache = BoundedCache(max_entries=2, max_bytes=100)
    with cache._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            cache.add("a", "A", 1)
            os._exit(0 if cache.get("a") == "A" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def cache(monkeypatch):
    """Return an empty cache of compiled schemas."""
    empty = BoundedCache(max_entries=4_096, max_bytes=2**25)
    monkeypatch.setattr(functions, "_cache", empty)
    return empty


@pytest.fixture
def compiled(monkeypatch, cache):
    """Return the list of the schemas that are compiled from now on."""
    return record_compiled(monkeypatch)


SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^a", "default": 1}}}


def test_an_equal_schema_is_compiled_once(compiled):
    first = compile_parameters(deepcopy(SCHEMA))
    assert first[1]
    assert compile_parameters(deepcopy(SCHEMA)) == first
    assert len(compiled) == 1
    compile_parameters({**SCHEMA, "properties": {"a": {"type": "string", "pattern": "^a", "default": True}}})
    assert len(compiled) == 2


def test_a_schema_that_was_changed_is_compiled_again(compiled):
    schema = deepcopy(SCHEMA)
    compile_parameters(schema)
    schema["properties"]["a"]["enum"] = ["x"]
    assert compile_parameters(schema)[0]["properties"]["a"]["enum"] == ["x"]
    schema["properties"]["a"]["enum"].append("y")
    assert compile_parameters(schema)[0]["properties"]["a"]["enum"] == ["x", "y"]
    assert len(compiled) == 3


def test_a_change_of_the_schema_or_the_losses_does_not_change_what_is_cached(cache):
    schema = {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"], "pattern": "^a"}}}
    same = deepcopy(schema)
    parameters, losses = compile_parameters(schema)
    before = deepcopy(parameters), [*losses]
    schema["properties"]["a"]["enum"].append("y")
    losses.clear()
    assert compile_parameters(same) == before


def test_a_schema_without_a_key_is_compiled_each_time(compiled, cache):
    schema = {"type": "object", "properties": {"a": {"type": "string", "default": Word.A}}}
    assert compile_parameters(schema) == compile_parameters(schema)
    assert len(compiled) == 2
    assert len(cache) == 0


def test_arguments_and_answers_are_compiled_separately(cache):
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    assert compile_parameters(schema)[0] is None
    assert compile_response_schema(schema)[0]["additionalProperties"] == {"type": "string"}
    assert compile_parameters(schema)[0] is None


def bounded(count, most):
    listed = {"type": "array", "items": {"type": "string"}, "maxItems": most}
    return {"type": "object", "properties": {f"p{number}": listed for number in range(count)}}


def test_the_limit_on_bounds_applies_to_each_request(cache):
    """A request with two large array bounds loses the larger one. A later request with only this bound keeps it."""
    schema, other = bounded(1, 500), bounded(1, 450)
    alone = compile_all_parameters([schema])
    for _ in range(2):
        assert compile_all_parameters([schema]) == alone
        beside, _ = compile_all_parameters([schema, other])
        assert alone[0][0]["properties"]["p0"]["maxItems"] == 500
        assert "maxItems" not in beside[0]["properties"]["p0"]
        assert [loss.keyword for loss in beside[1]] == ["maxItems"]
        assert compile_all_parameters([schema]) == alone


def test_bounds_that_a_schema_loses_alone_stay_lost_beside_others(cache):
    """An array bound that a schema loses on its own is also left out if the request has more schemas."""
    schemas = [bounded(count, most) for count, most in ((1, 1_000), (3, 400), (2, 300), (1, 5), (0, 0))]
    most = functions.find_most_items(compile_parameters(schema)[0] or {} for schema in schemas)
    expected = [compile_parameters(schema, most) for schema in schemas]
    assert [(parameters, [*losses]) for parameters, losses in compile_all_parameters(schemas)] == expected


def retype(value, draw):
    """Return a copy of `value` with another type for some numbers, and another order of keys for some dicts."""
    if isinstance(value, dict):
        pairs = [(key, retype(inner, draw)) for key, inner in value.items()]
        return dict(reversed(pairs)) if draw(st.booleans()) else dict(pairs)
    if isinstance(value, list):
        return [retype(inner, draw) for inner in value]
    if isinstance(value, (int, float)) and value in (0, 1) and draw(st.booleans()):
        return draw(st.sampled_from([int, float, bool]))(value)
    return value


@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=build_any(), data=st.data())
def test_the_cached_result_is_the_fresh_one(schema, data):
    """Schemas that Python treats as equal are compiled one after another, with and without a cache."""
    values = [schema, retype(schema, data.draw), retype(schema, data.draw)]

    def compile_twins(size):
        functions_cache, functions._cache = functions._cache, BoundedCache(size, size * 2**20)
        try:
            return [
                json.dumps([parameters, [(loss.path, loss.keyword, loss.reason) for loss in losses]])
                for value in [*values, *deepcopy(values)]
                for parameters, losses in (compile_parameters(value), compile_response_schema(value))
            ]
        finally:
            functions._cache = functions_cache

    assert compile_twins(100) == compile_twins(0)


def test_the_size_of_a_compiled_schema_is_near_its_memory(cache):
    """The cache is limited by the estimated size of its schemas. So the estimate must be near the real size."""
    schemas = [
        {
            "type": "object",
            "properties": {
                f"property_{number}_{part}": {
                    "type": "string",
                    "description": f"What {number} says about {part}.",
                    "pattern": f"^{part}",
                }
                for part in range(10)
            },
        }
        for number in range(50)
    ]
    compile_parameters(schemas[0])
    # Only memory that this test allocates is counted, because other threads of the process allocate memory, too.
    own = tracemalloc.Filter(inclusive=True, filename_pattern=__file__, all_frames=True)
    tracemalloc.start(60)
    try:
        for schema in schemas:
            compile_parameters(schema)
        used = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([own]).traces)
    finally:
        tracemalloc.stop()
    assert used < cache._bytes < 4 * used


def test_threads_share_compiled_schemas(cache):
    results = []
    schemas = [bounded(number, 3) for number in range(1, 12)]

    def compile_them():
        results.append([compile_parameters(deepcopy(schema)) for schema in schemas])

    threads = [threading.Thread(target=compile_them) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(result == results[0] for result in results)
    assert len(cache) == len(schemas)


def test_build_key_leaves_out_nothing_of_a_value():
    """Unpickling the key gives the same value."""
    value = {"a": [1, 1.0, True, None, "é\ud800", {"b": -0.0}]}
    assert repr(pickle.loads(build_key(value))) == repr(value)
