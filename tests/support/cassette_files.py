"""Cassettes as readable files: JSON bodies as YAML, event streams as lists, the source at the top.

This module has the serializer for vcrpy, the removal of secrets, and the context manager that tests use.
"""

import datetime as dt
import json
import re
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import vcr
import yaml

#: The cassettes of Google's examples page.
EXAMPLES = {
    "text": "text/gemini-2.0-flash-001/complete",
    "text stream": "text/gemini-2.0-flash-001/stream",
    "image": "image_by_uri/gemini-2.0-flash-001/complete",
    "self-deployed": "self_deployed/gemma-2-9b-it/complete",
    "self-deployed stream": "self_deployed/gemma-2-9b-it/stream",
    "self-deployed global": "self_deployed_global/gemma-2-9b-it/complete",
    "marker": "thought_tag_marker/gemini-2.5-flash-preview-04-17/complete",
    "extra_content on a message": "extra_content_on_message/gemini-3.1-pro-preview/complete",
    "extra_content on a part": "extra_content_on_part/gemini-3.1-pro-preview/complete",
    "extra_content on a call": "extra_content_on_call/gemini-3.1-pro-preview/complete",
    "thinking": "thinking_config/gemini-2.5-flash-preview-04-17/stream",
    "arguments": "streamed_arguments/gemini-3.1-pro-preview/stream",
    "image generation": "image_generation/gemini-3-pro-image-preview/complete",
    "audio": "audio_by_uri/gemini-2.0-flash-001/complete",
    "tool result": "multimodal_tool_result/gemini-3.1-pro-preview/complete",
    "structured": "structured_output/gemini-2.5-flash-preview-04-17/complete",
    "global": "global_endpoint/gemini-2.0-flash-001/complete",
}
#: The cassettes of the page of supported features (docs/reference/support.md), and the cassettes of failures.
SUPPORT_PAGE = {
    "parallel calls, vertex, complete": "parallel_calls_vertex/gemini-3.8-flash/complete",
    "parallel calls, ai_studio, complete": "parallel_calls_ai_studio/gemini-3.8-flash/complete",
    "parallel calls, ai_studio, stream": "parallel_calls_ai_studio/gemini-3.8-flash/stream",
    "parallel calls, gateway, stream": "parallel_calls_gateway/gemini-3.8-flash/stream",
    "structured output streamed, vertex": "structured_output_vertex/gemini-3.8-flash/stream",
    "structured output streamed, ai_studio": "structured_output_ai_studio/gemini-3.8-flash/stream",
    "structured output streamed, gateway": "structured_output_gateway/gemini-3.8-flash/stream",
    "thoughts, ai_studio": "thoughts/gemini-3.8-flash/complete",
    "thoughts, gateway": "thoughts_gateway/gemini-3.8-flash/stream",
    "streamed arguments, gateway": "streamed_arguments_gateway/gemini-3.8-flash/stream",
    "cached tokens, ai_studio": "cached_tokens_ai_studio/gemini-3.8-flash/complete",
    "image, ai_studio": "image_ai_studio/gemini-3.8-flash/complete",
    "image in a reply, gateway": "image_reply_gateway/gemini-3-pro-image-preview/complete",
    "image in a tool result, ai_studio": "image_tool_result_ai_studio/gemini-3.8-flash/complete",
    "image in a tool result, gateway": "image_tool_result_gateway/gemini-3.8-flash/complete",
    "arguments of the wrong type, vertex": "repaired_arguments_vertex/gemini-3.8-flash/complete",
    "arguments of the wrong type, ai_studio": "repaired_arguments_ai_studio/gemini-3.8-flash/complete",
    "arguments of the wrong type, gateway": "repaired_arguments_gateway/gemini-3.8-flash/complete",
    "tool names, vertex": "tool_names_vertex/gemini-3.8-flash/complete",
    "tool names, ai_studio": "tool_names_ai_studio/gemini-3.8-flash/complete",
    "tool names, gateway": "tool_names_gateway/gemini-3.8-flash/complete",
    "Google's own tools, vertex": "google_search_vertex/gemini-3.8-flash/complete",
    "parameters, vertex": "parameters_vertex/gemini-3.5-flash-lite/complete",
    "parameters, ai_studio": "parameters_ai_studio/gemini-3.8-flash/complete",
    "parameters, gateway": "parameters_gateway/gemini-3.8-flash/complete",
    "priority tier, vertex": "priority_tier_vertex/gemini-3.8-flash/complete",
    "embeddings, ai_studio": "embeddings_ai_studio/gemini-embedding-001/complete",
    "embeddings, gateway": "embeddings_gateway/gemini-embedding-001/complete",
    "Gemini 4, gateway": "gemini_4_gateway/gemini-4-hydrogen/complete",
    "signature, litellm": "signature_litellm/gemini-3.8-flash/complete",
    "signature, openrouter": "signature_openrouter/gemini-3.8-flash/complete",
    "blocked prompt, ai_studio": "blocked_prompt/gemini-3.8-flash/complete",
    "failure: quota per minute": "failure_429_quota_per_minute/gemini-3.8-flash/complete",
    "failure: quota per day": "failure_429_quota_per_day/gemini-3.8-flash/complete",
    "failure: resource exhausted": "failure_429_vertex/gemini-3.8-flash/complete",
    "failure: invalid key": "failure_400_invalid_key/gemini-3.8-flash/complete",
    "failure: API key on Vertex AI": "failure_401_api_key_vertex/gemini-3.8-flash/complete",
    "failure: forged token": "failure_401_forged_token_vertex/gemini-3.8-flash/complete",
    "failure: project without access": "failure_403_project/gemini-3.8-flash/complete",
    "failure: billing": "failure_403_billing_vertex/gemini-3.8-flash/complete",
    "failure: unknown model": "failure_404_model/gemini-3.8-flash/complete",
    "failure: malformed model name": "failure_400_model_name_vertex/gemini-3.8-flash/complete",
    "failure: missing signature": "failure_400_missing_signature/gemini-3.8-flash/complete",
    "failure: missing signature on Vertex AI": "failure_400_missing_signature_vertex/gemini-3.8-flash/complete",
    "failure: corrupted signature": "failure_400_corrupted_signature/gemini-3.8-flash/complete",
    "failure: refused schema": "failure_400_schema/gemini-3.8-flash/complete",
    "failure: too many tokens": "failure_400_too_many_tokens/gemini-3.8-flash/complete",
    "failure: unknown field": "failure_400_unknown_field/gemini-3.8-flash/complete",
    "failure: unsupported country": "failure_400_country/gemini-3.8-flash/complete",
    "failure: model only in global": "failure_400_only_global_vertex/gemini-3.8-flash/complete",
    "failure: internal error": "failure_500_internal/gemini-3.8-flash/complete",
    "failure: overloaded": "failure_503_overloaded/gemini-3.8-flash/complete",
    "failure: gateway's error": "failure_429_gateway/gemini-3.8-flash/complete",
    "failure: malformed call": "failure_200_malformed_call/gemini-3.8-flash/complete",
    "failure: empty reply": "failure_200_empty_reply/gemini-3.8-flash/complete",
}
FOLDER = Path(__file__).parents[2] / "cassettes"
PROJECT = "PROJECT_ID"
#: The headers of a response that are kept. All other headers, and all headers of the request, are removed.
KEPT_HEADERS = ("content-type", "retry-after")
#: Matches texts that look like a secret or like the name of a project.
LEAKS = re.compile(
    r"AIza[0-9A-Za-z_-]{10}|ya29\.|Bearer |BEGIN [A-Z ]*PRIVATE KEY|refresh_token|client_secret|@[a-z-]+\.iam\."
    r"|projects/(?!PROJECT_ID/)"
)
#: The token requests of google-auth contain refresh tokens and client secrets, so they are never recorded.
IGNORED_HOSTS = (
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "metadata.google.internal",
    "169.254.169.254",
    "api.smith.langchain.com",
)


def load(name):
    """Return the content of the cassette `name`."""
    return _parse((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def _parse(text):
    """Return the content of a cassette. PyYAML's C parser is used if it is installed.

    The Python parser takes ten times as long.
    """
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def all_names():
    """Return the name of every cassette, as scenario/model/mode."""
    return sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.yaml"))


def source_rows():
    """Return the lines of the README's table of sources. The sources are read from the cassettes."""
    sources = {name: load(name)["provenance"] for name in all_names()}
    return [f"| `{name}` | {source['kind']} | {source['source']} |" for name, source in sources.items()]


def write_source_rows():
    """Rewrite the table of sources, which is the last table in the README."""
    path = FOLDER / "README.md"
    head, title, _ = path.read_text(encoding="utf-8").partition("| cassette | kind | source |\n|---|---|---|\n")
    path.write_text(head + title + "\n".join(source_rows()) + "\n", encoding="utf-8")


class ReadableSerializer:
    """Converts vcrpy's dict to YAML that a person can read, and back."""

    def __init__(self, model):
        self.model = model

    def serialize(self, cassette):
        interactions = [_readable(item) for item in cassette["interactions"]]
        hosts = {urlsplit(item["request"]["uri"]).hostname or "" for item in interactions}
        assert all(host.endswith("googleapis.com") for host in hosts), "only Google's own answers are `recorded`"
        today = dt.datetime.now(dt.timezone.utc).date().isoformat()
        provenance = {"kind": "recorded", "source": ", ".join(sorted(hosts)), "date": today, "model": self.model}
        document = {"provenance": provenance, "interactions": interactions}
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)

    def deserialize(self, text):
        return {"version": 1, "interactions": [_wired(item) for item in _parse(text)["interactions"]]}


def _readable(item):
    request, response = item["request"], item["response"]
    text = _text(response["body"]["string"])
    kind = response["headers"].get("content-type", [""])[0]
    if "event-stream" in kind:
        events = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
        body = {"events": [event if event == "[DONE]" else json.loads(event) for event in events]}
    else:
        body = {"json": json.loads(text)}
    return {
        "request": {"method": request["method"], "uri": request["uri"], "json": json.loads(_text(request["body"]))},
        "response": {"status": response["status"], "headers": response["headers"], **body},
    }


def _wired(item):
    request, response = item["request"], item["response"]
    if "events" in response:
        events = (event if isinstance(event, str) else json.dumps(event) for event in response["events"])
        text = "".join(f"data: {event}\n\n" for event in events)
    else:
        text = json.dumps(response["json"])
    return {
        "request": {
            "method": request["method"],
            "uri": request["uri"],
            "body": json.dumps(request["json"]),
            "headers": {},
        },
        "response": {"status": response["status"], "headers": response["headers"], "body": {"string": text}},
    }


def _text(body):
    return body.decode() if isinstance(body, bytes) else body or "{}"


def scrub_request(request):
    """Remove all headers and the name of the project."""
    request.headers.clear()
    request.uri = re.sub(r"/projects/[^/]+/", f"/projects/{PROJECT}/", request.uri)
    return request


def scrub_response(response):
    headers = {key.lower(): value for key, value in response["headers"].items()}
    response["headers"] = {key: headers[key] for key in KEPT_HEADERS if key in headers}
    return response


def same_json(sent, kept):
    """Assert that the body is the one in the cassette. Ids that this package generates count as equal."""
    bodies = [re.sub(rb"call_[0-9a-f]{20}", b"call_ours", request.body) for request in (sent, kept)]
    assert json.loads(bodies[0]) == json.loads(bodies[1])


@contextmanager
def cassette(name, *, record=False):
    """Replay the cassette `name` to its end, or record it again."""
    path = FOLDER / f"{name}.yaml"
    if record:
        path.unlink(missing_ok=True)
    recorder = vcr.VCR(
        record_mode="once" if record else "none",
        match_on=["method", "uri", "json"],
        before_record_request=scrub_request,
        before_record_response=scrub_response,
        ignore_hosts=IGNORED_HOSTS,
        decode_compressed_response=True,
    )
    recorder.register_matcher("json", same_json)
    recorder.register_serializer("readable", ReadableSerializer(name.split("/")[1]))
    with recorder.use_cassette(str(path), serializer="readable") as tape:
        yield tape
    assert record or tape.all_played, f"{name} was not replayed to its end"


if __name__ == "__main__":
    write_source_rows()
