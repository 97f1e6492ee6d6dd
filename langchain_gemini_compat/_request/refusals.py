r"""Finds the optional part of a request that a server refused with 400, and a change that the server should accept.

The known error texts are from captures and public reports. An error counts as a refusal only if its text mentions an
optional part of the request. Messages, tools, results, the format of the answer, caches, safety settings, limits and
`n` are never left out. If the text leaves any doubt, the server's error is raised.

Sources:

- `Penalty is not enabled for …`: https://github.com/vercel/ai/issues/8943
- `Thinking level MINIMAL is not supported for this model`: https://github.com/BerriAI/litellm/issues/37314
- `thinking_level MEDIUM is not supported by this model`: https://github.com/jenslys/opencode-gemini-auth/issues/14
- `thinking_level is not supported by this model`: https://github.com/google-gemini/gemini-cli/issues/14025
- `thinking_budget is out of range; supported values are …`: https://github.com/lbjlaq/Antigravity-Manager/issues/1384
- `The thinking budget (52428) is invalid.`: https://github.com/RooCodeInc/Roo-Code/issues/4399
- `Logprobs is not enabled for …`: https://github.com/Vela-Research/think-reason-learn/issues/34
- `Flex API is not supported for model`: https://github.com/vercel/ai/issues/19833 and
  https://github.com/theopenco/llmgateway/pull/3170. No source shows such a text for `priority`. According to public
  reports, Vertex AI uses the standard tier if a model does not have the priority tier.
- `Unknown name "…": Cannot find field.`: https://github.com/versun/RSSBox/issues/132 and, for schemas,
  https://github.com/zed-industries/zed/issues/44875
- `function_response.parts is not supported for this model`: https://github.com/google-gemini/gemini-cli/issues/19436
- `the mime_type: … is not supported in function_response.parts`: https://github.com/google-gemini/gemini-cli/issues/16995
- `it has a mimeType parameter with value …, which is not supported`: Vertex AI, quoted in many public tests
- `Unrecognized request argument supplied`: https://github.com/umputun/tg-spam/issues/304
- `Unsupported parameter: 'temperature'`: https://github.com/appatalks/eva-agent/issues/83
- `Unsupported value: 'temperature' does not support …`: https://github.com/microsoft/vscode/issues/255504
- `Extra inputs are not permitted`: https://github.com/NVIDIA/garak/issues/748 (status 422),
  https://github.com/anomalyco/opencode/issues/24696
- `does not support parameters: ['seed']`, and as a dictionary: https://github.com/kaiko-ai/eva/issues/895,
  https://github.com/lm-sys/RouteLLM/pull/32
- `Argument not supported on this model: frequencyPenalty`: https://github.com/BerriAI/litellm/issues/14056
- `property '…' is unsupported`: Groq
- `OpenAIException - Error code: 400` without a reason: LiteLLM 1.108.7, route `openai/` to AI Studio
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from langchain_gemini_compat import errors
from langchain_gemini_compat._catalog.surfaces import TIER_HEADER
from langchain_gemini_compat._request.known_refusals import REFUSING_STATUSES
from langchain_gemini_compat._request.refused_media import DescribeMedia, MoveMedia, mime_types_in_results
from langchain_gemini_compat._request.refused_parts import (
    SCHEMA_MAPS,
    FitBudget,
    FitWord,
    LeaveOut,
    LeaveOutKeyword,
    Refusal,
    WrapExtraBody,
    value_at,
)
from langchain_gemini_compat._request.thinking import EFFORTS
from langchain_gemini_compat._request.tool_results import GEMINI_TAKES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_gemini_compat._errors.base import GeminiCompatError
    from langchain_gemini_compat._request.refused_parts import Change, Path
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Maximum number of characters to search in an error's text, and maximum number of field violations to read.
_LONGEST_TEXT, _MOST_VIOLATIONS = 4000, 64
#: Matches the status at the end of an error's message, after the server's text, such as `(INVALID_ARGUMENT 400)`.
_STATUS = re.compile(r"\s*\((?:[^\s()]+ )?[0-9]{3}\)\s*$")
_GOOGLE: Path = ("extra_body", "google")
_CONFIG: Path = (*_GOOGLE, "thinking_config")
_LEVEL, _BUDGET, _EFFORT = (*_CONFIG, "thinking_level"), (*_CONFIG, "thinking_budget"), ("reasoning_effort",)
#: Paths of the objects in a request that can contain a parameter, in the order in which they are searched.
_PLACES: tuple[Path, ...] = ((), ("extra_body",), _GOOGLE, _CONFIG, ("stream_options",))
#: Names of objects that contain optional parameters. A change leaves out such a parameter, but never the whole object.
_HOLDERS = frozenset({"extrabody", "google", "generationconfig"})
#: Parameters that are left out if the server does not know them or refuses them. The names are in lower case and have
#: no `_`.
_OPTIONAL = frozenset(
    {
        "presencepenalty", "frequencypenalty", "repetitionpenalty", "temperature", "topp", "topk", "minp", "seed",
        "logitbias", "logprobs", "toplogprobs", "reasoningeffort", "reasoning", "thinking", "verbosity",
        "thinkingconfig", "thinkinglevel", "thinkingbudget", "includethoughts", "thoughttagmarker", "servicetier",
        "mediaresolution", "streamoptions", "includeusage", "streamfunctioncallarguments", "paralleltoolcalls", "user",
        "metadata", "store", "encodingformat", "promptcachekey",
    }
)  # fmt: skip
#: In an error's text, a word such as "user" usually does not mean the parameter `user`. So a word in this set counts as
#: a parameter only in quotation marks, or if the server calls it unknown.
_ENGLISH = frozenset({"user", "store", "metadata", "reasoning", "thinking"})
#: These parameters stay in the request: those in `_REQUIRED`, and those whose name contains a word of `_PROTECTED`.
#: Names in `_OPTIONAL` are an exception.
_REQUIRED = frozenset({"n", "stop", "stream", "google", "extrabody", "generationconfig", "candidatecount"})
_PROTECTED = re.compile(
    r"message|content|prompt|input|system|history|document|file|media|image|audio|video|modalit|voice|tool|function"
    r"|plugin|search|retriev|ground|extension|source|format|schema|grammar|guided|regex|json|struct|choice|safety|guard"
    r"|moderat|filter|polic|privacy|retention|cache|model|max|limit|dimension|candidate|stop"
    r"|mcp|skill|^rag|agent|context|attach|prefill|prefix|suffix|instruct|thread|conversation|session|previous"
    r"|knowledge|memory|citation|provider|fallback|^route$|routing|region|collection|zdr|^store|training|logging"
    r"|redact|anonym|transform|words|allowed|mintokens|bestof|echo"
)
#: Schema keywords that may be left out, mapped from lower case to their usual spelling. Without them, the schema still
#: has the same properties.
_KEYWORDS = {
    word.lower(): word
    for word in (
        "$schema", "$id", "$comment", "title", "default", "example", "examples", "additionalProperties", "const",
        "exclusiveMinimum", "exclusiveMaximum", "minimum", "maximum", "multipleOf", "pattern", "format", "minLength",
        "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "propertyNames",
        "patternProperties", "unevaluatedProperties", "unevaluatedItems", "contains", "minContains", "maxContains",
        "if", "then", "else", "not", "dependentRequired", "dependentSchemas", "dependencies", "deprecated", "readOnly",
        "writeOnly", "nullable", "discriminator", "contentEncoding", "contentMediaType", "strict",
    )
}  # fmt: skip
_OF_TOOLS = re.compile(r"function_?declarations|^tools\b", re.IGNORECASE)
_OF_THE_ANSWER = re.compile(r"response_?(?:json_?)?schema|response_?format", re.IGNORECASE)
#: Maps a path in an error's text to the part of the request that contains OpenAI's key `strict`.
_STRICT_HOLDERS: dict[Path, Literal["tools", "response_format"]] = {
    ("tools", "strict"): "tools",
    ("tools", "function", "strict"): "tools",
    ("response_format", "json_schema", "strict"): "response_format",
}
_INDEX = re.compile(r"\[\d+\]")

_FLAGS = re.IGNORECASE
#: Matches a parameter's name, alone or after the names of the objects around it: `seed`, `body.seed`, `body -> seed`,
#: `extra_body.google.seed`.
_NAME = r"(?<![\w.\]\[>$-])[`'\"\[{]{0,2}(?P<name>[A-Za-z_$][\w$]{0,63}(?:(?:\.| -> )[\w$]{1,63}){0,9})[`'\"\]]{0,2}"
#: Matches the names after the first one in an enumeration such as `'seed', 'n' and 'user'`, or in a printed dictionary.
_MORE = r"(?P<more>(?:(?:: ?[\w.-]{1,40})?,? (?:and )?[`'\"][\w.]{1,63}[`'\"]){0,20})"
_NOT_TAKEN = r"not (?:supported|enabled|available|allowed|permitted|implemented|recognized)|unsupported"
_REFUSED = rf"(?:is|are) (?:{_NOT_TAKEN})(?: (?:for|by|with) this model)?"
_REST = rf"(?: {_REFUSED})?"
_PARAMETER = r"(?:(?:request|json|body|input|keyword) )?(?:parameter|argument|field|key|property|option)s?"
_UNKNOWN = re.compile(
    r"unknown name \\?\"(?P<name>[\w$]{1,64})\\?\"(?: at \\?'(?P<at>[^'\\]{0,300})\\?')?: cannot find field", _FLAGS
)
#: Patterns for sentences in which a server says that it does not know a key.
_FOREIGN = tuple(
    re.compile(text, _FLAGS)
    for text in (
        rf"(?:unsupported|unknown|unrecogni[sz]ed|unexpected) {_PARAMETER}(?: supplied)?:? {_NAME}{_MORE}{_REST}",
        rf"{_NAME}:?\s{{1,8}}extra inputs are not permitted",
        rf"extra inputs are not permitted, field: {_NAME}",
        rf"additional properties are not allowed \({_NAME}{_MORE} (?:was|were) unexpected\)",
    )
)
#: Patterns for sentences in which a server says that it does not accept a parameter or the value of a parameter.
_UNSUPPORTED = tuple(
    re.compile(text, _FLAGS)
    for text in (
        rf"unsupported value: {_NAME} does not support[^\n]{{0,150}}",
        rf"does not support (?:the )?{_PARAMETER}:? {_NAME}{_MORE}",
        rf"{_PARAMETER} not supported (?:on|by|for|with) this model: {_NAME}{_MORE}",
        rf"{_NAME} (?:{_PARAMETER} )?{_REFUSED}",
    )
)
_PENALTY = re.compile(r"penalty is not (?:enabled|supported)(?: (?:for|by) [\w./ -]{1,80})?", _FLAGS)
_LOGPROBS = re.compile(r"logprobs is not (?:enabled|supported)(?: (?:for|by) [\w./ -]{1,80})?", _FLAGS)
_TIER = re.compile(
    r"(?P<tier>flex|priority) (?:api|tier|processing|paygo) is not (?:supported|available)(?: for [\w./ :-]{1,80})?",
    _FLAGS,
)
_HEADER = re.compile(rf"[^.\n]{{0,120}}{re.escape(TIER_HEADER)}[^\n]{{0,200}}", _FLAGS)
_THINKING_LEVEL = re.compile(
    r"thinking[_ ]level(?: \(?['\"]?(?P<level>[a-z]{2,10})['\"]?\)?)? is not supported(?: (?:for|by) this model)?",
    _FLAGS,
)
_THOUGHTS = re.compile(r"include_?thoughts is only enabled when thinking is enabled", _FLAGS)
_THINKING_BUDGET = re.compile(
    r"thinking[_ ]budget[ (]{0,2}-?\d{0,9}\)? is (?:out of range|invalid|not supported)[.;:, ]{0,3}"
    r"(?P<range>[a-z ]{0,60}?(?P<least>\d{1,9}) (?:to|and) (?P<most>\d{1,9}))?"
    r"|budget -?\d{1,9} is invalid\. this model only works in thinking mode",
    _FLAGS,
)
_REASONING_EFFORT = re.compile(r"[^.\n]{0,120}\breasoning[_ ]effort\b[^\n]{0,300}", _FLAGS)
_REFUSING = re.compile(rf"invalid|{_NOT_TAKEN}|does not support|must be|should be|expected|one of", _FLAGS)
_WORD = re.compile(rf"\b(?:{'|'.join(sorted(EFFORTS, key=len, reverse=True))})\b", _FLAGS)
_LISTING = re.compile(r"[^\n]{0,40}\b(?:supported|allowed|valid|accepted|one of)\b(?P<list>[^.\n]{1,200})", _FLAGS)
#: Matches the error of AI Studio if LiteLLM has moved the fields of `extra_body` to the top level of the request. The
#: second pattern is for the case in which LiteLLM keeps only the status of this error.
_UNWRAPPED = re.compile(
    r"unknown name \\?\"google\\?\": cannot find field|OpenAIException - Error code: 400(?=\s*$)", _FLAGS
)
#: Matches the sentence that LiteLLM appends to a server's error.
_LITELLM_NOTE = re.compile(r"\s*LiteLLM: model group [^\n]{0,300} failed with the error above\.[^\n]{0,300}")
_RESULT_PARTS = re.compile(
    r"`?function_?response\.parts`? is not supported(?: (?:for|by) this model)?"
    r"|unknown name \\?\"parts\\?\" at \\?'[^'\n]{0,200}function_?response\\?': cannot find field",
    _FLAGS,
)
_MIME_TYPE = re.compile(
    r"has a mimeType parameter with value (?P<type>[\w.+-]+/[\w.+/-]+), which is not supported"
    r"|the mime_?type: (?P<result_type>[\w.+-]+/[\w.+/-]+) is not supported in `?function_?response\.parts",
    _FLAGS,
)
_FORMAT = re.compile(r"(?P<place>[\w.\[\]]{0,300})\.format: only (?P<accepted>[\w' ,-]{1,100}) are supported", _FLAGS)

#: Matches words for a condition, such as "together" and "unless". With such a word, the server refuses a part of the
#: request only in combination with another part or value.
_CONDITION = re.compile(
    r"\b(?:when|whenever|while|unless|without|together|both|alongside|depends|requires?|combin\w+|conflict\w*"
    r"|simultaneous\w*|mutually|same time|if(?! you (?:need|want|wish|would))"
    r"|with(?! (?:(?:this|the|that|your|the selected) )?(?:model|value)\b))\b",
    _FLAGS,
)


def find_refused_parameter(error: GeminiCompatError, payload: JsonObject) -> Refusal | None:
    """Return the refusal that `error` reports; `None` if no change of `payload` can help."""
    if not isinstance(error, errors.InvalidRequestError) or error.status_code not in REFUSING_STATUSES:
        return None
    # Subclasses of `InvalidRequestError` other than `SchemaRejectedError` never report a refused optional part.
    if type(error) not in (errors.InvalidRequestError, errors.SchemaRejectedError):
        return None
    text = read_server_text(error)
    for rule in _RULES:
        found = rule(text, payload)
        if found is not None:
            return replace(found, is_conditional=_CONDITION.search(text) is not None) if found.changes else None
    return None


def read_server_text(error: errors.APIStatusError) -> str:
    """Return the server's own text, without the advice of this package.

    The text consists of the error's message and the descriptions of field violations, without repetitions.
    """
    message = _STATUS.sub("", str(error.args[0]).removesuffix(error.remedy).rstrip())
    message = _LITELLM_NOTE.sub("", message)
    said = [message]
    for detail in error.details:
        violations = detail.get("fieldViolations")
        for violation in violations[:_MOST_VIOLATIONS] if isinstance(violations, list) else ():
            description = violation.get("description") if isinstance(violation, dict) else None
            if isinstance(description, str) and not any(description in text for text in said):
                said.append(description)
    return "\n".join(said)[:_LONGEST_TEXT]


def _find_penalties(text: str, payload: JsonObject) -> Refusal | None:
    return _leave_out(_PENALTY.search(text), payload, [("presence_penalty",), ("frequency_penalty",)])


def _find_logprobs(text: str, payload: JsonObject) -> Refusal | None:
    return _leave_out(_LOGPROBS.search(text), payload, [("logprobs",), ("top_logprobs",)])


def _find_tier(text: str, payload: JsonObject) -> Refusal | None:
    """Find a refusal of the service tier. The text mentions the tier, or Vertex AI's header for the tier."""
    match = _TIER.search(text)
    if match:
        tier = match["tier"].lower()
        return Refusal((LeaveOut(("service_tier",), tier),), match[0]) if payload.get("service_tier") == tier else None
    match = _HEADER.search(text)
    if match is None or not _REFUSING.search(match[0]):
        return None
    return _leave_out(match, payload, [("service_tier",)])


def _find_thoughts(text: str, payload: JsonObject) -> Refusal | None:
    return _leave_out(_THOUGHTS.search(text), payload, [(*_CONFIG, "include_thoughts")])


def _find_level(text: str, payload: JsonObject) -> Refusal | None:
    """Find a refused thinking level. Google's error names the level even if the request sets `reasoning_effort`."""
    match = _THINKING_LEVEL.search(text)
    path = _first_path(payload, _LEVEL, _EFFORT)
    if match is None or path is None:
        return None
    value = value_at(payload, path)
    listing = _LISTING.match(text, match.end())
    words = _words_in(listing["list"]) if listing else ()
    if words and isinstance(value, str):
        return Refusal((FitWord(path, words),), text[match.start() : listing.end() if listing else match.end()])
    # If the error's text names no thinking level, assume that the model refuses every thinking level.
    refused = value if match["level"] and isinstance(value, str) else None
    return Refusal((LeaveOut(path, refused),), match[0])


def _find_budget(text: str, payload: JsonObject) -> Refusal | None:
    match = _THINKING_BUDGET.search(text)
    path = _first_path(payload, _BUDGET, _EFFORT)
    if match is None or path is None:
        return None
    value = value_at(payload, path)
    if path == _BUDGET and match["range"]:
        change: Change = FitBudget(path, int(match["least"]), int(match["most"]))
        # If the thinking budget is already within the range that the error names, the error has another reason.
        return Refusal((change,), match[0]) if change.apply(payload) else None
    if "not supported" in match[0].lower():
        return Refusal((LeaveOut(path),), match[0])
    return Refusal((LeaveOut(path, value if isinstance(value, (str, int)) else None),), match[0])


def _find_effort(text: str, payload: JsonObject) -> Refusal | None:
    """Find a refused `reasoning_effort`. If the error lists the allowed values, the change sets the nearest one."""
    match = _REASONING_EFFORT.search(text)
    given = payload.get("reasoning_effort")
    if match is None or not isinstance(given, str) or not _REFUSING.search(match[0]):
        return None
    mentioned = _words_in(match[0])
    words = tuple(word for word in mentioned if word != given.lower())
    # If the text mentions two or more values of `reasoning_effort` besides the refused one, read them as the list of
    # the allowed values. A single word may be plain English, as in "too high".
    if len(words) > 1 and given.lower() in EFFORTS:
        return Refusal((FitWord(_EFFORT, words),), match[0].strip())
    return Refusal((LeaveOut(_EFFORT, given if given.lower() in match[0].lower() else None),), match[0].strip())


def _find_format(text: str, payload: JsonObject) -> Refusal | None:
    match = _FORMAT.search(text)
    if match is None:
        return None
    accepted = tuple(re.findall(r"'([\w-]+)'", match["accepted"]))
    change = LeaveOutKeyword("format", _schemas_at(match["place"]) or "tools", accepted)
    words = match[0].removeprefix(match["place"])
    return Refusal((change,), words.lstrip(".")) if change.apply(payload) else None


def _schemas_at(place: str) -> Literal["tools", "response_format"] | None:
    """Return the body key to which `place` leads: `tools` or `response_format`. `place` is a path in Google's error.

    Return `None` if the path leads to neither of these keys.
    """
    if _OF_TOOLS.search(place):
        return "tools"
    return "response_format" if _OF_THE_ANSWER.search(place) else None


def _words_in(text: str) -> tuple[str, ...]:
    """Return the values of `reasoning_effort` that `text` mentions, in increasing order."""
    listed = {word.lower() for word in _WORD.findall(text)}
    return tuple(word for word in EFFORTS if word in listed)


def _find_result_parts(text: str, payload: JsonObject) -> Refusal | None:
    """Find a refusal of all media in tool results."""
    match = _RESULT_PARTS.search(text)
    change = MoveMedia()
    return Refusal((change,), match[0]) if match and change.apply(payload) else None


def _find_mime_type(text: str, payload: JsonObject) -> Refusal | None:
    """Find a refused MIME type of media. Only media in tool results are changed."""
    match = _MIME_TYPE.search(text)
    if match is None:
        return None
    mime_type = (match["type"] or match["result_type"]).lower()
    if match["result_type"] and mime_type in GEMINI_TAKES:
        change: Change = MoveMedia(mime_type)
    elif match["type"] and mime_type not in mime_types_in_results(payload):
        # Only media in tool results may be changed, and no tool result has media of this type.
        return None
    else:
        change = DescribeMedia(mime_type)
    return Refusal((change,), match[0]) if change.apply(payload) else None


def _find_unwrapped(text: str, payload: JsonObject) -> Refusal | None:
    """Find the error that occurs if a gateway has moved Google's fields out of `extra_body`."""
    match = _UNWRAPPED.search(text)
    change = WrapExtraBody()
    return Refusal((change,), match[0]) if match and change.apply(payload) else None


def _find_unknown_names(text: str, payload: JsonObject) -> Refusal | None:
    """Find the keys that Google does not know. One error lists all such keys."""
    matches = [*_UNKNOWN.finditer(text)]
    if not matches:
        return None
    return _combine(matches, [_find_unknown_name(match["name"], match["at"] or "", payload) for match in matches])


def _find_unknown_name(name: str, at: str, payload: JsonObject) -> Change | None:
    steps = tuple(step for step in _INDEX.sub("", at).split(".") if step)
    schemas = _schemas_at(at)
    if schemas:
        if steps[-1] in SCHEMA_MAPS:
            # `name` is not a schema keyword but, for example, the name of a property.
            return None
        keyword = _KEYWORDS.get(_normalise(name))
        change = LeaveOutKeyword(keyword, schemas) if keyword else None
        return change if change and change.apply(payload) else None
    if steps and _normalise(steps[0]) != "generationconfig":
        return _change_at((*steps, name), payload, is_unknown=True)
    places = _PLACES if steps else ((),)
    found = (_resolve((*place, name), payload) for place in places)
    path = next((path for path in found if path), None)
    return _change_at(path, payload, is_unknown=True) if path else None


def _find_named(text: str, payload: JsonObject) -> Refusal | None:
    """Find the parameters that a server calls unknown or unsupported. Their names may be in quotation marks."""
    for patterns, is_unknown in ((_FOREIGN, True), (_UNSUPPORTED, False)):
        for pattern in patterns:
            matches = [*pattern.finditer(text)]
            if matches:
                names = [name for match in matches for name in _list_names(match, is_unknown=is_unknown)]
                return _combine(matches, [_find_by_name(name, payload, is_unknown=is_unknown) for name in names])
    return None


def _list_names(match: re.Match[str], *, is_unknown: bool) -> list[str]:
    """Return the names of the parameters that the matched sentence mentions.

    A name that may be a plain English word is replaced by an empty string, which matches no parameter.
    """
    more = re.findall(r"[`'\"]([\w.]+)[`'\"]", match.groupdict().get("more") or "")
    before = match.string[: match.start("name")][-1:]
    is_word = _normalise(match["name"]) in _ENGLISH and before not in ("'", '"', "`") and not is_unknown
    return ["" if is_word else match["name"], *more]


def _find_by_name(name: str, payload: JsonObject, *, is_unknown: bool) -> Change | None:
    steps = tuple(step for step in re.split(r"\.| -> ", name) if step)
    if len(steps) > 1 and steps[0] in ("body", "request", "root"):
        steps = steps[1:]
    holder = _STRICT_HOLDERS.get(tuple(step for step in steps if not step.isdigit()))
    if holder:
        change = LeaveOutKeyword("strict", holder)
        return change if change.apply(payload) else None
    places = _PLACES if len(steps) == 1 else ((),)
    found = (_resolve((*place, *steps), payload) for place in places if steps)
    path = next((path for path in found if path), None)
    return _change_at(path, payload, is_unknown=is_unknown) if path else None


def _combine(matches: Sequence[re.Match[str]], changes: Sequence[Change | None]) -> Refusal:
    """Return one refusal with the changes for several refused parameters.

    A change of `None` means that its parameter must stay in the request, or is not in the request. Then the refusal has
    no changes, because the server would refuse the changed request again.
    """
    words = "; ".join(dict.fromkeys(match[0] for match in matches))
    kept = [*dict.fromkeys(change for change in changes if change is not None)]
    if any(isinstance(change, LeaveOut) and change.path[-1] == "thought_tag_marker" for change in kept):
        # Without `thought_tag_marker`, the text of the answer would contain the thoughts. So do not ask for thoughts.
        kept.append(LeaveOut((*_CONFIG, "include_thoughts")))
    # A request with `top_logprobs` but without `logprobs` is invalid, so both are left out together.
    paths = [change.path for change in kept if isinstance(change, LeaveOut)]
    kept += [LeaveOut((*path[:-1], "top_logprobs")) for path in paths if path[-1] == "logprobs"]
    return Refusal(tuple(kept) if all(changes) else (), words)


def _change_at(path: Path, payload: JsonObject, *, is_unknown: bool) -> Change | None:
    """Return the change that leaves out the parameter at `path`, or `None` if it must not be left out.

    A parameter that this package does not know is left out only if the server calls the parameter unknown.
    """
    found = _resolve(path, payload)
    # An object with a protected name, such as `tool_choice` or `response_format`, keeps all its keys.
    if found is None or any(_is_protected(step) for step in map(_normalise, found[:-1]) if step not in _HOLDERS):
        return None
    value = value_at(payload, found)
    if found[-1] == "store":
        # `store=false` forbids the server to store the request, so `false` must stay. `store=true` may be left out.
        return LeaveOut(found, value=True) if value is True else None
    return LeaveOut(found) if _is_optional(found[-1], value, is_unknown=is_unknown) else None


def _is_optional(name: str, value: JsonValue, *, is_unknown: bool) -> bool:
    plain = _normalise(name)
    if plain in _OPTIONAL:
        return True
    return is_unknown and not any(map(_is_protected, (plain, *_names_in(value))))


def _is_protected(name: str) -> bool:
    return name in _REQUIRED or _PROTECTED.search(name) is not None


def _names_in(value: JsonValue, depth: int = 8) -> Iterator[str]:
    """Yield the keys of all objects inside `value`.

    If `value` nests too deep, yield the protected name `content`, so that the value stays in the request.
    """
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if inner and not depth:
        yield "content"
        return
    if isinstance(value, dict):
        yield from map(_normalise, value)
    for one in inner:
        yield from _names_in(one, depth - 1)


def _resolve(path: Path, payload: JsonObject) -> Path | None:
    """Return `path` in the spelling of `payload`. Google's errors may use camel case, such as `thinkingLevel`.

    Return `None` if `payload` does not have the parameter.
    """
    found: JsonValue = payload
    spelled: list[str] = []
    for step in path:
        if not isinstance(found, dict):
            return None
        key = step if step in found else next((key for key in found if _normalise(key) == _normalise(step)), None)
        if key is None:
            return None
        spelled.append(key)
        found = found[key]
    return tuple(spelled)


def _normalise(name: str) -> str:
    return name.replace("_", "").lower()


def _first_path(payload: JsonObject, *paths: Path) -> Path | None:
    return next((path for path in paths if value_at(payload, path) is not None), None)


def _leave_out(match: re.Match[str] | None, payload: JsonObject, paths: Sequence[Path]) -> Refusal | None:
    """Return a refusal whose changes leave out the parameters at `paths`.

    Return `None` if `match` is `None`, or if `payload` has none of these parameters.
    """
    if match is None or not any(value_at(payload, path) is not None for path in paths):
        return None
    return Refusal(tuple(LeaveOut(path) for path in paths), match[0].strip())


_RULES: tuple[Callable[[str, JsonObject], Refusal | None], ...] = (
    _find_penalties,
    _find_logprobs,
    _find_tier,
    _find_thoughts,
    _find_level,
    _find_budget,
    _find_result_parts,
    _find_mime_type,
    _find_unwrapped,
    _find_unknown_names,
    _find_effort,
    _find_format,
    _find_named,
)
