"""Simulates workers that share Google's quotas per minute: without coordination, with the rate gate, with a limiter.

    uv run python tests/cost/simulation/quota_report.py

It is a discrete-event simulation with a fixed seed, so each run has the same result. Retries, rate gate and limiter are
the code of the package (`Tries`, `Gate`, `RedisRateLimiter`), with a simulated clock. The server and the
network are simulated.
"""

import heapq
import math
import random
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate, count
from unittest.mock import patch

from pyrate_limiter import InMemoryStateStore

from langchain_gemini_compat import errors, rate_limiters
from langchain_gemini_compat._transport import retry
from langchain_gemini_compat._transport.rate_gate import Gate
from langchain_gemini_compat._transport.retry import Tries
from langchain_gemini_compat._transport.timeouts import TimeLimits

SEED = 15
#: Quotas: requests and input tokens per minute in Tier 1 for Gemini 2.5 Flash. Source, as of mid 2025:
#: https://ai.google.dev/gemini-api/docs/quota. Today, AI Studio shows the quotas of a project.
REQUESTS, TOKENS = 1_000, 1_000_000
#: Parameters of a log-normal distribution of seconds from the request to the end of its answer. They fit the average and
#: the 99th percentile of 156,579 streamed requests in 30 days (Gemini 2.5 on Vertex AI). Source:
#: https://discuss.ai.google.dev/t/116568
LATENCY_MU, LATENCY_SIGMA = 2.2017, 0.5537
#: Fraction of answers that are errors for reasons other than the quota. Source: https://discuss.ai.google.dev/t/116568
FAULTS = 0.0101
#: Assumed times in seconds, because no figures are published. `WAY` is the shortest and the longest time until a
#: request reaches the server. `REFUSAL` is the time until a refusal of the server arrives.
WAY, REFUSAL = (0.03, 0.25), 0.15
#: Assumption: sigma of the log-normal distribution of the prompts' lengths.
PROMPT_SIGMA = 0.5
#: Seconds before the measurement begins. With the limiter, the measurement begins later: after all workers have made
#: their first call.
WARM_UP = 60.0
STRATEGIES = ("none", "gate", "limiter")


@dataclass(frozen=True)
class Scenario:
    """A workload: the mean length of its prompts, the requests per minute of the limiter, and the numbers of workers."""

    name: str
    prompt: int
    limit: int
    workers: tuple[int, ...]


SCENARIOS = (
    Scenario("short prompts", 500, REQUESTS, (1, 3, 10, 30, 100, 200, 300, 1000)),
    # With 5,000 tokens for each prompt, the quota of 1,000,000 tokens allows 200 requests per minute. The limit is a
    # tenth lower, because the lengths of the prompts vary.
    Scenario("long prompts", 5_000, 180, (1, 3, 10, 30, 100, 300)),
)


@dataclass
class Figures:
    """The counts of one run, without those of the warm-up."""

    minutes: float
    sent: int = 0
    refused: int = 0
    failed: int = 0
    waits: list[float] = field(default_factory=list)

    @property
    def answers(self):
        """Answers per minute."""
        return len(self.waits) / self.minutes

    @property
    def wasted(self):
        """Share of requests that the server refused."""
        return self.refused / max(1, self.sent)

    @property
    def lost(self):
        """Share of calls that failed."""
        return self.failed / max(1, self.failed + len(self.waits))

    @property
    def wait(self):
        """Mean wait of the answered calls in seconds, from the start of a call until its last request is sent."""
        return sum(self.waits) / max(1, len(self.waits))


class Clock:
    """Stands in for the module `time`."""

    now = 0.0

    def monotonic(self):
        return self.now


class Server:
    """Refuses a request if it and the requests of the last 60 seconds would exceed the quota."""

    def __init__(self, clock):
        self.clock, self.accepted, self.tokens = clock, deque(), 0

    def take(self, tokens):
        """Accept a request and return `None`, or return the seconds after which the quota would allow the request."""
        now, accepted = self.clock.now, self.accepted
        while accepted and accepted[0][0] <= now - 60:
            self.tokens -= accepted.popleft()[1]
        if len(accepted) < REQUESTS and self.tokens + tokens <= TOKENS:
            accepted.append((now, tokens))
            self.tokens += tokens
            return None
        surplus = self.tokens + tokens - TOKENS
        freed = accumulate(freed for _, freed in accepted)
        return next(at for (at, _), so_far in zip(accepted, freed, strict=False) if so_far >= surplus) + 60 - now


class World:
    """One run: a clock, a server, and workers that make one call after the other."""

    def __init__(self, scenario, strategy, workers, minutes):
        self.scenario, self.strategy, self.workers = scenario, strategy, workers
        self.random = random.Random(f"{SEED} {scenario.name} {strategy} {workers}")
        self.clock = Clock()
        queue = 1.5 * workers / scenario.limit * 60 if strategy == "limiter" else 0
        self.begin = WARM_UP + queue
        self.server = Server(self.clock)
        self.figures = Figures(minutes)
        self.settings = rate_limiters._Settings("", scenario.limit, "", max(1, scenario.limit // 60), None)
        self.bucket = rate_limiters._SharedBucket(
            self.settings, InMemoryStateStore(), lambda: int(self.clock.now * 1000)
        )

    def run(self):
        """Return the figures of the run."""
        with ExitStack() as stack:
            for module in (retry, rate_limiters):
                stack.enter_context(patch.object(module, "time", self.clock))
                stack.enter_context(patch.object(module, "_random", self.random))
            self._run_until(self.begin + self.figures.minutes * 60)
        return self.figures

    def _run_until(self, end):
        numbers = count()
        queue = [(self.random.uniform(0, 10), next(numbers), self._work()) for _ in range(self.workers)]
        heapq.heapify(queue)
        while queue[0][0] < end:
            self.clock.now, _, worker = queue[0]
            heapq.heapreplace(queue, (self.clock.now + next(worker), next(numbers), worker))

    def _work(self):
        """Simulate a worker that makes one call after the other. Yield the seconds until its next step."""
        gate = Gate(self.clock.monotonic)
        while True:
            called = self.clock.now
            if self.strategy == "none":
                gate = Gate(self.clock.monotonic)
            sent = yield from self._call(Tries(2, TimeLimits(), gate))
            if self._is_measured():
                if sent is None:
                    self.figures.failed += 1
                else:
                    self.figures.waits.append(sent - called)

    def _is_measured(self):
        return self.clock.now >= self.begin

    def _call(self, tries):
        """Make one call. Return the time at which the answered request was sent, or `None` if the call failed."""
        tokens = self.random.lognormvariate(math.log(self.scenario.prompt) - PROMPT_SIGMA**2 / 2, PROMPT_SIGMA)
        while True:
            while seconds := tries._delay_left():
                yield seconds
            if self.strategy == "limiter":
                yield from self._take_turn()
            try:
                while seconds := tries._try_start():
                    yield seconds
            except errors.RateLimitError:
                return None
            sent = self.clock.now
            error = yield from self._send(tokens)
            if error is None:
                tries.mark_delivered()
                return sent
            if tries.record_failure(error) is None:
                return None

    def _take_turn(self):
        pauses = rate_limiters._Pauses(self.settings)
        while seconds := self.bucket.take():
            yield pauses.next(seconds)

    def _send(self, tokens):
        """Send a request. Return its error, or `None` after the answer."""
        self.figures.sent += self._is_measured()
        yield self.random.uniform(*WAY)
        wait = self.server.take(tokens)
        if wait is not None:
            self.figures.refused += self._is_measured()
            yield REFUSAL
            error = errors.RateLimitError("quota")
            # With the strategy "none", a client ignores the delay in the body of Google's error, as OpenAI's SDKs do.
            error.retry_after = None if self.strategy == "none" else wait
            return error
        yield self.random.lognormvariate(LATENCY_MU, LATENCY_SIGMA)
        return errors.ServerError("busy") if self.random.random() < FAULTS else None


def simulate(scenario, strategy, workers):
    """Return the figures of a run.

    With few workers, a run simulates more minutes, because it has fewer calls per minute.
    """
    return World(scenario, strategy, workers, minutes=max(1, min(30, 600 // workers))).run()


def simulate_all():
    """Return the figures of all runs by scenario, number of workers and strategy."""
    return {
        (scenario, workers, strategy): simulate(scenario, strategy, workers)
        for scenario in SCENARIOS
        for workers in scenario.workers
        for strategy in STRATEGIES
    }
