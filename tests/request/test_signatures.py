"""Tests of signatures: stored from a reply, and sent in the next request that needs them."""

import json
import pickle

import pytest
from langchain_core.load import dumps, loads
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    ToolMessage,
    convert_to_messages,
    merge_message_runs,
    message_chunk_to_message,
    messages_from_dict,
    messages_to_dict,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph.message import add_messages
from outgoing import PLACES, SURFACES, build, endpoint, notes, wire_messages
from wire import Wire, call, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._signatures import (
    PLACEHOLDER_SIGNATURE,
    RECORDS_KEY,
    SIGNATURES_KEY,
    attach_call_extras,
    build_origin,
    is_replayable,
    is_signed,
    read_signature,
    recover_extras,
    search_extras,
)

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
SIGNATURE = "c2lnbmF0dXJlLW9mLXRoZS1maXJzdC1jYWxs"
USER = HumanMessage("Hi.")
PLACEHOLDER_EXTRA = {"google": {"thought_signature": PLACEHOLDER_SIGNATURE}}


def signed(signature=SIGNATURE, namespace="google", **more):
    return {"extra_content": {namespace: {"thought_signature": signature, **more}}}


def replied(*calls, surface="vertex", model="gemini-3.8-flash", streamed=False, text=None, **message):
    """Return the message of a reply with `calls`."""
    kwargs = dict(PLACES[surface])
    if streamed:
        events = [chunk(content=text, **message)] if text or message else []
        answer = [*events, *(chunk(tool_calls=[entry]) for entry in calls), chunk(finish="stop"), "[DONE]"]
    else:
        finish = "tool_calls" if calls else "stop"
        answer = completion(text, finish=finish, tool_calls=list(calls), **message)
    chat = ChatGeminiCompat(model=model, max_retries=0, **kwargs, **Wire(answer).clients)
    if not streamed:
        return chat.invoke([USER])
    total = None
    for piece in chat.stream([USER]):
        total = piece if total is None else total + piece
    return message_chunk_to_message(total)


def extras_sent(message, surface="vertex", model="gemini-3.8-flash", *, before=(), after=()):
    """Return `extra_content` of each call of `message` in the next request."""
    results = [ToolMessage("done", tool_call_id=made["id"]) for made in message.tool_calls]
    sent = wire_messages([USER, *before, message, *results, *after], surface, model)
    assistant = [entry for entry in sent if entry.get("tool_calls")][-1]
    return [entry.get("extra_content") for entry in assistant["tool_calls"]]


def edited(message):
    """Return the message after an edit by a human in the loop: the same call with other arguments."""
    changed = [{**made, "args": {"x": 99}} for made in message.tool_calls]
    return message.model_copy(update={"tool_calls": changed})


TRIPS = {
    "nothing": lambda message: message,
    "messages_to_dict": lambda message: messages_from_dict(messages_to_dict([message]))[0],
    "JSON column": lambda message: messages_from_dict(json.loads(json.dumps(messages_to_dict([message]))))[0],
    "dumps and loads": lambda message: loads(dumps(message), allowed_objects="messages"),
    "pickle": lambda message: pickle.loads(pickle.dumps(message)),
    "model_dump": lambda message: AIMessage(**json.loads(json.dumps(message.model_dump()))),
    "LangGraph's serialiser": lambda message: JsonPlusSerializer().loads_typed(
        JsonPlusSerializer().dumps_typed([message])
    )[0],
    "add_messages with the same id": lambda message: add_messages([message], [message.model_copy()])[0],
    "merge_message_runs": lambda message: merge_message_runs([message])[0],
    "chunk addition": lambda message: message_chunk_to_message(
        AIMessageChunk(content="") + AIMessageChunk(**message.model_dump(exclude={"type"})) + AIMessageChunk(content="")
    ),
    "edited arguments": edited,
}
CALLS = {
    "signature alone": signed(),
    "more beside it": signed(more=[1, None]),
    "another namespace": signed(namespace="vertex"),
    "two namespaces": {"extra_content": {"google": {"thought_signature": SIGNATURE}, "other": {"x": 1}}},
}


@pytest.mark.parametrize("trip", TRIPS)
@pytest.mark.parametrize("extras", CALLS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_extra_content_of_a_call_is_sent_back_unchanged(streamed, extras, trip):
    """`extra_content` survives each way in which messages are stored, merged, copied or edited."""
    message = replied(call("f", '{"x":1}', "1", **CALLS[extras]), call("g", "{}", "2"), streamed=streamed)
    assert message.additional_kwargs[SIGNATURES_KEY] == {"1": SIGNATURE}
    assert extras_sent(TRIPS[trip](message)) == [CALLS[extras]["extra_content"], None]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_extra_content_of_a_reply_is_sent_back_on_the_message(streamed, surface):
    """For a text turn, Google recommends sending the signature back but does not require it."""
    message = replied(surface=surface, text="Hello.", streamed=streamed, **signed())
    sent = wire_messages([USER, message, HumanMessage("And?")], surface)
    assert sent[1] == {"role": "assistant", "content": "Hello.", **signed()}


def test_merged_answers_keep_the_signature_of_each_call():
    """`merge_message_runs` merges dicts by key. Signatures are stored under the call id, so none is overwritten."""
    first, second = (
        replied(call("f", "{}", call_id, **signed(mark))) for call_id, mark in (("1", "YQ=="), ("2", "Yg=="))
    )
    merged = merge_message_runs([first, second])[0]
    assert extras_sent(merged) == [signed("YQ==")["extra_content"], signed("Yg==")["extra_content"]]


def test_removed_call_leaves_no_signature_on_the_message():
    """`additional_kwargs` still has the record of a removed tool call. The signature in this record is not sent."""
    message = replied(call("f", "{}", "1", **CALLS["two namespaces"]), call("g", "{}", "2"))
    rest = message.model_copy(update={"tool_calls": message.tool_calls[1:]})
    sent = wire_messages([USER, rest, ToolMessage("done", tool_call_id="2")])
    assert "extra_content" not in sent[1]
    assert sent[1]["tool_calls"][0]["extra_content"] == PLACEHOLDER_EXTRA


OLD_STEP = (AIMessage("", tool_calls=[{"id": "0", "name": "f", "args": {}}]), ToolMessage("x", tool_call_id="0"))


def unsigned(*ids):
    return AIMessage("", tool_calls=[{"id": call_id, "name": "f", "args": {}} for call_id in ids])


def step(message):
    return [message, *(ToolMessage("done", tool_call_id=made["id"]) for made in message.tool_calls)]


def placeholders(messages):
    """Return the ids of the calls with a placeholder signature."""
    made = [entry for message in messages for entry in message.get("tool_calls", ())]
    return [entry["id"] for entry in made if read_signature(entry.get("extra_content")) == PLACEHOLDER_SIGNATURE]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-flash-latest", "gemini-2.5-pro", "gemma-3"])
def test_placeholder_signature_is_sent_only_where_one_is_required(surface, model):
    """Google requires a signature on the first call of each step of the current turn, for Gemini 3 and later."""
    history = [USER, *step(unsigned("a")), AIMessage("Done."), HumanMessage("More."),
               *step(unsigned("b", "c")), *step(unsigned("d"))]  # fmt: skip
    request = build(history, surface, model)
    demanded = surface != "openai_compatible" and model in ("gemini-3.8-flash", "gemini-flash-latest")
    assert placeholders(request.payload["messages"]) == (["b", "d"] if demanded else [])
    assert len(notes(request, "stand_in")) == (2 if demanded else 0)


def test_placeholder_signatures_are_counted_in_response_metadata():
    """The count is the number of calls that were sent without their own signature."""
    chat = ChatGeminiCompat(model="gemini-3.8-flash", **PLACES["vertex"], **Wire(completion()).clients)
    assert chat.invoke([USER, *step(unsigned("1"))]).response_metadata["signature_stand_ins"] == 1


def test_signed_call_is_moved_first_and_gets_no_placeholder():
    """Google signs only the first of several calls, so the signed call is moved to the first position."""
    message = replied(call("f", '{"x":1}', "1", **signed()), call("g", '{"x":1}', "2"))
    turned = message.model_copy(update={"tool_calls": message.tool_calls[::-1]})
    request = build([USER, *step(turned)])
    sent = request.payload["messages"]
    assert [entry["id"] for entry in sent[1]["tool_calls"]] == ["1", "2"]
    assert [entry["tool_call_id"] for entry in sent[2:]] == ["1", "2"]
    assert (read_signature(sent[1]["tool_calls"][0]["extra_content"]), placeholders(sent)) == (SIGNATURE, [])
    assert notes(request) == [
        "The signed call of a step was moved before the other calls: the model had written it first."
    ]
    elsewhere = build([USER, *step(turned)], "openai_compatible").payload["messages"]
    assert [entry["id"] for entry in elsewhere[1]["tool_calls"]] == ["2", "1"]


def test_message_level_signature_needs_no_placeholder():
    """AI Studio was seen to send a signature in a separate delta.

    The signature then belongs to the message and not to a call, so the call needs no placeholder.
    """
    message = replied(call("f", "{}", "1"), streamed=True, **signed())
    sent = build([USER, *step(message)]).payload["messages"]
    assert (sent[1]["extra_content"], placeholders(sent)) == (signed()["extra_content"], [])


def test_chat_message_of_the_user_starts_a_turn():
    """A turn starts at a message that is sent with the role `user`."""
    history = [USER, *step(unsigned("a")), AIMessage("x"), *convert_to_messages([{"role": "user", "content": "b"}])]
    assert placeholders(wire_messages(history)) == []


@pytest.mark.parametrize("made_on", SURFACES)
@pytest.mark.parametrize("sent_to", SURFACES)
def test_signature_is_not_sent_to_another_surface(made_on, sent_to):
    """Vertex and AI Studio refuse each other's signatures (`Invalid`, `Corrupted`). Other servers get no signature."""
    message = replied(call("f", "{}", "1", **signed()), surface=made_on)
    expected = signed()["extra_content"]
    if made_on != sent_to:
        expected = None if sent_to == "openai_compatible" else PLACEHOLDER_EXTRA
    assert extras_sent(message, sent_to) == [expected]


@pytest.mark.parametrize(
    ("made_by", "sent_to", "kept"),
    [
        ("gemini-3.7-flash", "gemini-3.1-pro-preview", True),
        ("gemini-3.8-flash", "gemini-flash-latest", True),
        ("gemini-3.8-flash", "gemini-2.5-pro", False),
        ("gemini-2.5-pro", "gemini-3.8-flash", False),
    ],
)
def test_signature_is_sent_to_models_of_its_generation_only(made_by, sent_to, kept):
    """Evidence: on Vertex AI, Gemini 3.1 Pro accepted a signature of Gemini 3.7 Flash (taucad/tau, live test T4)."""
    answer = completion(None, tool_calls=[call("f", "{}", "1", **signed())])
    answer["model"] = f"google/{made_by}"
    chat = ChatGeminiCompat(model=made_by, **PLACES["vertex"], **Wire(answer).clients)
    (sent,) = extras_sent(chat.invoke([USER]), model=sent_to)
    instead = None if sent_to == "gemini-2.5-pro" else PLACEHOLDER_EXTRA
    assert sent == (signed()["extra_content"] if kept else instead)


def gateway(host="gateway.test", model="smart"):
    return endpoint("openai_compatible", model, base_url=f"http://{host}/v1")


def answered_by_gateway(**entry):
    """Return a reply from a gateway whose model `smart` is a Gemini model."""
    return replied(call("f", "{}", "1", **entry), surface="openai_compatible", model="smart")


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        (gateway(), True),
        (gateway(model="gemini-3.1-pro"), True),
        (gateway(model="claude-5"), False),
        (gateway(host="elsewhere.test"), False),
        (gateway(host="gateway.test:8080"), False),
    ],
    ids=["the same", "another Gemini", "another family", "another host", "another port"],
)
def test_fields_of_a_gateway_are_sent_back_to_it_only(place, kept):
    """A gateway's fields are sent only to the same host, and only to the same model or to a model of its generation."""
    fields = {**signed(), "provider_specific_fields": {"thought_signature": SIGNATURE, "x": 1}}
    request = build([USER, *step(answered_by_gateway(**fields))], at=place)
    (sent,) = request.payload["messages"][1]["tool_calls"]
    assert {key: sent[key] for key in fields if key in sent} == (fields if kept else {})


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_is_sent_back_to_its_gateway_under_the_same_key(field):
    """Servers such as vLLM expect the reasoning between tool calls. Google does not know the key."""
    details = [{"type": "reasoning.encrypted", "data": "x"}]
    message = replied(call("f", "{}", "1"), surface="openai_compatible", text="Hi.",
                      **{field: "Hm.", "reasoning_details": details})  # fmt: skip
    sent = wire_messages([USER, *step(message)], "openai_compatible")[1]
    assert (sent[field], sent["reasoning_details"], sent["content"]) == ("Hm.", details, "Hi.")
    for surface in ("vertex", "ai_studio"):
        assert wire_messages([USER, *step(message)], surface)[1].keys() == {"role", "content", "tool_calls"}
    elsewhere = build([USER, *step(message)], at=gateway(host="elsewhere.test")).payload["messages"][1]
    assert elsewhere.keys() == {"role", "content", "tool_calls"}


def test_litellm_id_is_restored_for_its_gateway_only():
    """The id is restored in the call and in its result. Other servers get the short id."""
    message = replied(call("f", "{}", f"call_1__thought__{SIGNATURE}"), surface="openai_compatible", model="smart")
    assert [made["id"] for made in message.tool_calls] == ["call_1"]
    sent = build([USER, *step(message)], at=gateway()).payload["messages"]
    whole = f"call_1__thought__{SIGNATURE}"
    assert (sent[1]["tool_calls"][0]["id"], sent[2]["tool_call_id"]) == (whole, whole)
    for place in (gateway(host="elsewhere.test"), endpoint("vertex"), endpoint("ai_studio")):
        sent = build([USER, *step(message)], at=place).payload["messages"]
        assert (sent[1]["tool_calls"][0]["id"], sent[2]["tool_call_id"]) == ("call_1", "call_1")


@pytest.mark.parametrize("surface", SURFACES)
def test_signature_of_unknown_origin_is_sent(surface):
    """A message of another package has a signature of unknown origin. Without a signature, the request would fail."""
    message = AIMessage("", tool_calls=[{"id": "1", "name": "f", "args": {}}],
                        additional_kwargs={SIGNATURES_KEY: {"1": SIGNATURE}})  # fmt: skip
    assert extras_sent(message, surface) == [signed()["extra_content"]]


def test_signature_of_chat_vertexai_is_sent_to_vertex_only():
    """All signatures of `ChatVertexAI` come from Vertex, so they are not sent to AI Studio."""
    message = AIMessage("", tool_calls=[{"id": "1", "name": "f", "args": {}}],
                        additional_kwargs={SIGNATURES_KEY: {"1": SIGNATURE}},
                        response_metadata={"model_provider": "google_vertexai", "model_name": "gemini-3.1-pro"})  # fmt: skip
    assert extras_sent(message, "vertex") == [signed()["extra_content"]]
    assert extras_sent(message, "ai_studio") == [PLACEHOLDER_EXTRA]


PNG = "iVBORw0KGgo="


def test_image_is_sent_back_as_a_part_with_its_signature():
    """The second request asks to change the image. The form of the reply is that of Google's examples page."""
    audio = {"data": PNG, "extra_content": {"google": {"mime_type": "image/png"}}}
    answer = completion(None, audio=audio, **signed())
    answer["model"] = "google/gemini-3-pro-image-preview"
    wire = Wire(answer)
    chat = ChatGeminiCompat(
        model="gemini-3-pro-image-preview", modalities=["image"], **PLACES["vertex"], **wire.clients
    )
    question = HumanMessage("Generate an image of a cat.")
    chat.invoke([question, chat.invoke([question]), HumanMessage("Make it blue.")])
    assert wire.bodies[1]["modalities"] == ["image"]
    assert wire.bodies[1]["messages"][1] == {
        "role": "assistant",
        "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}, **signed()}],
    }


def test_signed_images_of_googles_package_keep_their_signatures():
    """Google's package writes `extras.signature` on each image block."""
    blocks = [
        {"type": "text", "text": "Two cats."},
        *({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}, "extras": {"signature": mark}}
          for mark in ("YQ==", "Yg==")),
    ]  # fmt: skip
    sent = wire_messages([USER, AIMessage(blocks), USER], model="gemini-3-pro-image")[1]["content"]
    assert [part.get("extra_content") for part in sent] == [
        None, signed("YQ==")["extra_content"], signed("Yg==")["extra_content"],
    ]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_google_s_own_package_reads_the_signatures_of_our_calls(streamed):
    """`ChatGoogleGenerativeAI` can continue the conversation, because signatures are stored where it looks for them."""
    genai = pytest.importorskip("langchain_google_genai.chat_models")
    message = replied(call("f", '{"x":1}', "1", **signed()), call("g", "{}", "2"), streamed=streamed)
    _, contents = genai._parse_chat_history([USER, *step(message)], model="gemini-3.8-flash")
    parts = [part for part in contents[1].parts if part.function_call]
    assert [part.thought_signature for part in parts] == [b"signature-of-the-first-call", None]


def test_we_read_what_google_s_own_package_makes_of_a_reply():
    """This package finds and sends the signatures in an `AIMessage` of Google's package."""
    genai = pytest.importorskip("langchain_google_genai.chat_models")
    types = pytest.importorskip("google.genai.types")
    function_call = types.FunctionCall(name="f", args={"x": 1})
    part = types.Part(function_call=function_call, thought_signature=b"signature-of-the-first-call")
    candidate = types.Candidate(content=types.Content(role="model", parts=[part]))
    message = genai._parse_response_candidate(candidate, model_name="gemini-3.8-flash")
    assert extras_sent(message) == [signed()["extra_content"]]


def test_origins_tell_enough_and_no_more():
    """The origin of a reply has the surface and the model of the reply.

    For a gateway, it also has the host, and the model of the request if that is a different one.
    """
    assert build_origin(endpoint("vertex"), "google/gemini-3.8-flash") == {
        "surface": "vertex",
        "model": "gemini-3.8-flash",
    }
    assert build_origin(gateway(), "gemini-3") == {
        "surface": "openai_compatible", "model": "gemini-3", "host": "gateway.test", "asked": "smart",
    }  # fmt: skip
    assert build_origin(endpoint("ai_studio"), "") == {"surface": "ai_studio", "model": "gemini-3.8-flash"}


def test_signature_is_stored_once():
    """The signature is only in the map of signatures, and not again in the record of the call."""
    attached = attach_call_extras("1", signed(), {"surface": "vertex"})
    assert attached == {SIGNATURES_KEY: {"1": SIGNATURE}, RECORDS_KEY: {"1": {"origin": {"surface": "vertex"}}}}
    message = AIMessage("", tool_calls=[{"id": "1", "name": "f", "args": {}}], additional_kwargs=attached)
    (extras,) = recover_extras(message, message.tool_calls).calls
    assert extras.signature == SIGNATURE
    assert is_replayable(extras, endpoint("vertex"))
    assert not is_replayable(extras, endpoint("ai_studio"))


@pytest.mark.parametrize(
    ("provider", "is_sent"),
    [("google_genai", True), ("litellm", True), (None, True), ("anthropic", False), ("bedrock_converse", False)],
)
def test_signatures_in_blocks_of_other_providers_are_not_sent(provider, is_sent):
    """Google refuses the signature of another provider, such as Claude's."""
    block = {"type": "tool_call", "id": "c1", "name": "f", "args": {}, "extras": {"signature": SIGNATURE}}
    metadata = {} if provider is None else {"model_provider": provider}
    message = AIMessage([block], tool_calls=[{"name": "f", "args": {}, "id": "c1"}], response_metadata=metadata)
    (extras,) = recover_extras(message, message.tool_calls).calls
    assert extras.signature == (SIGNATURE if is_sent else None)


LITELLM_ID = "c1__thought__c2ln"
PLACES_OF_SIGNATURES = [
    AIMessage("hi"),
    AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c1"}, {"name": "f", "args": {}, "id": None}]),
    AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c1"}, {"name": "g", "args": {}, "id": "c1"}]),
    AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": LITELLM_ID}, {"name": "g", "args": {}, "id": "c2"}]),
    AIMessage("hi", response_metadata={"model_provider": "google_vertexai", "model_name": "gemini-2.5-pro"}),
    AIMessage([{"type": "text", "text": "hi", "extras": {"signature": SIGNATURE}}]),
    AIMessage([{"type": "text", "text": "hi"}]),
    AIMessage("hi", additional_kwargs={"extra_content": signed()["extra_content"]}),
    AIMessage(
        "",
        tool_calls=[{"name": "f", "args": {}, "id": "c1"}],
        additional_kwargs={"tool_calls": [{"id": "c1", **signed()}]},
    ),
]


@pytest.mark.parametrize("message", PLACES_OF_SIGNATURES, ids=range(len(PLACES_OF_SIGNATURES)))
def test_shortcut_finds_the_same_extras_as_the_search(message):
    """`recover_extras` takes a shortcut for some messages. `search_extras` gives the same result without it."""
    quick, searched = (recover(message, message.tool_calls) for recover in (recover_extras, search_extras))
    assert quick.own.fields == searched.own.fields
    assert [extras.fields for extras in quick.calls] == [extras.fields for extras in searched.calls]


@pytest.mark.parametrize(
    "signed_call",
    [
        {"id": "c1__thought__c2ln"},
        {"thought_signature": "c2ln"},
        {"provider_specific_fields": {"thought_signature": "c2ln"}},
        {"function": {"name": "f", "thought_signature": "c2ln"}},
        {"function": {"name": "f", "provider_specific_fields": {"thought_signature": "c2ln"}}},
    ],
    ids=["id", "call", "LiteLLM's fields", "function", "LiteLLM's fields of the function"],
)
def test_signature_in_a_gateway_s_form_is_found(signed_call):
    """A call with such a signature gets no placeholder."""
    assert is_signed(signed_call)


@pytest.mark.parametrize("unsigned", [{}, {"id": "c1"}, {"thought_signature": ""}, {"function": 5}])
def test_call_without_a_signature_is_unsigned(unsigned):
    assert not is_signed(unsigned)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("fields", [["a"], "a", 5, {"extra_content": ["a"]}, {"extra_content": {"google": ["a"]}}])
@pytest.mark.parametrize("key", ["r", "1"])
def test_records_of_a_wrong_type_in_a_history_are_ignored(surface, fields, key):
    """A stored message may have any value under the keys of this package in `additional_kwargs`."""
    records = {RECORDS_KEY: {key: {"reply": key == "r", "origin": {}, "fields": fields}}}
    calls = [{"id": "1", "name": "f", "args": {}}]
    asked = AIMessage("Yes.", tool_calls=calls, additional_kwargs=records)
    sent = wire_messages([USER, asked, ToolMessage("done", tool_call_id="1")], surface)
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
