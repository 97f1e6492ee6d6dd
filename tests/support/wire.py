"""A fake server in process: HTTP clients of the library that the installed openai SDK uses, and a list of answers."""

import json
from importlib import import_module

from langchain_gemini_compat._lazy import library_name

http = import_module(library_name())


class Wire:
    """Sends `answers` in order, the last one for every further request, and keeps the requests.

    An answer is a dict (a JSON body), a list of dicts (the events of a stream), text or bytes (a body), a response, or
    an exception to raise.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    @property
    def bodies(self):
        return [json.loads(request.content) for request in self.requests]

    @property
    def clients(self):
        return {
            "http_client": http.Client(transport=http.MockTransport(self.answer)),
            "http_async_client": http.AsyncClient(transport=http.MockTransport(self.aanswer)),
        }

    def answer(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, http.Response) else reply(answer)

    async def aanswer(self, request):
        return self.answer(request)


def reply(body, status=200, headers=None):
    if isinstance(body, dict) or (isinstance(body, list) and status >= 300):
        return http.Response(status, json=body, headers=headers)
    if isinstance(body, list):
        events = "".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in body)
        return http.Response(status, content=events.encode(), headers={"content-type": "text/event-stream"})
    content = body if isinstance(body, bytes) else body.encode()
    return http.Response(status, content=content, headers=headers)


def completion(content="Hello.", *, finish="stop", usage=(3, 2, 5), **message):
    """Return a whole reply. `usage` is prompt, completion and total tokens."""
    prompt, completed, total = usage
    return {
        "id": "reply-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gemini-3.8-flash",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completed, "total_tokens": total},
    }


def chunk(finish=None, usage=None, **delta):
    """Return one event of a stream."""
    choice = {"index": 0, "delta": {"role": "assistant", **delta}}
    if finish:
        choice["finish_reason"] = finish
    event = {"id": "reply-1", "object": "chat.completion.chunk", "model": "gemini-3.8-flash", "choices": [choice]}
    if usage:
        prompt, completed, total = usage
        event["usage"] = {"prompt_tokens": prompt, "completion_tokens": completed, "total_tokens": total}
    return event


def call(name="f", args='{"x": 1}', call_id="call-1", **more):
    """Return one entry of `tool_calls`."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": args}, **more}


def google_error(code, status, message, details=None):
    """Return an error body in Google's form."""
    error = {"code": code, "message": message, "status": status}
    return [{"error": {**error, "details": details} if details else error}]
