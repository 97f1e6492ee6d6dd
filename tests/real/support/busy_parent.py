"""Program for `test_workers`: forks children while threads and an event loop of the parent call the model all the time."""

import asyncio
import json
import multiprocessing
import sys
import threading
import warnings

from asking import ShortCredentials, ask, build, get_weather

CHILDREN = 12
done = threading.Event()


def call_in_thread(model):
    while not done.is_set():
        model.invoke("thread")


async def call_in_loop(model):
    while not done.is_set():
        await model.ainvoke("loop")


def be_child(models):
    for mode in ("sync", "async"):
        for model in models:
            texts, _ = ask(model, mode, "child")
            if texts != ["child", "child"]:
                sys.exit(f"unexpected answers: {texts}")


def main():
    # Python 3.12 warns about forks in a process with threads, but this program tests exactly that.
    warnings.simplefilter("ignore", DeprecationWarning)
    models = [build(), build(api_key=None, credentials=ShortCredentials()), build().bind_tools([get_weather])]
    # The first call imports modules. If the process forked during these imports, the child would inherit import locks
    # that nobody releases.
    for mode in ("sync", "async"):
        for model in models:
            ask(model, mode, "parent")
    threads = [threading.Thread(target=call_in_thread, args=[model]) for model in models]
    threads += [threading.Thread(target=asyncio.run, args=[call_in_loop(model)]) for model in models]
    for thread in threads:
        thread.start()
    context, codes = multiprocessing.get_context("fork"), []
    try:
        for _ in range(CHILDREN // 2):
            children = [context.Process(target=be_child, args=[models], daemon=True) for _ in range(2)]
            for child in children:
                child.start()
            for child in children:
                child.join(100)
                codes.append(child.exitcode)
    finally:
        done.set()
    print(json.dumps(codes))


main()
