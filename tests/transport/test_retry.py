"""Retries: which errors are retried, how often and after which wait, and what callers share."""

import asyncio
import dataclasses
import logging
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._errors.api import Refusal
from langchain_gemini_compat._transport import retry as _retry
from langchain_gemini_compat._transport.rate_gate import Gate
from langchain_gemini_compat._transport.retry import Tries
from langchain_gemini_compat._transport.timeouts import TimeLimits
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Raw, Reply, Usage

MODES = ["invoke", "ainvoke", "stream", "astream"]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """Make the waits of the exponential backoff a hundredth of their length."""
    monkeypatch.setattr(_retry, "_FIRST_WAIT", 0.005)


async def ask(model, mode, prompt="hi"):
    """Call the model with `invoke`, `ainvoke`, `stream` or `astream`, and return the whole message."""
    if mode == "invoke":
        return model.invoke(prompt)
    if mode == "ainvoke":
        return await model.ainvoke(prompt)
    whole = None
    chunks = model.stream(prompt) if mode == "stream" else [chunk async for chunk in model.astream(prompt)]
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    return whole


async def fail(model, mode):
    """Call the model in the given `mode`, and return its error."""
    with pytest.raises(errors.GeminiCompatError) as caught:
        await ask(model, mode)
    return caught.value


def build_error(status):
    """Return a server's error that was built from its text, without a response."""
    kind = {429: errors.RateLimitError, 503: errors.ServerError}[status]
    return kind(f"Later. ({status})")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("max_retries", [0, 1, 2, 3])
@pytest.mark.parametrize("fault", [Fault.overloaded, Fault.empty_reply, Fault.malformed_call, Fault.rate_limit])
async def test_max_retries_bounds_the_requests_of_a_call(mode, max_retries, fault):
    """`max_retries=n` allows n + 1 requests for any mix of errors. The error has the number of tries."""
    bad = Fault.rate_limit("0.01s") if fault == Fault.rate_limit else fault()
    fake = FakeGemini(lambda request: bad)
    with pytest.raises(errors.GeminiCompatError) as caught:
        await ask(fake.chat_model(max_retries=max_retries), mode)
    assert len(fake.requests) == caught.value.tries == max_retries + 1


@pytest.mark.parametrize("mode", MODES)
async def test_retried_call_reports_its_cost(mode):
    """The message has the number of retries, the seconds waited, and the tokens of discarded replies."""
    good = Reply("Hello.", usage=Usage(10, 3))
    once = await ask(FakeGemini([good]).chat_model(), mode)
    assert not {"retries", "waited"} & once.response_metadata.keys()
    empty = Reply(usage=Usage(10, 0))
    fake = FakeGemini([Fault.rate_limit("0.05s"), empty, good])
    reply = await ask(fake.chat_model(max_retries=2), mode)
    assert reply.text == "Hello."
    assert reply.response_metadata["retries"] == 2
    assert 0 < reply.response_metadata["waited"] < 30
    assert reply.usage_metadata["input_tokens"] == 20
    assert reply.usage_metadata["total_tokens"] == once.usage_metadata["total_tokens"] + 10


@pytest.mark.parametrize("mode", MODES)
async def test_last_error_has_the_tokens_of_all_tries(mode):
    """Each empty reply is billed."""
    fake = FakeGemini(lambda request: Reply(usage=Usage(10, 0)))
    with pytest.raises(errors.EmptyReplyError) as caught:
        await ask(fake.chat_model(max_retries=2), mode)
    assert caught.value.reply.usage_metadata["input_tokens"] == 30


@pytest.mark.parametrize("mode", MODES)
async def test_empty_reply_after_tool_results_names_a_possible_cause(mode):
    """Google's page "What's new in Gemini 3.5" says that the reply can be empty if results do not match their calls."""
    fake = FakeGemini(lambda request: Fault.empty_reply() if request.results else "Hello.")
    call = {"id": "1", "name": "f", "args": {}}
    history = [HumanMessage("a"), AIMessage("", tool_calls=[call]), ToolMessage("b", tool_call_id="1")]
    with pytest.raises(errors.EmptyReplyError) as caught:
        await ask(fake.chat_model(max_retries=1), mode, history)
    assert len(fake.requests) == 2
    assert "if tool results do not match their calls. `preview()` shows the calls and results." in str(caught.value)
    fake = FakeGemini(Fault.empty_reply())
    with pytest.raises(errors.EmptyReplyError) as caught:
        await ask(fake.chat_model(max_retries=0), mode)
    assert str(caught.value).endswith("Ask again.")


@pytest.mark.parametrize("mode", MODES)
async def test_wait_in_the_body_is_kept(mode):
    """AI Studio names the wait in `RetryInfo` and in the text. The retry comes right after this wait."""
    fake = FakeGemini([Fault.rate_limit("0.25s"), "Hello."])
    began = time.monotonic()
    await ask(fake.chat_model(max_retries=1), mode)
    assert 0.25 <= time.monotonic() - began < 30


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("spelling", ["seconds", "date"])
def test_wait_in_the_header_is_kept(status, spelling):
    """Gateways send `Retry-After`, as seconds or as a date."""
    then = datetime.now(timezone.utc) + timedelta(seconds=3600)
    value = "3600" if spelling == "seconds" else format_datetime(then, usegmt=True)
    fake = FakeGemini([Raw({"error": {"message": "later"}}, status, headers={"retry-after": value})])
    with pytest.raises(errors.APIStatusError) as caught:
        fake.chat_model(max_retries=1).invoke("hi")
    assert caught.value.retry_after == pytest.approx(3600, abs=5)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.rate_limit("39043s", per="day"), errors.QuotaExhaustedError),
        (Fault.blocked("PROHIBITED_CONTENT"), None),
        (Fault.bad_key(), errors.AuthenticationError),
        (Fault.length(""), errors.EmptyReplyError),
        (Fault.context_overflow(), errors.ContextOverflowError),
    ],
)
async def test_permanent_error_is_not_retried(mode, fault, kind):
    """Such errors are a spent daily quota, a filter, an invalid key, and `max_tokens` used up by thinking."""
    fake = FakeGemini([fault, "Hello."])
    if kind is None:
        await ask(fake.chat_model(max_retries=3), mode)
    else:
        with pytest.raises(kind):
            await ask(fake.chat_model(max_retries=3), mode)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("timeout", [{"retry_wait": 5}, {"total": 5}])
async def test_wait_beyond_the_limit_is_not_started(mode, timeout):
    """If the server asks for a longer wait than `timeout` allows, the call fails at once and the error has the wait."""
    fake = FakeGemini([Fault.rate_limit("86.5s"), "Hello."])
    began = time.monotonic()
    with pytest.raises(errors.RateLimitError) as caught:
        await ask(fake.chat_model(max_retries=3, timeout=timeout), mode)
    assert caught.value.retry_after == 86.5
    assert time.monotonic() - began < 30
    assert len(fake.requests) == 1


@pytest.mark.parametrize("mode", ["stream", "astream"])
@pytest.mark.parametrize("after", ["", "The answer "])
@pytest.mark.parametrize(
    "fault", [Fault.cut_stream, Fault.dropped_connection, lambda after: Fault.error_in_stream(after=after)]
)
async def test_stream_is_retried_only_before_its_first_chunk(mode, after, fault):
    """After a later retry, the caller would get the same text twice."""
    fake = FakeGemini([fault(after=after), "Hello."])
    model = fake.chat_model(max_retries=2)
    if after:
        with pytest.raises(errors.GeminiCompatError) as caught:
            await ask(model, mode)
        assert caught.value.partial == after
        assert len(fake.requests) == 1
    else:
        assert (await ask(model, mode)).text == "Hello."
        assert len(fake.requests) == 2


def test_partly_streamed_call_is_not_retried():
    """When the stream breaks, the caller has already received a part of the arguments."""
    fake = FakeGemini([Fault.cut_stream("", calls=[Call("add", '{"a": 1, "b')]), "Hello."])
    with pytest.raises(errors.GeminiCompatError):
        list(fake.chat_model(max_retries=2).stream("hi"))
    assert len(fake.requests) == 1


def test_retry_is_logged_once_at_info(caplog):
    """The line contains neither the prompt nor the key."""
    fake = FakeGemini([Fault.overloaded(), "Hello."])
    with caplog.at_level(logging.INFO, "langchain_gemini_compat"):
        fake.chat_model(max_retries=1).invoke("secret words")
    lines = [record.getMessage() for record in caplog.records if record.name == "langchain_gemini_compat"]
    assert len(lines) == 1
    assert "ServerError" in lines[0]
    assert "secret words" not in lines[0]


class Quota:
    """A fake server that answers 429 for `seconds` seconds. Each 429 asks the caller to wait only 0.5 s."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.first = None
        self.refused = 0

    def __call__(self, request):
        now = time.monotonic()
        self.first = self.first or now
        if now < self.first + self.seconds:
            self.refused += 1
            return Fault.rate_limit("0.5s")
        return "Hello."


async def test_hundred_callers_send_one_probe_at_a_time():
    """After the first refusals, one caller at a time sends a probe. After the answer to a probe, all calls pass."""
    quota = Quota(1.5)
    fake = FakeGemini(quota)
    model = fake.chat_model(max_retries=6)
    # The callers must start at the same time, so load the HTTP modules first.
    model._open_transport()
    replies = await asyncio.gather(*(model.ainvoke("hi") for _ in range(100)))
    assert {reply.text for reply in replies} == {"Hello."}
    assert quota.refused <= 100 + 5
    assert len(fake.requests) == quota.refused + 100


async def test_callers_that_cannot_wait_send_one_probe_per_second():
    """One caller per second sends a probe. All others raise the 429 that the last probe got."""
    quota = Quota(60)
    fake = FakeGemini(quota)
    model = fake.chat_model(max_retries=9, timeout={"retry_wait": 1.2})
    model._open_transport()
    outcomes = await asyncio.gather(*(model.ainvoke("hi") for _ in range(100)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {errors.RateLimitError}
    assert all(outcome.retry_after and outcome.quota_metric for outcome in outcomes)
    assert quota.refused <= 100 + 10


async def test_gate_is_separate_for_each_model():
    """Quotas are counted per model."""
    fake = FakeGemini(lambda request: Fault.rate_limit("90s") if "pro" in request.model else "Hello.")
    with pytest.raises(errors.RateLimitError):
        await fake.chat_model("gemini-3.1-pro-preview", max_retries=1, timeout={"retry_wait": 1}).ainvoke("hi")
    model = fake.chat_model("gemini-3.8-flash", max_retries=1)
    began = time.monotonic()
    await model.ainvoke("hi")
    assert time.monotonic() - began < 30


def test_models_share_a_gate_only_with_the_same_key():
    """A program may build a new model for each request. These models share a quota, and so a gate."""

    def gate(name="gemini-3.8-flash", key="k", **kwargs):
        return ChatGeminiCompat(model=name, api_key=key, **kwargs)._open_transport().begin(name)._gate

    assert gate() is gate()
    assert gate() is not gate(key="other")
    assert gate() is not gate("gemini-2.5-flash")
    assert gate() is not gate(base_url="https://gateway.invalid/v1")


def test_call_without_retries_skips_the_gate():
    """The call sends one request without waiting."""
    fake = FakeGemini([Fault.rate_limit("90s"), "Hello."])
    model = fake.chat_model(max_retries=0)
    with pytest.raises(errors.RateLimitError):
        model.invoke("hi")
    began = time.monotonic()
    assert model.invoke("hi").text == "Hello."
    assert time.monotonic() - began < 30


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_half_open_gate_allows_one_probe():
    """The gate lets one probe per second through. After the answer to a probe, all calls pass."""
    clock = Clock()
    gate = Gate(clock)
    assert gate.try_enter() == 0
    gate.block(5)
    assert gate.try_enter() == 5
    clock.now += 5
    assert [gate.try_enter() for _ in range(3)] == [0, 0.1, 0.1]
    clock.now += 1
    assert [gate.try_enter() for _ in range(2)] == [0, 0.1]
    gate.release(gate.blocks)
    assert [gate.try_enter() for _ in range(3)] == [0, 0, 0]


def test_gate_is_not_opened_by_an_older_answer():
    """If a request was sent before the 429, its answer does not show that the quota has refilled."""
    gate = Gate(Clock())
    before = gate.blocks
    gate.block(5)
    gate.release(before)
    assert gate.try_enter() == 5


def test_gate_keeps_the_longest_refusal():
    """After two 429s, the gate blocks calls until the later of the two times."""
    gate = Gate(Clock())
    gate.block(5)
    gate.block(2)
    assert gate.try_enter() == 5


def test_gate_stays_closed_no_longer_than_the_caller_waits():
    """A quota error with an absurd number of seconds must not stop all callers for hours. Field case G4."""
    clock = Clock()
    gate = Gate(clock)
    gate.block(39043, limit=120)
    assert gate.try_enter() == 120
    assert gate.refused_for() == 39043
    clock.now += 120
    assert gate.is_half_open()
    assert gate.try_enter() == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "refusal",
    [
        Fault.rate_limit("39043s"),
        Raw({"error": {"message": "later"}}, 429, headers={"retry-after": "999999999"}),
        Raw({"error": {"message": "later"}}, 429, headers={"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}),
        Raw({"error": {"message": "Please retry in 9999h59m59.5s."}}, 429),
    ],
)
async def test_long_wait_does_not_block_later_calls(mode, refusal):
    """The next call is sent as a probe, and after its answer all calls pass. Field case G4."""
    fake = FakeGemini([refusal, *["Hello."] * 3])
    model = fake.chat_model(max_retries=2)
    with pytest.raises(errors.RateLimitError):
        await ask(model, mode)
    began = time.monotonic()
    for _ in range(3):
        assert (await ask(model, mode)).text == "Hello."
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "header", ["-5", "nan", "NaN", "inf", "-inf", "1e9999", "", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "0"]
)
def test_invalid_wait_is_ignored(header):
    """An invalid wait is a text that is not a number, or a date in the past. Field case G4."""
    fake = FakeGemini([Raw({"error": {"message": "later"}}, 429, headers={"retry-after": header}), "Hello."])
    began = time.monotonic()
    assert fake.chat_model(max_retries=1).invoke("hi").text == "Hello."
    assert time.monotonic() - began < 30


def test_retry_after_in_the_past_is_zero_seconds():
    """The wait for a date in the past is zero, and not negative."""
    past = format_datetime(datetime.now(timezone.utc) - timedelta(hours=1), usegmt=True)
    fake = FakeGemini([Raw({"error": {"message": "later"}}, 429, headers={"retry-after": past})])
    with pytest.raises(errors.RateLimitError) as caught:
        fake.chat_model(max_retries=0).invoke("hi")
    assert caught.value.retry_after == 0.0


def test_gate_opens_after_a_server_error():
    """A 503 shows that the quota is no longer exceeded."""
    tries = Tries(2, TimeLimits(), gate := Gate(Clock()))
    gate.block(5)
    tries._blocks = gate.blocks
    assert tries.record_failure(build_error(503)) is not None
    assert gate.try_enter() == 0


async def test_error_from_the_gate_is_complete():
    """If the gate blocks a call, the error has the request, response, body and status of the 429. Field case E19."""
    fake = FakeGemini(lambda request: Fault.rate_limit("500s"))
    model = fake.chat_model(max_retries=1, timeout={"retry_wait": 1})
    caught = [await fail(model, mode) for mode in ["invoke", *MODES]]
    assert len(fake.requests) < len(caught)
    for error in caught:
        assert type(error) is errors.RateLimitError
        assert error.response.status_code == error.status_code == 429
        assert error.request.url == error.response.request.url
        assert error.response.json() == caught[0].response.json()
        assert error.body == caught[0].body
        assert error.quota_id == caught[0].quota_id
        assert str(error) == str(caught[0])
        assert 400 < error.retry_after <= 502
    assert len({id(error) for error in caught}) == len(caught)
    caught[1].body.clear()
    assert caught[2].body


def test_gate_keeps_no_reference_to_the_refused_call():
    """The traceback of an exception would keep the request alive, with its images. Field case E7."""
    fake = FakeGemini(lambda request: Fault.rate_limit("500s"))
    model = fake.chat_model(max_retries=1)
    image = "A" * 1000
    with pytest.raises(errors.RateLimitError):
        model.invoke(image)
    gate = model._open_transport().begin(model.model_name)._gate
    assert isinstance(gate.refusal, Refusal)
    assert image not in repr(gate.refusal)
    fields = [getattr(gate.refusal, field.name) for field in dataclasses.fields(gate.refusal)]
    assert not [field for field in fields if isinstance(field, BaseException) or hasattr(field, "stream")]


def test_gate_keeps_a_refusal_without_its_large_body():
    """Large error pages would take up memory in each rate gate. Field case E7."""
    fake = FakeGemini(lambda request: Raw({"error": {"message": "later", "junk": "x" * 100_000}}, 429))
    model = fake.chat_model(max_retries=1, timeout={"retry_wait": 0})
    with pytest.raises(errors.RateLimitError):
        model.invoke("hi")
    assert len(repr(model._open_transport().begin(model.model_name)._gate.refusal)) < 10_000


def test_gate_allows_one_probe_per_second_to_callers_that_cannot_wait():
    clock = Clock()
    gate = Gate(clock)
    gate.block(60)
    assert [gate.try_probe() for _ in range(3)] == [True, False, False]
    clock.now += 0.9
    assert not gate.try_probe()
    clock.now += 0.1
    assert [gate.try_probe() for _ in range(2)] == [True, False]


def test_rate_limit_without_a_response_closes_the_gate():
    """An error that was rebuilt from its text does not have a response."""
    tries = Tries(2, TimeLimits(), gate := Gate(Clock()))
    assert tries.record_failure(build_error(429)) is not None
    assert gate.refusal is None
    assert gate.try_enter() > 0
