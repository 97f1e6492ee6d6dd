"""One retry layer: what is tried again, how often, after which wait, and what callers share."""

import asyncio
import dataclasses
import logging
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

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
    """Waits that the server does not name are a hundredth of what they are."""
    monkeypatch.setattr(_retry, "_FIRST_WAIT", 0.005)


async def ask(model, mode):
    """The message, whichever way it comes."""
    if mode == "invoke":
        return model.invoke("hi")
    if mode == "ainvoke":
        return await model.ainvoke("hi")
    whole = None
    chunks = model.stream("hi") if mode == "stream" else [chunk async for chunk in model.astream("hi")]
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    return whole


async def fail(model, mode):
    """The error, whichever way it comes."""
    with pytest.raises(errors.GeminiCompatError) as caught:
        await ask(model, mode)
    return caught.value


def build_error(status):
    """An error of the server, as it is built from its text."""
    kind = {429: errors.RateLimitError, 503: errors.ServerError}[status]
    return kind(f"Later. ({status})")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("max_retries", [0, 1, 2, 3])
@pytest.mark.parametrize("fault", [Fault.overloaded, Fault.empty_reply, Fault.malformed_call, Fault.rate_limit])
async def test_max_retries_bounds_the_requests_of_a_call(mode, max_retries, fault):
    """N retries are at most n + 1 requests, whatever the reasons; the error tells how many were made."""
    bad = Fault.rate_limit("0.01s") if fault == Fault.rate_limit else fault()
    fake = FakeGemini(lambda request: bad)
    with pytest.raises(errors.GeminiCompatError) as caught:
        await ask(fake.chat_model(max_retries=max_retries), mode)
    assert len(fake.requests) == caught.value.tries == max_retries + 1


@pytest.mark.parametrize("mode", MODES)
async def test_a_retried_call_says_what_it_cost(mode):
    """Number of retries, seconds waited, and the tokens of what was thrown away."""
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
async def test_the_last_error_counts_the_tokens_of_all_tries(mode):
    """Thrice empty is thrice paid."""
    fake = FakeGemini(lambda request: Reply(usage=Usage(10, 0)))
    with pytest.raises(errors.EmptyReplyError) as caught:
        await ask(fake.chat_model(max_retries=2), mode)
    assert caught.value.reply.usage_metadata["input_tokens"] == 30


@pytest.mark.parametrize("mode", MODES)
async def test_the_waiting_time_of_the_body_is_kept(mode):
    """AI Studio names it in RetryInfo and in the text; nobody asks earlier, and hardly later."""
    fake = FakeGemini([Fault.rate_limit("0.25s"), "Hello."])
    began = time.monotonic()
    await ask(fake.chat_model(max_retries=1), mode)
    assert 0.25 <= time.monotonic() - began < 30


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("spelling", ["seconds", "date"])
def test_the_waiting_time_of_the_header_is_kept(status, spelling):
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
async def test_what_a_retry_cannot_mend_is_asked_once(mode, fault, kind):
    """A spent daily quota, a filter, a bad key, a budget that thinking used up."""
    fake = FakeGemini([fault, "Hello."])
    if kind is None:
        await ask(fake.chat_model(max_retries=3), mode)
    else:
        with pytest.raises(kind):
            await ask(fake.chat_model(max_retries=3), mode)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("timeout", [{"retry_wait": 5}, {"total": 5}])
async def test_a_wait_that_is_too_long_is_not_begun(mode, timeout):
    """The error comes at once, with the time in it."""
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
async def test_a_stream_is_tried_again_before_its_first_chunk_and_never_after(mode, after, fault):
    """What the caller has seen is not said twice."""
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


def test_a_call_that_streamed_is_not_streamed_again():
    """Pieces of arguments have been handed out when the stream breaks."""
    fake = FakeGemini([Fault.cut_stream("", calls=[Call("add", '{"a": 1, "b')]), "Hello."])
    with pytest.raises(errors.GeminiCompatError):
        list(fake.chat_model(max_retries=2).stream("hi"))
    assert len(fake.requests) == 1


def test_retries_are_logged_quietly(caplog):
    """One line each at INFO, with neither prompt nor key."""
    fake = FakeGemini([Fault.overloaded(), "Hello."])
    with caplog.at_level(logging.INFO, "langchain_gemini_compat"):
        fake.chat_model(max_retries=1).invoke("secret words")
    lines = [record.getMessage() for record in caplog.records if record.name == "langchain_gemini_compat"]
    assert len(lines) == 1
    assert "ServerError" in lines[0]
    assert "secret words" not in lines[0]


class Quota:
    """A server that refuses whatever comes until its minute is over, and names a shorter wait than that."""

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


async def test_a_hundred_callers_do_not_hammer_in_turn():
    """The first wave is refused; then one at a time goes and asks, and all are served when it is answered."""
    quota = Quota(1.5)
    fake = FakeGemini(quota)
    model = fake.chat_model(max_retries=6)
    # Loading the network side takes a while, and the callers are to come together.
    model._open_transport()
    replies = await asyncio.gather(*(model.ainvoke("hi") for _ in range(100)))
    assert {reply.text for reply in replies} == {"Hello."}
    assert quota.refused <= 100 + 5
    assert len(fake.requests) == quota.refused + 100


async def test_a_crowd_whose_patience_ends_does_not_hammer_either():
    """One a second still asks; the others hear what it heard."""
    quota = Quota(60)
    fake = FakeGemini(quota)
    model = fake.chat_model(max_retries=9, timeout={"retry_wait": 1.2})
    model._open_transport()
    outcomes = await asyncio.gather(*(model.ainvoke("hi") for _ in range(100)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {errors.RateLimitError}
    assert all(outcome.retry_after and outcome.quota_metric for outcome in outcomes)
    assert quota.refused <= 100 + 10


async def test_callers_of_another_model_are_not_held_up():
    """Quotas are counted for each model."""
    fake = FakeGemini(lambda request: Fault.rate_limit("90s") if "pro" in request.model else "Hello.")
    with pytest.raises(errors.RateLimitError):
        await fake.chat_model("gemini-3.1-pro-preview", max_retries=1, timeout={"retry_wait": 1}).ainvoke("hi")
    model = fake.chat_model("gemini-3.8-flash", max_retries=1)
    began = time.monotonic()
    await model.ainvoke("hi")
    assert time.monotonic() - began < 30


def test_models_with_the_same_key_share_a_gate_and_others_do_not():
    """A new object for each request is still the same caller to Google."""

    def gate(name="gemini-3.8-flash", key="k", **kwargs):
        return ChatGeminiCompat(model=name, api_key=key, **kwargs)._open_transport().begin(name)._gate

    assert gate() is gate()
    assert gate() is not gate(key="other")
    assert gate() is not gate("gemini-2.5-flash")
    assert gate() is not gate(base_url="https://gateway.invalid/v1")


def test_who_wants_no_retries_does_not_wait_for_others():
    """One request, at once."""
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


def test_gate_lets_one_ask_for_all():
    """One caller a second until one is answered; then all go."""
    clock = Clock()
    gate = Gate(clock)
    assert gate.try_enter() == 0
    gate.close(5)
    assert gate.try_enter() == 5
    clock.now += 5
    assert [gate.try_enter() for _ in range(3)] == [0, 0.1, 0.1]
    clock.now += 1
    assert [gate.try_enter() for _ in range(2)] == [0, 0.1]
    gate.open(gate.closings)
    assert [gate.try_enter() for _ in range(3)] == [0, 0, 0]


def test_gate_is_not_opened_by_an_older_answer():
    """A request that was under way when another one was refused proves nothing."""
    gate = Gate(Clock())
    before = gate.closings
    gate.close(5)
    gate.open(before)
    assert gate.try_enter() == 5


def test_gate_keeps_the_longest_refusal():
    """Two callers are refused; the later time holds."""
    gate = Gate(Clock())
    gate.close(5)
    gate.close(2)
    assert gate.try_enter() == 5


def test_gate_stays_closed_no_longer_than_the_caller_waits():
    """Field case G4: one quota text with an absurd number of seconds does not stop everybody for hours."""
    clock = Clock()
    gate = Gate(clock)
    gate.close(39043, limit=120)
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
async def test_a_long_wait_holds_up_no_later_call(mode, refusal):
    """Field case G4: the next call asks the server, and the gate opens for all when that is answered."""
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
def test_a_wait_that_makes_no_sense_is_none(header):
    """Field case G4: no number that is not one, and a date in the past is no wait."""
    fake = FakeGemini([Raw({"error": {"message": "later"}}, 429, headers={"retry-after": header}), "Hello."])
    began = time.monotonic()
    assert fake.chat_model(max_retries=1).invoke("hi").text == "Hello."
    assert time.monotonic() - began < 30


def test_retry_after_in_the_past_is_zero_seconds():
    """A date that has passed means now, and never a negative number."""
    past = format_datetime(datetime.now(timezone.utc) - timedelta(hours=1), usegmt=True)
    fake = FakeGemini([Raw({"error": {"message": "later"}}, 429, headers={"retry-after": past})])
    with pytest.raises(errors.RateLimitError) as caught:
        fake.chat_model(max_retries=0).invoke("hi")
    assert caught.value.retry_after == 0.0


def test_gate_opens_after_a_server_error():
    """A 503 says that the quota is not what holds requests up."""
    tries = Tries(2, TimeLimits(), gate := Gate(Clock()))
    gate.close(5)
    tries._closings = gate.closings
    assert tries.record_failure(build_error(503)) is not None
    assert gate.try_enter() == 0


async def test_an_error_that_the_gate_repeats_is_whole():
    """Field case E19: a second caller gets request, response, body and status, and no part of the first call."""
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


def test_gate_keeps_nothing_of_the_call_that_was_refused():
    """Field case E7: the traceback of an exception holds the request, with its images."""
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


def test_refusal_with_a_large_body_is_kept_without_it():
    """Field case E7: a gateway's page of a megabyte does not stay for each key."""
    fake = FakeGemini(lambda request: Raw({"error": {"message": "later", "junk": "x" * 100_000}}, 429))
    model = fake.chat_model(max_retries=1, timeout={"retry_wait": 0})
    with pytest.raises(errors.RateLimitError):
        model.invoke("hi")
    assert len(repr(model._open_transport().begin(model.model_name)._gate.refusal)) < 10_000


def test_gate_lets_one_impatient_caller_probe_a_second():
    """Those who cannot wait do not hammer: the second probe waits its second, whatever the gate says."""
    clock = Clock()
    gate = Gate(clock)
    gate.close(60)
    assert [gate.try_probe() for _ in range(3)] == [True, False, False]
    clock.now += 0.9
    assert not gate.try_probe()
    clock.now += 0.1
    assert [gate.try_probe() for _ in range(2)] == [True, False]


def test_limit_without_a_response_closes_the_gate():
    """An error that was rebuilt from its text has none, and there is nothing to repeat."""
    tries = Tries(2, TimeLimits(), gate := Gate(Clock()))
    assert tries.record_failure(build_error(429)) is not None
    assert gate.refusal is None
    assert gate.try_enter() > 0
