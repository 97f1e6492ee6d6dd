"""Coverage-guided fuzzing of the code that reads a reply. Each input gives a message or a typed error.

    pip install --group fuzz    # atheris
    PYTHONPATH=.:tests/support python tests/fuzz/fuzz_reply.py 300 [folder]

The second command runs for 300 seconds. It keeps its corpus and its findings in `folder`, by default a new temporary
one. The last byte of an input decides its kind: raw bytes of a stream, of a whole reply or of an error; JSON made of the
API's own keys with values of any type; or a stream of pieces of calls, thoughts and text in any order. Each input is
read by `SseDecoder`, `StreamAssembler` and `ReplyDecoder`. Its chunks are added up, and the message is sent back in a
request. `judge_reply` checks the results. The same bytes in other pieces have to give the same result.

The run continues after a finding. Each place in the code is reported once, with an input that reaches it. libFuzzer
prints the number of branches that it has seen (`cov`). At the end, the script prints the number of inputs for each
outcome. The exit code is 1 if anything was found. `fuzz_reply.py 0 FILE` reads one input again and raises its error.
"""

import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
with atheris.instrument_imports(include=["langchain_gemini_compat"]):
    from judge_reply import judge, outcome_key, read_refusal, read_stream, read_whole
    from wire import call, chunk, completion, google_error

#: Maps each object in the API's JSON to the keys that it may have.
KEYS = {
    "reply": ["id", "object", "model", "system_fingerprint", "service_tier", "error", "usage", "choices", "choices"],
    "choices": ["index", "finish_reason", "finishReason", "logprobs", "delta", "delta", "message"],
    "delta": [
        *("role", "content", "reasoning", "reasoning_content", "refusal", "audio", "extra_content"),
        *("provider_specific_fields", "reasoning_details", "tool_calls", "tool_calls", "tool_calls"),
    ],
    "tool_calls": ["id", "index", "type", "extra_content", "provider_specific_fields", "function", "function"],
    "function": ["name", "arguments", "arguments"],
    "extra_content": ["google", "vertex"],
    "google": ["thought", "thought_signature", "mime_type", "traffic_type"],
    "audio": ["id", "data", "extra_content"],
    "logprobs": ["content"],
    "usage": ["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "extra_properties"],
    "error": ["code", "message", "status", "details", "type"],
    "details": ["violations", "retryDelay", "@type"],
    "violations": ["quotaId", "quotaMetric"],
}
KEYS |= {"message": KEYS["delta"], "extra_properties": ["google"]}
KEYS |= {key: ["cached_tokens", "reasoning_tokens"] for key in ("prompt_tokens_details", "completion_tokens_details")}
#: Strings and numbers that a parser handles in a special way.
TEXTS = [
    *("", "x", "f", "g", "c1", "c2", "{}", "{", "}", '{"a":1}', '{"a":', "1}", '"x', '{"a":{"b":[1]}}', "NaN", "null"),
    *("<thought>", "</thought>", "<think>", "</think>", "<thou", "ght>", " ", "\n", "\u00a0", "\x00", "\ud83d\ude00"),
    *("stop", "length", "tool_calls", "content_filter: SAFETY", "function_call_filter: MALFORMED_FUNCTION_CALL"),
    *(
        "chat.completion",
        "chat.completion.chunk",
        "[DONE]",
        "gemini-3.8-flash",
        "google/gemini-2.5-pro",
        "a__thought__b",
    ),
    *("iVBORw0KGgo=", "image/png", "26s", "retry in 1h2m3.5s", "GenerateRequestsPerDay", "UNAVAILABLE", "c2ln"),
]
NUMBERS = [0, 1, 2, 3, -1, 5, 429, 503, 2**53, 2**64, 10**400, 0.5, 1e308, float("nan"), float("inf"), float("-inf")]
PLAIN = ["a", "<thought>", "</thought>", "<think>", "</think>", "<thou", "ght>", "</", "thought>", " ", "\n", "<"]
SEEDS = [
    [
        chunk(content="<thought>h", extra_content={"google": {"thought": True}}),
        chunk("stop", (3, 2, 9), content="</thought>a"),
    ],
    [chunk(tool_calls=[call(args='{"a": "')]), chunk("tool_calls", tool_calls=[call(args='x"}')])],
    [chunk(tool_calls=[call(extra_content={"google": {"thought_signature": "c2ln"}})]), chunk("stop")],
    [chunk(audio={"data": "iVBORw0KGgo="}), google_error(503, "UNAVAILABLE", "The model is overloaded.")],
    [completion(tool_calls=[call(), call("g", "{}", "call-2")], reasoning_details=[{"text": "x"}])],
]


class Recipe:
    """Builds JSON from the bytes of the input."""

    def __init__(self, dice):
        self._dice = dice

    def value(self, key, depth=0):
        """Return a random value for `key`: an object with the keys that `KEYS` lists for it, or a value of any type."""
        kind = self._dice.ConsumeIntInRange(0, 15)
        if kind == 0:
            return None
        if kind == 1:
            return self._dice.ConsumeBool()
        if kind == 2:
            return NUMBERS[self._dice.ConsumeIntInRange(0, len(NUMBERS) - 1)]
        if kind == 3:
            return self.text()
        if kind == 4 and depth < 8:
            return [self.value(key, depth + 1) for _ in range(self._dice.ConsumeIntInRange(0, 3))]
        if key in KEYS and depth < 8:
            made = {name: self.value(name, depth + 1) for name in self._names(KEYS[key])}
            return (
                [made, *self._more(key, depth)] if key in ("choices", "tool_calls", "details", "violations") else made
            )
        return self.text() if kind % 2 else NUMBERS[kind // 2 % 5]

    def text(self):
        """Return one of `TEXTS`, or a random text."""
        kind = self._dice.ConsumeIntInRange(0, len(TEXTS))
        return TEXTS[kind] if kind < len(TEXTS) else self._dice.ConsumeUnicodeNoSurrogates(12)

    def plain_chunk(self):
        """Return a random valid chunk: a piece of a call, a thought or a text, or the finish reason."""
        said = self._dice.PickValueInList(["call", "call", "call", "thought", "text", "end"])
        if said == "end":
            return chunk("stop")
        if said != "call":
            flag = {"extra_content": {"google": {"thought": True}}} if said == "thought" else {}
            return chunk(content=self._dice.PickValueInList(PLAIN), **flag)
        entry = {"function": {"arguments": self._dice.PickValueInList(["", "{}", '{"a":1}', '{"a":', "1}", "1", " "])}}
        name, call_id = self._dice.PickValueInList(["", "f", "g"]), self._dice.PickValueInList(["", "c1", "c2", "f"])
        index = self._dice.ConsumeIntInRange(0, 4)
        if name:
            entry["function"]["name"] = name
        if call_id:
            entry["id"] = call_id
        if index < 4:
            entry["index"] = index
        return chunk(tool_calls=[entry])

    def _names(self, names):
        return [
            names[self._dice.ConsumeIntInRange(0, len(names) - 1)] for _ in range(self._dice.ConsumeIntInRange(0, 4))
        ]

    def _more(self, key, depth):
        return [self.value(key, depth + 1)] if self._dice.ConsumeIntInRange(0, 3) == 0 else []


def cut(dice, data):
    """Return `data` in up to five pieces."""
    places = sorted(dice.ConsumeIntInRange(0, len(data)) for _ in range(dice.ConsumeIntInRange(0, 4)))
    ends = [*places, len(data)]
    return [data[start:end] for start, end in zip([0, *places], ends, strict=True)]


def read_input(data):
    """Make a reply from the fuzzer's bytes `data`, read it, and check the result. Return the message or the error."""
    dice = atheris.FuzzedDataProvider(data)
    kind = dice.ConsumeIntInRange(0, 6)
    if kind == 0:
        return _both_ways(dice, dice.ConsumeBytes(dice.remaining_bytes()))
    if kind == 1:
        return judge(read_whole(dice.ConsumeBytes(dice.remaining_bytes())))
    if kind == 2:
        status = dice.ConsumeIntInRange(300, 599)
        return judge(read_refusal(status, dice.ConsumeBytes(dice.remaining_bytes())))
    recipe = Recipe(dice)
    if kind == 3:
        return judge(read_whole(json.dumps(recipe.value("reply")).encode()))
    if kind == 4:
        return judge(
            read_refusal(dice.ConsumeIntInRange(300, 599), json.dumps([{"error": recipe.value("error")}]).encode())
        )
    make = recipe.plain_chunk if kind == 6 else lambda: recipe.value("reply")
    events = [json.dumps(make()) for _ in range(dice.ConsumeIntInRange(1, 12 if kind == 6 else 5))]
    end = ["", "data: [DONE]\n\n", '{"error":{"code":499}}'][dice.ConsumeIntInRange(0, 2)]
    return _both_ways(dice, ("".join(f"data: {event}\n\n" for event in events) + end).encode())


def _both_ways(dice, data):
    """Check that a stream has the same outcome in one piece and in several."""
    whole = judge(read_stream([data]))
    pieces = cut(dice, data) if dice.remaining_bytes() else [data[:1], data[1:]]
    assert outcome_key(read_stream(pieces)) == outcome_key(whole)
    return whole


class Run:
    """A run for a number of seconds: it counts outcomes, saves findings and prints a report."""

    def __init__(self, seconds, folder):
        self._folder = folder
        self._started = time.monotonic()
        self._end = self._started + seconds
        self._outcomes = Counter()
        self._found = {}
        self._slowest = 0.0

    def feed(self, data):
        """Read one input."""
        began = time.monotonic()
        if began > self._end:
            self._report()
        with suppress(Exception), self._noting(data):
            self._outcomes[type(read_input(data)).__name__] += 1
        self._slowest = max(self._slowest, time.monotonic() - began)

    @contextmanager
    def _noting(self, data):
        try:
            yield
        except Exception as err:
            self._note(err, data)
            raise

    def _note(self, err, data):
        self._outcomes["FOUND"] += 1
        frames = [frame for frame in traceback.extract_tb(err.__traceback__) if "/site-packages/" not in frame.filename]
        place = (type(err).__name__, *(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-2:]))
        if place not in self._found:
            path = self._folder / f"found-{len(self._found)}"
            path.write_bytes(data)
            self._found[place] = path
            print(f"FOUND {place}: {str(err)[:300]!r} by {path}", flush=True)

    def _report(self):
        spent, total = time.monotonic() - self._started, sum(self._outcomes.values())
        print(
            f"\n{total} inputs in {spent:.0f} s, slowest {self._slowest:.2f} s, corpus and findings in {self._folder}"
        )
        for name, count in self._outcomes.most_common():
            print(f"{count:9} {name}")
        for place, path in self._found.items():
            print(f"FOUND {place} {path}")
        sys.stdout.flush()
        # End the process here, because the function of libFuzzer that runs the inputs never returns.
        os._exit(1 if self._found else 0)


def write_seeds(folder):
    """Write good replies as seeds, for each kind of raw input."""
    for number, events in enumerate(SEEDS):
        stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
        # The last byte selects the kind of input, because atheris reads numbers from the end of the input.
        (folder / f"stream-{number}").write_bytes(stream + b"\x00")
        (folder / f"whole-{number}").write_bytes(json.dumps(events[-1]).encode() + b"\x01")
    (folder / "refusal").write_bytes(json.dumps(google_error(429, "X", "retry in 3s")).encode() + b"\x02\x01\x02")
    for number in range(40):
        (folder / f"recipe-{number}").write_bytes(os.urandom(200) + bytes([3 + number % 4]))


def main():
    seconds = float(sys.argv[1])
    if seconds == 0:
        print(read_input(Path(sys.argv[2]).read_bytes()))
        return
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="fuzz-reply-"))
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    write_seeds(corpus)
    words = [*TEXTS, *{key for keys in KEYS.values() for key in keys}, "data: ", "\n\n", '":', "[DONE]"]
    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode(errors="replace")) for word in words if word)
    (folder / "words").write_text("".join(f'"{word}"\n' for word in escaped))
    run = Run(seconds, folder)
    options = [
        f"-dict={folder}/words",
        f"-artifact_prefix={folder}/",
        "-max_len=4096",
        "-timeout=60",
        "-rss_limit_mb=4096",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], run.feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
