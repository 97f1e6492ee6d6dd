"""Tests of encoded histories: pairing, names, order, media of tools, and messages of other packages."""

import copy
import json
from datetime import date

import pytest
from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from outgoing import GOOGLE, SURFACES, build, notes, send, wire_messages

from langchain_gemini_compat._request import assistant_messages
from langchain_gemini_compat.errors import InvalidHistoryError

PNG = "iVBORw0KGgo="
USER = HumanMessage("Hi.")
EXTRA = {"google": {"thought_signature": "c2ln"}, "vertex": {"x": 1}}


def ask(*calls, text="", **kwargs):
    """Return an assistant message with tool calls. Each item of `calls` is an id, or a pair of an id and arguments."""
    made = [call if isinstance(call, tuple) else (call, {}) for call in calls]
    tool_calls = [{"id": call_id, "name": f"tool_{call_id}", "args": args} for call_id, args in made]
    return AIMessage(text, tool_calls=tool_calls, **kwargs)


def result(call_id, content="done", **kwargs):
    return ToolMessage(content, tool_call_id=call_id, **kwargs)


def wire_call(call_id, arguments="{}", name=None, **more):
    return {"id": call_id, "type": "function", "function": {"name": name or f"tool_{call_id}", "arguments": arguments},
            **more}  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
def test_agent_step_has_names_arguments_and_no_null(surface):
    """AI Studio answers 400 to a result without the function's name, and to `content: null`."""
    messages = [SystemMessage("Be brief."), USER, ask(("a", {"city": "Zürich", "days": 2}), "b"),
                result("a"), result("b", "")]  # fmt: skip
    sent = wire_messages(messages, surface, "gemini-2.5-flash")
    assert sent == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "tool_calls": [wire_call("a", '{"city":"Zürich","days":2}'), wire_call("b")]},
        {"role": "tool", "tool_call_id": "a", "name": "tool_a", "content": "done"},
        {"role": "tool", "tool_call_id": "b", "name": "tool_b", "content": "{}"},
    ]


def test_googles_multimodal_function_response_is_sent_unchanged():
    """The messages are from Google's examples page. The package adds only the function's name to the tool result."""
    extra = {"google": {"parts": [{"file_data": {"mime_type": "image/jpg", "display_name": "dress.jpg",
                                                 "file_uri": "gs://cloud-samples-data/generative-ai/image/dress.jpg"}}]}}  # fmt: skip
    content = '{"image_ref":{"$ref":"dress.jpg"}}'
    call = {"id": "function-call-1", "name": "get_image", "args": {"item_name": "green shirt"}}
    messages = [
        HumanMessage("Show me the green shirt I ordered last month."),
        AIMessage("", tool_calls=[call], additional_kwargs={"__gemini_function_call_thought_signatures__":
                                                            {"function-call-1": "<THOUGHT_SIGNATURE>"}}),
        result("function-call-1", content, additional_kwargs={"extra_content": extra}),
    ]  # fmt: skip
    assert send(messages, model="gemini-3.1-pro-preview")["messages"][1:] == [
        {
            "role": "assistant",
            "tool_calls": [
                wire_call(
                    "function-call-1",
                    '{"item_name":"green shirt"}',
                    "get_image",
                    extra_content={"google": {"thought_signature": "<THOUGHT_SIGNATURE>"}},
                )
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "function-call-1",
            "name": "get_image",
            "content": content,
            "extra_content": extra,
        },
    ]


MEDIA = [
    {"type": "text", "text": "Found:"},
    {"type": "image", "base64": PNG, "mime_type": "image/png"},
    {"type": "image_url", "image_url": {"url": "gs://bucket/b.jpg"}},
    {"type": "image", "url": f"data:image/png;base64,{PNG}"},
]


def test_media_of_a_result_go_beside_it_for_gemini_3_on_vertex():
    """The JSON of the result refers to each image or file by its `display_name`."""
    sent = wire_messages([USER, ask("a"), result("a", MEDIA)])[2]
    assert json.loads(sent["content"]) == {
        "output": "Found:",
        "media_1": {"$ref": "media_1"},
        "media_2": {"$ref": "media_2"},
        "media_3": {"$ref": "media_3"},
    }
    inline = {"mime_type": "image/png", "data": PNG}
    assert sent["extra_content"]["google"]["parts"] == [
        {"inline_data": {**inline, "display_name": "media_1"}},
        {"file_data": {"mime_type": "image/jpeg", "display_name": "media_2", "file_uri": "gs://bucket/b.jpg"}},
        {"inline_data": {**inline, "display_name": "media_3"}},
    ]


@pytest.mark.parametrize(
    ("surface", "model"),
    [("openai_compatible", "gemma"), ("ai_studio", "gemini-3.8-flash"), ("vertex", "gemini-2.5-pro")],
)
def test_media_of_results_follow_in_one_user_message(surface, model):
    """All results of a step must follow each other. So the media of all results come after the last result."""
    image = {"type": "image", "base64": PNG, "mime_type": "image/png"}
    sent = wire_messages([USER, ask("a", "b", "c"), result("a", [image]), result("b"), result("c", [image])],
                         surface, model)  # fmt: skip
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool", "tool", "user"]
    assert [message["content"] for message in sent[2:5]] == [
        '{"output":"The next user message holds the output."}',
        "done",
        '{"output":"The next user message holds the output."}',
    ]
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    assert sent[5]["content"] == [
        {"type": "text", "text": "Output of tool_a (call a):"}, part,
        {"type": "text", "text": "Output of tool_c (call c):"}, part,
    ]  # fmt: skip


def test_media_of_a_step_come_before_the_next_step():
    """The media are sent once, directly after the results of their step."""
    image = {"type": "image", "base64": PNG, "mime_type": "image/png"}
    history = [USER, ask("a"), result("a", [image]), ask("b"), result("b"), AIMessage("Done."), HumanMessage("More.")]
    sent = wire_messages(history, "ai_studio")
    roles = ["user", "assistant", "tool", "user", "assistant", "tool", "assistant", "user"]
    assert [message["role"] for message in sent] == roles
    assert sum(isinstance(message.get("content"), list) for message in sent) == 1


def test_unsupported_media_of_a_result_become_text():
    """An error would repeat in every later turn, since the result stays in the history."""
    video = [{"type": "video", "url": "https://example.test/a.mp4", "mime_type": "video/mp4"}]
    request = build([USER, ask("a"), result("a", video)], "ai_studio", strict=True)
    sent = request.payload["messages"][2]
    assert "https://example.test/a.mp4" in sent["content"]
    assert [(note.kind, note.index) for note in request.notes if note.kind != "stand_in"] == [("tool_result", 2)]


@pytest.mark.parametrize("surface", SURFACES)
def test_extra_content_of_messages_is_sent_unchanged(surface):
    """Google documents `extra_content` on messages with string content, and on tool messages."""
    extra = {"extra_content": EXTRA}
    messages = [
        SystemMessage("s", additional_kwargs=extra), HumanMessage("a", additional_kwargs=extra),
        ask("1", text="b", additional_kwargs=extra), result("1", additional_kwargs=extra),
        AIMessage("c", additional_kwargs=extra), HumanMessage("d"),
    ]  # fmt: skip
    sent = wire_messages(messages, surface)
    assert [message.get("extra_content") for message in sent] == [EXTRA] * 5 + [None]


@pytest.mark.parametrize("surface", SURFACES)
def test_openai_dicts_keep_extra_content(surface):
    """langchain-core drops unknown keys when it converts dicts to messages."""
    call = wire_call("1", '{"x": 1}', extra_content=EXTRA)
    part = {"type": "text", "text": "a", "extra_content": EXTRA}
    history = [
        {"role": "user", "content": [part]},
        {"role": "assistant", "content": None, "tool_calls": [call, wire_call("2", "")]},
        {"role": "tool", "tool_call_id": "1", "content": "x", "extra_content": EXTRA},
        {"role": "tool", "tool_call_id": "2", "content": [part, {"type": "text", "text": "y"}]},
        {"role": "assistant", "content": "b", "extra_content": EXTRA},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": [part, {"type": "text", "text": "y"}]},
        {"role": "user", "content": "d"},
    ]
    before = copy.deepcopy(history)
    sent = send(history, surface)["messages"]
    assert sent[0]["content"][0]["extra_content"] == EXTRA
    assert sent[1]["tool_calls"] == [wire_call("1", '{"x":1}', extra_content=EXTRA), wire_call("2")]
    assert (sent[2]["extra_content"], sent[2]["name"], sent[4]["extra_content"]) == (EXTRA, "tool_1", EXTRA)
    assert sent[3]["content"] == sent[6]["content"] == [part, {"type": "text", "text": "y"}]
    assert history == before


@pytest.mark.parametrize("surface", SURFACES)
def test_texts_of_an_answer_with_extra_content_stay_parts(surface):
    """One of the texts is a thought. If the texts were joined, the thought would become part of the answer."""
    thought = {"type": "text", "text": "hm", "extra_content": {"google": {"thought": True}}}
    signed = {"type": "text", "text": "b", "extra_content": {"google": {"thought_signature": "S"}}}
    sent = wire_messages([USER, AIMessage([thought, signed]), USER], surface)
    assert sent[1] == {"role": "assistant", "content": [thought, signed]}


def test_signature_of_a_message_goes_on_its_last_part():
    """If the content of a message is a list of parts, Google expects the message's signature on a part."""
    mark = {"google": {"mark": 1}}
    blocks = [{"type": "text", "text": "a", "extra_content": mark},
              {"type": "text", "text": "b", "extras": {"signature": "dGV4dA=="}}]  # fmt: skip
    message = AIMessage(blocks, response_metadata={"model_provider": "gemini_compat"})
    assert wire_messages([USER, message, USER])[1] == {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "a", "extra_content": mark},
            {"type": "text", "text": "b", "extra_content": {"google": {"thought_signature": "dGV4dA=="}}},
        ],
    }


def test_extra_content_of_result_media_is_sent_with_them():
    """Media inside a tool result cannot have `extra_content`. So media with this field follow the result."""
    image = {"type": "image", "base64": PNG, "mime_type": "image/png", "extra_content": EXTRA}
    said = {"type": "text", "text": "Found:", "extra_content": EXTRA}
    sent = wire_messages([USER, ask("a"), result("a", [said, image])])
    assert sent[2]["content"] == [said]
    assert sent[3]["content"][1]["extra_content"] == EXTRA


@pytest.mark.parametrize("surface", SURFACES)
def test_arguments_are_valid_json(surface):
    """A date becomes a string. NaN, which JSON does not have, becomes `null` with a note."""
    args = {"day": date(2026, 1, 2), "x": float("nan"), "y": [float("inf"), 1.5], "é": None}
    request = build([USER, ask(("a", args)), result("a")], surface, "gemini-2.5-pro")
    made = request.payload["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert made == '{"day":"2026-01-02","x":null,"y":[null,1.5],"é":null}'
    (note,) = request.notes
    assert (note.kind, note.index) == ("repaired", 1)
    assert note.message.startswith("NaN or infinity in the arguments of tool call 'tool_a'")
    assert not build([USER, ask(("a", {"day": date(2026, 1, 2)})), result("a")], surface, "gemini-2.5-pro").notes


def test_arguments_without_a_form_in_json_raise():
    """Circular values and keys that are not strings raise an error that names the message."""
    circle = {}
    circle["x"] = circle
    for args in (circle, {"x": {(1, 2): 3}}):
        asked = ask("a")
        asked.tool_calls[0]["args"] = args
        with pytest.raises(InvalidHistoryError, match=r"^Message 1: the arguments of tool call 'tool_a'"):
            build([USER, asked, result("a")])


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("arguments", ["[1]", "{x", '"x"', 7])
def test_dict_call_with_invalid_arguments_is_left_out(surface, arguments):
    """If the dict contained an invalid call, langchain-core would raise an error that does not name the message."""
    broken = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    history = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "tool_calls": [broken, wire_call("2", '{"x":NaN}')]},
        {"role": "tool", "tool_call_id": "2", "content": "y"},
    ]
    before = copy.deepcopy(history)
    sent = send(history, surface, "gemini-2.5-pro")["messages"]
    assert sent[1] == {"role": "assistant", "tool_calls": [wire_call("2", '{"x":null}')]}
    assert history == before


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("message", [{"role": "tool", "content": "x"}, {"type": "tool", "content": "x"}, ("tool", "x")])
def test_tool_message_without_an_id_raises(surface, message):
    """The error of langchain-core is a `KeyError` without an explanation."""
    with pytest.raises(InvalidHistoryError, match="Message 1: a tool's message has no `tool_call_id`"):
        send([USER, message], surface)


@pytest.mark.parametrize("role", ["critic", "tool", "function"])
def test_unknown_role_is_sent_as_user_to_google(role):
    """Google would answer with a server error. A compatible server may know the role."""
    messages = [USER, ChatMessage("Too long.", role=role)]
    request = build(messages)
    assert wire_messages(messages)[1] == {"role": "user", "content": "Too long."}
    assert [(note.kind, note.index) for note in request.notes] == [("repaired", 1)]
    assert notes(request) == [
        f"A message of role {role!r} was sent as a user message: Gemini does not accept this role."
    ]
    assert wire_messages(messages, "openai_compatible")[1]["role"] == role


def test_extra_content_of_a_raw_call_is_sent():
    """LiteLLM's package stores raw calls in `additional_kwargs`, and callers may do the same."""
    kwargs = {"tool_calls": [wire_call("1", extra_content=EXTRA)]}
    assert wire_messages([USER, ask("1", additional_kwargs=kwargs), result("1")])[1]["tool_calls"] == [
        wire_call("1", extra_content=EXTRA)
    ]


def test_stored_call_with_empty_arguments_is_sent():
    """langchain-core treats a call with empty arguments as invalid. For servers it is valid and needs a result."""
    stored = AIMessage("", additional_kwargs={"tool_calls": [wire_call("1", "")]})
    assert stored.tool_calls == []
    assert wire_messages([USER, stored, result("1")], model="gemini-2.5-pro")[1]["tool_calls"] == [wire_call("1")]


@pytest.mark.parametrize("surface", GOOGLE)
def test_system_messages_are_joined_at_the_front(surface):
    """Google itself moves system messages to the front.

    If the history ends with a system message, the message before it becomes the last message.
    """
    messages = [SystemMessage("a"), USER, AIMessage("x"), HumanMessage("y"), SystemMessage([{"text": "b"}])]
    request = build(messages, surface)
    assert request.payload["messages"][0] == {
        "role": "system",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    }
    assert [message["role"] for message in request.payload["messages"]] == ["system", "user", "assistant", "user"]
    assert notes(request, "repaired") == ["2 system messages were joined into one at the front."]
    plain = wire_messages([SystemMessage("a"), USER, SystemMessage("b")], surface)
    assert plain[0] == {"role": "system", "content": "a\n\nb"}


def test_system_message_alone_is_sent_as_user():
    """To a request with only a system message, Gemini would answer `contents is not specified`."""
    assert wire_messages([SystemMessage("Write a poem.")]) == [{"role": "user", "content": "Write a poem."}]
    assert wire_messages([SystemMessage("Write."), SystemMessage("A poem.")]) == [
        {"role": "user", "content": "Write.\n\nA poem."}
    ]


def test_system_messages_keep_their_place_for_compatible_servers():
    """Google's rules do not apply to a compatible server."""
    messages = [SystemMessage("a"), USER, SystemMessage("b")]
    sent = wire_messages(messages, "openai_compatible")
    assert [message["role"] for message in sent] == ["system", "user", "system"]


@pytest.mark.parametrize("model", ["gemini-3.6-flash", "gemini-3.5-flash-lite", "gemini-3.1-pro-preview"])
@pytest.mark.parametrize("surface", SURFACES)
def test_text_beside_calls_is_left_out_only_where_it_is_refused(surface, model):
    """On Vertex, two model families answer 400 to text beside tool calls (NousResearch/hermes-agent issue 69231)."""
    messages = [USER, ask("a", text="Let me look."), result("a")]
    request = build(messages, surface, model)
    dropped = surface == "vertex" and model != "gemini-3.1-pro-preview"
    assert request.payload["messages"][1].get("content") == (None if dropped else "Let me look.")
    assert len(notes(request, "repaired")) == int(dropped)


def test_signature_of_a_text_is_left_out_with_the_text():
    """If a text is left out, its signature is left out as well. The caller's own `extra_content` is sent."""
    signed = {"google": {"thought_signature": "dGV4dA=="}}
    blocks = [{"type": "text", "text": "Let me look.", "extras": {"signature": "dGV4dA=="}}]
    step = ask("a").model_copy(update={"content": blocks})
    sent = wire_messages([USER, step, result("a")])[1]
    assert sent["extra_content"] == signed
    assert sent["tool_calls"][0]["extra_content"] != signed, "a text's signature is none of the call beside it"
    assert "extra_content" not in wire_messages([USER, step, result("a")], model="gemini-3.6-flash")[1]
    own = step.model_copy(update={"additional_kwargs": {"extra_content": EXTRA}})
    request = build([USER, own, result("a")], model="gemini-3.6-flash")
    assert request.payload["messages"][1]["extra_content"] == EXTRA


@pytest.mark.parametrize("surface", SURFACES)
def test_empty_messages_are_left_out_and_an_empty_history_raises(surface):
    """Gemini refuses empty contents."""
    empty = [HumanMessage(""), AIMessage(""), HumanMessage([]), AIMessage([{"type": "reasoning", "reasoning": "hm"}])]
    request = build([*empty, USER], surface)
    assert request.payload["messages"] == [{"role": "user", "content": "Hi."}]
    assert len(notes(request, "repaired")) == 4
    with pytest.raises(InvalidHistoryError, match="nothing to send"):
        build(empty, surface)


@pytest.mark.parametrize("surface", SURFACES)
def test_roles_have_one_spelling_on_the_wire(surface):
    """The role `developer` becomes `system`, `human` becomes `user`, and `model` becomes `assistant`."""
    messages = [
        ChatMessage("s", role="developer"),
        ChatMessage("u", role="human"),
        ChatMessage("a", role="model"),
        USER,
    ]
    assert [message["role"] for message in wire_messages(messages, surface)] == ["system", "user", "assistant", "user"]


def test_message_names_are_sent_to_compatible_servers_only():
    """Google documents the field `name` for tool results, but not for other messages."""
    named = HumanMessage("Hi.", name="ann")
    assert "name" not in wire_messages([named])[0]
    request = build([USER, named, named])
    assert [(note.kind, note.index) for note in request.notes] == [("repaired", 1)]
    assert notes(request) == ["The `name` of a message was left out: Gemini has no field for it."]
    assert build([named], "openai_compatible").notes == ()
    by_agent = build([USER, AIMessage("a", name="bob"), USER]).notes
    assert [note.kind for note in by_agent] == ["unsent"], "an agent's name is put there by itself"
    assert wire_messages([named], "openai_compatible")[0]["name"] == "ann"


@pytest.mark.parametrize("surface", SURFACES)
def test_function_messages_are_converted_and_remove_messages_refused(surface):
    """OpenAI's old `function_call` has no id, and a message has at most one `function_call`."""
    turns = [USER]
    for number in "12":
        call = {"function_call": {"name": "f", "arguments": f'{{"x": {number}}}'}}
        turns += [AIMessage("", additional_kwargs=call), FunctionMessage(number, name="f")]
    sent = build(turns, surface).payload["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "assistant", "tool"]
    for number, (calling, result) in zip("12", (sent[1:3], sent[3:5]), strict=True):
        (made,) = calling["tool_calls"]
        assert made["function"] == {"name": "f", "arguments": f'{{"x":{number}}}'}
        assert (result["tool_call_id"], result["content"]) == (made["id"], number)
    with pytest.raises(InvalidHistoryError, match="remove"):
        build([USER, RemoveMessage(id="1")])


@pytest.mark.parametrize("surface", SURFACES)
def test_calls_without_a_unique_id_are_paired_in_order(surface):
    """Histories from other packages may contain empty ids, because AI Studio sent such ids in 2025."""
    calls = [
        {"id": call_id, "name": name, "args": {}} for call_id, name in (("", "f"), ("", "g"), ("x", "h"), ("x", "i"))
    ]
    messages = [
        USER,
        AIMessage("", tool_calls=calls),
        result("", "1"),
        result("", "2"),
        result("x", "3"),
        result("x", "4"),
    ]
    sent = wire_messages(messages, surface)
    ids = [call["id"] for call in sent[1]["tool_calls"]]
    assert len(set(ids)) == 4
    assert [(message["tool_call_id"], message["name"], message["content"]) for message in sent[2:]] == list(
        zip(ids, "fghi", "1234", strict=True)
    )


@pytest.mark.parametrize("surface", SURFACES)
def test_call_without_a_name_is_left_out_with_its_result(surface):
    """After a broken stream, other packages may store a call without a name.

    If such a call were sent, every later request would fail.
    """
    calls = [{"id": "1", "name": "", "args": {}}, {"id": "2", "name": "f", "args": {}}]
    sent = wire_messages([USER, AIMessage("", tool_calls=calls), result("2")], surface)
    assert [made["id"] for made in sent[1]["tool_calls"]] == ["2"]


V1_ANSWER = AIMessage(
    [
        {"type": "reasoning", "reasoning": "Hm.", "index": "lc_rs_0"},
        {"type": "text", "text": "Look", "index": "lc_txt_0", "extras": {"signature": "dGV4dA=="}},
        {"type": "text", "text": "ing.", "index": "lc_txt_1"},
        {"type": "tool_call", "id": "1", "name": "f", "args": {"x": 1}, "index": "lc_tc_0", "extras": {"signature": "Y2FsbA=="}},
    ],
    tool_calls=[{"id": "1", "name": "f", "args": {"x": 1}}],
    response_metadata={"output_version": "v1", "model_provider": "gemini_compat"},
)  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
def test_v1_content_becomes_one_text_and_its_calls(surface):
    """An agent that streams v3 events stores messages with v1 content, whatever its model's `output_version` is."""
    sent = send([USER, V1_ANSWER, result("1")], surface)["messages"]
    assert sent[1] == {
        "role": "assistant",
        "content": "Looking.",
        "tool_calls": [wire_call("1", '{"x":1}', "f", extra_content={"google": {"thought_signature": "Y2FsbA=="}})],
        "extra_content": {"google": {"thought_signature": "dGV4dA=="}},
    }


CALL = {"id": "1", "name": "f", "args": {"x": 1}}
SIGNED = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
#: Messages of other packages' chat models, each with one tool call. The second value has the signature with which the
#: call is sent to Google. It is empty if the message has no signature of Gemini, and a placeholder is sent.
FOREIGN = {
    "ChatGoogleGenerativeAI": (
        AIMessage(
            [{"type": "thinking", "thinking": "Hm.", "signature": "dGg="}, {"type": "text", "text": "Hi."}],
            tool_calls=[CALL],
            additional_kwargs={"function_call": {"name": "f", "arguments": '{"x": 1}'},
                               "__gemini_function_call_thought_signatures__": {"1": "c2ln"}},
            response_metadata={"model_provider": "google_genai", "model_name": "gemini-3.8-flash"},
        ),
        SIGNED,
    ),
    "ChatGoogleGenerativeAI, older": (
        AIMessage(
            ["Hi.", {"type": "function_call_signature", "signature": "c2ln", "index": 0}],
            tool_calls=[CALL],
            response_metadata={"model_provider": "google_genai"},
        ),
        SIGNED,
    ),
    "ChatVertexAI": (
        AIMessage(
            "Hi.",
            tool_calls=[CALL],
            additional_kwargs={"__gemini_function_call_thought_signatures__": {"1": "c2ln"}},
            response_metadata={"model_provider": "google_vertexai", "model_name": "gemini-3.1-pro-preview"},
        ),
        SIGNED,
    ),
    "ChatAnthropic": (
        AIMessage(
            [{"type": "thinking", "thinking": "Hm.", "signature": "Y2xhdWRl"}, {"type": "text", "text": "Hi."},
             {"type": "tool_use", "id": "1", "name": "f", "input": {"x": 1}, "signature": "Y2xhdWRl"},
             {"type": "tool_call", "id": "1", "extras": {"signature": "Y2xhdWRl"}}],
            tool_calls=[CALL],
            response_metadata={"model_provider": "anthropic", "model_name": "claude-5"},
        ),
        {},
    ),
    "ChatOpenAI, Responses API": (
        AIMessage(
            [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
             {"type": "text", "text": "Hi.", "annotations": [], "id": "msg_1"},
             {"type": "function_call", "name": "f", "arguments": '{"x":1}', "call_id": "1", "id": "fc_1"}],
            tool_calls=[CALL],
            response_metadata={"model_provider": "openai", "model_name": "gpt-6"},
        ),
        {},
    ),
    "ChatLiteLLM": (
        AIMessage(
            "Hi.",
            tool_calls=[CALL],
            additional_kwargs={"tool_calls": [wire_call("1", name="f",
                                                        provider_specific_fields={"thought_signature": "c2ln"})]},
            response_metadata={"model_provider": "litellm"},
        ),
        SIGNED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_answers_of_other_packages_are_sent(name):
    """Text, tool calls and Gemini's signatures are sent to Google. Signatures of other providers are left out."""
    message, extras = FOREIGN[name]
    stand_in = {"extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}}
    sent = send([USER, message, result("1")])["messages"]
    assert sent[1] == {
        "role": "assistant",
        "content": "Hi.",
        "tool_calls": [wire_call("1", '{"x":1}', "f", **(extras or stand_in))],
    }


@pytest.mark.parametrize("surface", SURFACES)
def test_litellm_ids_are_shortened_in_call_and_result(surface):
    """OpenAI refuses ids with more than 64 characters. The ids of LiteLLM can have thousands of characters."""
    long_id = "call_9__thought__c2ln"
    call = {"id": long_id, "name": "f", "args": {}}
    sent = send([USER, AIMessage("", tool_calls=[call]), result(long_id)], surface)["messages"]
    assert sent[1]["tool_calls"] == [wire_call("call_9", name="f", **SIGNED)]
    assert sent[2]["tool_call_id"] == "call_9"


@pytest.mark.parametrize("surface", SURFACES)
def test_messages_of_the_caller_are_not_changed(surface):
    """Repairs are made in a copy, so a second request equals the first."""
    messages = [
        SystemMessage("a"), HumanMessage([{"type": "image", "base64": PNG, "mime_type": "image/png"}, "x"]), V1_ANSWER,
        result("1", [{"type": "image", "base64": PNG, "mime_type": "image/png"}]), *(m for m, _ in FOREIGN.values()),
        AIMessage([{"type": "image", "base64": PNG, "mime_type": "image/png", "extras": {"signature": "c2ln"}}]),
        SystemMessage("b"),
    ]  # fmt: skip
    before = copy.deepcopy(messages)
    first = build(messages, surface).payload
    untouched = copy.deepcopy(first)
    assert messages == before
    assert build(messages, surface).payload == untouched
    assert messages == before


def test_each_message_is_encoded_once(monkeypatch):
    """The time for a history is proportional to its length."""
    asked = []
    recover = assistant_messages.recover_extras
    monkeypatch.setattr(assistant_messages, "recover_extras", lambda *args: asked.append(1) or recover(*args))
    step = [USER, ask("a", "b", "c"), result("a"), result("b"), result("c")]
    build(step * 20)
    assert len(asked) == 20


@pytest.mark.parametrize("surface", GOOGLE)
def test_result_without_a_name_gets_the_sent_name_of_its_call(surface):
    """A name that Gemini refuses is replaced in the call, in its result, and in the text before the result's media."""
    asked = AIMessage("", tool_calls=[{"id": "a", "name": "take photo", "args": {}}])
    photo = [{"type": "image", "base64": PNG, "mime_type": "image/png"}]
    sent = wire_messages([USER, asked, result("a", photo), USER], surface, "gemini-2.5-flash")
    assert sent[1]["tool_calls"][0]["function"]["name"] == "take_photo"
    assert sent[2]["name"] == "take_photo"
    assert sent[3]["content"][0]["text"] == "Output of take_photo (call a):"


def test_messages_of_the_caller_keep_their_names():
    """Names are changed only in the wire messages."""
    messages = [
        USER,
        AIMessage("", tool_calls=[{"id": "a", "name": "take photo", "args": {}}]),
        result("a", name="take photo"),
    ]
    before = copy.deepcopy(messages)
    build(messages)
    assert messages == before
