"""Tests of tool results: each is sent as media if the surface accepts the media, else as text with a note."""

import base64
import json
import warnings
from datetime import datetime, timezone

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_mcp_adapters.tools import _convert_call_tool_result
from mcp import types as mcp
from outgoing import GOOGLE, PLACES, SURFACES, broken_rules, build, send, wire_messages

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._catalog.langchain_profile import build_profile
from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat._transport.body import encode_body
from langchain_gemini_compat.testing import Call, FakeGemini

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ZIP = base64.b64encode(b"PK\x03\x04 a zip").decode()
WAV = base64.b64encode(b"RIFF\x24\x00\x00\x00WAVEfmt ").decode()
MODELS = ("gemini-3.8-flash", "gemini-2.5-pro", "some-model")
places = pytest.mark.parametrize(
    ("surface", "model"),
    [("vertex", "gemini-3.8-flash"), ("vertex", "gemini-2.5-pro"), ("ai_studio", "gemini-3.8-flash"),
     ("openai_compatible", "google/gemini-3.8-flash"), ("openai_compatible", "qwen")],
)  # fmt: skip


def history(content, **kwargs):
    """Return a call, its result and a further question."""
    call = {"id": "1", "name": "f", "args": {}}
    answer = ToolMessage("", tool_call_id="1", **kwargs).model_copy(update={"content": content})
    return [HumanMessage("a"), AIMessage("", tool_calls=[call]), answer]


def request_of(content, surface, model="gemini-3.8-flash", *, strict=True, **kwargs):
    """Return the request with `content` as a result, after a check against the fake endpoint's rules."""
    request = build(history(content, **kwargs), surface, model, strict=strict)
    encode_body(request.payload)
    if surface != "openai_compatible":
        assert broken_rules(request.payload, surface) == []
    return request


def sent_of(content, surface, model="gemini-3.8-flash", **kwargs):
    """Return the tool message, and the media parts of the user message that may follow it."""
    messages = request_of(content, surface, model, **kwargs).payload["messages"]
    following = messages[3]["content"][1:] if len(messages) > 3 else []
    return messages[2], following


def result_notes(request):
    return [note.message for note in request.notes if note.kind == "tool_result"]


class Unfriendly:
    """A value whose methods raise."""

    def __str__(self):
        raise OSError("no text")

    __repr__ = __str__


def endless():
    """Return values that contain themselves, and a value that is too deep for any parser."""
    ring = {}
    ring["me"] = [ring, ring]
    wrapped = {"type": "non_standard"}
    wrapped["value"] = wrapped
    deep = leaf = {}
    for _ in range(3000):
        leaf["a"] = {}
        leaf = leaf["a"]
    return [ring, wrapped, deep]


ODD = [
    None, "", [], [None], [[]], (), ("a", {"b": 1}), 5, {"a": 1}, b"bytes", [b"bytes"], [7], [{}], [{"type": None}],
    [{"type": []}], [{"type": {"a": 1}}], [{"type": 5}], [{"type": "text"}], [{"type": "text", "text": 5}],
    [{"type": "text", "text": {"value": "x"}}], [{"type": "image"}], [{"type": "image", "source_type": "url"}],
    [{"type": "image", "source_type": "base64"}], [{"type": "image", "source_type": "id"}],
    [{"type": "file", "source_type": "text"}], [{"type": "image", "source_type": []}],
    [{"type": "file", "file": {}}], [{"type": "file", "file": None}], [{"type": "file", "file": {"file_data": 5}}],
    [{"type": "file", "file": {"file_data": "no data", "filename": 3}}],
    [{"type": "input_audio"}], [{"type": "input_audio", "input_audio": {"data": 5, "format": None}}],
    [{"type": "image_url"}], [{"type": "image_url", "image_url": None}],
    [{"type": "image_url", "image_url": {"url": "data:image/png;base64"}}],
    [{"type": "image_url", "image_url": {"url": "data:image/png,%89"}}],
    [{"type": "text-plain", "base64": "é"}], [{"type": "text-plain", "base64": "!"}],
    [{"type": "image", "url": "http://[abc"}], [{"type": "file", "url": "https://[::1"}],
    [{"type": "file", "name": "http://[abc", "base64": ZIP}], [{"type": "image", "base64": "!!!"}],
    [{"type": "image", "base64": "é", "mime_type": "image/png"}], [{"type": "image", "base64": b"x", "mime_type": 7}],
    [{"type": "image", "base64": PNG, "mime_type": "image/*"}], [{"type": "image", "base64": PNG, "mime_type": "/"}],
    [{"a": b"x"}], [{"a": {1, 2}}], [{"a": float("nan")}], [{(1, 2): 3}], [{"a": 10**5000}], [{10**5000: [{1: {2}}]}],
    [{"a": datetime(2026, 1, 1, tzinfo=timezone.utc)}], [{"a": Unfriendly()}], [{Unfriendly(): Unfriendly()}],
    [{"type": "non_standard"}], [{"type": "non_standard", "value": {"type": "non_standard", "value": 5}}],
    [{"type": "text", "text": "a", "extra_content": {"a": float("nan")}}],
    [{"type": "text", "text": "a", "extra_content": "x"}],
    [{"type": "image", "base64": PNG, "mime_type": "image/png", "cache_control": {"a": b"x"}}],
    [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
    "\ud83d", [{"\ud83d": "\udc00"}], "x" * 1_000_000, *([value] for value in endless()), "[" * 5000, '{"$ref":' * 5000,
]  # fmt: skip


@places
@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_any_result_makes_a_valid_request(content, surface, model):
    """Malformed blocks, values that JSON does not have, and other values are sent, even with `strict`."""
    for strict in (False, True):
        request = request_of(content, surface, model, strict=strict)
        assert request.payload["messages"][2]["content"]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("content", [content for content in ODD if isinstance(content, list)])
def test_any_result_passes_through_langchain(content, surface):
    """langchain-core reads the blocks first, and would raise for some of them."""
    sent = send(history(content), surface)["messages"]
    assert sent[2]["role"] == "tool"
    assert sent[2]["content"]


characters = st.characters(exclude_categories=())
texts = st.text(characters, max_size=8) | st.sampled_from(
    [PNG, ZIP, "file:///a b", "gs://b/a.png", "https://e.test/a.pdf", "data:,a\ud83d", "data:text/plain;base64,YQ"]
)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=4) | st.sets(st.integers())
)
KEYS = [
    "type", "text", "url", "base64", "data", "mime_type", "mimeType", "source", "source_type", "file", "file_id", "id",
    "image_url", "input_audio", "resource", "uri", "blob", "value", "content", "inline_data", "fileData", "extras",
    "extra_content", "cache_control", "name", "detail", "$ref",
]  # fmt: skip
KINDS = [
    "text", "image", "audio", "video", "file", "image_url", "input_image", "input_audio", "input_file", "document",
    "text-plain", "media", "video_url", "non_standard", "resource", "resource_link", "tool_result", "reasoning",
    "tool_use", "refusal", "url", "base64", "image/png", "application/pdf", "application/zip", "audio/wav",
]  # fmt: skip
values = st.recursive(
    leaves | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner),
    max_leaves=12,
)
blocks = st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional=dict.fromkeys(KEYS[1:], values))
contents = texts | values | st.lists(blocks | texts | values, max_size=4)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=contents, surface=st.sampled_from(SURFACES), model=st.sampled_from(MODELS), strict=st.booleans())
@example(content=[{"type": "image", "base64": "0"}], surface="vertex", model=MODELS[0], strict=True)
def test_random_result_makes_a_valid_request(content, surface, model, strict):
    """Building the request raises no error, and the request satisfies the rules of the fake endpoint."""
    before = repr(content)
    request = request_of(content, surface, model, strict=strict)
    assert request.payload["messages"][2]["content"]
    assert repr(content) == before


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(["image", "audio", "video", "file", "media", "resource_link"]),
    url=st.sampled_from(["file:///tmp/r", "s3://b/r", "ui://x/r", "C:/r", "http://localhost/r", "https://e.test/r"]),
    ending=st.sampled_from(["", ".zip", ".PNG", ".pdf", ".m4a", ".xyz"]),
    mime_type=st.none() | st.sampled_from(["image/png", "application/zip", "audio/wav", "text/csv", "nonsense"]),
    surface=st.sampled_from(SURFACES),
    model=st.sampled_from(MODELS),
)
def test_url_of_a_result_is_always_sent(kind, url, ending, mime_type, surface, model):
    """An attachment is sent as media, or as text with a note.

    Gemini 3 on Vertex gets some media in a user message, because a tool result cannot contain them. A note says so.
    """
    block = {"type": kind, "url": url + ending, "name": "n-1", **({"mime_type": mime_type} if mime_type else {})}
    request = request_of([block], surface, model)
    tool_message, *following = request.payload["messages"][2:]
    in_text = url + ending in str(tool_message["content"])
    in_media = url + ending in json.dumps([tool_message.get("extra_content"), following])
    assert in_text != in_media
    moved = bool(following) and (surface, model) == ("vertex", "gemini-3.8-flash")
    assert bool(result_notes(request)) == (in_text or moved)
    if in_text:
        assert "n-1" in tool_message["content"]


def convert(*contents):
    """Return an MCP result as the content blocks of langchain-mcp-adapters."""
    blocks, _ = _convert_call_tool_result(mcp.CallToolResult(content=[*contents]))
    return blocks


LINK = mcp.ResourceLink(type="resource_link", name="report", uri="file:///srv/report.bin")
ARCHIVE = mcp.EmbeddedResource(
    type="resource",
    resource=mcp.BlobResourceContents(uri="file:///srv/a.zip", mimeType="application/zip", blob=ZIP),
)


@places
@pytest.mark.parametrize("raw", [False, True], ids=["adapters", "as MCP spells it"])
def test_mcp_links_and_archives_become_text(surface, model, raw):
    """Links and archives once caused an error in every later turn, or were sent as media. Field case C2."""
    content = [one.model_dump(mode="json") for one in (LINK, ARCHIVE)] if raw else convert(LINK, ARCHIVE)
    request = request_of(content, surface, model)
    (sent,) = request.payload["messages"][2:]
    assert "file:///srv/report.bin" in sent["content"]
    assert "application/zip" in sent["content"]
    assert f"{len(base64.b64decode(ZIP))} bytes" in sent["content"]
    assert ZIP not in json.dumps(request.payload)
    assert "extra_content" not in sent
    assert len(result_notes(request)) == 2
    assert all(note.index == 2 for note in request.notes if note.kind == "tool_result")


@places
def test_mcp_embedded_text_is_text(surface, model):
    """The text starts with the URI if the block has a URI. Field case C2."""
    resource = mcp.TextResourceContents(uri="file:///a.md", mimeType="text/markdown", text="# Hi")
    block = mcp.EmbeddedResource(type="resource", resource=resource)
    sent, following = sent_of([block.model_dump(mode="json")], surface, model)
    assert (sent["content"], following) == ("file:///a.md:\n# Hi", [])
    assert sent_of(convert(block), surface, model)[0]["content"] == "# Hi"


@pytest.mark.parametrize(
    ("mime_type", "beside"),
    [("image/png", True), ("image/jpeg", True), ("image/webp", True), ("application/pdf", True), ("IMAGE/JPG", True),
     ("text/plain", True), ("image/heic", False), ("audio/wav", False), ("video/mp4", False)],
)  # fmt: skip
def test_gemini_3_on_vertex_gets_listed_types_beside_a_result(mime_type, beside):
    """PNG, JPEG, WebP, PDF and plain text are sent with the result, other media in a user message. Field case C2."""
    block = {"type": "file", "url": "gs://bucket/a", "mime_type": mime_type}
    request = request_of([block], "vertex")
    sent, *following = request.payload["messages"][2:]
    parts = sent.get("extra_content", {}).get("google", {}).get("parts", [])
    assert len(parts) == beside
    assert "gs://bucket/a" in json.dumps(following or parts)
    note = f"Media of type {mime_type} were moved to a user message: a tool's result cannot contain them."
    assert result_notes(request) == ([] if beside else [note])


def test_media_that_follow_every_result_of_a_model_have_no_note():
    """Gemini 2.5 takes no media in results, so all its media follow in a user message."""
    block = {"type": "image", "url": "gs://bucket/a", "mime_type": "image/heic"}
    request = request_of([block], "vertex", "gemini-2.5-pro")
    assert "gs://bucket/a" in json.dumps(request.payload["messages"][3])
    assert result_notes(request) == []


OFFICE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize("mime_type", [OFFICE, "application/vnd.oasis.opendocument.spreadsheet"])
@pytest.mark.parametrize(
    ("surface", "model", "beside"),
    [
        ("vertex", "gemini-4-hydrogen", True),
        ("vertex", "gemini-4-hydrogen-001", True),
        ("vertex", "gemini-4-carbon", False),
        ("vertex", "gemini-3.8-flash", False),
        ("ai_studio", "gemini-4-hydrogen", False),
    ],
)
def test_office_files_go_beside_a_result_of_hydrogen(surface, model, beside, mime_type):
    """Google's guide for Gemini 4 Hydrogen lists Office and OpenDocument files.

    Other models get a description of the file.
    """
    request = request_of([{"type": "file", "base64": ZIP, "mime_type": mime_type, "name": "a"}], surface, model)
    (sent,) = request.payload["messages"][2:]
    parts = sent.get("extra_content", {}).get("google", {}).get("parts", [])
    assert [part["inline_data"]["mime_type"] for part in parts] == ([mime_type] if beside else [])
    assert len(result_notes(request)) == (not beside)


def test_a_type_that_no_result_takes_moves_all_media_of_the_result():
    """The audio file moves to a user message, because a tool result cannot contain it.

    The Office file of the result moves with the audio file, although the result could contain it.
    """
    blocks = [
        {"type": "audio", "base64": WAV, "mime_type": "audio/wav"},
        {"type": "file", "base64": ZIP, "mime_type": OFFICE},
    ]
    request = request_of(blocks, "vertex", "gemini-4-hydrogen")
    sent, following = request.payload["messages"][2:]
    assert "extra_content" not in sent
    assert [part["type"] for part in following["content"]] == ["text", "input_audio", "image_url"]
    assert result_notes(request) == [
        "Media of type audio/wav were moved to a user message: a tool's result cannot contain them."
    ]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "mime_type", ["image/gif", "image/tiff", "application/octet-stream", "application/zip", "font/woff"]
)
def test_types_that_gemini_refuses_become_text(mime_type, surface):
    """Gemini would answer 400 in this turn and in every later turn. Field case C2."""
    data = base64.b64encode(b"\x00\x01\x02").decode()
    block = {"type": "image", "base64": data, "mime_type": mime_type, "extras": {"filename": "x.bin"}}
    request = request_of([{"type": "text", "text": "Look:"}, block], surface)
    (sent,) = request.payload["messages"][2:]
    assert sent["content"].startswith("Look:\n[")
    assert all(told in sent["content"] for told in (mime_type, "x.bin", "3 bytes"))
    assert len(result_notes(request)) == 1


@places
@pytest.mark.parametrize("mime_type", ["text/csv", "application/json", "image/svg+xml", "TEXT/Markdown; charset=utf-8"])
def test_textual_data_of_a_result_is_sent_as_text(mime_type, surface, model):
    """A model reads text better than base64, and every surface accepts text."""
    data = base64.b64encode("a,é\n1,2".encode()).decode()
    sent, following = sent_of([{"type": "file", "base64": data, "mime_type": mime_type}], surface, model)
    assert (sent["content"], following) == ("a,é\n1,2", [])


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8080", "10.0.0.7", "[::1]", "files", "nas.local", "169.254.169.254"]
)
def test_urls_that_google_cannot_reach_become_text(host, surface):
    """Google answers 400 (`Cannot fetch content from the provided URL`), in every later turn too."""
    url = f"http://{host}/a.png"
    sent, following = sent_of([{"type": "image", "url": url}], surface)
    assert url in sent["content"]
    assert following == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
        {"type": "image", "source_type": "base64", "data": PNG, "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": f"DATA:image/PNG;charset=x;BASE64,{PNG}"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG[:20]}\n{PNG[20:]}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "media", "mime_type": "image/png", "data": PNG},
        {"type": "image", "data": PNG, "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "x://a", "mimeType": "image/png", "blob": PNG}},
        {"inline_data": {"mime_type": "image/png", "data": PNG}},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"type": "non_standard", "value": {"type": "image", "base64": PNG, "mime_type": "image/png"}},
        {"type": "tool_result", "content": [{"type": "image", "base64": PNG, "mime_type": "image/png"}]},
        {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PNG}"},
    ],
)
@places
def test_image_of_any_spelling_is_sent(block, surface, model):
    """Image blocks of LangChain (v0 and v1), OpenAI, Anthropic, Google and MCP are all sent as images."""
    sent, following = sent_of([block], surface, model)
    if surface == "vertex" and model.startswith("gemini-3"):
        part = {"inline_data": {"mime_type": "image/png", "display_name": "media_1", "data": PNG}}
        assert sent["extra_content"]["google"]["parts"] == [part]
    else:
        assert following == [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]


@places
@pytest.mark.parametrize("url", ["https://e.test/a.png", "ftp://e.test/a.png"])
def test_other_keys_of_a_media_block_are_sent(url, surface, model):
    """A search hit in a tool result may look like a media block. Its other keys, such as a title, are sent as text."""
    hit = {"type": "image", "url": url, "title": "A cat", "views": 5, "owner": {"name": "Ann"}}
    sent, _ = sent_of([hit], surface, model)
    text = json.loads(sent["content"])["output"] if "extra_content" in sent else sent["content"]
    assert '{"title": "A cat", "views": 5, "owner": {"name": "Ann"}}' in text


@pytest.mark.parametrize("surface", SURFACES)
def test_base64_text_goes_beside_the_result_on_vertex(surface):
    """Surfaces other than Vertex AI get the decoded text as the content of the result."""
    block = {"type": "file", "base64": base64.b64encode(b"hi").decode(), "mime_type": "Text/Plain; charset=utf-8"}
    sent, following = sent_of([block], surface)
    if surface == "vertex":
        (part,) = sent["extra_content"]["google"]["parts"]
        assert part["inline_data"] == {"mime_type": "text/plain", "display_name": "media_1", "data": block["base64"]}
    else:
        assert (sent["content"], following) == ("hi", [])


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("kind", ["audio", "video", "file"])
def test_media_of_unknown_type_become_text(kind, surface):
    """A wrongly guessed type may give a 400 in every later turn."""
    sent, following = sent_of([{"type": kind, "url": "https://e.test/stream"}], surface)
    assert "https://e.test/stream" in sent["content"]
    assert following == []


@places
def test_image_in_a_file_block_is_sent_as_an_image(surface, model):
    """MCP links and LangChain's `file` blocks may be images. Every surface accepts an image by https URL."""
    request = request_of([{"type": "file", "url": "https://e.test/a.PNG?x=1"}], surface, model)
    assert result_notes(request) == []


@pytest.mark.parametrize("surface", SURFACES)
def test_invalid_base64_is_sent_as_the_whole_block(surface):
    """Invalid base64 may be a text that the tool returned."""
    sent, following = sent_of([{"type": "image", "base64": "not a picture!", "mime_type": "image/png"}], surface)
    assert "not a picture!" in sent["content"]
    assert following == []


def test_media_beside_a_result_keep_the_callers_parts():
    """A `ToolMessage` can have media in its content, and media parts in its own `extra_content`. Both are sent."""
    part = {"file_data": {"mime_type": "image/png", "display_name": "own", "file_uri": "gs://b/own.png"}}
    extra = {"google": {"parts": [part]}}
    sent, _ = sent_of([{"type": "image", "base64": PNG, "mime_type": "image/png"}], "vertex",
                      additional_kwargs={"extra_content": extra})  # fmt: skip
    parts = sent["extra_content"]["google"]["parts"]
    assert parts[0] == part
    assert parts[1]["inline_data"]["data"] == PNG
    assert extra == {"google": {"parts": [part]}}


@pytest.mark.parametrize("surface", SURFACES)
def test_invalid_extra_content_of_a_result_is_left_out_with_a_note(surface):
    """A tool can return a `ToolMessage` whose `extra_content` is not valid JSON."""
    request = request_of("a", surface, additional_kwargs={"extra_content": {"a": b"x"}})
    assert "extra_content" not in request.payload["messages"][2]
    assert len(result_notes(request)) == 1


SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
REFERRING = [
    json.dumps(SCHEMA),
    json.dumps(SCHEMA, indent=2),
    f" \n\t{json.dumps(SCHEMA)}\n",
    json.dumps([SCHEMA]),
    json.dumps({"tools": [{"parameters": [[SCHEMA]]}]}),
    '{"\\u0024ref": "x"}',
    '{"a": {"\\u0024\\u0072\\u0065\\u0066": "x"}}',
    '{"a": {"$ref": "x"}, "a": 1}',
    '{"$ref": 5}',
    '{"$ref": null}',
    '{"$ref": {"a": 1}}',
    '{"user": {"$ref": "users", "$id": 7}}',
    "{'$ref': 'x'}",
    '{"$ref": "x",}',
    '\ufeff{"$ref": "x"}',
    '{"n": ' + "9" * 5000 + ', "$ref": "x"}',
]


@places
@pytest.mark.parametrize("text", REFERRING, ids=range(len(REFERRING)))
@pytest.mark.parametrize("as_block", [False, True])
def test_result_with_a_json_reference_is_wrapped_as_text(text, as_block, surface, model):
    """A tool that returned a JSON schema once got a 400 in every later turn. Field case C1."""
    content = [{"type": "text", "text": text}] if as_block else text
    sent, _ = sent_of(content, surface, model)
    if model == "qwen":
        assert sent["content"] == text
    else:
        assert json.loads(sent["content"]) == {"output": text}


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("value", [SCHEMA, {"type": "openapi", "schema": SCHEMA}])
def test_json_block_with_a_reference_is_wrapped(value, surface):
    """A dict of a tool and the text of a `FunctionMessage` are wrapped if they contain `$ref`. Field case C1."""
    sent, _ = sent_of([value], surface)
    assert json.loads(json.loads(sent["content"])["output"]) == value
    call = AIMessage("", additional_kwargs={"function_call": {"name": "f", "arguments": "{}"}})
    messages = wire_messages([HumanMessage("a"), call, FunctionMessage(json.dumps(value), name="f")], surface)
    assert json.loads(json.loads(messages[2]["content"])["output"]) == value


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', "[1, 2]", "see $ref", '{"a": "$ref"}', '{"a": "{\\"$ref\\": \\"x\\"}"}', '{"ref": "x", "$id": "y"}',
     '{"a": "\\u00e9"}', "", "plain", '"{\\"$ref\\": 1}"', "{", '{"$defs": {}}', '```json\n{"$ref": "x"}\n```'],
)  # fmt: skip
def test_results_without_a_reference_are_unchanged(text, surface):
    """A result without the JSON key `$ref` is not wrapped. Gemini reads a JSON object as the function's response.

    Field case C1.
    """
    assert sent_of(text, surface)[0]["content"] == (text or "{}")


def test_references_to_the_callers_parts_are_kept():
    """A result is sent unchanged if all its references name parts of the same message, as in Google's sample.

    If one of these parts is missing, the server would answer 400. Then the result is wrapped. Field case C1.
    """
    extra = {
        "google": {
            "parts": [{"file_data": {"display_name": "a.png", "file_uri": "gs://b/a", "mime_type": "image/png"}}]
        }
    }
    kwargs = {"additional_kwargs": {"extra_content": extra}}
    text = '{"image":{"$ref":"a.png"}}'
    assert sent_of(text, "vertex", **kwargs)[0]["content"] == text
    other = '{"image":{"$ref":"a.png"},"b":{"$ref":"b.png"}}'
    assert json.loads(sent_of(other, "vertex", **kwargs)[0]["content"]) == {"output": other}


@pytest.mark.parametrize("surface", GOOGLE)
def test_parts_with_extra_content_are_wrapped_separately(surface):
    """Texts with their own `extra_content` stay separate parts. Field case C1."""
    extra = {"google": {"x": 1}}
    block = {"type": "text", "text": '{"$ref": "x"}', "extra_content": extra}
    sent, _ = sent_of([block], surface)
    assert sent["content"] == [{"type": "text", "text": '{"output": "{\\"$ref\\": \\"x\\"}"}', "extra_content": extra}]


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("strict", [False, True])
async def test_agent_continues_after_any_result(surface, strict):
    """The agent runs three turns, whole and streamed, because results stay in the history. Field case C2."""

    @tool
    def fetch(n: int) -> list:
        """Fetch something."""
        return [convert(LINK, ARCHIVE), [SCHEMA], [{"type": "image", "source_type": "base64"}]][n]

    fake = FakeGemini([*([Call("fetch", {"n": n})] for n in range(3)), "Done.", "Fine.", "Bye."], surface=surface)
    agent = create_agent(fake.chat_model(strict=strict), [fetch])
    messages = [HumanMessage("Fetch.")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = agent.invoke({"messages": messages})
        state = await agent.ainvoke({"messages": [*state["messages"], HumanMessage("And?")]})
        given = {"messages": [*state["messages"], HumanMessage("So?")]}
        states = [state async for state in agent.astream(given, stream_mode="values")]
    state = states[-1]
    assert state["messages"][-1].text == "Bye."
    assert fake.refusals == []
    assert sum(isinstance(message, ToolMessage) for message in state["messages"]) == 3


def test_unsupported_media_of_a_user_are_refused():
    """An unsupported file of a user raises an error, because the user can send another file.

    Unsupported files of tools become text.
    """
    archive = {"type": "file", "url": "file:///a.zip"}
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    with pytest.raises(ValueError, match="not accepted by surface"):
        chat.preview([HumanMessage([archive])])


PDF = base64.b64encode(b"%PDF-1.4 a report").decode()


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-pro"])
def test_deepagents_sends_images_and_pdfs_to_the_model(surface, model, tmp_path):
    """The middleware of deepagents reads the model profile. It once replaced media with a sentence. Field case C11."""
    deepagents = pytest.importorskip("deepagents")
    backends = pytest.importorskip("deepagents.backends")
    (tmp_path / "cat.png").write_bytes(base64.b64decode(PNG))
    (tmp_path / "report.pdf").write_bytes(base64.b64decode(PDF))
    calls = [[Call("read_file", {"file_path": name})] for name in ("/cat.png", "/report.pdf")]
    wire = "vertex" if surface == "vertex" else "ai_studio"
    fake = FakeGemini([*calls, "A cat and a report.", "Bye."], surface=wire)
    chat = fake.chat_model(model)
    chat.profile = build_profile(family_of(model))
    agent = deepagents.create_deep_agent(
        chat, backend=backends.FilesystemBackend(root_dir=str(tmp_path), virtual_mode=True)
    )
    state = agent.invoke({"messages": [HumanMessage("Look.")]})
    state = agent.invoke({"messages": [*state["messages"], HumanMessage("Thanks.")]})
    assert state["messages"][-1].text == "Bye."
    assert fake.refusals == []
    sent = json.dumps(fake.requests[-1].body["messages"])
    assert (sent.count(PNG), sent.count(PDF)) == (1, 1)


@pytest.mark.parametrize("surface", SURFACES)
def test_media_beside_text_in_a_part_of_google_are_sent(surface):
    """A part of Google's API may have a text and an image. The image is sent as media.

    As base64 in the text, it would cost many tokens.
    """
    part = {"text": "cap", "inline_data": {"mime_type": "image/png", "data": PNG}}
    call = {"name": "f", "args": {}, "id": "1"}
    model = ChatGeminiCompat(model="gemini-3.8-flash", **PLACES[surface])
    body, _ = model.preview(
        [HumanMessage("x"), AIMessage("", tool_calls=[call]), ToolMessage([part], tool_call_id="1")]
    )
    result = body["messages"][2]
    assert "cap" in str(result["content"])
    assert PNG not in str(result["content"])
    assert "image" in str(body)


def test_note_of_a_refused_attachment_has_no_advice_of_other_messages():
    """The note says that a video of a tool result became text. It must not advise the user to remove the video."""
    part = {"type": "video", "url": "https://a.b/v.mp4", "mime_type": "video/mp4"}
    call = {"name": "f", "args": {}, "id": "1"}
    model = ChatGeminiCompat(model="gemini-3.8-flash", **PLACES["ai_studio"])
    history = [HumanMessage("x"), AIMessage("", tool_calls=[call]), ToolMessage([part], tool_call_id="1")]
    (note,) = [note for note in model.preview(history)[1] if note.kind == "tool_result"]
    assert "Remove" not in note.message
