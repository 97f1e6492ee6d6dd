"""A fake endpoint with one changed rule. Each probe of `verify` has a change that the probe must notice.

A change applies to the requests for which its function `when` returns true. The fake then does one of these things:

- It refuses the request.
- It accepts the request, although the request breaks a rule.
- It answers another request in place of this one.
- It edits the answer.
"""

import json
from dataclasses import dataclass, replace

from langchain_gemini_compat.cli._fake_rules import answer_verify
from langchain_gemini_compat.cli._verify.limits import UNKNOWN_MODEL
from langchain_gemini_compat.cli._verify.schemas import KEYWORDS
from langchain_gemini_compat.cli._verify.signatures import PLACEHOLDER
from langchain_gemini_compat.cli._verify.text import THINK
from langchain_gemini_compat.testing import FakeGemini, Violation
from langchain_gemini_compat.testing._server.answers import answer_violation


@dataclass(frozen=True)
class Change:
    """How the fake treats the requests for which `when` returns true."""

    when: object
    action: str
    edit: object = None
    #: Whether the change applies to requests for embeddings or batches. If not, it applies to chat requests.
    embeds: bool = False

    def concerns(self, body):
        return ("messages" in body) is not self.embeds and bool(self.when(body))


class ChangedFake(FakeGemini):
    """A fake endpoint that answers the probes of `verify`, with one changed rule."""

    def __init__(self, surface, change=None):
        super().__init__(answer_verify, surface=surface)
        self.change = change

    def respond(self, method, url, headers, content):
        body = json.loads(content)
        if self.change is None or not self.change.concerns(body):
            return super().respond(method, url, headers, content)
        if self.change.action == "refuse":
            return answer_violation(Violation("changed", self.change.edit), self.surface)
        if self.change.action == "request":
            content = json.dumps(self.change.edit(body)).encode()
        self.strict = self.change.action != "accept"
        try:
            answer = super().respond(method, url, headers, content)
        finally:
            self.strict = True
        if self.change.action == "bytes" or (self.change.action in ("whole", "events") and answer.status == 200):
            return replace(answer, steps=[_edit(b"".join(answer.steps), self.change)])
        return answer


def _edit(data, change):
    if change.action == "bytes":
        return change.edit(data)
    if change.action == "whole":
        whole = json.loads(data)
        change.edit(whole)
        return json.dumps(whole).encode()
    events = [json.loads(line[6:]) for line in data.decode().split("\n\n") if line.startswith("data: {")]
    change.edit(events)
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"


def refuse(when, text="Not any more."):
    return Change(when, "refuse", text)


def accept(when):
    return Change(when, "accept")


def change_request(when, edit):
    return Change(when, "request", edit)


def edit_message(when, edit):
    """Return a change that edits the messages of replies that are not streamed."""

    def edit_whole(whole):
        for choice in whole["choices"]:
            edit(choice["message"])

    return edit_whole_reply(when, edit_whole)


def edit_whole_reply(when, edit):
    return Change(lambda body: not body.get("stream") and when(body), "whole", edit)


def edit_choices(when, edit):
    """Return a change that edits the choices of streamed replies."""
    return Change(
        lambda body: body.get("stream") and when(body),
        "events",
        lambda events: [edit(choice) for event in events for choice in event["choices"]],
    )


def edit_streamed_calls(when, edit):
    return edit_choices(when, lambda choice: [edit(call) for call in choice["delta"].get("tool_calls", ())])


def always(body):
    return True


def has(key):
    return lambda body: key in body


def has_google(key):
    return lambda body: key in google_of(body)


def google_of(body):
    return body.get("extra_body", {}).get("google", {})


def config_of(body):
    return google_of(body).get("thinking_config", {})


def prompt_of(body):
    spoken = [message for message in body["messages"] if message["role"] == "user"]
    return spoken[-1]["content"]


def is_think(body):
    return prompt_of(body) == THINK


def shows_thoughts(body):
    return bool(config_of(body).get("include_thoughts"))


def tool_of(body):
    return body["tools"][0]["function"]["name"] if body.get("tools") else ""


def asks_for_calls(count):
    """Return a function that checks whether the last message asks for `count` calls of `get_temperature`."""

    def check(body):
        cities = sum(city in str(prompt_of(body)) for city in ("Oslo", "Rome"))
        return tool_of(body) == "get_temperature" and cities == count and body["messages"][-1]["role"] == "user"

    return check


def calls_in(body):
    return [call for message in body["messages"] for call in message.get("tool_calls") or ()]


def signatures_in(body):
    return [call.get("extra_content", {}).get("google", {}).get("thought_signature", "") for call in calls_in(body)]


def ends_with_result(body):
    return body["messages"][-1]["role"] == "tool"


def ends_with_raw_result(body):
    return ends_with_result(body) and "celsius" in body["messages"][-1]["content"]


def has_signed_text(body):
    return any(
        message["role"] == "assistant" and "thought_signature" in json.dumps(message) and not message.get("tool_calls")
        for message in body["messages"]
    )


def remove(*keys):
    def edit(holder):
        for key in keys:
            holder.pop(key, None)

    return edit


def set_value(key, value):
    return lambda holder: holder.update({key: value})


def flip(when, accepted):
    """Return a change that refuses the requests of `when`, or accepts them if `accepted` is false."""
    return refuse(when) if accepted else accept(when)


def rename_city(call):
    call["function"]["arguments"] = call["function"]["arguments"].replace("Oslo", "Bonn").replace("Rome", "Bonn")


def edit_calls(when, edit):
    """Return a change that edits each tool call of replies that are not streamed."""
    return edit_message(when, lambda message: [edit(call) for call in message.get("tool_calls", ())])


def sign_all_calls(message):
    first, *others = message["tool_calls"]
    for call in others:
        call["extra_content"] = first["extra_content"]


def keep_first_call(message):
    del message["tool_calls"][1:]


def keep_streamed_call(choice):
    entries = choice["delta"].get("tool_calls", ())
    # Remove the second call, which is for Rome. Calls of AI Studio have no index, so the city identifies the call.
    choice["delta"]["tool_calls"] = [
        call for call in entries if not call.get("index") and "Rome" not in call["function"]["arguments"]
    ]


def hide_thinking_tokens(whole):
    usage = whole["usage"]
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    usage.pop("completion_tokens_details", None)


def unflag(choice):
    choice["delta"].pop("extra_content", None)


def rename_tags(message):
    message["content"] = message["content"].replace("think>", "x>").replace("thought>", "x>")


def repeat_tag(message):
    message["content"] += " <thought>"


def repeat_streamed_tag(choice):
    if choice["delta"].get("content") and "extra_content" not in choice["delta"]:
        choice["delta"]["content"] += " <thought>"


def mentions(*texts):
    """Return a function that checks whether the JSON of a request contains all `texts`."""
    return lambda body: all(text in json.dumps(body) for text in texts)


def has_message(**keys):
    return lambda body: any(keys.items() <= {**message}.items() for message in body["messages"])


def has_inline_image(body):
    parts = body["messages"][-1]["content"]
    return isinstance(parts, list) and any(_is_inline_image(part) for part in parts) and not calls_in(body)


def _is_inline_image(part):
    image = part.get("image_url")
    return isinstance(image, dict) and image["url"].startswith("data:image") and "detail" not in image


def has_tool_image(body):
    signed = any(len(signature) > 100 for signature in signatures_in(body))
    return signed and mentions("image/png")(body)


def has_image_url(kind):
    def check(body):
        content = body["messages"][-1]["content"]
        parts = content if isinstance(content, list) else []
        return any(isinstance(part.get("image_url"), kind) and "gs://" in json.dumps(part) for part in parts)

    return check


def parameters_of(body):
    return body["tools"][0]["function"].get("parameters", {}) if body.get("tools") else {}


def declares(schema):
    return lambda body: tool_of(body) == "look" and parameters_of(body)["properties"] == {"word": schema}


def has_parameter_key(key):
    return lambda body: tool_of(body) == "look" and key in parameters_of(body)


def form_of(body):
    return body.get("response_format", {}).get("json_schema", {}).get("schema")


def unwrap(data):
    """Return the error as an object instead of a list."""
    return json.dumps(json.loads(data)[0]).encode()


def lacks_name(body):
    return any(message["role"] == "tool" and "name" not in message for message in body["messages"])


def lacks_result(body):
    return sum(message["role"] == "tool" for message in body["messages"]) < len(calls_in(body))


def has_flag_on_part(body):
    contents = [message.get("content") for message in body["messages"]]
    return any("extra_content" in part for parts in contents if isinstance(parts, list) for part in parts)


def has_effort(effort):
    return lambda body: body.get("reasoning_effort") == effort and not config_of(body)


def has_level(level):
    return lambda body: config_of(body) == {"thinking_level": level} and "reasoning_effort" not in body


def build_change(probe, surface, family):
    """Return the change that the probe has to notice."""
    vertex = surface == "vertex"
    topic, _, word = probe.rpartition("-")
    if topic == "effort" and word in ("minimal", "low", "medium", "high"):
        return flip(has_effort(word), word in family.levels)
    if topic == "level" and word in ("minimal", "low", "medium", "high", "xhigh"):
        return flip(has_level(word), word in family.levels)
    for name, _, schema, accepted, _ in KEYWORDS:
        if probe == f"schema-{name}":
            return flip(declares(schema), accepted)
    return {
        "text": lambda: edit_message(always, set_value("content", "no")),
        "stream": lambda: edit_choices(always, lambda choice: choice.update(finish_reason="length")),
        "system-message": lambda: refuse(lambda body: body["messages"][0]["role"] == "system"),
        "usage": lambda: edit_whole_reply(always, remove("usage")),
        "usage-of-stream": lambda: Change(
            lambda body: body.get("stream"), "events", lambda events: [event.pop("usage", None) for event in events]
        ),
        "usage-of-thoughts": lambda: edit_whole_reply(is_think, hide_thinking_tokens),
        "traffic-type": lambda: edit_whole_reply(always, lambda whole: whole["usage"].pop("extra_properties")),
        "max-tokens": lambda: edit_whole_reply(
            lambda body: body.get("max_tokens") == 8, lambda whole: whole["choices"][0].update(finish_reason="stop")
        ),
        "sampling": lambda: refuse(has("temperature")),
        "unknown-key": lambda: flip(has("store"), vertex),
        "seed": lambda: flip(has("seed"), vertex),
        "logprobs": lambda: flip(has("logprobs"), vertex),
        "several-answers": lambda: accept(has("n")),
        "parallel-tool-calls-key": lambda: refuse(has("parallel_tool_calls")),
        "service-tier": lambda: refuse(has("service_tier")),
        "modalities": lambda: refuse(lambda body: body.get("modalities") == ["text"]),
        "json-object": lambda: refuse(lambda body: body.get("response_format") == {"type": "json_object"}),
        "google-at-top": lambda: accept(has("google")),
        "extra-body-twice": lambda: accept(lambda body: "extra_body" in body.get("extra_body", {})),
        "safety-settings": lambda: refuse(has_google("safety_settings")),
        "media-resolution": lambda: refuse(has_google("media_resolution")),
        "name-of-model": lambda: (
            accept(lambda body: "/" not in body["model"])
            if vertex
            else refuse(lambda body: body["model"].startswith("models/"))
        ),
        "thought-flag": lambda: edit_choices(shows_thoughts, unflag),
        "thought-tag": lambda: edit_message(shows_thoughts, rename_tags),
        "thought-tag-marker": lambda: edit_message(has_google("thought_tag_marker"), rename_tags),
        "thoughts-untagged": lambda: edit_message(
            lambda body: shows_thoughts(body) and "thought_tag_marker" not in google_of(body),
            set_value("content", "<thought>I think.</thought>No."),
        ),
        "thoughts": lambda: edit_message(shows_thoughts, repeat_tag),
        "thoughts-of-stream": lambda: edit_choices(shows_thoughts, repeat_streamed_tag),
        "effort-and-level": lambda: accept(lambda body: "reasoning_effort" in body and config_of(body)),
        "level-and-budget": lambda: accept(lambda body: "thinking_budget" in config_of(body)),
        "tool-call": lambda: edit_calls(asks_for_calls(1), rename_city),
        "tool-call-of-stream": lambda: edit_choices(
            asks_for_calls(1), lambda choice: choice["delta"].pop("tool_calls", None)
        ),
        "parallel-calls": lambda: edit_message(asks_for_calls(2), keep_first_call),
        "parallel-calls-of-stream": lambda: edit_choices(asks_for_calls(2), keep_streamed_call),
        "index-of-calls": lambda: edit_streamed_calls(always, remove("index") if vertex else set_value("index", 0)),
        "end-of-streamed-call": lambda: edit_choices(
            asks_for_calls(1),
            lambda choice: choice.update(
                {"finish_reason": "stop" if vertex else "tool_calls"} if "finish_reason" in choice else {}
            ),
        ),
        "streamed-arguments": lambda: change_request(
            has_google("stream_function_call_arguments"), lambda body: {**body, "extra_body": {}}
        ),
        "tool-loop": lambda: edit_message(
            lambda body: ends_with_result(body) and not ends_with_raw_result(body), set_value("content", "no")
        ),
        "tool-without-parameters": lambda: refuse(lambda body: tool_of(body) == "now"),
        "tool-choice-none": lambda: change_request(
            lambda body: body.get("tool_choice") == "none", lambda body: {**body, "tool_choice": "required"}
        ),
        "tool-choice-auto": lambda: change_request(
            lambda body: body.get("tool_choice") == "auto", lambda body: {**body, "tool_choice": "none"}
        ),
        "tool-choice-required": lambda: change_request(
            lambda body: body.get("tool_choice") == "required" and "ok" in prompt_of(body),
            lambda body: {**body, "tool_choice": "none"},
        ),
        "tool-choice-validated": lambda: refuse(lambda body: body.get("tool_choice") == "validated"),
        "tool-choice-object": lambda: accept(lambda body: isinstance(body.get("tool_choice"), dict)),
        "signature-of-call": lambda: edit_calls(asks_for_calls(1), remove("extra_content")),
        "signature-of-parallel-calls": lambda: edit_message(asks_for_calls(2), sign_all_calls),
        "signature-of-streamed-call": lambda: edit_streamed_calls(asks_for_calls(1), remove("extra_content")),
        "signature-of-text": lambda: edit_message(
            lambda body: not shows_thoughts(body) and not tool_of(body), remove("extra_content")
        ),
        "signature-of-streamed-text": lambda: edit_choices(lambda body: not shows_thoughts(body), unflag),
        "signature-returned": lambda: refuse(
            lambda body: ends_with_raw_result(body) and len(calls_in(body)) == 1 and len(signatures_in(body)[0]) > 100
        ),
        "signatures-of-parallel-calls-returned": lambda: refuse(
            lambda body: len(calls_in(body)) == 2 and not lacks_result(body)
        ),
        "signature-of-text-returned": lambda: refuse(has_signed_text),
        "signature-missing": lambda: accept(lambda body: ends_with_result(body) and signatures_in(body) == [""]),
        "signature-changed": lambda: accept(lambda body: signatures_in(body) == ["bm90IGEgc2lnbmF0dXJl"]),
        "signature-placeholder": lambda: refuse(lambda body: signatures_in(body) == [PLACEHOLDER]),
        "signature-of-earlier-turn": lambda: refuse(
            lambda body: bool(calls_in(body)) and has_message(content="7 degrees.")(body)
        ),
        "penalties": lambda: flip(has("frequency_penalty"), vertex and family.takes_penalties),
        "effort-none": lambda: flip(has_effort("none"), not vertex and family.may_stop_thinking),
        "budget-of-0": lambda: flip(lambda body: config_of(body).get("thinking_budget") == 0, vertex),
        "schema-reference": lambda: accept(has_parameter_key("$defs")),
        "schema-additional-properties": lambda: accept(has_parameter_key("additionalProperties")),
        "schema-without-properties": lambda: accept(
            lambda body: tool_of(body) == "look" and not parameters_of(body)["properties"]
        ),
        "long-tool-name": lambda: refuse(lambda body: len(tool_of(body)) == 63),
        "tool-name-with-digit": lambda: accept(lambda body: tool_of(body) == "1st"),
        "128-tools": lambda: refuse(lambda body: len(body.get("tools", ())) == 128),
        "json-schema": lambda: edit_message(
            lambda body: form_of(body) and not tool_of(body), set_value("content", "no")
        ),
        "recursive-json-schema": lambda: accept(lambda body: "$defs" in (form_of(body) or {})),
        "json-schema-beside-tools": lambda: refuse(lambda body: form_of(body) and tool_of(body)),
        "name-of-result": lambda: flip(lacks_name, vertex),
        "missing-result": lambda: accept(lambda body: ends_with_result(body) and lacks_result(body)),
        "empty-arguments": lambda: accept(
            lambda body: [call["function"]["arguments"] for call in calls_in(body)] == [""]
        ),
        "text-beside-calls": lambda: flip(has_message(content="I call the tool."), family.text_beside_calls),
        "assistant-at-end": lambda: accept(lambda body: body["messages"][-1]["role"] == "assistant"),
        "empty-text": lambda: accept(has_message(role="user", content="")),
        "flag-on-message": lambda: refuse(has_message(extra_content={"google": {"thought": True}})),
        "flag-on-part": lambda: refuse(has_flag_on_part),
        "media-in-result": lambda: refuse(mentions(PLACEHOLDER, "image/png")),
        "type-of-media-in-result": lambda: accept(mentions(PLACEHOLDER, "audio/wav")),
        "reference-in-result": lambda: accept(mentions("elsewhere")),
        "image": lambda: refuse(has_inline_image),
        "pdf": lambda: refuse(mentions("application/pdf")),
        "audio": lambda: refuse(lambda body: mentions("input_audio")(body) and not mentions("gs://")(body)),
        "image-by-gs-url": lambda: flip(has_image_url(dict), vertex),
        "image-by-https-url": lambda: refuse(mentions("https://storage.googleapis.com")),
        "image-as-text": lambda: refuse(has_image_url(str)),
        "detail-of-image": lambda: refuse(mentions('"detail"')),
        "vector-image": lambda: accept(mentions("image/svg+xml")),
        "audio-by-uri": lambda: refuse(mentions("pixel.mp3")),
        "image-of-tool": lambda: refuse(has_tool_image),
        "image-in-reply": lambda: edit_message(lambda body: body["model"].endswith("-image"), remove("audio")),
        "wrong-key": lambda: refuse(has_message(content="A wrong key.")),
        "unknown-model": lambda: refuse(lambda body: body["model"].endswith(UNKNOWN_MODEL)),
        "error-in-list": lambda: Change(has("n"), "bytes", unwrap),
        "cached-tokens": lambda: edit_whole_reply(
            lambda body: len(prompt_of(body)) > 8000, lambda whole: whole["usage"].pop("prompt_tokens_details")
        ),
        "unknown-cache": lambda: change_request(has_google("cached_content"), lambda body: {**body, "extra_body": {}}),
        "priority-tier": lambda: edit_whole_reply(
            always, lambda whole: whole["usage"].update(extra_properties={"google": {"traffic_type": "ON_DEMAND"}})
        ),
        "video-by-uri": lambda: refuse(mentions("animals.mp4")),
        "batch": lambda: Change(has("input_file_id"), "refuse", "No batches.", embeds=True),
        "code-execution": lambda: refuse(has_google("tools")),
        "embeddings": lambda: Change(
            lambda body: body.get("input") == ["A cat.", "A dog."] and "dimensions" not in body,
            "refuse",
            "No.",
            embeds=True,
        ),
        "embeddings-of-length": lambda: Change(
            has("dimensions"), "request", lambda body: {**body, "dimensions": 512}, embeds=True
        ),
        "many-texts": lambda: Change(lambda body: len(body.get("input", ())) > 100, "accept", embeds=True),
        "empty-text-to-embed": lambda: Change(lambda body: "" in body.get("input", ()), "accept", embeds=True),
    }[probe]()
