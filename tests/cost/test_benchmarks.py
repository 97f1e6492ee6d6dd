"""Tests of the benchmark: it continues after a failure, and writes results and plots.

The tests check no measured times.
"""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

BENCHMARKS = Path(__file__).parent / "benchmarks"
BROKEN_PEER = """
import cases, json, measure, peers, server

class Broken(peers.Ours):
    name = "broken"
    def build(self, root, reply):
        raise ValueError("no such server")

case = cases.Case("Calls", "plain", "plain", "call", ("hi",))
with server.start() as running:
    samples = measure.measure_case(case, [Broken, peers.Ours, peers.Bound], running, seconds=0, least=2, most=60)
print(json.dumps([samples, samples.failures]))
"""
PLOT = """
import plots

print(plots.draw("Calls & agents", [("plain <sync>", {"ChatGeminiCompat": 1.5, "ChatOpenAI": 1234.5})]))
"""


def run(*arguments):
    """Return what a program of the benchmark prints."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=True).stdout


def test_failing_peer_is_reported_and_the_others_are_measured():
    samples, failures = json.loads(run("-c", BROKEN_PEER))
    assert failures == {"broken": "ValueError: no such server"}
    assert {name: len(values) for name, values in samples.items()} == {"ChatGeminiCompat": 2, "bound": 2}


def test_run_writes_medians_and_targets_as_json(tmp_path):
    """A developer can compare the JSON files of two commits."""
    file = tmp_path / "found.json"
    run("run.py", "--quick", "--only", "Connections of", "--peers", "Ours", "--json", str(file))
    found = json.loads(file.read_text())
    assert found["medians"]["Connections of 30 equal models"]["sync calls"]["ChatGeminiCompat"] >= 1
    assert [(target["case"], target["most"]) for target in found["targets"]] == [("sync calls", 1)]
    assert found["failures"] == []


def test_case_without_time_left_is_listed():
    printed = run("run.py", "--quick", "--only", "Connections of", "--peers", "Ours", "--minutes", "0.00001")
    assert "Connections of 30 equal models: sync calls: the time was up" in printed


def test_plot_is_an_svg_with_a_bar_for_each_peer():
    root = ET.fromstring(run("-c", PLOT))
    assert "Calls & agents" in "".join(root.itertext())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[-3:] == ["plain <sync>", "1.5", "1,234"]
