"""Bodies as they go over the network: written quickly as the standard library would write them, read as they come."""

import gzip
import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import chunk, completion, http

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._transport import _serialise
from langchain_gemini_compat.errors import UnsupportedParameterError

texts = st.text(st.characters(exclude_categories=()) | st.sampled_from('\0\x1f\x7f\u2028"\\/é\U0001f600'))


def values(numbers):
    """JSON of all kinds, with such numbers that are no integers."""
    leaves = st.none() | st.booleans() | st.integers() | numbers | texts | st.sampled_from(["NaN", "Infinity"])
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(texts, inner), max_leaves=12
    )


payloads = st.fixed_dictionaries(
    {"model": texts, "messages": st.lists(values(st.floats(allow_nan=False, allow_infinity=False)), max_size=3)},
    optional={"temperature": st.floats(), "tools": values(st.floats())},
)


def serialise_plainly(payload):
    """What the standard library makes of it."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(errors="replace")


@settings(max_examples=500)
@given(payload=payloads)
def test_body_says_what_the_standard_serialiser_says(payload):
    """In the same order; NaN is refused, lone surrogates become question marks."""
    try:
        expected = serialise_plainly(payload)
    except ValueError as error:
        with pytest.raises(UnsupportedParameterError, match=re.escape(str(error))):
            _serialise(payload)
        return
    assert json.loads(_serialise(payload)) == json.loads(expected)
    assert list(json.loads(_serialise(payload))) == list(payload)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, object(), ...])
def test_what_is_no_json_is_refused_before_the_wire(value):
    """With the serialiser's own words."""
    with pytest.raises(UnsupportedParameterError, match="is no JSON"):
        _serialise({"value": [value]})


@pytest.mark.parametrize("value", [object(), ...])
def test_what_is_no_json_in_a_message_is_refused_before_the_wire(value):
    """There too."""
    with pytest.raises(UnsupportedParameterError, match="is no JSON"):
        _serialise({"messages": [{"role": "user", "content": "hi", "extra_content": {"own": value}}]})


STREAM = b"".join(
    b"data: %b\n\n" % json.dumps(event).encode() for event in (chunk(content="hi"), chunk(content="!", finish="stop"))
)


@pytest.mark.parametrize("run", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("coding", ["gzip", "identity", None])
@pytest.mark.parametrize("is_read", [False, True], ids=["as it comes", "read by a hook of the client"])
async def test_body_is_read_however_it_comes(run, coding, is_read):
    """Compressed or not, and where a hook of the caller's client has read it before us."""

    def answer(request):
        content = STREAM if "stream" in run else json.dumps(completion()).encode()
        headers = {} if coding is None else {"content-encoding": coding}
        content = gzip.compress(content) if coding == "gzip" else content
        return http.Response(200, headers=headers, stream=http.ByteStream(content))

    async def read_first(response):
        await response.aread()

    transport = http.MockTransport(answer)
    client = http.Client(transport=transport, event_hooks={"response": [http.Response.read] if is_read else []})
    hooks = {"response": [read_first] if is_read else []}
    async_client = http.AsyncClient(transport=transport, event_hooks=hooks)
    model = ChatGeminiCompat(
        model="gemini-3.8-flash", api_key="k", http_client=client, http_async_client=async_client, max_retries=0
    )
    if run == "invoke":
        text = model.invoke("hi").text
    elif run == "ainvoke":
        text = (await model.ainvoke("hi")).text
    elif run == "stream":
        text = "".join(piece.text for piece in model.stream("hi"))
    else:
        text = "".join([piece.text async for piece in model.astream("hi")])
    assert text == ("hi!" if "stream" in run else completion()["choices"][0]["message"]["content"])
