"""A process of `tests/real/test_shared_quota.py`: threads that call a model until the time is over."""

import time
from concurrent.futures import ThreadPoolExecutor

from langchain_gemini_compat import errors

THREADS = 8


def work(model, start, seconds, results):
    """Call `model` in threads for `seconds`. Put the counts of answers and failures into `results`.

    One call is made before the barrier `start`, because the first call of a process imports libraries and is slow.
    """
    _is_answered(model)
    start.wait()
    results.put(call_until(model, time.monotonic() + seconds))


def call_until(model, end):
    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(lambda _: _call(model, end), range(THREADS)))
    return tuple(map(sum, zip(*results, strict=True)))


def _call(model, end):
    answers = calls = 0
    while time.monotonic() < end:
        answers += _is_answered(model)
        calls += 1
    return answers, calls - answers


def _is_answered(model):
    try:
        model.invoke("Hello?")
    except errors.RateLimitError:
        return False
    return True
