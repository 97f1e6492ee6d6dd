"""Messages that other packages produce, and the changes that people and middlewares make to them.

Every maker and operation draws its choices from hypothesis, which shortens a failing example. Nothing here depends on
what this package does with a message.
"""

import json
from copy import deepcopy
from itertools import count

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages

from langchain_gemini_compat.testing import Call, FakeGemini, Reply, Style
from langchain_gemini_compat.testing._rules.signatures import Issued, issue_signature

SIGNATURES_KEY = "__gemini_function_call_thought_signatures__"
CLAUDE_SIGNATURE = "EqoBCkgIBRABGAIiQL8p"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TOOL_NAMES = ("look", "add", "transfer_to_bob")
#: The tools for `bind_tools`.
TOOLS = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": {
        "type": "object", "properties": {"q": {"type": "string"}}}}}
    for name in TOOL_NAMES
]  # fmt: skip

TEXTS = st.sampled_from(["Hi.", "Olá, ça va? 🐈", 'a\nb\tc\\ "d"', " "])
SAID = st.sampled_from(["Sure.", "Let me look.", "É isso.", "<b>x</b>", "[]"])
ARGS = st.sampled_from([{}, {"q": "é"}, {"q": "x", "n": [1, None, {"deep": 1.5}]}])
IDS = st.sampled_from(["1", "1_2", "call_0", "call_1", "toolu_01", ""])


class Numbers:
    """Makes the ids of one generated history by counting, so that a repeated example has the same ids."""

    def __init__(self):
        self._numbers = count(1)

    def __call__(self, prefix):
        return f"{prefix}{next(self._numbers)}"


def draw_calls(data, numbers, prefix, least=0):
    """Return some calls. Most have unique ids, as servers send them. Some have ids that collide."""
    names = data.draw(st.lists(st.sampled_from(TOOL_NAMES[:2]), min_size=least, max_size=3), label="calls")
    strange = data.draw(st.integers(0, 5), label="strange ids") == 0
    return [
        {
            "name": name,
            "args": data.draw(ARGS),
            "id": data.draw(IDS) if strange else numbers(prefix),
            "type": "tool_call",
        }
        for name in names
    ]


def results_of(message, wrap=lambda text: text):
    """Return a result for each call of `message`."""
    return [
        ToolMessage(wrap(f"result of {call['name']}"), tool_call_id=call["id"] or "", name=call["name"])
        for call in message.tool_calls
    ]


def openai_chat(data, numbers, surface):
    """Return a turn of `ChatOpenAI` over Chat Completions. Older versions also keep the calls in raw form."""
    calls = draw_calls(data, numbers, "call_o")
    kwargs = {"refusal": None}
    if calls and data.draw(st.booleans(), label="older version"):
        kwargs["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["args"])},
            }
            for call in calls
        ]
    text = data.draw(st.sampled_from(["", "Sure."])) if calls else data.draw(SAID)
    message = AIMessage(text, tool_calls=calls, additional_kwargs=kwargs, id=numbers("run--"), response_metadata={
        "model_provider": "openai", "model_name": "gpt-6", "finish_reason": "tool_calls" if calls else "stop"})  # fmt: skip
    return [HumanMessage(data.draw(TEXTS)), message, *results_of(message), *_last_word(message, data)]


def openai_responses(data, numbers, surface):
    """Return a turn of `ChatOpenAI` over the Responses API, with encrypted reasoning, refusals and server tools."""
    calls = draw_calls(data, numbers, "call_r")
    blocks = [{"type": "reasoning", "id": numbers("rs_"), "encrypted_content": "gAAAA",
               "summary": [{"type": "summary_text", "text": "Hm."}]}]  # fmt: skip
    extra = data.draw(st.sampled_from(["", "refusal", "web_search_call", "file_search_call", "mcp_call"]), label="item")
    if extra:
        blocks.append(
            {"type": extra, "refusal": "No."} if extra == "refusal" else {"type": extra, "id": numbers("ws_")}
        )
    text = data.draw(SAID)
    blocks.append({"type": "text", "text": text, "annotations": [], "id": numbers("msg_")})
    blocks += [
        {"type": "function_call", "id": numbers("fc_"), "call_id": call["id"], "name": call["name"],
         "arguments": json.dumps(call["args"]), "status": "completed"}
        for call in calls
    ]  # fmt: skip
    message = AIMessage(blocks, tool_calls=calls, id=numbers("resp_"), response_metadata={
        "model_provider": "openai", "model_name": "gpt-6", "object": "response"})  # fmt: skip
    asked = HumanMessage([{"type": "input_text", "text": data.draw(TEXTS)}])
    return [asked, message, *results_of(message, lambda text: [{"type": "input_text", "text": text}])]


def anthropic(data, numbers, surface):
    """Return a turn of `ChatAnthropic` with Claude's signatures, redacted thinking, cache marks and server tools."""
    calls = draw_calls(data, numbers, "toolu_")
    mark = {"cache_control": {"type": "ephemeral"}} if data.draw(st.booleans(), label="cached") else {}
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": CLAUDE_SIGNATURE},
        {"type": "redacted_thinking", "data": "EmwKAhgB"},
        {"type": "text", "text": data.draw(SAID), "citations": [], **mark},
    ]
    if data.draw(st.booleans(), label="server tool"):
        identity = numbers("srvtoolu_")
        blocks.append({"type": "server_tool_use", "id": identity, "name": "web_search", "input": {"query": "x"}})
        blocks.append({"type": "web_search_tool_result", "tool_use_id": identity, "content": []})
    blocks += [{"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["args"]} for call in calls]
    message = AIMessage(blocks, tool_calls=calls, id=numbers("msg_"), response_metadata={
        "model_provider": "anthropic", "model_name": "claude-6", "stop_reason": "tool_use" if calls else "end_turn"})  # fmt: skip
    asked = HumanMessage([{"type": "text", "text": data.draw(TEXTS), **mark}, _image(data, anthropics=True)])
    return [asked, message, *results_of(message, lambda text: [{"type": "text", "text": text, **mark}])]


def google_genai(data, numbers, surface):
    """Return a turn of `ChatGoogleGenerativeAI`: a map of signatures, and text or content blocks (v0 or v1)."""
    calls = draw_calls(data, numbers, "uuid-")
    model = data.draw(st.sampled_from(["gemini-3.8-flash", "gemini-2.5-flash"]), label="model")
    metadata = {"model_provider": "google_genai", "model_name": model}
    signatures = {call["id"]: genuine(surface, model, call["name"], 0, numbers) for call in calls[:1] if call["id"]}
    kwargs = {SIGNATURES_KEY: signatures} if signatures else {}
    if calls:
        kwargs["function_call"] = {"name": calls[-1]["name"], "arguments": json.dumps(calls[-1]["args"])}
    mark = genuine(surface, model, "", -1, numbers)
    form = data.draw(st.sampled_from(["text", "v0", "v1"]), label="form")
    text = data.draw(SAID)
    content = text
    if form == "v0":
        content = [{"type": "thinking", "thinking": "Hm.", "signature": mark},
                   {"type": "text", "text": text, "extras": {"signature": mark}}]  # fmt: skip
    if form == "v1":
        metadata["output_version"] = "v1"
        content = [
            {"type": "reasoning", "reasoning": "Hm.", "extras": {"signature": mark}},
            {"type": "text", "text": text, "extras": {"signature": mark}},
            *({**call, "extras": {"signature": signatures[call["id"]]} if call["id"] in signatures else {}}
              for call in calls),
        ]  # fmt: skip
    message = AIMessage(content, tool_calls=calls, additional_kwargs=kwargs, response_metadata=metadata,
                        id=numbers("lc_run--"))  # fmt: skip
    asked = HumanMessage([{"type": "text", "text": data.draw(TEXTS)}, _image(data)])
    return [asked, message, *results_of(message), *_last_word(message, data)]


def ours(data, numbers, surface):
    """Return a turn with a message of this package: whole, streamed, with v1 blocks, or from a v3 stream."""
    made_on = data.draw(st.sampled_from(["vertex", "ai_studio"]), label="made on")
    model = data.draw(st.sampled_from(["gemini-3.8-flash", "gemini-2.5-flash"]), label="model")
    names = data.draw(st.lists(st.sampled_from(TOOL_NAMES[:2]), max_size=3), label="calls")
    style = Style(signature=data.draw(st.sampled_from([None, None, "absent", "on_delta"])))
    reply = Reply(
        data.draw(SAID) if not names or data.draw(st.booleans()) else "",
        calls=tuple(Call(name, data.draw(ARGS), id=numbers("fc-")) for name in names),
        thoughts=data.draw(st.sampled_from(["", "Hm."])),
        style=style,
    )
    fake = FakeGemini([reply], surface=made_on)
    chat = fake.chat_model(model, include_thoughts=True).bind_tools(TOOLS)
    way = data.draw(st.sampled_from(["invoke", "stream", "v1", "v3"]), label="way")
    message = WAYS[way](fake, model, chat)
    return [HumanMessage("Hi."), message, *results_of(message), *_last_word(message, data)]


def _streamed(fake, model, chat):
    chunks = list(chat.stream("Hi."))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return AIMessage(**total.model_dump(exclude={"type", "tool_call_chunks", "chunk_position"}))


def _as_v1(fake, model, chat):
    return fake.chat_model(model, output_version="v1", include_thoughts=True).bind_tools(TOOLS).invoke("Hi.")


def _as_v3(fake, model, chat):
    stream = chat.stream_events("Hi.", version="v3")
    for _ in stream:
        pass
    return stream.output


WAYS = {"invoke": lambda fake, model, chat: chat.invoke("Hi."), "stream": _streamed, "v1": _as_v1, "v3": _as_v3}
MAKERS = {maker.__name__: maker for maker in (openai_chat, openai_responses, anthropic, google_genai, ours)}


def genuine(surface, model, name, place, numbers):
    """Return a signature that `surface` issues for the call at `place`, or for the message if `place` is -1."""
    return issue_signature(Issued(surface, model, name, place, numbers("n")))


def _image(data, *, anthropics=False):
    """Return a content block: a text, or an image in one of the forms that packages use."""
    forms = [
        {"type": "text", "text": "And?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
    ]
    if anthropics:
        forms.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}})
    return deepcopy(data.draw(st.sampled_from(forms), label="beside"))


def _last_word(message, data):
    """Return the model's answer to the tool results in a list; an empty list if `message` has no calls.

    For some messages with calls, the list is empty too. So some histories have tool results without an answer.
    """
    if not message.tool_calls or data.draw(st.booleans(), label="answered"):
        return []
    return [AIMessage("Done.", response_metadata=message.response_metadata)]


# Functions that change a history. Each of them returns a new list and does not change the messages.


def trim_front(data, messages, numbers):
    """Drop the oldest messages. The remaining history can start with any message, even with a tool result."""
    return messages[data.draw(st.integers(1, max(1, len(messages))), label="from") :]


def trim_middle(data, messages, numbers):
    """Drop some messages in the middle."""
    start = data.draw(st.integers(0, len(messages)), label="start")
    return messages[:start] + messages[start + data.draw(st.integers(1, 3), label="count") :]


def trim_by_tokens(data, messages, numbers):
    """Use langchain-core's `trim_messages`, alone or with `include_system`, `start_on` or `end_on`."""
    more = data.draw(
        st.sampled_from([{}, {"include_system": True}, {"start_on": "human"}, {"end_on": ("human", "tool")}])
    )
    limit = data.draw(st.integers(1, 6), label="limit")
    return trim_messages(messages, strategy="last", token_counter=len, max_tokens=limit, **more)


def summarise(data, messages, numbers):
    """Replace all but the newest messages by a summary.

    The summary is a user or system message, before or after the newest messages.
    """
    kept = messages[max(0, len(messages) - data.draw(st.integers(0, 3), label="kept")) :]
    kind = data.draw(st.sampled_from([HumanMessage, SystemMessage]))
    summary = kind("Here is a summary of the conversation to date:\n\nThey spoke.")
    return [*kept, summary] if data.draw(st.integers(0, 4), label="behind") == 0 else [summary, *kept]


def hand_off(data, messages, numbers):
    """Add the tool call with which a supervisor hands over to another agent, and its result.

    A message may separate the call and the result, and either of them may be missing.
    """
    call = {"name": "transfer_to_bob", "args": {}, "id": numbers("call_t")}
    asked = AIMessage(data.draw(st.sampled_from(["", "Bob knows."])), tool_calls=[call], name="alice")
    told = ToolMessage("Transferred to bob.", tool_call_id=call["id"], name="transfer_to_bob")
    seen = data.draw(st.sampled_from(["both", "both", "call", "result", "apart"]), label="seen")
    new = {"both": [asked, told], "call": [asked], "result": [told], "apart": [asked, AIMessage("I am Bob."), told]}[
        seen
    ]
    return [*messages, *new]


def interrupt(data, messages, numbers):
    """Let calls wait for a person: some have no result, and the conversation continues."""
    calls = draw_calls(data, numbers, "call_i", least=1)
    asked = AIMessage("", tool_calls=calls)
    results = [result for result in results_of(asked) if data.draw(st.booleans(), label="has result")]
    after = [HumanMessage("Wait.")] if data.draw(st.booleans(), label="spoken to") else []
    return [*messages, asked, *results, *after]


def resume(data, messages, numbers):
    """Add the missing results at the end, in any order."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    missing = [
        result
        for message in messages
        if isinstance(message, AIMessage)
        for result in results_of(message)
        if result.tool_call_id not in answered
    ]
    return [*messages, *(data.draw(st.permutations(missing)) if len(missing) > 1 else missing)]


def edit_text(data, messages, numbers):
    """Replace the content of a message by another text, or by an empty string, list or text block."""
    text = data.draw(
        st.sampled_from(["Edited.", "", [], [""], [{"type": "text", "text": ""}], [{"type": "text", "text": "E"}]])
    )
    return _change(data, messages, lambda message: message.model_copy(update={"content": deepcopy(text)}))


def remove_call(data, messages, numbers):
    """Remove a call, and leave its result and its signature."""

    def without(message):
        calls = getattr(message, "tool_calls", [])
        if not calls:
            return message
        place = data.draw(st.integers(0, len(calls) - 1), label="call")
        return message.model_copy(update={"tool_calls": calls[:place] + calls[place + 1 :]})

    return _change(data, messages, without, AIMessage)


def edit_call(data, messages, numbers):
    """Change the arguments of every call."""

    def edited(message):
        return message.model_copy(update={"tool_calls": [{**call, "args": {"q": "e"}} for call in message.tool_calls]})

    return _change(data, messages, edited, AIMessage)


def reorder_calls(data, messages, numbers):
    """Reverse the calls of one message, so that the signed one is not first."""
    return _change(
        data, messages, lambda message: message.model_copy(update={"tool_calls": message.tool_calls[::-1]}), AIMessage
    )


def remove_result(data, messages, numbers):
    """Remove a result."""
    places = [place for place, message in enumerate(messages) if isinstance(message, ToolMessage)]
    if not places:
        return messages
    gone = data.draw(st.sampled_from(places), label="result")
    return messages[:gone] + messages[gone + 1 :]


def duplicate(data, messages, numbers):
    """Store a message twice."""
    if not messages:
        return messages
    place = data.draw(st.integers(0, len(messages) - 1), label="twice")
    return [*messages[: place + 1], *messages[place:]]


def swap(data, messages, numbers):
    """Swap two neighbouring messages."""
    if len(messages) < 2:
        return messages
    place = data.draw(st.integers(0, len(messages) - 2), label="swapped")
    return [*messages[:place], messages[place + 1], messages[place], *messages[place + 2 :]]


def instruct(data, messages, numbers):
    """Add a system message at the start or at the end, as a string or as a block with `cache_control`."""
    content = data.draw(
        st.sampled_from(["Be kind.", [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]])
    )
    place = data.draw(st.sampled_from([0, len(messages)]), label="at")
    return [*messages[:place], SystemMessage(deepcopy(content)), *messages[place:]]


def say_nothing(data, messages, numbers):
    """Add an empty message of any kind at the end."""
    kinds = [
        HumanMessage(""),
        AIMessage(""),
        SystemMessage(""),
        HumanMessage([]),
        AIMessage([{"type": "text", "text": ""}]),
    ]
    return [*messages, data.draw(st.sampled_from(kinds)).model_copy()]


def show_picture(data, messages, numbers):
    """Add a step whose tool returns an image."""
    call = {"name": "look", "args": {}, "id": numbers("call_p")}
    blocks = [{"type": "text", "text": "Here."}, {"type": "image", "base64": PNG, "mime_type": "image/png"}]
    return [*messages, HumanMessage("Show."), AIMessage("", tool_calls=[call]),
            ToolMessage(deepcopy(blocks), tool_call_id=call["id"], name="look")]  # fmt: skip


def speak(data, messages, numbers):
    """Add a user message."""
    return [*messages, HumanMessage(data.draw(TEXTS))]


def _change(data, messages, change, kind=object):
    places = [place for place, message in enumerate(messages) if isinstance(message, kind)]
    if not places:
        return messages
    place = data.draw(st.sampled_from(places), label="changed")
    return [*messages[:place], change(messages[place]), *messages[place + 1 :]]


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        trim_front, trim_middle, trim_by_tokens, summarise, hand_off, interrupt, resume, edit_text, remove_call,
        edit_call, reorder_calls, remove_result, duplicate, swap, instruct, say_nothing, show_picture, speak,
    )
}  # fmt: skip
