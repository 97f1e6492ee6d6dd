"""Public captures of Google's replies, replayed at every entry point. One table has the meaning of each capture.

The captures are not part of the project. If they are missing, the tests are skipped. Texts, arguments and signatures
are compared with the file itself, read by a few lines of code. Everything else is compared with the table.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache

import pytest
from captures import ABSENT, FOLDERS, capture_paths, path_belongs_to, read_capture
from langchain_core.messages import message_chunk_to_message

from langchain_gemini_compat import errors
from langchain_gemini_compat._signatures import RECORDS_KEY, SIGNATURES_KEY
from langchain_gemini_compat.testing import FakeGemini, Raw

pytestmark = [
    pytest.mark.skipif(not capture_paths(), reason=ABSENT),
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]

STREAMED = ("stream", "astream", "events", "aevents")
WHOLE = ("invoke", "ainvoke", *STREAMED)
SYNTHESISED = re.compile(r"call_[0-9a-f]{20}")


@dataclass(frozen=True)
class Meaning:
    """The expected content of the message that a captured reply becomes.

    - `text`, `thoughts`: the whole text or, if it is long, a pair of its start and its length
    - `calls`: for each call its name, its arguments, and its id (`""` if the server sent no id)
    - `signed_calls`, `signed_reply`: which calls have a signature, and whether the reply itself has one
    - `usage`: input, output and total tokens, then the reasoning tokens of the output and the cached tokens of the
      input
    """

    model: str
    text: str | tuple[str, int] = ""
    thoughts: str | tuple[str, int] = ""
    calls: tuple = ()
    signed_calls: tuple = ()
    signed_reply: bool = False
    usage: tuple | None = None
    finish: str = "stop"
    native: str | None = "stop"
    blocks: tuple = ("text",)
    reply_id: str | None = None
    traffic: str | None = None
    streamed: bool = False


@dataclass(frozen=True)
class Failure:
    """The exception that a capture has to raise: its class, words of its text, and its attributes."""

    kind: type
    words: str
    streamed: bool = False
    facts: dict = field(default_factory=dict)
    usage: tuple | None = None


def calling(model, *calls, **more):
    return Meaning(model, calls=calls, **{"finish": "tool_calls", "blocks": ("tool_call",) * len(calls), **more})


def vertex(model, text, usage, reply_id, **more):
    return Meaning(model, text, usage=usage, reply_id=reply_id, traffic="ON_DEMAND", **{"signed_reply": True, **more})


EXPECTED = {
    "ais-01-pydanticai-2.5pro-tool-nonstream-turn1": calling(
        "gemini-2.5-pro-preview-05-06",
        ("get_current_time", {}, ""),
        usage=(35, 74, 109, 62, None),
        native="tool_calls",
        signed_reply=True,
        reply_id="3SE-aKjdCcCEz7IPxpqjCA",
    ),
    "ais-01-pydanticai-2.5pro-tool-nonstream-turn2": Meaning(
        "gemini-2.5-pro-preview-05-06",
        "The current time is Noon.",
        usage=(66, 34, 100, 28, None),
        signed_reply=True,
        reply_id="3iE-aNK3EIGJz7IPt_mYoAs",
    ),
    "ais-02-aguirust-2.5flashlite-parallel-stream": calling(
        "gemini-2.5-flash-lite",
        ("get_weather", {"city": "Seoul"}, "function-call-7026415214984972976"),
        ("get_weather", {"city": "Oslo"}, "function-call-7026415214984972901"),
        native="tool_calls",
        reply_id="byGDariPGvbS1e8PuviF8QE",
        streamed=True,
    ),
    "ais-03-aguirust-2.5flashlite-text-stream": Meaning(
        "gemini-2.5-flash-lite", "One, two, three.", reply_id="iiGDaurJKvnE0-kPrsjvuA8", streamed=True
    ),
    "ais-04-aguirust-3.1flashlite-parallel-signed-stream": calling(
        "gemini-3.1-flash-lite",
        ("get_weather", {"city": "Seoul"}, "call_272732"),
        ("get_weather", {"city": "Oslo"}, "call_272740"),
        signed_calls=(True, False),
        reply_id="JySDarX1H6-w1e8PlI7z6QU",
        streamed=True,
    ),
    "ais-05-intellyrouter-2.5flash-tool-stream": calling(
        "gemini-2.5-flash",
        ("Read", {"file_path": "/tmp/a.go"}, "function-call-11628457821388745023"),
        usage=(108, 86, 194, 67, None),
        native="tool_calls",
        reply_id="GyWpao3jOvLaxs0Ppu2K6QU",
        streamed=True,
    ),
    "ais-06-intellyrouter-2.5flash-text-nonstream": Meaning(
        "gemini-2.5-flash", "hello there", usage=(7, 40, 47, 38, None), reply_id="HCWpavSjNMK7vdIPmsSF6Ac"
    ),
    "ais-07-intellyrouter-404-error": Failure(
        errors.ModelNotFoundError,
        "models/no-such-model-xyz is not found",
        facts={"status_code": 404, "status": "NOT_FOUND"},
    ),
    "ais-08-nenya-3.1flashlitepreview-tool-chunk": Failure(
        errors.TruncatedStreamError, "broke off", streamed=True, facts={"partial": ""}
    ),
    "ais-09-3flashpreview-parallel-signed-stream": calling(
        "gemini-3-flash-preview",
        ("get_weather", {"location": "Beijing"}, "function-call-2345235027967754022"),
        ("get_weather", {"location": "Wuhan"}, "function-call-2345235027967754215"),
        signed_calls=(True, False),
        reply_id="Q-N0ac2AK5OyvdIP9_rP-Ac",
        streamed=True,
    ),
    "ais-10-2.5flash-include_thoughts-stream": Meaning(
        "gemini-2.5-flash",
        "你好！有什么我可以帮助你的吗？",
        ("**Defining the Greeting**", 931),
        blocks=("reasoning", "text"),
        reply_id="1URyaLjuGKiqmtkPj86KuAI",
        streamed=True,
    ),
    "ais-11-2.5flashlite-text-stream-usage-every-chunk": Meaning(
        "gemini-2.5-flash-lite",
        ("AI works by **learning from data to make decisions.**", 453),
        usage=(12, 159, 171, None, None),
        reply_id="0ZnPaL3SD4jmz7IP8Jzo0Ag",
        streamed=True,
    ),
    "ais-12-2.5flashlite-text-nonstream": Meaning(
        "gemini-2.5-flash-lite",
        ("Here are a few ways to explain how AI works in Chinese", 625),
        usage=(12, 210, 222, None, None),
        reply_id="RpPPaLS3J-3Uz7IP2NS36Qg",
    ),
    # The stream has no finish reason, but ends with `[DONE]`. So the reply is complete, and its finish reason is
    # unknown.
    "ais-13-gemma4-31b-thought-then-tool-stream": calling(
        "gemma-4-31b-it",
        ("list_files", {"recursive": True}, "6eic0cwq"),
        thoughts=("Okay, I understand. I need to find and fix a bug", 228),
        signed_calls=(True,),
        native=None,
        blocks=("reasoning", "tool_call"),
        streamed=True,
    ),
    "ais-14-3.1flashlite-text-plus-tool-nonstream": calling(
        "gemini-3.1-flash-lite",
        ("add", {"a": 15, "b": 27}, "bcBxLAM6"),
        text=("I am an AI assistant designed to interact with you", 698),
        usage=(161, 198, 359, None, None),
        signed_calls=(True,),
        native="tool_calls",
        blocks=("text", "tool_call"),
        reply_id="tyVKatSQF4T_juMPxPPJmQo",
    ),
    "ais-15-2.5flash-text-nonstream-1": Meaning(
        "gemini-2.5-flash", "Ghostbusters", usage=(17, 32, 49, 30, None), reply_id="ccAXad3iNNbiz7IPocTe0Ac"
    ),
    "ais-15-2.5flash-text-nonstream-2": Meaning(
        "gemini-2.5-flash", "The Social Network", usage=(18, 653, 671, 650, None), reply_id="m8AXaafJCKDpz7IPs5_OmQE"
    ),
    "ais-15-2.5flash-text-nonstream-3": Meaning(
        "gemini-2.5-flash", "Inception", usage=(18, 1240, 1258, 1238, None), reply_id="icEXaavRJf-Cz7IPm8Hf4Ak"
    ),
    "ais-16-2.5proexp-tool-chunk-2025-05": calling(
        "gemini-2.5-pro-exp-03-25", ("read_file", {"path": "src/main.cpp"}, ""), native="tool_calls", streamed=True
    ),
    "ais-17-2.5flash-tool-frame-no-id": calling(
        "gemini-2.5-flash",
        ("glob", {"pattern": "*"}, "function-call-18439433602034082669"),
        usage=(3379, 80, 3459, 68, None),
        native="tool_calls",
        streamed=True,
    ),
    "ais-18-2.5flash-empty-completion-stream": Failure(
        errors.EmptyReplyError, "'stop', 0 output tokens", streamed=True, usage=(5051, 0, 5051, None, None)
    ),
    "ais-19-2.5flash-malformed-function-call-nonstream-1": Failure(
        errors.MalformedToolCallError, "MALFORMED_FUNCTION_CALL", usage=(6624, 0, 6624, None, None)
    ),
    "ais-19-2.5flash-malformed-function-call-nonstream-2": Failure(
        errors.MalformedToolCallError, "MALFORMED_FUNCTION_CALL", usage=(3832, 0, 3832, None, None)
    ),
    "ais-20-2.5flash-usage-bodies#1": Meaning("gemini-2.5-flash", "391", usage=(11, 716, 727, 691, None)),
    # This capture has only the finish reason and the usage of replies #2 and #3, so both count as empty.
    "ais-20-2.5flash-usage-bodies#2": Failure(errors.EmptyReplyError, "empty", usage=(11, 35, 46, None, None)),
    "ais-20-2.5flash-usage-bodies#3": Failure(errors.EmptyReplyError, "empty", usage=(4634, 19, 4653, None, 4088)),
    "ais-21-thought-stream-and-filter-shapes#1": Meaning(
        "gemini-3.8-flash",
        "The answer is 391.",
        "**Calculating**\n\nStep one.More thinking.",
        usage=(16, 611, 627, 602, None),
        signed_reply=True,
        blocks=("reasoning", "text"),
        streamed=True,
    ),
    "ais-21-thought-stream-and-filter-shapes#2": Failure(
        errors.MalformedToolCallError,
        "MALFORMED_FUNCTION_CALL', 3392 output tokens",
        streamed=True,
        usage=(100, 3392, 3492, None, None),
    ),
    "ais-21-thought-stream-and-filter-shapes#3": Meaning(
        "gemini-3.8-flash",
        "17 * 23 = **391**",
        "**Quick**\n\nThinking here.\n",
        signed_reply=True,
        blocks=("reasoning", "text"),
    ),
    "ais-err-400-bad-key": Failure(
        errors.AuthenticationError,
        "Please pass a valid API key",
        facts={"status_code": 400, "status": "INVALID_ARGUMENT"},
    ),
    "ais-err-400-missing-thought-signature": Failure(
        errors.MissingSignatureError, "function call `default_api:shell`", facts={"status_code": 400}
    ),
    "ais-err-429-per-minute-free-tier": Failure(
        errors.RateLimitError,
        "You exceeded your current quota",
        facts={
            "status_code": 429,
            "is_retryable": True,
            "quota_id": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        },
    ),
    "ais-err-content-filter-200": Meaning(
        "gemini-3.6-flash",
        usage=(5, 0, 5, None, None),
        finish="content_filter",
        native="content_filter: PROHIBITED_CONTENT",
        blocks=("refusal",),
    ),
    "vtx-doc-3.1pro-multimodal-tool-result-nonstream": vertex(
        "gemini-3.1-pro-preview",
        "Here is the image of the green shirt you ordered.",
        (1139, 16, 1155, None, None),
        "bA-NacCPKoae_9MPsNCn6Qc",
        signed_reply=False,
    ),
    "vtx-doc-3.1pro-stream_function_call_arguments": calling(
        "gemini-3.1-pro-preview",
        (
            "get_current_weather",
            {"location": "Boston, MA", "unit": "celsius"},
            "function-call-c855348a-459a-46a4-a8ad-aa0a4e7c3563",
        ),
        (
            "get_current_weather",
            {"location": "New Delhi, India", "unit": "celsius"},
            "function-call-df0d087c-ad74-46f1-ba4a-9353cbf288a8",
        ),
        signed_calls=(True, False),
        usage=(27, 549, 576, 504, None),
        native="tool_calls",
        reply_id="nQiNafGyF5rw998PstqooAY",
        traffic="PROVISIONED_THROUGHPUT",
        streamed=True,
    ),
    "vtx-doc-3proimage-image-nonstream": Meaning(
        "gemini-3-pro-image-preview",
        usage=(7, 1371, 1378, 251, None),
        signed_reply=True,
        blocks=("image",),
        reply_id="hAmNaZb8BZOX4_UPlNXoEA",
        traffic="PROVISIONED_THROUGHPUT",
    ),
    "vtx-gw-3.1flashlite-text-nonstream": vertex(
        "gemini-3.1-flash-lite",
        ("As an AI, I don’t have personal feelings", 3066),
        (9, 621, 630, None, None),
        "nCoKas_nO-Wnq8YPrYu36AM",
    ),
    "vtx-gw-3.1flashlitepreview-text-nonstream": vertex(
        "gemini-3.1-flash-lite-preview",
        ("As an AI, I don’t have personal feelings", 2967),
        (9, 618, 627, None, None),
        "IUjlacaOIbmZ9LsPxayQAQ",
    ),
    "vtx-gw-3.1pro-text-nonstream": vertex(
        "gemini-3.1-pro-preview",
        ("As an artificial intelligence, I don’t have feelings", 2666),
        (9, 1512, 1521, 946, None),
        "fb2gafiLBIK9odAP1tGMmQc",
    ),
    "vtx-gw-3.5flash-image-input-nonstream": vertex(
        "gemini-3.5-flash",
        ("Based on the image, here is a description", 687),
        (1120, 1374, 2494, 1220, None),
        "-n4NauvOHq6fq8YPupjeuAQ",
    ),
    "vtx-gw-3.5flash-text-nonstream": vertex(
        "gemini-3.5-flash",
        ("To an AI, mankind is the ultimate paradox", 2653),
        (9, 1523, 1532, 951, None),
        "MYMNatuyCJuUq8YPmp2j0Q0",
    ),
    "ais-N1-3.1flashlite-parallel-first-signed-stream": calling(
        "gemini-3.1-flash-lite",
        ("set_map_layer", {"layer": "DENSITY"}, "U11J8Nlt"),
        ("set_map_scope", {"scope": "La Paz"}, "Rf3HPioH"),
        signed_calls=(True, False),
        streamed=True,
    ),
    "ais-N2-flashlatest-length-signature-only-stream": Failure(
        errors.EmptyReplyError, "Raise `max_tokens`", streamed=True, facts={"is_retryable": False}
    ),
    "ais-N3-3.8flash-usage-before-finish-chunk": Meaning(
        "gemini-3.8-flash", "OK.", usage=(3, 68, 71, 66, None), reply_id="x", streamed=True
    ),
    "ais-N4-gemma4-31b-unflagged-split-thought-tag-stream": Meaning(
        "gemma-4-31b-it",
        "Five.",
        "\nIn `taskManager.test.ts`, there are 5 tests.",
        blocks=("reasoning", "text"),
        streamed=True,
    ),
    "ais-N5-3.6flash-content-filter-body-nonstream": Meaning(
        "gemini-3.6-flash",
        finish="content_filter",
        native="content_filter: PROHIBITED_CONTENT",
        blocks=("refusal",),
    ),
    "ais-N6-gemma4-26b-500-internal": Failure(
        errors.ServerError, "Internal error encountered.", facts={"status_code": 500, "is_retryable": True}
    ),
    "ais-N7-frequency_penalty-400": Failure(
        errors.InvalidRequestError, 'Unknown name "frequency_penalty"', facts={"status_code": 400}
    ),
    "ais-N8-gemma4-reasoning_effort-400": Failure(
        errors.InvalidRequestError, "Thinking level is not supported for this model", facts={"status_code": 400}
    ),
    "ais-N9-2.5flash-text-nonstream-apisix-doc": Meaning(
        "gemini-2.5-flash", "The capital of France is **Paris**.", usage=(15, 26, 41, 18, None)
    ),
    "vtx-N10-2.5flash-text-nonstream-apisix-doc": Meaning(
        "gemini-2.5-flash", "1 + 1 = 2\n", usage=(11, 8, 19, None, None), traffic="ON_DEMAND"
    ),
    "vtx-N11-gemma4-26b-maas-nonstream": Meaning(
        "gemma-4-26b-a4b-it-maas",
        "TOP_RIGHT",
        usage=(341, 2, 343, None, None),
        reply_id="d1fc177f-fffc-400c-9294-3b30d2a5ae3c",
        traffic="ON_DEMAND",
    ),
}
MEANINGS = {name: it for name, it in EXPECTED.items() if isinstance(it, Meaning)}
FAILURES = {name: it for name, it in EXPECTED.items() if isinstance(it, Failure)}


#: The last chunks of a stream of AI Studio. The tests add them to captures whose authors left them out.
END = 'data: {"choices":[{"delta":{"role":"assistant"},"finish_reason":"stop","index":0}]}\n\ndata: [DONE]\n\n'
ENDINGS = {
    "ais-N1-3.1flashlite-parallel-first-signed-stream": END,
    "ais-N3-3.8flash-usage-before-finish-chunk": END,
    "ais-N4-gemma4-31b-unflagged-split-thought-tag-stream": (
        f'data: {{"choices":[{{"delta":{{"content":" tests.</thought>Five."}},"index":0}}]}}\n\n{END}'
    ),
}


def each(table):
    """Return every capture of `table` with every entry point that can read it."""
    return [
        pytest.param(name, mode, id=f"{name}-{mode}")
        for name, it in table.items()
        for mode in (STREAMED if it.streamed else WHOLE)
    ]


@cache
def capture(name):
    """Return a capture file and one of its response bodies.

    `name` is the name of the file, for its first body. `NAME#2` selects the second body of the file `NAME`.
    """
    stem, _, number = name.partition("#")
    file = read_capture(stem)
    body = bodies(file["response"])[int(number or 1) - 1]
    if stem in ENDINGS:
        body = body.removesuffix("data: [DONE]\n\n") + ENDINGS[stem]
    return file, body


def bodies(response):
    """Return the response bodies of a capture file.

    `response` has one of the keys `body`, `bodies` and `streams`. With `streams`, it also has `nonstream_message`, a
    message around which a whole body is built.
    """
    if "streams" in response:
        whole = {"choices": [{"finish_reason": "stop", "index": 0, "message": response["nonstream_message"]}]}
        return [*response["streams"], whole]
    return response.get("bodies") or [response["body"]]


def server(name):
    """Return a model whose server answers with the capture, unchanged."""
    file, body = capture(name)
    surface = "vertex" if file["surface"].startswith("vertex") else "ai_studio"
    model = file["request"].get("body", {}).get("model", "gemini-3.8-flash")
    return replaying(body, status=file["response"]["status"], surface=surface, model=model)


def replaying(body, status=200, surface="ai_studio", model="gemini-3.8-flash"):
    """Return a model whose server answers with `body`."""
    streamed = isinstance(body, str) and body.startswith("data:")
    kind = "text/event-stream" if streamed else "application/json; charset=UTF-8"
    fake = FakeGemini(Raw(body, status=status, content_type=kind), surface=surface, strict=False)
    return fake.chat_model(model, max_retries=0)


async def ask(mode, chat):
    """Return the message that entry point `mode` gives."""
    if mode == "invoke":
        return chat.invoke("hi")
    if mode == "ainvoke":
        return await chat.ainvoke("hi")
    if mode == "stream":
        return total(list(chat.stream("hi")))
    if mode == "astream":
        return total([part async for part in chat.astream("hi")])
    if mode == "events":
        return chat.stream_events("hi", version="v3").output
    return await (await chat.astream_events("hi", version="v3")).output


def total(chunks):
    first, *rest = chunks
    for chunk in rest:
        first += chunk
    return message_chunk_to_message(first)


def read(name):
    """Return five values from the JSON of a capture, without the code of the package.

    They are the text, the thoughts, the arguments of the calls, their signatures, and the signature of the reply.
    """
    _, body = capture(name)
    if isinstance(body, str) and not body.startswith("data:"):
        events = [json.loads(body)]
    elif isinstance(body, str):
        events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    else:
        events = [body]
    deltas = [event["choices"][0].get("delta") or event["choices"][0].get("message") or {} for event in events]
    said = "".join(delta.get("content") or "" for delta in deltas)
    thoughts, text = re.fullmatch(r"(?s)(?:<thought>(.*?)</thought>)?(.*)", said).groups()
    arguments, signatures = {}, {}
    for entry in (entry for delta in deltas for entry in delta.get("tool_calls", ())):
        arguments[entry["id"]] = arguments.get(entry["id"], "") + entry["function"]["arguments"]
        signatures.setdefault(entry["id"], signature(entry))
    reply = [found for found in map(signature, deltas) if found]
    return text, thoughts or "", [*arguments.values()], [*signatures.values()], reply[-1] if reply else None


def signature(holder):
    return ((holder.get("extra_content") or {}).get("google") or {}).get("thought_signature")


def numbers(usage):
    """Return the token counts in the order of `Meaning.usage`."""
    if usage is None:
        return None
    totals = (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"])
    reasoning = (usage.get("output_token_details") or {}).get("reasoning")
    return (*totals, reasoning, (usage.get("input_token_details") or {}).get("cache_read"))


def check_text(seen, in_file, expected):
    """Assert that the text `seen` equals the text in the capture, and matches `expected`.

    `expected` is the whole text, or the start of the text and its length.
    """
    assert seen == in_file
    assert seen == expected if isinstance(expected, str) else (seen[: len(expected[0])], len(seen)) == expected


def signature_of_reply(message):
    """Return the thought signature that belongs to the whole reply, and not to one of its calls."""
    records = message.additional_kwargs.get(RECORDS_KEY, {})
    found = [signature(record["fields"]) for record in records.values() if record.get("reply") and "fields" in record]
    return found[0] if found else None


@pytest.mark.parametrize(("name", "mode"), each(MEANINGS))
async def test_a_captured_reply_means_the_same_at_every_entry_point(name, mode):
    """Text, thoughts, calls, signatures, usage, finish reasons, model and all ids are the same at every entry point."""
    expected, (text, thoughts, arguments, of_calls, of_reply) = MEANINGS[name], read(name)
    message = await ask(mode, server(name))
    check_text(message.text, text, expected.text)
    check_text(message.additional_kwargs.get("reasoning_content", ""), thoughts, expected.thoughts)
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [call[:2] for call in expected.calls]
    assert [call["args"] for call in message.tool_calls] == list(map(json.loads, arguments))
    for call, (_, _, server_id) in zip(message.tool_calls, expected.calls, strict=True):
        assert call["id"] == server_id if server_id else SYNTHESISED.fullmatch(call["id"])
    assert message.invalid_tool_calls == []
    kept = message.additional_kwargs.get(SIGNATURES_KEY, {})
    assert [kept.get(call["id"]) for call in message.tool_calls] == of_calls
    assert [bool(found) for found in of_calls] == list(expected.signed_calls or [False] * len(expected.calls))
    assert signature_of_reply(message) == of_reply
    assert bool(of_reply) is expected.signed_reply
    assert numbers(message.usage_metadata) == expected.usage
    metadata = message.response_metadata
    assert metadata["model_name"] == expected.model
    assert (metadata["finish_reason"], metadata.get("native_finish_reason")) == (expected.finish, expected.native)
    assert (metadata.get("id"), metadata.get("traffic_type")) == (expected.reply_id, expected.traffic)
    # Ignore blocks with empty text. With v3 events, a reply without text has its signature on an empty text block.
    shown = [block["type"] for block in message.content_blocks if block.get("text") != ""]
    assert tuple(shown) == expected.blocks


@pytest.mark.parametrize(("name", "mode"), each(FAILURES))
async def test_a_captured_failure_raises_its_class_at_every_entry_point(name, mode):
    """A failed, empty, malformed or cut reply raises the exception that `FAILURES` lists for it."""
    expected = FAILURES[name]
    with pytest.raises(errors.GeminiCompatError) as raised:
        await ask(mode, server(name))
    error = raised.value
    assert type(error) is expected.kind
    assert expected.words in str(error)
    assert {key: getattr(error, key) for key in expected.facts} == expected.facts
    if expected.usage:
        assert numbers(error.reply.usage_metadata) == expected.usage


@pytest.mark.parametrize("mode", WHOLE)
async def test_filtered_reply_has_a_refusal_block(mode):
    """A filtered reply raises no exception. Agents can read the finish reason, and people can read the block."""
    message = await ask(mode, server("ais-err-content-filter-200"))
    (block,) = message.content_blocks
    assert block == {
        "type": "refusal",
        "refusal": "A filter stopped the reply (PROHIBITED_CONTENT).",
        "extras": {"finish_reason": "content_filter: PROHIBITED_CONTENT"},
    }


@pytest.mark.parametrize("mode", WHOLE)
async def test_captured_image_is_an_image_block(mode):
    """In the example on Google's page, the key `audio` contains the image, with a placeholder for its bytes."""
    block, *rest = (await ask(mode, server("vtx-doc-3proimage-image-nonstream"))).content_blocks
    assert all(block.get("text") == "" for block in rest)
    assert (block["type"], block["base64"], block["mime_type"]) == ("image", "<BASE64_BYTES>", "image/png")


@pytest.mark.parametrize(
    "name", ["ais-01-pydanticai-2.5pro-tool-nonstream-turn1", "ais-16-2.5proexp-tool-chunk-2025-05"]
)
async def test_call_without_id_gets_the_same_id_everywhere(name):
    """The id is derived from the reply. A replayed reply gets the same id, so stored tool results still match it."""
    modes = STREAMED if EXPECTED[name].streamed else WHOLE
    ids = {(await ask(mode, server(name))).tool_calls[0]["id"] for mode in modes}
    assert len(ids) == 1


@pytest.mark.parametrize("mode", STREAMED)
async def test_exception_of_a_cut_stream_has_the_received_part(mode):
    """The stream is cut after the first half of a captured text."""
    whole = capture("ais-03-aguirust-2.5flashlite-text-stream")[1]
    with pytest.raises(errors.TruncatedStreamError) as raised:
        await ask(mode, replaying(whole.partition("\n\n")[0] + "\n\n"))
    assert raised.value.partial == "One,"


def test_retry_delay_of_the_captured_429_is_exact():
    """`retry_after` comes from the text of the error. `RetryInfo` in the error has only whole seconds."""
    with pytest.raises(errors.RateLimitError) as raised:
        server("ais-err-429-per-minute-free-tier").invoke("hi")
    body = json.dumps(capture("ais-err-429-per-minute-free-tier")[1])
    assert raised.value.retry_after == float(re.search(r"retry in ([\d.]+)s", body)[1])
    assert 34 < raised.value.retry_after < 35


def test_every_capture_is_in_the_table():
    """The table `EXPECTED` has one entry for each response body of each capture file."""
    counts = {path.stem: len(bodies(json.loads(path.read_text())["response"])) for path in capture_paths()}
    names = [
        name if count == 1 else f"{name}#{number}" for name, count in counts.items() for number in range(1, count + 1)
    ]
    there = [folder for folder in FOLDERS if folder.is_dir()]
    assert sorted(names) == sorted(name for name in EXPECTED if any(path_belongs_to(one, name) for one in there))


def quoted(start):
    """Return the part of `quoted.md` that begins with `start` and ends before the next code fence."""
    text = (FOLDERS[0] / "quoted.md").read_text()
    return text[text.index(start) :].partition("\n```")[0]


@pytest.mark.parametrize("mode", STREAMED)
async def test_quoted_call_of_3_8_flash_without_an_end_is_incomplete(mode):
    """A public issue quotes one chunk without the end of the stream, so the reply counts as truncated."""
    body = "data: " + quoted('{"choices":[{"delta":{"role":"assistant","tool_calls":[{"extra_content"') + "\n\n"
    with pytest.raises(errors.TruncatedStreamError):
        await ask(mode, replaying(body))


@pytest.mark.parametrize("mode", STREAMED)
async def test_quoted_call_of_3_8_flash_with_an_end_is_read(mode):
    """The quoted chunk has a call without an index. The test adds the last chunks that AI Studio sends."""
    chunk = quoted('{"choices":[{"delta":{"role":"assistant","tool_calls":[{"extra_content"')
    end = '{"choices":[{"delta":{"role":"assistant"},"finish_reason":"stop","index":0}]}'
    message = await ask(mode, replaying(f"data: {chunk}\n\ndata: {end}\n\ndata: [DONE]\n\n"))
    (call,) = message.tool_calls
    assert (call["name"], call["id"]) == ("read", "call_297140")
    assert call["args"] == {"offset": 1, "limit": 100, "path": "/app/skills/agent-runtime/stage-design/SKILL.md"}
    assert message.additional_kwargs[SIGNATURES_KEY] == {"call_297140": "…"}
    assert message.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("mode", STREAMED)
async def test_quoted_stream_that_vertex_cancelled_raises_its_error(mode):
    """Vertex AI wrote the error into the stream as a JSON list, without `data:` before it."""
    body = quoted('data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"z"')
    with pytest.raises(errors.ServerError, match=r"The operation was cancelled. \(CANCELLED 499\)") as raised:
        await ask(mode, replaying(body, surface="vertex"))
    assert raised.value.status_code == 499


@pytest.mark.parametrize("mode", WHOLE)
async def test_quoted_reply_of_a_gateway_is_read_with_its_keys_in_any_order(mode):
    body = quoted('{"model":"gemini-3.1-flash-lite-preview","usage"')
    message = await ask(mode, replaying(body))
    assert message.text == "Hello, it is a pleasure to meet you!"
    assert numbers(message.usage_metadata) == (7, 10, 17, None, None)
    assert (
        signature_of_reply(message)
        == json.loads(body)["choices"][0]["message"]["extra_content"]["google"]["thought_signature"]
    )


@pytest.mark.parametrize("mode", WHOLE)
async def test_quoted_overload_is_a_retryable_server_error(mode):
    """The body of the 503 is a JSON object, and not a list that contains the object."""
    body = quoted("HTTP 503: ").partition("\n")[0].removeprefix("HTTP 503: ")
    with pytest.raises(errors.ServerError, match="high demand") as raised:
        await ask(mode, replaying(body, status=503))
    assert (raised.value.status_code, raised.value.is_retryable) == (503, True)
