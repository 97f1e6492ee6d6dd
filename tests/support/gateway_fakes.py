"""In-process fakes of gateways. They change requests and replies as the real gateways do.

The fakes imitate LiteLLM 1.108.7 and Portkey 1.15.2. The real gateways ran in front of endpoints on loopback, and their
requests and replies were recorded.
"""

import json
from types import MappingProxyType

from wire import http, reply

from langchain_gemini_compat.testing import Call, FakeGemini, Reply

SIGNATURE = "c2lnbmF0dXJl"
MISSING = "Function call is missing a thought_signature in functionCall parts."
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


class Gateway:
    """A gateway whose model calls the tool `look` once for each user message, and then answers.

    The model signs its calls. The gateway refuses a later request in which a signature is missing.
    """

    def __init__(self):
        self.bodies = []
        self.head = {}

    @property
    def clients(self):
        return {
            "http_client": http.Client(transport=http.MockTransport(self.answer)),
            "http_async_client": http.AsyncClient(transport=http.MockTransport(self.aanswer)),
        }

    async def aanswer(self, request):
        return self.answer(request)

    def answer(self, request):
        body = json.loads(request.content)
        self.bodies.append(body)
        made = [call for message in body["messages"] for call in message.get("tool_calls") or ()]
        if not all(map(self.is_signed, made)):
            return reply([{"error": {"code": 400, "message": MISSING, "status": "INVALID_ARGUMENT"}}], 400)
        if body["messages"][-1]["role"] == "tool":
            return self.build(body, self.say("Sunny." if len(made) == 1 else "Still."), "stop")
        return self.build(body, {"role": "assistant", "tool_calls": [self.call(len(made))]}, "tool_calls")

    def build(self, body, message, finish):
        head = {"id": f"r{len(self.bodies)}", "created": 1, "model": body["model"], **self.head}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return reply({**head, "object": "chat.completion", "choices": [choice], "usage": USAGE})
        deltas = [{"delta": message}, {"delta": {}, "finish_reason": finish}]
        events = [{**head, "object": "chat.completion.chunk", "choices": [{"index": 0, **delta}]} for delta in deltas]
        return reply([*events, "[DONE]"])


class Portkey(Gateway):
    """Portkey with the provider `google` and without strict mode. Each call has its signature in `function`."""

    settings = MappingProxyType(
        {"default_headers": {"x-portkey-provider": "google", "x-portkey-strict-open-ai-compliance": "false"}}
    )

    def __init__(self):
        super().__init__()
        self.head = {"provider": "google"}

    def is_signed(self, call):
        return call["function"].get("thought_signature") == SIGNATURE

    def call(self, number):
        function = {"name": "look", "arguments": '{"city": "Paris"}', "thought_signature": SIGNATURE}
        return {"index": 0, "id": f"portkey-{number}", "type": "function", "function": function}

    def say(self, text):
        return {"role": "assistant", "content": text, "content_blocks": [{"type": "text", "text": text}]}


class LiteLLMGemini(Gateway):
    """LiteLLM with the route `gemini/`. The signature of a call is in its id and in its `provider_specific_fields`."""

    settings = MappingProxyType({})

    def is_signed(self, call):
        beside = call.get("provider_specific_fields") or {}
        return call["id"].endswith(f"__thought__{SIGNATURE}") or beside.get("thought_signature") == SIGNATURE

    def call(self, number):
        fields = {"provider_specific_fields": {"thought_signature": SIGNATURE}}
        function = {"name": "look", "arguments": '{"city": "Paris"}'}
        return {
            "index": 0,
            "id": f"call_{number}__thought__{SIGNATURE}",
            "type": "function",
            "function": function,
            **fields,
        }

    def say(self, text):
        fields = {"provider_specific_fields": {"thought_signatures": [SIGNATURE]}}
        return {"role": "assistant", "content": text, "images": [], "thinking_blocks": [], **fields}


class LiteLLMOpenAI:
    """LiteLLM with the route `openai/`, in front of a fake of AI Studio that refuses invalid requests.

    LiteLLM moves fields of a message that it does not know into `provider_specific_fields`.
    """

    settings = MappingProxyType({})
    clients = Gateway.clients
    aanswer = Gateway.aanswer

    def __init__(self):
        calls = [
            Reply("", calls=(Call("look", {"city": "Paris"}),)),
            Reply("Sunny."),
            Reply("", calls=(Call("look", {"city": "Paris"}),)),
            Reply("Still."),
        ]
        self.google = FakeGemini(calls, surface="ai_studio")
        self.bodies = []

    def answer(self, request):
        body = json.loads(request.content)
        self.bodies.append(body)
        url = "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"
        headers = {"authorization": "Bearer test-key", "content-type": "application/json"}
        answer = self.google.respond("POST", url, headers, json.dumps({**body, "model": "gemini-3.8-flash"}).encode())
        content = b"".join(part for part in answer.steps if isinstance(part, bytes))
        if answer.status == 200 and not body.get("stream"):
            content = json.dumps(self.wrap(json.loads(content))).encode()
        return http.Response(answer.status, content=content, headers={"content-type": answer.headers["content-type"]})

    def wrap(self, whole):
        for choice in whole["choices"]:
            message = choice["message"]
            known = ("role", "content", "tool_calls")
            wrapped = {"refusal": None, **{key: message[key] for key in message if key not in known}}
            choice["message"] = {key: message.get(key) for key in known} | {"provider_specific_fields": wrapped}
        return whole
