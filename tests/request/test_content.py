"""Tests of content blocks: each form has one wire form on each surface, or raises an error before the request."""

import socket
from base64 import b64encode

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from outgoing import GOOGLE, SURFACES, build, notes, send, wire_messages

from langchain_gemini_compat.errors import UnsupportedContentError

PNG, WAV, PDF = "iVBORw0KGgo=", "UklGRiQAAABXQVZF", "JVBERi0xLjc="
MP4 = b64encode(b"\0\0\0\x18ftypmp42").decode()
GS, WEB = "gs://cloud-samples-data/generative-ai/", "https://example.test/"
#: In `BLOCKS`, this value means that the surface does not accept the block.
NONE = "refused"


def text(value):
    return {"type": "text", "text": value}


def image(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def audio(data, audio_format):
    return {"type": "input_audio", "input_audio": {"data": data, "format": audio_format}}


def file(data, name="file"):
    return {"type": "file", "file": {"filename": name, "file_data": data}}


DATA_PNG, DATA_PDF, DATA_MP4 = (
    f"data:image/png;base64,{PNG}",
    f"data:application/pdf;base64,{PDF}",
    f"data:video/mp4;base64,{MP4}",
)
DATA_CSV = f"data:text/csv;base64,{b64encode(b'a,b').decode()}"

#: Each case has a block, and then the content parts that are sent for it. A single part is sent on all surfaces. Three
#: parts are for Vertex AI, AI Studio and a compatible server.
BLOCKS = {
    "text": (text("hi"), text("hi")),
    "text by the Responses API": ({"type": "input_text", "text": "hi"}, text("hi")),
    "text of an older answer": ({"type": "output_text", "text": "hi"}, text("hi")),
    "text without a type": ({"text": "hi"}, text("hi")),
    "plain string": ("hi", text("hi")),
    "text with annotations, id and index": (
        {"type": "text", "text": "hi", "annotations": [], "id": "lc_1", "index": "lc_txt_0"},
        text("hi"),
    ),
    "text-plain": ({"type": "text-plain", "text": "hi", "mime_type": "text/plain"}, text("hi")),
    "text-plain by base64": (
        {"type": "text-plain", "base64": b64encode("grüß".encode()).decode(), "mime_type": "text/plain"},
        text("grüß"),
    ),
    "text-plain by URL": (
        {"type": "text-plain", "url": WEB + "a.txt", "mime_type": "text/plain"},
        audio(WEB + "a.txt", "text/plain"), NONE, NONE,
    ),
    "text of v0": ({"type": "file", "source_type": "text", "url": "hi", "mime_type": "text/plain"}, text("hi")),
    "text of Anthropic's document": (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}, "title": "t"},
        text("hi"),
    ),
    "non-standard text": ({"type": "non_standard", "value": {"type": "input_text", "text": "hi"}}, text("hi")),
    "image by URL": ({"type": "image", "url": WEB + "a.png"}, image(WEB + "a.png")),
    "image by gs URL": (
        {"type": "image", "url": GS + "a.png", "mime_type": "image/png"}, image(GS + "a.png"), NONE, image(GS + "a.png"),
    ),
    "image by base64": ({"type": "image", "base64": PNG, "mime_type": "image/png"}, image(DATA_PNG)),
    "image by base64 without a MIME type": ({"type": "image", "base64": PNG, "mime_type": None}, image(DATA_PNG)),
    "image by data URL": ({"type": "image", "url": DATA_PNG}, image(DATA_PNG)),
    "image with detail": (
        {"type": "image", "url": WEB + "a.png", "extras": {"detail": "low"}}, image(WEB + "a.png", detail="low"),
    ),
    "image by file id": (
        {"type": "image", "file_id": "file-1"}, NONE, NONE, {"type": "file", "file": {"file_id": "file-1"}},
    ),
    "image by a file id that is a URI": (
        {"type": "image", "file_id": GS + "a.png"}, image(GS + "a.png"), NONE,
        {"type": "file", "file": {"file_id": GS + "a.png"}},
    ),
    "image by nothing": ({"type": "image"}, NONE),
    "image by a path": ({"type": "image", "url": "/tmp/a.png"}, NONE, NONE, image("/tmp/a.png")),
    "audio by base64": (
        {"type": "audio", "base64": WAV, "mime_type": "audio/wav"}, audio(WAV, "wav"),
    ),
    "mp3 by base64": ({"type": "audio", "base64": WAV, "mime_type": "audio/mpeg"}, audio(WAV, "mp3")),
    "ogg by base64": (
        {"type": "audio", "base64": WAV, "mime_type": "audio/ogg"},
        audio(WAV, "audio/ogg"), audio(WAV, "audio/ogg"), audio(WAV, "ogg"),
    ),
    "audio by URL": (
        {"type": "audio", "url": GS + "a.mp3", "mime_type": "audio/mp3"}, audio(GS + "a.mp3", "audio/mp3"), NONE, NONE,
    ),
    "audio by data URL": ({"type": "audio", "url": f"data:audio/wav;base64,{WAV}"}, audio(WAV, "wav")),
    "video by URL": (
        {"type": "video", "url": WEB + "a.mp4", "mime_type": "video/mp4"}, audio(WEB + "a.mp4", "video/mp4"), NONE,
        {"type": "video_url", "video_url": {"url": WEB + "a.mp4"}},
    ),
    "video by base64": (
        {"type": "video", "base64": MP4, "mime_type": "video/mp4"}, image(DATA_MP4), image(DATA_MP4),
        {"type": "video_url", "video_url": {"url": DATA_MP4}},
    ),
    "PDF by base64": (
        {"type": "file", "base64": PDF, "mime_type": "application/pdf", "filename": "a.pdf"},
        image(DATA_PDF), image(DATA_PDF), file(DATA_PDF, "a.pdf"),
    ),
    "PDF by gs URL": (
        {"type": "file", "url": GS + "a.pdf", "mime_type": "application/pdf"},
        audio(GS + "a.pdf", "application/pdf"), NONE, NONE,
    ),
    "PDF by URL, its type told by the name": (
        {"type": "file", "url": WEB + "a.pdf?x=1"}, audio(WEB + "a.pdf?x=1", "application/pdf"), NONE, NONE,
    ),
    "file by URL of an unknown type": ({"type": "file", "url": WEB + "a"}, NONE),
    "file by base64 of an unknown type": (
        {"type": "file", "base64": "AAAA"}, NONE, NONE, file("data:application/octet-stream;base64,AAAA"),
    ),
    "v0 image by URL": ({"type": "image", "source_type": "url", "url": WEB + "a.png"}, image(WEB + "a.png")),
    "v0 image by base64": (
        {"type": "image", "source_type": "base64", "data": PNG, "mime_type": "image/png"}, image(DATA_PNG),
    ),
    "v0 audio": (
        {"type": "audio", "source_type": "base64", "data": WAV, "mime_type": "audio/wav"}, audio(WAV, "wav"),
    ),
    "v0 file": (
        {"type": "file", "source_type": "base64", "data": PDF, "mime_type": "application/pdf", "filename": "a.pdf"},
        image(DATA_PDF), image(DATA_PDF), file(DATA_PDF, "a.pdf"),
    ),
    "v0 file by id": (
        {"type": "file", "source_type": "id", "id": "file-1"}, NONE, NONE,
        {"type": "file", "file": {"file_id": "file-1"}},
    ),
    "OpenAI image": (image(WEB + "a.png", detail="high"), image(WEB + "a.png", detail="high")),
    "OpenAI image by base64": (image(DATA_PNG), image(DATA_PNG)),
    "OpenAI image, URL as a plain string": (
        {"type": "image_url", "image_url": GS + "image/scones.jpg"},
        {"type": "image_url", "image_url": GS + "image/scones.jpg"}, NONE, image(GS + "image/scones.jpg"),
    ),
    "OpenAI image, https URL as a plain string": (
        {"type": "image_url", "image_url": WEB + "a.png"},
        {"type": "image_url", "image_url": WEB + "a.png"}, image(WEB + "a.png"), image(WEB + "a.png"),
    ),
    "PDF as OpenAI image": (image(DATA_PDF), image(DATA_PDF)),
    "OpenAI audio": (audio(WAV, "wav"), audio(WAV, "wav")),
    "OpenAI audio with a MIME type": (audio(WAV, "audio/flac"), audio(WAV, "audio/flac")),
    "Google's sample of audio by URI": (
        audio(GS + "audio/pixel.mp3", "audio/mp3"),
        audio(GS + "audio/pixel.mp3", "audio/mp3"), NONE, audio(GS + "audio/pixel.mp3", "audio/mp3"),
    ),
    "PDF by URI in OpenAI audio": (
        audio(GS + "a.pdf", "application/pdf"), audio(GS + "a.pdf", "application/pdf"), NONE,
        audio(GS + "a.pdf", "application/pdf"),
    ),
    "OpenAI file": (file(DATA_PDF, "a.pdf"), image(DATA_PDF), image(DATA_PDF), file(DATA_PDF, "a.pdf")),
    "OpenAI file that is no PDF": (
        file(DATA_CSV, "a.csv"), image(DATA_CSV), image(DATA_CSV), file(DATA_CSV, "a.csv"),
    ),
    "OpenAI file by id": (
        {"type": "file", "file": {"file_id": "file-1"}}, NONE, NONE, {"type": "file", "file": {"file_id": "file-1"}},
    ),
    "image by the Responses API": ({"type": "input_image", "image_url": DATA_PNG, "detail": "auto"},
                                   image(DATA_PNG, detail="auto")),
    "file by the Responses API": (
        {"type": "input_file", "file_data": DATA_PDF, "filename": "a.pdf"},
        image(DATA_PDF), image(DATA_PDF), file(DATA_PDF, "a.pdf"),
    ),
    "Anthropic image": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}, image(DATA_PNG),
    ),
    "Anthropic image by URL": (
        {"type": "image", "source": {"type": "url", "url": WEB + "a.png"}}, image(WEB + "a.png"),
    ),
    "Anthropic document": (
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "a"},
        image(DATA_PDF), image(DATA_PDF), file(DATA_PDF, "a"),
    ),
    "Google's media block with bytes": (
        {"type": "media", "mime_type": "application/pdf", "data": b"%PDF-1.7"},
        image(DATA_PDF), image(DATA_PDF), file(DATA_PDF),
    ),
    "Google's media block by URI": (
        {"type": "media", "mime_type": "video/mp4", "file_uri": GS + "a.mp4"}, audio(GS + "a.mp4", "video/mp4"), NONE,
        {"type": "video_url", "video_url": {"url": GS + "a.mp4"}},
    ),
    "Google's media block with an image": (
        {"type": "media", "mime_type": "image/png", "file_uri": GS + "a.png"}, image(GS + "a.png"), NONE,
        image(GS + "a.png"),
    ),
    "unknown block": ({"type": "guard_content", "x": 1}, NONE, NONE, {"type": "guard_content", "x": 1}),
    "unknown block, non-standard": (
        {"type": "non_standard", "value": {"type": "x"}}, NONE, NONE, {"type": "x"},
    ),
}  # fmt: skip
CASES = [
    pytest.param(block, (forms * 3 if len(forms) == 1 else forms)[number], surface, id=f"{name}-{surface}")
    for name, (block, *forms) in BLOCKS.items()
    for number, surface in enumerate(SURFACES)
]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Fail if a socket is opened, because no URL may be fetched."""

    def connect(*args):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.mark.parametrize(("block", "form", "surface"), CASES)
def test_block_has_one_form_on_a_surface_or_is_refused(block, form, surface):
    """Each block is sent in the form that `BLOCKS` lists. A refusal names the block and lists the accepted forms."""
    message = HumanMessage([block])
    if form == NONE:
        with pytest.raises(UnsupportedContentError, match=r"is not accepted by surface .*Accepted: text"):
            build([message], surface)
        return
    assert wire_messages([message], surface) == [{"role": "user", "content": [form]}]


@pytest.mark.parametrize(("block", "form", "surface"), CASES)
def test_block_rewritten_by_langchain_core_has_the_same_form(block, form, surface):
    """langchain-core rewrites v0 and OpenAI blocks before the model gets the blocks."""
    message = HumanMessage([block])
    if form == NONE:
        with pytest.raises(UnsupportedContentError):
            send([message], surface)
        return
    assert send([message], surface)["messages"] == [{"role": "user", "content": [form]}]


def test_part_is_a_copy_of_the_block():
    """A change of the request must not change the history."""
    block = {"type": "guard_content", "x": 1}
    message = HumanMessage([block])
    (part,) = build([message], "openai_compatible").payload["messages"][0]["content"]
    assert part == block
    assert part is not message.content[0]


@pytest.mark.parametrize("surface", SURFACES)
def test_extra_content_of_a_part_is_sent_unchanged(surface):
    """Google documents `extra_content` on each part. In some blocks, langchain-core moves it into `extras`."""
    extra = {"google": {"thought": True}, "other": {"x": [1, None]}}
    blocks = [{**text("hi"), "extra_content": extra}, {**audio(WAV, "wav"), "extra_content": extra}]
    assert [part["extra_content"] for part in send([HumanMessage(blocks)], surface)["messages"][0]["content"]] == [
        extra,
        extra,
    ]


@pytest.mark.parametrize("surface", GOOGLE)
def test_cache_marks_are_left_out_at_google_with_one_note(surface):
    """`cache_control` is a key of Anthropic. A fallback from Claude must not fail because of it."""
    marked = {**text("hi"), "cache_control": {"type": "ephemeral"}}
    request = build([SystemMessage([marked]), HumanMessage([marked, marked])], surface)
    assert request.payload["messages"][1]["content"] == [text("hi"), text("hi")]
    assert [note for note in notes(request, "dropped") if "cache_control" in note] == notes(request, "dropped")
    assert len(notes(request, "dropped")) == 1


def test_cache_marks_are_sent_to_a_gateway():
    """A gateway in front of Gemini may support cache marks."""
    marked = {**text("hi"), "cache_control": {"type": "ephemeral"}}
    assert wire_messages([HumanMessage([marked])], "openai_compatible")[0]["content"] == [marked]


@pytest.mark.parametrize("surface", SURFACES)
def test_silent_blocks_of_an_answer_are_not_sent(surface):
    """In an assistant message, blocks such as thoughts and server-tool calls are left out. Only the text is sent."""
    kinds = ["reasoning", "thinking", "redacted_thinking", "refusal", "server_tool_call", "web_search_call"]
    blocks = [*({"type": kind, "text": "no"} for kind in kinds), text("Hi."), {"type": "executable_code", "code": "1"}]
    request = build([HumanMessage("a"), AIMessage(blocks), HumanMessage("b")], surface)
    assert request.payload["messages"][1] == {"role": "assistant", "content": "Hi."}
    assert notes(request) == [
        "A block of type 'executable_code' in an assistant message was left out: the API has no form for it."
    ]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_call", "id": "1", "name": "search", "args": {"q": "x"}},
        {"type": "server_tool_result", "tool_call_id": "1", "output": "found"},
        {"type": "web_search_call", "id": "1", "action": {"query": "x"}},
        {"type": "tool_use", "id": "1", "name": "f", "input": {}},
        {"type": "tool_call", "id": "1", "name": "f", "args": {}},
    ],
)
@pytest.mark.parametrize("message", [AIMessage, HumanMessage])
def test_lost_content_of_a_silent_block_is_noted(message, block):
    """The request has one note for each kind of block. The note has the index of the first message with this kind.

    There is no warning.
    """
    blocks = [block, block, text("Hi.")]
    request = build([HumanMessage("a"), message(blocks), message(blocks), HumanMessage("b")])
    assert [(note.kind, note.index) for note in request.notes] == [("repaired", 1)]
    assert notes(request) == [f"A block of type {block['type']!r} was left out: the API has no form for it."]


@pytest.mark.parametrize("kind", ["tool_use", "tool_call"])
def test_block_of_a_sent_call_is_not_noted(kind):
    """Messages of Anthropic and of LangChain v1 contain each call twice: as a block, and in `tool_calls`."""
    call = {"id": "1", "name": "f", "args": {}}
    asked = AIMessage([text("Hi."), {"type": kind, "id": "1", "name": "f", "input": {}, "args": {}}], tool_calls=[call])
    history = [HumanMessage("a"), asked, ToolMessage("x", tool_call_id="1")]
    assert notes(build(history, model="gemini-2.5-pro")) == []


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("refusal", "sent"),
    [
        (AIMessage([{"type": "refusal", "refusal": "I cannot."}]), "I cannot."),
        (AIMessage([{"type": "non_standard", "value": {"type": "refusal", "refusal": "I cannot."}}]), "I cannot."),
        (AIMessage("", additional_kwargs={"refusal": "I cannot."}), "I cannot."),
        (
            AIMessage([text("Hm. "), {"type": "refusal", "refusal": "No."}], additional_kwargs={"refusal": "No."}),
            "Hm. No.",
        ),
        (AIMessage([text("Hm. ")], additional_kwargs={"refusal": "No."}), "Hm. No."),
    ],
)
def test_refusal_is_sent_as_text(refusal, sent, surface):
    """OpenAI's models and gateways write a refusal beside the content."""
    request = build([HumanMessage("a"), refusal, refusal, HumanMessage("b")], surface)
    assert request.payload["messages"][1:3] == [{"role": "assistant", "content": sent}] * 2
    said = "A refusal in an assistant message was sent as text: the refusal was the model's answer."
    assert [(note.kind, note.message, note.index) for note in request.notes] == [("repaired", said, 1)]


def test_repeated_refusal_and_filter_reason_are_not_sent():
    """A gateway may repeat the text in `refusal`. The reason of a content filter is not text of the model."""
    stopped = {"type": "refusal", "refusal": "PROHIBITED_CONTENT", "extras": {"finish_reason": "PROHIBITED_CONTENT"}}
    twice = AIMessage("I cannot.", additional_kwargs={"refusal": "I cannot."})
    request = build([HumanMessage("a"), twice, AIMessage([text("Half"), stopped]), HumanMessage("b")])
    assert [message["content"] for message in request.payload["messages"]] == ["a", "I cannot.", "Half", "b"]
    assert request.notes == ()


@pytest.mark.parametrize("surface", GOOGLE)
def test_unknown_block_is_refused_for_a_user_and_json_in_a_result(surface):
    """A tool result may be any JSON with a `type`. If this is not a known block, it is sent as JSON text."""
    call = {"id": "1", "name": "f", "args": {}}
    result = [text("a"), {"type": "file", "name": "notes.md"}, {"score": 1, "text": "b"}, "c"]
    messages = [HumanMessage("a"), AIMessage("", tool_calls=[call]), ToolMessage(result, tool_call_id="1")]
    sent = wire_messages(messages, surface)[2]["content"]
    assert sent == 'a\n{"type": "file", "name": "notes.md"}\n{"score": 1, "text": "b"}\nc'


@pytest.mark.parametrize("surface", SURFACES)
def test_empty_parts_are_left_out(surface):
    """Gemini refuses an empty text parameter."""
    blocks = ["", text(""), {"type": "text", "text": None}, text("hi")]
    assert wire_messages([HumanMessage(blocks)], surface)[0]["content"] == [text("hi")]


@pytest.mark.parametrize("surface", GOOGLE)
def test_content_item_other_than_a_block_is_refused(surface):
    """A number in the content list is a mistake of the caller. The error gives its type."""
    message = HumanMessage("hi").model_copy(update={"content": [7]})
    with pytest.raises(UnsupportedContentError, match="A block that is a int"):
        build([message], surface)
