"""Probes of media: types of files in a prompt, ways to send them, and images in replies.

This module builds the files, as small as their formats allow. Files in public buckets are Google's own samples.
"""

from __future__ import annotations

import io
import struct
import wave
import zlib
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage, ToolMessage

from langchain_gemini_compat.cli._verify.checks import expect, expect_answer, say
from langchain_gemini_compat.cli._verify.probe import Observation, Probe, Spend
from langchain_gemini_compat.cli._verify.sources import STUDIO, UNTRIED, VERTEX_EXAMPLES, VERTEX_OVERVIEW, observed
from langchain_gemini_compat.cli._verify.tool_calls import CALL, DECLARATION

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat.cli._verify.lab import Lab

_ASK = "What is this? Answer in one sentence."
_BUCKET = "gs://cloud-samples-data/generative-ai"
_IMAGE = f"{_BUCKET}/image/scones.jpg"
_HTTPS_IMAGE = _IMAGE.replace("gs://", "https://storage.googleapis.com/")
_AUDIO = f"{_BUCKET}/audio/pixel.mp3"
_VIDEO = "gs://cloud-samples-data/video/animals.mp4"
_FILE = Spend(input_tokens=600, output_tokens=500)
#: The upper limit for one call with `_AUDIO` or `_VIDEO`. Google counts about 2,000 tokens for a minute of sound and
#: 16,000 for a minute of video.
_LONG_FILE = Spend(input_tokens=20_000, output_tokens=500)
_SIDE = 16


def _build_png() -> bytes:
    """Return a red image of 16 by 16 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff\0\0" * _SIDE) * _SIDE
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _build_wav() -> bytes:
    """Return half a second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(b"\0\0" * 8_000)
    return file.getvalue()


def _build_pdf() -> bytes:
    """Return a PDF file with one page that says "ok"."""
    text = b"BT /F1 24 Tf 20 40 Td (ok) Tj ET"
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    file, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(file))
    return file + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer


PNG, WAV, PDF = _build_png(), _build_wav(), _build_pdf()


def encode(data: bytes) -> str:
    """Return `data` in base64."""
    return b64encode(data).decode()


def _reads(kind: str, family: ModelFamily) -> bool:
    return family.is_gemini and kind in family.inputs


def _writes_images(family: ModelFamily) -> bool:
    return family.is_gemini


def _check_block(lab: Lab, kind: str, mime_type: str, data: bytes) -> Observation:
    """Send a file as a standard content block, through the chat model."""
    block: JsonObject = {"type": kind, "base64": encode(data), "mime_type": mime_type}
    return _observe(lab.chat.invoke([HumanMessage([{"type": "text", "text": _ASK}, {**block}])]))


def _observe(message: AIMessage) -> Observation:
    return Observation(bool(message.text), say(message.text))


def _with_part(lab: Lab, part: JsonObject) -> JsonObject:
    parts: list[JsonValue] = [{"type": "text", "text": _ASK}, part]
    return lab.body(parts)


def _check_gs_url(lab: Lab) -> Observation:
    return expect(lab, _with_part(lab, _image_part({"url": _IMAGE})), accepted=lab.is_vertex)


def _check_image(lab: Lab, image: JsonValue) -> Observation:
    return expect_answer(lab, _with_part(lab, _image_part(image)))


def _check_detail(lab: Lab) -> Observation:
    return _check_image(lab, {"url": f"data:image/png;base64,{encode(PNG)}", "detail": "low"})


def _image_part(image: JsonValue) -> JsonObject:
    return {"type": "image_url", "image_url": image}


def _check_vector_image(lab: Lab) -> Observation:
    data = encode(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    return expect(lab, _with_part(lab, _image_part({"url": f"data:image/svg+xml;base64,{data}"})), accepted=False)


def _check_audio_by_uri(lab: Lab) -> Observation:
    return expect_answer(
        lab, _with_part(lab, {"type": "input_audio", "input_audio": {"format": "audio/mp3", "data": _AUDIO}})
    )


def _check_video_by_uri(lab: Lab) -> Observation:
    block = {"type": "video", "url": _VIDEO, "mime_type": "video/mp4"}
    return _observe(lab.chat.invoke([HumanMessage([{"type": "text", "text": _ASK}, {**block}])]))


def _check_image_of_result(lab: Lab) -> Observation:
    """Send an image as a tool result. The chat model selects the part of the request for the image."""
    model = lab.chat.bind_tools([DECLARATION])
    history: list[BaseMessage] = [HumanMessage(CALL)]
    message = model.invoke(history)
    image: dict[str, str] = {"type": "image", "base64": encode(PNG), "mime_type": "image/png"}
    results = [
        ToolMessage([{"type": "text", "text": "A map."}, {**image}], tool_call_id=str(call["id"]))
        for call in message.tool_calls
    ]
    if not results:
        return Observation(holds=False, seen="no tool call")
    return _observe(model.invoke([*history, message, *results]))


def _check_image_in_reply(lab: Lab) -> Observation:
    message = lab.chat.invoke("Draw a red circle.", modalities=["text", "image"])
    kinds = [str(block["type"]) for block in message.content_blocks]
    return Observation("image" in kinds, f"blocks: {say(kinds)}")


PROBES = (
    Probe(
        "image",
        "An image in the prompt is read.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO},
        partial(_check_block, kind="image", mime_type="image/png", data=PNG),
        spend=_FILE,
        fits=partial(_reads, "image"),
    ),
    Probe(
        "pdf",
        "A PDF file in the prompt is read.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED},
        partial(_check_block, kind="file", mime_type="application/pdf", data=PDF),
        spend=_FILE,
        fits=partial(_reads, "pdf"),
    ),
    Probe(
        "audio",
        "Audio in the prompt is read.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO},
        partial(_check_block, kind="audio", mime_type="audio/wav", data=WAV),
        spend=_FILE,
        fits=partial(_reads, "audio"),
    ),
    Probe(
        "image-by-gs-url",
        "Vertex AI reads `gs://` URLs. AI Studio refuses them.",
        "an answer on Vertex AI, 400 on AI Studio",
        "_request/content.py",
        {"vertex": VERTEX_EXAMPLES, "ai_studio": UNTRIED},
        _check_gs_url,
        spend=Spend(input_tokens=1_400),
        fits=partial(_reads, "image"),
    ),
    Probe(
        "image-by-https-url",
        "An `https://` URL of an image is read.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED},
        partial(_check_image, image={"url": _HTTPS_IMAGE}),
        spend=Spend(input_tokens=1_400),
        fits=partial(_reads, "image"),
    ),
    Probe(
        "image-as-text",
        "The `image_url` of a part may be a string instead of an object.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_EXAMPLES},
        partial(_check_image, image=_IMAGE),
        needs=("image-by-gs-url",),
        spend=Spend(input_tokens=1_400),
        fits=partial(_reads, "image"),
    ),
    Probe(
        "detail-of-image",
        "The key `detail` of an image is accepted.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED},
        _check_detail,
        needs=("image",),
        spend=_FILE,
        fits=partial(_reads, "image"),
    ),
    Probe(
        "vector-image",
        "An image of a type that Google's model cards do not list, such as SVG, is refused.",
        "400",
        "_request/content.py",
        {"vertex": UNTRIED, "ai_studio": observed("https://github.com/google/adk-python/issues/5693")},
        _check_vector_image,
        needs=("image",),
        spend=_FILE,
        fits=partial(_reads, "image"),
    ),
    Probe(
        "audio-by-uri",
        "`input_audio` accepts a `gs://` URL and a MIME type.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_EXAMPLES},
        _check_audio_by_uri,
        spend=_LONG_FILE,
        fits=partial(_reads, "audio"),
    ),
    Probe(
        "video-by-uri",
        "A video at a `gs://` URL is read.",
        "an answer",
        "_request/content.py",
        {"vertex": VERTEX_OVERVIEW},
        _check_video_by_uri,
        spend=_LONG_FILE,
        fits=partial(_reads, "video"),
    ),
    Probe(
        "image-of-tool",
        "The model sees an image that a tool returns. It is sent in the tool's result or in a user message.",
        "an answer",
        "_request/tool_results.py",
        {"vertex": UNTRIED, "ai_studio": observed("public reports of images in a user message after the result")},
        _check_image_of_result,
        needs=("tool-call",),
        spend=Spend(requests=2, input_tokens=400),
        fits=partial(_reads, "image"),
    ),
    Probe(
        "image-in-reply",
        "An image model returns an image.",
        "a block with an image",
        "_response/assembler.py",
        {"vertex": VERTEX_EXAMPLES},
        _check_image_in_reply,
        needs=(),
        spend=Spend(input_tokens=20, output_tokens=1_600, image_tokens=1_300),
        model="gemini-3.1-flash-image",
        fits=_writes_images,
    ),
)
