"""Tests of MIME types and URLs of media: all spellings are converted to the forms that Google documents."""

import mimetypes
import re
from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from outgoing import GOOGLE, SURFACES, build, notes, send, wire_messages

from langchain_gemini_compat._request.content_blocks import Media, parse_block
from langchain_gemini_compat._wire.media import (
    canonical_data_url,
    clean_base64,
    decode_base64,
    guess_mime_type,
    is_public_url,
    normalise_mime_type,
    scheme_of,
    split_data_url,
)
from langchain_gemini_compat.errors import InvalidRequestError, UnsupportedContentError, UnsupportedParameterError
from langchain_gemini_compat.testing import FakeGemini

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ENDINGS = [
    ("audio", "m4a", "audio/mp4"), ("audio", "flac", "audio/flac"), ("audio", "ogg", "audio/ogg"),
    ("audio", "opus", "audio/opus"), ("audio", "mp3", "audio/mpeg"), ("audio", "wav", "audio/wav"),
    ("audio", "aac", "audio/aac"), ("audio", "aiff", "audio/aiff"), ("audio", "webm", "audio/webm"),
    ("audio", "mp4", "audio/mp4"), ("audio", "3gp", "audio/3gpp"), ("video", "3gp", "video/3gpp"),
    ("video", "mkv", "video/x-matroska"), ("video", "wmv", "video/wmv"), ("video", "mov", "video/quicktime"),
    ("video", "webm", "video/webm"), ("video", "avi", "video/avi"), ("video", "mp4", "video/mp4"),
    ("video", "mpg", "video/mpeg"), ("video", "flv", "video/x-flv"), ("video", "m4v", "video/mp4"),
    ("file", "heic", "image/heic"), ("file", "heif", "image/heif"), ("file", "webp", "image/webp"),
    ("file", "jpg", "image/jpeg"), ("file", "pdf", "application/pdf"), ("file", "csv", "text/csv"),
    ("file", "md", "text/markdown"), ("file", "xml", "text/xml"), ("media", "m4a", "audio/mp4"),
]  # fmt: skip


def sent_type(block):
    """Return the MIME type that is sent with a URI on Vertex."""
    (part,) = wire_messages([HumanMessage([block])], "vertex")[0]["content"]
    return part["input_audio"]["format"]


@pytest.mark.parametrize(("kind", "ending", "mime_type"), ENDINGS)
@pytest.mark.parametrize(
    "url",
    [
        "gs://b/a.{}",
        "https://e.test/x/a.{}?X-Goog-Signature=a.b%2Fc&x=1",
        "gs://b/A.{}#t=10",
        "https://e.test/get?f=a.{}",
    ],
)
@pytest.mark.parametrize("upper", [False, True])
def test_file_extension_of_a_url_gives_the_mime_type(kind, ending, mime_type, url, upper):
    """Audio and video files were once sent as `audio/wav` and `video/mp4`, whatever their extension. Field case C10."""
    url = url.format(ending.upper() if upper else ending)
    key = "file_uri" if kind == "media" else "url"
    assert sent_type({"type": kind, key: url}) == mime_type


@pytest.mark.parametrize(("kind", "ending", "mime_type"), ENDINGS)
def test_mime_types_do_not_depend_on_the_machine(kind, ending, mime_type, monkeypatch):
    """`mimetypes.init` reads system files, and its types differ between Python versions. Field case C10."""
    monkeypatch.setattr(mimetypes, "types_map", {f".{ending}": "application/x-wrong"})
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_, **__: ("application/x-wrong", None))
    assert sent_type({"type": kind, "url": f"gs://b/a.{ending}"}) == mime_type


@pytest.mark.parametrize(
    ("given_type", "mime_type"),
    [
        ("image/jpg", "image/jpeg"), ("image/PNG; charset=binary", "image/png"), (" Image/JPG ", "image/jpeg"),
        ("audio/x-wav", "audio/wav"), ("audio/wave", "audio/wav"), ("audio/x-m4a", "audio/mp4"),
        ("audio/x-flac", "audio/flac"), ("audio/mp3", "audio/mp3"), ("audio/mpeg", "audio/mpeg"),
        ("video/x-ms-wmv", "video/wmv"), ("video/mov", "video/quicktime"), ("video/x-msvideo", "video/avi"),
        ("application/x-pdf", "application/pdf"), ("pdf", "application/pdf"), (".png", "image/png"),
        ("audio/L16;rate=24000", "audio/l16;rate=24000"), ("audio/pcm; rate=16000", "audio/pcm;rate=16000"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["file", "audio", "video"])
def test_mime_types_are_sent_in_googles_spelling(kind, given_type, mime_type):
    """`image/jpg` was once sent unchanged. Letter case and parameters are normalized. Field case C10."""
    assert sent_type({"type": kind, "url": "gs://b/a", "mime_type": given_type}) == mime_type
    data = {"type": kind, "base64": "AAAA", "mime_type": given_type}
    if kind != "audio":
        (part,) = wire_messages([HumanMessage([data])], "ai_studio")[0]["content"]
        assert part["image_url"]["url"] == f"data:{mime_type};base64,AAAA"


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("mime_type", ["application/x-own", "application/zip", "image/svg+xml"])
def test_type_that_gemini_does_not_read_is_sent_and_refused(surface, mime_type):
    """The file is sent, because a later Gemini may read its type. The server's error is raised, with a remedy."""
    fake = FakeGemini(surface=surface)
    block = {"type": "file", "base64": "AAAA", "mime_type": mime_type}
    with pytest.raises(InvalidRequestError, match=f"{re.escape(mime_type)}.*PNG, JPEG or WebP"):
        fake.chat_model().invoke([HumanMessage([block])])
    assert [violation.rule for violation in fake.refusals] == ["media-type"]
    assert f"data:{mime_type};base64,AAAA" in str(fake.requests[0].body)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "base64": PNG, "mime_type": "image/PNG; x=y"},
        {"type": "image", "base64": PNG, "mime_type": "application/octet-stream"},
        {"type": "image", "base64": PNG, "mime_type": "image/*"},
        {"type": "image", "url": f"data:image/PNG;base64,{PNG}"},
        {"type": "image_url", "image_url": {"url": f"data:image/x-png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": f"DATA:image/png;charset=utf-8;BASE64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": f" data:image/png ; base64,{PNG[:40]}\r\n{PNG[40:]}"}},
        {"type": "image_url", "image_url": {"url": f"data:;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG.rstrip('=')}"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG.replace('/', '_').replace('+', '-')}"}},
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/png;base64,{PNG.replace('+', '%2B').replace('=', '%3D')}"},
        },
        {"type": "media", "data": PNG, "mime_type": "IMAGE/PNG"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/x-png", "data": PNG}},
        {"type": "image", "data": PNG, "mimeType": "image/png"},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
    ],
)
def test_image_urls_are_sent_in_one_spelling(block, surface):
    """Servers reliably read a `data:` URL with a MIME type in lower case and standard base64. Field case C10."""
    (part,) = wire_messages([HumanMessage([block])], surface)[0]["content"]
    assert part == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}


@pytest.mark.parametrize("surface", GOOGLE)
def test_data_url_without_base64_is_sent_as_base64(surface):
    """A `data:` URL may have percent-encoded text instead of base64. Field case C10."""
    block = {"type": "file", "url": "data:text/plain;charset=utf-8,a%20%C3%A9"}
    (part,) = wire_messages([HumanMessage([block])], surface)[0]["content"]
    assert part["image_url"]["url"] == f"data:text/plain;base64,{b64encode('a é'.encode()).decode()}"


@pytest.mark.parametrize("given_format", ["audio/x-wav", "AUDIO/WAV", "audio/wave; x=y"])
def test_format_of_input_audio_is_normalised(given_format):
    """`audio/mp3`, the format in Google's own sample, is not changed. Field case C10."""
    block = {"type": "input_audio", "input_audio": {"data": "gs://b/a", "format": given_format}}
    assert sent_type(block) == "audio/wav"
    block["input_audio"]["format"] = "audio/mp3"
    assert sent_type(block) == "audio/mp3"
    sent = send([HumanMessage([block])], "vertex")["messages"][0]["content"][0]
    assert sent["input_audio"] == {"data": "gs://b/a", "format": "audio/mp3"}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", ["video_metadata", "media_resolution"])
@pytest.mark.parametrize("place", ["block", "extras", "wrapped"])
def test_media_options_of_googles_packages_are_noted(name, place, surface):
    """Options such as the frame rate of a video are left out. Field case C10.

    No source documents a field for these options on this API.
    """
    value = {"fps": 5, "start_offset": "10s", "end_offset": "20s"}
    block = {"type": "media", "mime_type": "video/mp4", "data": "AAAA"}
    block = {**block, "extras": {name: value}} if place == "extras" else {**block, name: value}
    block = {"type": "non_standard", "value": block} if place == "wrapped" else block
    request = build([HumanMessage("a"), HumanMessage([block]), HumanMessage([block])], surface)
    text = f"`{name}` of a content block was left out: this API has no field for it."
    assert [(note.kind, note.message, note.index) for note in request.notes] == [("dropped", text, 1)]
    with pytest.raises(UnsupportedParameterError, match=f"Message 1: `{name}`"):
        build([HumanMessage("a"), HumanMessage([block])], surface, strict=True)
    assert name not in str(request.payload)


@pytest.mark.parametrize("surface", SURFACES)
def test_media_options_in_a_result_are_noted_without_an_error(surface):
    """`strict=True` raises no error here, because the caller cannot change a tool's result. Field case C10."""
    call = {"id": "1", "name": "f", "args": {}}
    block = {"type": "video", "base64": "AAAA", "mime_type": "video/mp4", "video_metadata": {"fps": 1}}
    messages = [HumanMessage("a"), AIMessage("", tool_calls=[call]), ToolMessage([block], tool_call_id="1")]
    request = build(messages, surface, model="gemini-2.5-pro", strict=True)
    assert "`video_metadata`" in notes(request, "tool_result")[0]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("url", ["http://[abc", "https://[::1/a.png", "http://\u2100.test/a.png"])
def test_unparsable_url_raises_only_our_error(url, surface):
    """A block with an unparsable URL is sent, or refused with an error of this package."""
    with suppress(UnsupportedContentError):
        build([HumanMessage([{"type": "image", "url": url}])], surface)
    with suppress(UnsupportedContentError):
        build([HumanMessage([{"type": "file", "url": url}])], surface)


@given(st.binary(max_size=40), st.sampled_from(["image/png", "text/plain", "audio/mpeg"]))
def test_each_spelling_of_base64_gives_the_same_bytes(data, mime_type):
    """Line breaks, the URL-safe alphabet and missing padding are accepted."""
    plain = b64encode(data).decode()
    url = f"data:{mime_type};base64,{plain}"
    odd = plain.replace("+", "-").replace("/", "_").rstrip("=")
    assert decode_base64(clean_base64(odd)) == data
    assert canonical_data_url(url) == canonical_data_url(f"Data:{mime_type.upper()};charset=x;Base64,\n{odd}") == url
    assert split_data_url(url) == (mime_type, plain)


@given(
    st.text(st.characters(exclude_categories=()), max_size=30).flatmap(
        lambda text: st.sampled_from([text, f"data:,{text}", f"data:a/b;base64,{text}"])
    )
    | st.from_regex(r"(data|https?|gs):[^ ]{0,20}", fullmatch=True)
)
def test_readers_raise_for_no_text(text):
    """These functions read arbitrary text from tools and users, so no text may cause an error."""
    for reader in (normalise_mime_type, guess_mime_type, scheme_of, split_data_url, canonical_data_url, clean_base64):
        reader(text)
    assert decode_base64(text) is None or isinstance(decode_base64(text), bytes)
    assert is_public_url(text) in (True, False)
    media = parse_block({"type": "file", "url": text, "mime_type": text, "name": text}).content
    assert not isinstance(media, Media) or media.known_mime_type in (None, media.known_mime_type)
