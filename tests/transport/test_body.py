"""Request bodies are encoded as by the standard library; replies are read in every encoding."""

import gzip
import json
import pickle
from collections import OrderedDict
from copy import copy, deepcopy
from datetime import date
from decimal import Decimal
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr
from wire import chunk, completion, http

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._transport.body import encode_body
from langchain_gemini_compat._wire.shared_array import SharedArray
from langchain_gemini_compat.errors import UnsupportedParameterError

texts = st.text(st.characters(exclude_categories=()) | st.sampled_from('\0\x1f\x7f\u2028"\\/é\U0001f600'))


class Text(str):
    """A subclass of `str`."""

    __slots__ = ()


class Color(Enum):
    """A value that is not JSON."""

    RED = "red"


class Thing(BaseModel):
    """A model of pydantic, which is not JSON."""

    name: str


odd = st.sampled_from(
    [
        {1},
        b"bytes",
        date(2026, 1, 1),
        Decimal("1.5"),
        Color.RED,
        Thing(name="n"),
        SecretStr("s"),
        1j,
        object(),
        ...,
        int,
    ]
)
keys = texts | st.integers() | st.booleans() | st.none() | st.floats() | st.just(date(2026, 1, 1))
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.builds(Text, texts) | odd
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.dictionaries(keys, inner) | st.builds(OrderedDict, st.just({}))
    ),
    max_leaves=8,
)


def outcome(encode, payload):
    """Return the encoded body, or the type of the error."""
    try:
        return encode(payload)
    except UnsupportedParameterError:
        return "refused"


def dump(payload):
    """Encode `payload` as the standard library does."""
    try:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return "refused"
    return text.encode(errors="replace")


@settings(max_examples=300)
@given(more=st.dictionaries(keys, values), content=st.lists(values, max_size=3))
def test_body_has_the_bytes_of_json_dumps(more, content):
    """The body has the bytes of `json.dumps`, with and without shared tools. Dates and NaN are refused."""
    message = {"role": "user", "content": content}
    for payload in (more, {**more, "messages": [message, *content]}, {"n": 1, "tools": content, **more}):
        assert outcome(encode_body, payload) == dump(payload)
        if isinstance(payload.get("tools"), list):
            assert outcome(encode_body, {**payload, "tools": SharedArray(payload["tools"])}) == dump(payload)


@pytest.mark.parametrize("number", [1e-07, 1e-05, 0.0001, 0.1, -0.0, 1e15, 1e16, 1.5e300, 5e-324, 10**30])
def test_number_is_written_as_by_json_dumps(number):
    """`encode_body` writes a number as `json` does, so that requests can hit the server's cache of prefixes."""
    payload = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "temperature": number}
    assert encode_body(payload) == dump(payload)


def test_cyclic_payload_is_refused():
    payload = {"messages": [{"role": "user", "content": []}]}
    payload["messages"].append(payload)
    with pytest.raises(UnsupportedParameterError, match="cannot be written as JSON"):
        encode_body(payload)


STREAM = b"".join(
    b"data: %b\n\n" % json.dumps(event).encode() for event in (chunk(content="hi"), chunk(content="!", finish="stop"))
)


@pytest.mark.parametrize("run", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("coding", ["gzip", "identity", None])
@pytest.mark.parametrize("is_read", [False, True], ids=["as it comes", "read by a hook of the client"])
async def test_reply_is_read_compressed_or_already_read_by_a_hook(run, coding, is_read):
    """The body may be compressed, or a hook of the caller's client may have read it already."""

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


def test_copy_of_shared_tools_is_a_list():
    """A copy of a `SharedArray` may be changed, so it is a plain list without the encoded form."""
    shared = SharedArray([{"type": "function"}])
    encode_body({"tools": shared})
    assert shared.encoded == b'[{"type":"function"}]'
    for copied in (copy(shared), deepcopy(shared), pickle.loads(pickle.dumps(shared))):
        assert type(copied) is list
        assert copied == shared
