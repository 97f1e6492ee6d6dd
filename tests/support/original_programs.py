"""Run the unchanged programs for `ChatOpenAI`, `ChatGoogleGenerativeAI` and `ChatLiteLLM`.

Print their outputs as JSON, by class and page. A class is left out if its package is not installed.

The programs run in a separate process, because these packages leave sockets open.
"""

import io
import json
import os
import traceback
import warnings
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec

import trustme
from migration import ADDRESS, CLASSES, NEEDED, PAGES, read_program, run
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
    if not find_spec(CLASSES[name][0]):
        return {}
    pages = [page for page in PAGES if page.stem not in NEEDED or find_spec(NEEDED[page.stem])]
    with server as url:
        os.environ["GOOGLE_GEMINI_BASE_URL"] = os.environ["GEMINI_API_BASE"] = url
        return {page.stem: run_program(page, name, fake, url) for page in pages}


def main():
    """Run all programs, and print their outputs by class and page."""
    warnings.simplefilter("ignore")
    # `ChatOpenAI` does not send signatures back, which Google requires. So the fake is not strict.
    fake = FakeGemini(surface="openai_compatible", strict=False)
    # Use a file with one certificate. Every client of the programs loads the whole file, and the usual file is so large
    # that this would take seconds in total.
    with trustme.CA().cert_pem.tempfile() as certificates:
        # Without LITELLM_LOCAL_MODEL_COST_MAP, LiteLLM downloads prices when it is imported.
        os.environ |= {"SSL_CERT_FILE": certificates, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        openai = run_all("ChatOpenAI", fake, fake.serve())
        google = run_all("ChatGoogleGenerativeAI", fake, serve_native(fake))
        if find_spec("litellm"):
            # LiteLLM prints advice for each error.
            import_module("litellm").suppress_debug_info = True
        litellm = run_all("ChatLiteLLM", fake, serve_native(fake))
    print(json.dumps({"ChatOpenAI": openai, "ChatGoogleGenerativeAI": google, "ChatLiteLLM": litellm}))


main()
