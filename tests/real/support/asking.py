"""Functions for the workers of `test_workers`: they call the model and list the sockets of their process."""

import asyncio
import os
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import psutil
from google.auth.credentials import Credentials

from langchain_gemini_compat import ChatGeminiCompat

URL = os.environ["MODEL_URL"]


class ShortCredentials(Credentials):
    """Credentials whose token has to be refreshed for nearly each call."""

    def refresh(self, request):
        self.token = "token"
        self.expiry = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=1)


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


def build(**options):
    options = {"api_key": "k", "timeout": 100, **options}
    return ChatGeminiCompat(model="gemini-3.8-flash", surface="ai_studio", base_url=URL, **options)


def list_sockets():
    """Return the local ports of the connections to the model's server that this process has."""
    found = psutil.Process().net_connections("tcp")
    return {one.laddr.port for one in found if one.raddr and one.raddr.port == urlsplit(URL).port}


async def ask_async(model, text):
    texts = [(await model.ainvoke(text)).text, "".join([chunk.text async for chunk in model.astream(text)])]
    # List the sockets here, because the connections are closed when the event loop is closed.
    return texts, list_sockets()


def ask(model, mode, text):
    """Call `invoke` and `stream`, or their async versions. Return both texts and the ports of the open sockets."""
    if mode == "async":
        return asyncio.run(ask_async(model, text))
    return [model.invoke(text).text, "".join(chunk.text for chunk in model.stream(text))], list_sockets()


def report(model, mode, text):
    """Call the model. Return the texts, the id of the process, and the sockets that these calls opened."""
    inherited = list_sockets()
    texts, sockets = ask(model, mode, text)
    return texts, os.getpid(), sorted(sockets - inherited)
