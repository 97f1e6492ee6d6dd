"""Google's native API in process, for `ChatGoogleGenerativeAI`: it signs calls and refuses lost signatures."""

import json
from base64 import b64encode, urlsafe_b64decode
from importlib import import_module
from importlib.metadata import version

from google.oauth2.credentials import Credentials

from langchain_gemini_compat.testing._rules.signatures import PLACEHOLDER, Issued, issue_signature, read_signature

MODEL = "gemini-3.8-flash"


def issue(surface, call):
    """Return a thought signature for `call` that a `FakeGemini` for `surface` accepts."""
    return issue_signature(Issued(surface, MODEL, call, 0, "native"))


def native_version():
    """Return the major and minor version of langchain-google-genai.

    The fake refuses requests of versions before 4.4. They send a changed placeholder if a signature is missing, and
    they send thoughts of other packages: https://github.com/langchain-ai/langchain-google/pull/1972.
    """
    return tuple(int(part) for part in version("langchain-google-genai").split(".")[:2])


class NativeGoogle:
    """Answers with `replies`, which are lists of parts, in order. `contents` has the contents of each request."""

    def __init__(self, surface, *replies):
        self.surface = surface
        self.replies = list(replies)
        self.contents = []
        self.stand_ins = 0

    def answer(self, request):
        """Return the response to one request. It is the handler of a mock transport."""
        httpx = import_module("httpx")
        contents = json.loads(request.content)["contents"]
        self.contents.append(contents)
        fault = self._judge(contents)
        if fault:
            error = {"code": 400, "message": fault, "status": "INVALID_ARGUMENT"}
            return httpx.Response(400, json={"error": error})
        content = {"role": "model", "parts": self.replies.pop(0)}
        return httpx.Response(200, json={"candidates": [{"content": content, "finishReason": "STOP"}]})

    def chat_model(self):
        """Return a `ChatGoogleGenerativeAI` that sends its requests here."""
        package, httpx = import_module("langchain_google_genai"), import_module("httpx")
        where = {"api_key": "test-key"}
        if self.surface == "vertex":
            where = {"vertexai": True, "project": "p", "location": "global", "credentials": Credentials("test")}
        transport = httpx.MockTransport(self.answer)
        client = {"client_args": {"transport": transport}, "max_retries": 1}
        return package.ChatGoogleGenerativeAI(model=MODEL, **client, **where)

    def _judge(self, contents):
        asked = [place for place, content in enumerate(contents) if any("text" in part for part in _user(content))]
        for content in contents[asked[-1] + 1 :]:
            calls = [part for part in content["parts"] if "functionCall" in part]
            if content["role"] == "model" and calls:
                fault = self._judge_call(calls[0]["functionCall"]["name"], calls[0].get("thoughtSignature"))
                if fault:
                    return fault
        return None

    def _judge_call(self, name, signature):
        if signature == PLACEHOLDER:
            self.stand_ins += 1
            return None
        if not signature:
            return f"Function call `{name}` is missing a thought_signature."
        issued = read_signature(standard(signature))
        genuine = issued and (issued.surface, issued.call) == (self.surface, name)
        return None if genuine else "Corrupted thought signature."


def _user(content):
    return content["parts"] if content["role"] == "user" else []


def standard(signature):
    """Return the signature in the standard alphabet of base64. The argument may use the URL-safe alphabet."""
    return b64encode(urlsafe_b64decode(signature.replace("+", "-").replace("/", "_"))).decode()
