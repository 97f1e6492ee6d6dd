"""Program for `test_workers`: a pool of processes, after the model has been used in the parent."""

import json
import multiprocessing
import sys
import threading

from asking import ask, build, report

from langchain_gemini_compat.errors import RateLimitError

METHOD, MODE = sys.argv[1:]
#: A forked process inherits the model that its parent has used. Any other process builds a new model when it imports
#: this module.
MODEL = build()


def work(model, text):
    """Call `model`, which was pickled for this process, or `MODEL` if `model` is `None`."""
    return report(model or MODEL, MODE, text)


def main():
    parent, sockets = ask(MODEL, MODE, "parent before")
    stream = MODEL.stream("a stream of the parent with many words, which is open all the time")
    parent += [next(stream).text]
    # This call fails at once, because the 429 asks for a wait of 3 s and this model waits at most 1 s. After the call,
    # the rate gate of the parent process blocks calls for 1 s.
    try:
        build(max_retries=1, timeout={"retry_wait": 1}).invoke("limited")
    except RateLimitError as error:
        parent += [type(error).__name__]
    waiting = threading.Thread(target=MODEL.invoke, args=["waits at the gate"])
    waiting.start()
    with multiprocessing.get_context(METHOD).Pool(3) as pool:
        jobs = [(model, f"child {number}") for number, model in enumerate([MODEL, None] * 4)]
        children = pool.starmap_async(work, jobs, chunksize=1).get(200)
    parent[-2] += "".join(chunk.text for chunk in stream)
    waiting.join()
    after, more = ask(MODEL, MODE, "parent after")
    print(json.dumps({"parent": parent + after, "sockets": sorted(sockets | more), "children": children}))


if __name__ == "__main__":
    main()
