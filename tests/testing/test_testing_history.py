"""The rules of `FakeGemini` for conversations: order, tool results, content."""

from __future__ import annotations

from typing import Any

import pytest
from fake_requests import BOTH, USER, body_for, history, image, refusals, two_steps

COUNT = "Please ensure that the number of function response parts is equal to the number of function call parts"
ORDER = "Please ensure that function call turn comes immediately after a user turn"


@pytest.mark.parametrize(
    ("rules", "words", "change"),
    [
        (["unanswered-call"], COUNT, lambda m: m[:3]),
        (["orphan-result"], COUNT, lambda m: [*m, m[3]]),
        (["orphan-result", "unanswered-call"], COUNT, lambda m: [*m[:3], m[3] | {"tool_call_id": "other"}]),
        (["unanswered-call", "result-order", "orphan-result"], ORDER[:14], lambda m: [*m[:3], USER, m[3]]),
        (["result-order", "orphan-result"], "Please ensure that function response turn", lambda m: [m[2], USER]),
        (["call-order"], ORDER, lambda m: m[1:]),
        (["call-order"], ORDER, lambda m: [USER, {"role": "assistant", "content": "Hm"}, *m[1:]]),
        (["trailing-assistant"], "Requests ending with a model turn", lambda m: [*m, {"role": "assistant", "content": "x"}]),
        (
            ["trailing-assistant"],
            "Requests ending with a model turn",
            lambda m: [*m, {"role": "assistant", "content": "x"}, {"role": "system", "content": "y"}],
        ),
        (["no-contents"], "* GenerateContentRequest.contents", lambda m: [{"role": "system", "content": "x"}]),
        (["role"], "Please use a valid role", lambda m: [{"role": "developer", "content": "x"}, *m]),
    ],
)  # fmt: skip
def test_order_of_turns_and_results_of_calls_are_checked(rules: list[str], words: str, change: Any) -> None:
    """Each call must have one result right after it, and the last message must come from the user or a tool."""
    found, message = refusals("ai_studio", body_for("ai_studio", change(two_steps())))
    assert sorted(found) == sorted(rules)
    assert message.startswith(words)


def test_parallel_calls_come_before_all_results() -> None:
    """All calls of a step come before their results.

    A call after a result starts a new step. Without a signature, the fake refuses this call.
    """
    messages = two_steps()
    one, two = ({"role": "assistant", "tool_calls": [call]} for call in messages[1]["tool_calls"])
    rules, _ = refusals("ai_studio", body_for("ai_studio", [USER, one, messages[2], two, messages[3]]))
    assert rules == ["signature-missing"]


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        ({"role": "user", "content": ""}, "empty-text"),
        ({"role": "user", "content": None}, "empty-content"),
        ({"role": "user"}, "empty-content"),
        ({"role": "user", "content": []}, "empty-content"),
        ({"role": "user", "content": [{"type": "text", "text": ""}]}, "empty-text"),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "part-type"),
        ({"role": "system", "content": ""}, "empty-text"),
        ({"role": "assistant", "content": None}, "empty-content"),
        ({"role": "assistant", "content": ""}, "empty-text"),
    ],
)
@pytest.mark.parametrize("surface", BOTH)
def test_empty_content_and_unknown_parts_are_refused(surface: str, message: dict[str, Any], rule: str) -> None:
    """Empty content, empty text parts and parts that Google does not list are refused."""
    assert refusals(surface, body_for(surface, [message, USER]))[0] == [rule]


def test_an_empty_tool_result_is_refused() -> None:
    """A tool result needs content."""
    messages = history("vertex")
    messages[2]["content"] = ""
    assert refusals("vertex", body_for("vertex", messages))[0] == ["empty-text"]


def test_a_result_names_its_function() -> None:
    """AI Studio requires the name. On AI Studio and Vertex AI, it must be the name of the function and not the id."""
    for surface, missing in (("ai_studio", ["result-name"]), ("vertex", [])):
        messages = history(surface)
        messages[2]["name"] = messages[2]["tool_call_id"]
        assert refusals(surface, body_for(surface, messages))[0] == ["result-name"]
        del messages[2]["name"]
        assert refusals(surface, body_for(surface, messages))[0] == missing
    messages = history("ai_studio")
    del messages[2]["name"]
    assert refusals("ai_studio", body_for("ai_studio", messages))[1] == (
        "* GenerateContentRequest.contents[2].parts[0].function_response.name: Name cannot be empty."
    )


@pytest.mark.parametrize("arguments", ["", "{", "[]", "null", '"x"', None, {}])
def test_arguments_that_are_not_a_json_object_are_refused(arguments: Any) -> None:
    """Incomplete and empty arguments in the history are refused."""
    messages = history("vertex")
    messages[1]["tool_calls"][0]["function"]["arguments"] = arguments
    expected = (["call-arguments"], "Expected a valid JSON object in the request")
    assert refusals("vertex", body_for("vertex", messages)) == expected


def test_calls_of_the_history_have_an_id_and_a_name() -> None:
    """Two calls of one step have different ids."""
    messages = two_steps()
    messages[1]["tool_calls"][0]["id"] = ""
    assert "call-id" in refusals("ai_studio", body_for("ai_studio", messages))[0]
    messages = two_steps()
    messages[1]["tool_calls"][1]["id"] = messages[1]["tool_calls"][0]["id"]
    assert "call-id" in refusals("ai_studio", body_for("ai_studio", messages))[0]
    messages = history("vertex")
    messages[1]["tool_calls"][0]["function"]["name"] = ""
    assert "call-name" in refusals("vertex", body_for("vertex", messages))[0]


@pytest.mark.parametrize(
    ("surface", "model", "refused"),
    [
        ("vertex", "google/gemini-3.6-flash", True),
        ("vertex", "google/gemini-3.5-flash-lite", True),
        ("vertex", "google/gemini-3.1-pro-preview", False),
        ("ai_studio", "gemini-3.6-flash", False),
    ],
)
def test_two_models_take_no_text_beside_calls_on_vertex(surface: str, model: str, refused: bool) -> None:
    """Google's error text does not say why the request is invalid."""
    messages = history(surface, model=model)
    messages[1]["content"] = "Let me look."
    rules, message = refusals(surface, body_for(surface, messages, model=model))
    assert rules == (["text-beside-calls"] if refused else [])
    assert message == ("Request contains an invalid argument." if refused else "")


def test_gs_urls_are_for_vertex() -> None:
    """Vertex AI accepts `gs://` URLs in `image_url`, which may be an object or a string. AI Studio cannot read them."""
    plain = {"type": "image_url", "image_url": "gs://bucket/cat.jpg"}
    for part in (image("gs://bucket/cat.jpg"), plain):
        messages = [{"role": "user", "content": [part]}]
        assert refusals("vertex", body_for("vertex", messages)) == ([], "")
        assert refusals("ai_studio", body_for("ai_studio", messages))[0] == ["gs-url"]


def test_unknown_keys_in_messages_are_refused_on_ai_studio() -> None:
    """The parser of AI Studio is as strict for messages as for the top level of the body."""
    messages = history("ai_studio")
    messages[1]["reasoning_content"] = "hm"
    messages[1]["tool_calls"][0]["provider_specific_fields"] = {}
    rules, message = refusals("ai_studio", body_for("ai_studio", messages))
    assert rules == ["unknown-field"] * 2
    assert "\"reasoning_content\" at 'messages[1]'" in message
    assert refusals("vertex", body_for("vertex", [USER | {"reasoning_content": "hm"}])) == ([], "")


NOT_READ = [
    "image/svg+xml",
    "application/zip",
    "application/octet-stream",
    "image/gif",
    "application/csv",
    "IMAGE/TIFF",
]


@pytest.mark.parametrize("surface", BOTH)
@pytest.mark.parametrize(
    ("mime_type", "refusing"),
    [
        *((mime_type, {"vertex", "ai_studio"}) for mime_type in NOT_READ),
        ("application/json", {"vertex"}),
        ("image/bmp", {"vertex"}),
        ("image/jpg", {"ai_studio"}),
        *((mime_type, set()) for mime_type in ("image/png", "image/heif", "application/pdf", "audio/ogg", "text/csv")),
    ],
)
def test_file_of_an_unlisted_type_is_refused(surface: str, mime_type: str, refusing: set[str]) -> None:
    """Every part with a MIME type is checked. An image URL has no type. Models other than Gemini are not checked."""
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": f"data:{mime_type};base64,AA=="}}]
    if surface == "vertex":
        url = "https://example.com/a"
        parts.append({"type": "image_url", "image_url": f"data:{mime_type};charset=utf-8;base64,AA=="})
        parts.append({"type": "input_audio", "input_audio": {"data": url, "format": mime_type}})
        parts.append({"type": "image_url", "image_url": {"url": url}})
    for part in parts:
        messages = [{"role": "user", "content": [part]}]
        has_type = part.get("image_url") != {"url": "https://example.com/a"}
        rules, text = refusals(surface, body_for(surface, messages))
        assert rules == (["media-type"] if surface in refusing and has_type else [])
        assert not rules or mime_type.lower() in text
        other = {"vertex": "meta/llama-4", "ai_studio": "gemma-3-27b-it"}[surface]
        assert refusals(surface, body_for(surface, messages, model=other)) == ([], "")


def test_hydrogen_reads_office_files_in_messages() -> None:
    office = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    message = {"role": "user", "content": [{"type": "image_url", "image_url": f"data:{office};base64,AA=="}]}
    for name, rules in (("gemini-4-hydrogen", []), ("gemini-4-neon", ["media-type"])):
        assert refusals("vertex", body_for("vertex", [message], model=f"google/{name}"))[0] == rules


@pytest.mark.parametrize("surface", BOTH)
@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ('{"a": [{"$ref": "#/$defs/A"}]}', True),
        ('{"output": "{\\"$ref\\": 1}"}', False),
        ('{"a": {"$ref": "own"}}', False),
        ("no JSON with $ref", False),
    ],
)
def test_reference_to_a_missing_part_of_a_result_is_refused(surface: str, content: str, refused: bool) -> None:
    """Only Gemini 3 resolves references, so the fake refuses nothing for earlier models. Field case C1."""
    part = {"file_data": {"mime_type": "image/png", "display_name": "own", "file_uri": "gs://b/a.png"}}
    for name in ("gemini-3.8-flash", "gemini-2.5-pro"):
        model = f"google/{name}" if surface == "vertex" else name
        messages = history(surface, model=model)
        messages[2] |= {"content": content, "extra_content": {"google": {"parts": [part]}}}
        rules, message = refusals(surface, body_for(surface, messages, model=model))
        is_refused = refused and name != "gemini-2.5-pro"
        assert rules == (["result-reference"] if is_refused else [])
        assert message.startswith("The referenced name `#/$defs/A` in function_response.response" if is_refused else "")


@pytest.mark.parametrize(
    "part",
    [
        {"file_data": {"mime_type": "application/zip", "file_uri": "gs://b/a.zip"}},
        {"inline_data": {"mime_type": "audio/wav", "data": "AA=="}},
        {"file_data": {"mime_type": "image/png", "file_uri": "file:///a.png"}},
    ],
)
def test_unsupported_media_in_a_result_are_refused(part: dict[str, Any]) -> None:
    """A result takes PNG, JPEG, WebP, PDF and plain text, from a URL that Google can read. Field case C2."""
    messages = history("vertex")
    messages[2]["extra_content"] = {"google": {"parts": [part]}}
    assert refusals("vertex", body_for("vertex", messages))[0] == ["result-media"]
