"""Reads random streams of tool calls: each gives an error, or exactly the calls whose arguments were complete.

    PYTHONPATH=. python tests/fuzz/fuzz_tool_calls.py --streams 100000 [--seed 0]

The decoder of a model with bound tools reads each stream. For every twentieth stream, LangChain also adds up the
message chunks, and the tools run as in an agent.

The script prints the number of streams for each outcome. If a stream breaks the rule of `uncertain_streams`, the exit
code is 1. The script prints the numbers of up to 20 such streams.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from uncertain_streams import RAN, TOOLS, draw_stream, judge_stream, read_calls, read_message

_BY_NAME = {tool.name: tool for tool in TOOLS}
_MOST_SHOWN = 20


def run_tools(message):
    """Run the tools of the message, and return the calls that ran."""
    RAN.clear()
    for call in message.tool_calls:
        _BY_NAME[call["name"]].invoke(call["args"])
    return [*RAN]


def check(seed):
    """Return the outcome of one stream, and the number of tools that ran."""
    found = read_calls(draw_stream(seed).events)
    word = judge_stream(draw_stream(seed), found)
    if seed % 20:
        return word, 0
    message = read_message(draw_stream(seed).events)
    if isinstance(message, Exception):
        assert type(message).__name__ == word
        return word, 0
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    assert calls == found
    assert message.invalid_tool_calls == []
    assert run_tools(message) == [(name, {"number": 0, "text": "", **args}) for name, args in calls]
    return word, len(calls)


def main():
    """Run the streams, and print the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    words, kinds, broken, ran = Counter(), Counter(), [], 0
    for seed in range(options.seed, options.seed + options.streams):
        kinds.update(set(draw_stream(seed).kinds))
        try:
            word, tools = check(seed)
        except AssertionError:
            broken.append(seed)
            continue
        words[word] += 1
        ran += tools
    print(f"{options.streams} streams from seed {options.seed} in {time.monotonic() - began:.0f} s")
    for title, counts in (("What came", words), ("What was drawn", kinds)):
        print(f"{title}:")
        for word, count in counts.most_common():
            print(f"  {count:7} {word}")
    print(f"Tools run by an agent: {ran}")
    print(f"Streams that broke the rule: {len(broken)} {broken[:_MOST_SHOWN]}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
