"""A program that calls a server in four modes and prints the peak of memory in MiB and the outcome of each."""

import asyncio
import resource
import sys

from langchain_gemini_compat import ChatGeminiCompat, errors


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def read(model):
    return [chunk async for chunk in model.astream("hi")]


def ask(model, mode):
    if mode == "invoke":
        model.invoke("hi")
    elif mode == "ainvoke":
        asyncio.run(model.ainvoke("hi"))
    elif mode == "stream":
        list(model.stream("hi"))
    else:
        asyncio.run(read(model))


url, *paths = sys.argv[1:]
# The first calls import the SDK, so that the later measurements do not count its memory.
for mode in ("invoke", "ainvoke"):
    ask(ChatGeminiCompat(model="m", base_url=f"{url}/plain", max_retries=0), mode)
for path in paths:
    for mode in ("invoke", "ainvoke", "stream", "astream"):
        before = peak()
        try:
            ask(ChatGeminiCompat(model="m", base_url=f"{url}/{path}", max_retries=0), mode)
            outcome = "a reply"
        except errors.GeminiCompatError as err:
            outcome = type(err).__name__
        print(f"{peak() - before:.0f} {outcome}", flush=True)
