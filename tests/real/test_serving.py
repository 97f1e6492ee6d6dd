"""FastAPI under uvicorn: the code of `docs/how-to/web-services.md` serves 40 clients, and ten of them disconnect."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from page_blocks import read_blocks
from real_software import free_port, running

from langchain_gemini_compat.testing import FakeGemini, Fault

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "web-services.md"
MODEL = """
import os
from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._transport import client_factory

if os.environ["ASYNC_TRANSPORT"] == "httpx":
    client_factory.find_aiohttp_client = lambda: None
model = ChatGeminiCompat(model="gemini-3.8-flash", surface="ai_studio", api_key="k", base_url=os.environ["MODEL_URL"])
"""
#: A middleware that the test adds to the app of the page. With such a middleware, `Request.is_disconnected` does not
#: notice that a client has disconnected.
MIDDLEWARE = """
@app.middleware("http")
async def pass_on(request, call_next):
    return await call_next(request)
"""
#: The number of clients for each behaviour. There are 40 clients.
CLIENTS = {
    "stay until the end of a stream": 20,
    "stay until an answer": 10,
    "leave during a stream": 4,
    "leave before a stream": 3,
    "leave before an answer": 3,
}
LONG = 600.0
TEXT = "This is an answer of several words for {}, and it comes in several pieces."


def answer(request):
    """Return a slow answer for the client that the prompt names.

    An answer for a client that disconnects would take at least ten minutes.
    """
    kind, text = request.prompt.partition(": ")[0], TEXT.format(request.prompt)
    if kind == "leave during a stream":
        return Fault.slow(between=LONG, reply=text)
    if kind.startswith("leave"):
        return Fault.slow(first_byte=LONG)
    return Fault.slow(first_byte=1.0 if kind else 0.0, between=0.3 if kind else 0.0, reply=text)


def read_answer(events):
    """Return the text of server-sent events."""
    return "".join(json.loads(line.removeprefix("data: ")) for line in events.splitlines() if line)


@dataclass
class Service:
    """The page's service in a process of its own, and the model's server."""

    url: str
    pid: int
    log: Path
    fake: FakeGemini
    model_port: int

    def list_connections(self):
        """Return the ports of the connections to the model's server."""
        found = psutil.Process(self.pid).net_connections("tcp")
        return {one.laddr.port for one in found if one.raddr and one.raddr.port == self.model_port}


@pytest.fixture(params=["httpx", "aiohttp"])
def service(request, tmp_path):
    """Yield the running service of the page. It makes its async calls over httpx or over aiohttp."""
    code = [block.code for block in read_blocks(PAGE.read_text(encoding="utf-8")) if block[::2] == ("python", None)]
    # The `print` lines of the page call its functions before a server runs, so they are left out.
    lines = [line for block in code for line in block.splitlines() if not line.startswith("print(")]
    (tmp_path / "app.py").write_text("\n".join([MODEL, *lines, MIDDLEWARE]), encoding="utf-8")
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", tmp_path / "log"
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "warning"]
    fake = FakeGemini(answer)
    with fake.serve() as model_url:
        environment = {"MODEL_URL": model_url, "ASYNC_TRANSPORT": request.param}
        with running(command, ready=f"{url}/docs", env=environment, cwd=tmp_path, log=log) as process:
            yield Service(url, process.pid, log, fake, urlsplit(model_url).port)


async def be_client(client, question, begun):
    """Ask a question and return the text of the answer. Set `begun` when the answer begins."""
    path = "/answer" if "an answer" in question else "/ask"
    async with client.stream("GET", path, params={"question": question}) as response:
        assert response.status_code == 200
        text = ""
        async for piece in response.aiter_text():
            begun.set()
            text += piece
    return json.loads(text)["text"] if path == "/answer" else read_answer(text)


async def wait_until(condition, seconds=60.0):
    """Wait for a condition. Return how many seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def test_connections_of_clients_that_leave_are_closed_within_a_second(service):
    """Ten of 40 clients leave: before an answer, before a stream and in the middle of it. The others get their answers."""
    questions = [f"{kind}: {number}" for kind, count in CLIENTS.items() for number in range(count)]
    begun = {question: asyncio.Event() for question in questions}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits, trust_env=False) as client:
        tasks = {one: asyncio.create_task(be_client(client, one, begun[one])) for one in questions}
        leaving = [task for question, task in tasks.items() if question.startswith("leave")]
        await wait_until(lambda: set(questions) <= {request.prompt for request in service.fake.requests})
        await asyncio.gather(*(event.wait() for name, event in begun.items() if name.startswith("leave during")))
        before = service.list_connections()
        assert len(before) >= len(leaving) == 10
        for task in leaving:
            task.cancel()
        took = await wait_until(lambda: len(before - service.list_connections()) >= 10)
        answers = await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert (await client.get("/answer", params={"question": "one more"})).json() == {
            "text": TEXT.format("one more")
        }
    print(f"the connections of ten clients closed after {took:.3f} s")
    assert took < 1
    for question, text in zip(questions, answers, strict=True):
        if question.startswith("leave"):
            assert isinstance(text, asyncio.CancelledError)
        else:
            assert text == TEXT.format(question)
    assert service.fake.refusals == []
    assert service.log.read_text() == ""
