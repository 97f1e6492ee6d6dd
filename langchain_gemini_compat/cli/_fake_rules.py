"""The replies of `fake` (`--rule`), and its log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._wire.json_types import object_at
from langchain_gemini_compat.cli._verify.lab import WRONG_KEY
from langchain_gemini_compat.cli._verify.limits import UNKNOWN_MODEL
from langchain_gemini_compat.cli._verify.media import PNG
from langchain_gemini_compat.testing import FAULTS, Call, FakeGemini, Fault, Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat.cli._terminal import Screen
    from langchain_gemini_compat.testing import FakeRequest
    from langchain_gemini_compat.testing._server.answers import Answer

#: The arguments of sample tool calls, by the JSON schema type of the parameter.
_SAMPLES: dict[str, object] = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
_FIRST_ERROR = 400
#: Thresholds of `answer_verify`. If `max_tokens` is 16 or less, the answer is cut off. If the prompt has more than
#: 8,000 characters, the usage of the reply has 4,096 cached tokens.
_SHORT_ANSWER, _LONG_PROMPT, _CACHED_TOKENS = 16, 8_000, 4_096


class LoggedFake(FakeGemini):
    """A fake endpoint that prints one line for each request."""

    def __init__(
        self, screen: Screen, rule: Callable[[FakeRequest], Reply | Fault], surface: Surface, fault: str | None = None
    ) -> None:
        super().__init__(self._send_fault if fault else rule, surface=surface)
        self._screen = screen
        self._fault = fault or ""
        self._sent_fault = False
        if fault:
            self.embedding_rule = self._send_fault

    def respond(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Return the answer of the fake endpoint, and print its status and the rules that the request broke."""
        known = len(self.refusals)
        self._sent_fault = False
        answer = super().respond(method, url, headers, content)
        request, broken = self.requests[-1], self.refusals[known:]
        kind = " stream" if request.stream else ""
        verdict = f"{answer.status} " + ("; ".join(f"{rule.rule}: {rule.message}" for rule in broken) or "ok")
        if answer.status >= _FIRST_ERROR and not broken:
            verdict = f"{answer.status} refused"
        if self._sent_fault:
            verdict = f"{answer.status} fault {self._fault}"
        style = "green" if answer.status < _FIRST_ERROR and not self._sent_fault else "red"
        self._screen.line(
            f"{method} {request.path.rpartition('/')[2]} {request.model or '-'}{kind}: {verdict}", style, indent=2
        )
        return answer

    def _send_fault(self, _: FakeRequest) -> Fault:
        self._sent_fault = True
        return FAULTS[self._fault]()


def answer_echo(request: FakeRequest) -> Reply:
    """Return the last user message."""
    return Reply(request.prompt or "(nothing to echo)", thoughts="I have to repeat the message.")


def answer_tools(request: FakeRequest) -> Reply:
    """Return a call of each declared tool, with sample arguments.

    If the request has tool results, return the results as text. If it declares no tools, return the last user message.
    """
    if request.results:
        return Reply("The tools said: " + "; ".join(request.results), thoughts="I have all results.")
    functions = [cast("JsonObject", tool.get("function") or {}) for tool in request.tools]
    calls = [Call(str(function.get("name")), _sample_arguments(function)) for function in functions]
    if not calls:
        return answer_echo(request)
    return Reply(thoughts="I call each tool once.", calls=calls)


def answer_verify(request: FakeRequest) -> Reply | Fault:
    """Return the reply that the probes of `verify` expect from a model that follows its instructions."""
    if request.headers.get("authorization", "").endswith(WRONG_KEY[-4:]):
        return Fault.bad_key()
    if request.model.endswith(UNKNOWN_MODEL):
        return Fault.model_not_found(request.model)
    if object_at(object_at(request.body, "extra_body"), "google").get("cached_content"):
        return Fault.permission_denied()
    if request.results:
        return answer_tools(request)
    choice = request.body.get("tool_choice")
    if request.tools and (choice == "required" or ("Call" in request.prompt and choice != "none")):
        return _answer_with_calls(request)
    return _answer_with_options(request)


def _answer_with_options(request: FakeRequest) -> Reply:
    """Return the reply that the options of the request require, such as JSON or an image.

    A small `max_tokens` gives a reply that is cut off, and a long prompt gives the text `ok`. For all other requests,
    return the last user message.
    """
    body = request.body
    limit, modalities = body.get("max_tokens"), body.get("modalities")
    if isinstance(limit, int) and limit <= _SHORT_ANSWER:
        return Reply("One", finish_reason="length")
    if isinstance(modalities, list) and "image" in modalities:
        return Reply(image=PNG)
    form = object_at(object_at(body, "response_format"), "json_schema")
    if form:
        return Reply(json.dumps(_sample_arguments({"parameters": form.get("schema")})))
    if len(request.prompt) > _LONG_PROMPT:
        return Reply("ok", usage=Usage(len(request.prompt) // 4, 1, cached=_CACHED_TOKENS))
    return answer_echo(request)


def _answer_with_calls(request: FakeRequest) -> Reply:
    """Return a call of the first tool for each city in the prompt. Return one call if the prompt contains no city."""
    function = cast("JsonObject", request.tools[0].get("function") or {})
    cities = [city for city in ("Oslo", "Rome") if city in request.prompt and "parameters" in function]
    arguments: list[JsonObject] = [{"city": city} for city in cities] or [_sample_arguments(function)]
    calls = [Call(str(function.get("name")), one) for one in arguments]
    return Reply(thoughts="I call the tool.", calls=calls)


RULES: dict[str, Callable[[FakeRequest], Reply | Fault]] = {
    "echo": answer_echo,
    "tools": answer_tools,
    "verify": answer_verify,
}


def _sample_arguments(function: JsonObject) -> JsonObject:
    schema = cast("JsonObject", function.get("parameters") or {})
    properties = cast("dict[str, JsonObject]", schema.get("properties") or {})
    return {name: cast("JsonObject", _sample(name, field)) for name, field in properties.items()}


def _sample(name: str, field: JsonObject) -> object:
    choices = field.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    return _SAMPLES.get(str(field.get("type")), name)
