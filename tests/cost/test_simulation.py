"""Tests the simulation of a shared quota: its assumptions and conclusion are right, and the page has its figures."""

import importlib
import random
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

FOLDER = Path(__file__).parent / "simulation"
#: Pairs of an index in `SCENARIOS` and a number of workers. The simulation of each pair takes less than a second.
QUICK = [(0, 30), (0, 200), (1, 30), (1, 100)]


@pytest.fixture(scope="module")
def simulation():
    sys.path.append(str(FOLDER))
    yield importlib.import_module("quota_simulation")
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def report(simulation):
    return importlib.import_module("quota_report")


@pytest.mark.parametrize(("place", "workers"), QUICK)
def test_page_has_the_figures_of_the_simulation(place, workers, simulation, report):
    """If a change of the retries changes the figures, run `python tests/cost/simulation/quota_report.py`."""
    scenario = simulation.SCENARIOS[place]
    figures = {
        (scenario, workers, strategy): simulation.simulate(scenario, strategy, workers)
        for strategy in simulation.STRATEGIES
    }
    rows = report.build_table(figures, scenario).splitlines()[-3:]
    page = report.PAGE.read_text(encoding="utf-8")
    tables = page.partition(report.BEGIN)[2].partition(report.END)[0].split(f"for {simulation.SCENARIOS[1].name}")
    for row in rows:
        assert row in tables[place].splitlines()


def test_plot_has_a_line_for_each_strategy_and_panel(report):
    root = ET.fromstring(report.PLOT.read_text(encoding="utf-8"))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4 * len(report.STRATEGIES)


def test_limiter_keeps_the_quota_without_losing_calls(simulation):
    """No call is lost, although the workers could send twice as many requests as the quota allows."""
    figures = simulation.simulate(simulation.SCENARIOS[0], "limiter", 350)
    assert figures.answers >= 0.95 * simulation.REQUESTS
    assert figures.wasted <= 0.01
    assert figures.lost == 0


def test_server_refuses_until_the_oldest_request_is_a_minute_old(simulation, monkeypatch):
    monkeypatch.setattr(simulation, "REQUESTS", 2)
    monkeypatch.setattr(simulation, "TOKENS", 100)
    server = simulation.Server(clock := simulation.Clock())
    assert server.take(90) is None
    clock.now = 20.0
    assert server.take(20) == 40.0
    assert server.take(10) is None
    assert server.take(0) == 40.0
    clock.now = 60.0
    assert server.take(90) is None


def test_latencies_have_the_published_average_and_percentile(simulation):
    """The published figures are 10.538 s on average, and 32.764 s as the 99th percentile."""
    draw = random.Random(1)
    times = sorted(draw.lognormvariate(simulation.LATENCY_MU, simulation.LATENCY_SIGMA) for _ in range(100_000))
    assert sum(times) / len(times) == pytest.approx(10.538, rel=0.02)
    assert times[99_000] == pytest.approx(32.764, rel=0.03)
