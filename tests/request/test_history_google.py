"""Tests of messages converted to the form of `ChatGoogleGenerativeAI`."""

import copy
import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from outgoing import build, wire_messages

from langchain_gemini_compat import to_google_genai
from langchain_gemini_compat._signatures import PLACEHOLDER_SIGNATURE, RECORDS_KEY, SIGNATURES_KEY
from langchain_gemini_compat.testing import Call, FakeGemini, Reply

SIGNATURE = "c2lnbmVk"
ASKED = HumanMessage("Weather in Paris?")
OURS = {"model_provider": "gemini_compat", "model_name": "gemini-3.8-flash"}
CALL = {"name": "get_weather", "args": {"city": "Paris"}, "id": "1", "type": "tool_call"}
PNG = "iVBORw0KGgo="


def replied(reply, surface="ai_studio", **kwargs):
    """Return the message that our model returns for `reply`."""
    return FakeGemini([reply], surface=surface).chat_model(include_thoughts=True, **kwargs).invoke([ASKED])


def rewritten(message, **kwargs):
    """Return `message` as `to_google_genai` converts it."""
    (found,) = to_google_genai([message], **kwargs)
    return found


def with_signature(signature, **more):
    """Return a message of this package with a tool call that has `signature`."""
    kwargs = {SIGNATURES_KEY: {"1": signature}, **more}
    return AIMessage("", tool_calls=[CALL], additional_kwargs=kwargs, response_metadata=OURS)


@pytest.mark.parametrize("output_version", ["v0", "v1"])
def test_thoughts_and_text_signature_become_googles_blocks(output_version):
    """The content of the given message may be a string or a list of blocks.

    The converted message has the `model_provider` `google_genai`, so that langchain-google-genai reads its blocks.
    """
    given = replied(Reply(thoughts="Easy.", text="Sunny."), output_version=output_version)
    found = rewritten(given)
    signature = given.content_blocks[1]["extras"]["signature"]
    assert found.content == [
        {"type": "thinking", "thinking": "Easy."},
        {"type": "text", "text": "Sunny.", "extras": {"signature": signature}},
    ]
    assert found.response_metadata["model_provider"] == "google_genai"
    assert "output_version" not in found.response_metadata
    assert "reasoning_content" not in found.additional_kwargs


def test_call_keeps_its_id_and_signature():
    """The id and the signature are kept even if the message also has text."""
    given = replied(Reply(thoughts="Look.", text="I look.", calls=[Call("get_weather", {"city": "Paris"})]))
    found = rewritten(given)
    assert found.tool_calls == given.tool_calls
    assert found.id == given.id
    assert found.usage_metadata == given.usage_metadata
    assert found.additional_kwargs[SIGNATURES_KEY] == given.additional_kwargs[SIGNATURES_KEY]
    assert [block["type"] for block in found.content] == ["thinking", "text"]


def test_plain_text_stays_a_string():
    """Text without a signature needs no blocks."""
    assert rewritten(AIMessage("Sunny.", response_metadata=OURS)).content == "Sunny."
    assert rewritten(AIMessage("", tool_calls=[CALL], response_metadata=OURS)).content == ""


def test_signature_without_text_gets_an_empty_text():
    """`ChatGoogleGenerativeAI` also stores such a signature on an empty text block."""
    fields = {"extra_content": {"google": {"thought_signature": SIGNATURE}}}
    records = {"r": {"reply": True, "fields": fields}}
    found = rewritten(AIMessage("", additional_kwargs={RECORDS_KEY: records}, response_metadata=OURS))
    assert found.content == [{"type": "text", "text": "", "extras": {"signature": SIGNATURE}}]


def test_signature_of_an_image_is_on_its_block():
    """langchain-google-genai reads the signature only of an `image_url` block."""
    fields = {"extra_content": {"google": {"thought_signature": SIGNATURE}}}
    given = AIMessage(
        [{"type": "image", "base64": PNG, "mime_type": "image/png", "index": "lc_image_0"}],
        additional_kwargs={RECORDS_KEY: {"r": {"reply": True, "fields": fields}}},
        response_metadata=OURS,
    )
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    assert rewritten(given).content == [{**image, "extras": {"signature": SIGNATURE}}]


@pytest.mark.parametrize(("given", "kept"), [("-_-_YQ", "+/+/YQ=="), (SIGNATURE, SIGNATURE), ("YQ==", "YQ==")])
def test_signatures_become_standard_base64(given, kept):
    """langchain-google-genai raises for missing padding. It decodes the URL-safe alphabet wrongly, without an error."""
    assert rewritten(with_signature(given)).additional_kwargs[SIGNATURES_KEY] == {"1": kept}


@pytest.mark.parametrize("signature", [PLACEHOLDER_SIGNATURE, "no base64!", "abcde"])
def test_invalid_signature_is_left_out(signature):
    """langchain-google-genai would raise for an invalid signature. It adds placeholder signatures itself."""
    assert SIGNATURES_KEY not in rewritten(with_signature(signature)).additional_kwargs


@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
@pytest.mark.parametrize("vertexai", [True, False, None])
def test_signatures_of_the_other_surface_are_left_out(surface, vertexai):
    """Vertex AI and AI Studio refuse each other's signatures.

    `vertexai=True` means that Vertex AI will get the converted message.
    """
    found = rewritten(replied(Reply(text="I look.", calls=[Call("f")]), surface), vertexai=vertexai)
    fits = vertexai in (None, surface == "vertex")
    assert (SIGNATURES_KEY in found.additional_kwargs) is fits
    assert RECORDS_KEY in found.additional_kwargs


def test_signatures_of_unknown_origin_are_kept():
    """A signature of unknown origin may be valid."""
    assert SIGNATURES_KEY in rewritten(with_signature(SIGNATURE), vertexai=True).additional_kwargs


def test_refusal_is_left_out():
    """A native message has no field for a refusal, and langchain-google-genai raises for a refusal block."""
    given = AIMessage("", additional_kwargs={"refusal": "No."}, response_metadata=OURS)
    assert rewritten(given).content == ""


def test_messages_of_other_models_are_returned_unchanged():
    """Converting a message a second time does not change it."""
    others = [SystemMessage("Be brief."), ASKED, ToolMessage("x", tool_call_id="1"), AIMessage("Hi.")]
    others.append(AIMessage("Hi.", response_metadata={"model_provider": "openai"}))
    assert all(found is given for found, given in zip(to_google_genai(others), others, strict=True))
    once = to_google_genai([replied(Reply(thoughts="Easy.", text="Sunny."))])
    assert to_google_genai(once) == once


def test_given_messages_are_not_changed():
    """The messages and their nested values stay equal."""
    given = [ASKED, replied(Reply(thoughts="Look.", text="I look.", calls=[Call("f", {"x": [1]})]))]
    before = copy.deepcopy(given)
    found = to_google_genai(given)
    assert given == before
    assert found[1] != before[1]
    json.dumps(found[1].model_dump())


@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
@pytest.mark.parametrize("reply", [Reply(thoughts="T", text="A", calls=[Call("f")]), Reply(thoughts="T", text="A")])
def test_converted_history_gives_the_same_request(reply, surface):
    """A message gives the same request before and after its conversion for `ChatGoogleGenerativeAI`."""
    given = replied(reply, surface)
    results = [ToolMessage("done", tool_call_id=call["id"]) for call in given.tool_calls] or [HumanMessage("And?")]
    here = wire_messages([ASKED, given, *results], surface)
    back = wire_messages([ASKED, *to_google_genai([given]), *results], surface)
    assert json.dumps(here, sort_keys=True) == json.dumps(back, sort_keys=True)


def test_converted_signature_keeps_its_origin():
    """A converted signature keeps its origin, AI Studio. So Vertex AI gets the placeholder instead."""
    given = replied(Reply(calls=[Call("f")]), "ai_studio")
    history = [ASKED, *to_google_genai([given]), ToolMessage("done", tool_call_id=given.tool_calls[0]["id"])]
    sent = build(history, "vertex").payload["messages"]
    assert sent[1]["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": PLACEHOLDER_SIGNATURE}}
