"""Run the programs of `ChatOpenAI` and `ChatGoogleGenerativeAI` with their own class. Print their outputs as JSON.

It has a process of its own, since these packages leave sockets open.
"""

import io
import json
import os
import traceback
import warnings
from contextlib import redirect_stdout
from importlib.util import find_spec

import trustme
from migration import ADDRESS, NEEDED, PAGES, read_program, run
from native_server import serve_native

from langchain_gemini_compat.testing import FakeGemini


def run_program(page, name, fake, url):
    """Return what a program prints, and its error if there is one."""
    program = read_program(page, name)
    fake.answer_with(program.read_replies())
    with redirect_stdout(io.StringIO()) as printed:
        try:
            run(program.code.replace(ADDRESS, url))
        except Exception:
            traceback.print_exc(file=printed)
    return printed.getvalue()


def run_all(name, fake, server):
    """Return the output of each program of a class, by page. `server` serves the replies of `fake`."""
    pages = [page for page in PAGES if page.stem not in NEEDED or find_spec(NEEDED[page.stem])]
    with server as url:
        os.environ["GOOGLE_GEMINI_BASE_URL"] = url
        return {page.stem: run_program(page, name, fake, url) for page in pages}


def main():
    """Print the outputs of both classes."""
    warnings.simplefilter("ignore")
    # `ChatOpenAI` does not keep what Google requires, so its server is not strict.
    fake = FakeGemini(surface="openai_compatible", strict=False)
    # The usual certificates take seconds, because each client loads them.
    with trustme.CA().cert_pem.tempfile() as certificates:
        os.environ["SSL_CERT_FILE"] = certificates
        openai = run_all("ChatOpenAI", fake, fake.serve())
        google = run_all("ChatGoogleGenerativeAI", fake, serve_native(fake))
    print(json.dumps({"ChatOpenAI": openai, "ChatGoogleGenerativeAI": google}))


main()
