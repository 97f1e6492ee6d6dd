"""Tests the batches and files of the fake.

The tests upload files with google-genai and create batches with the openai SDK, as Google's documentation does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai.errors import APIError
from google.genai.types import HttpOptions, UploadFileConfig
from openai import BadRequestError, NotFoundError, OpenAI, RateLimitError

from langchain_gemini_compat.testing import BatchPlan, FakeGemini, Fault

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types import Batch

HOURS_47, HOURS_49 = 47 * 3600.0, 49 * 3600.0
KEY = "a-key-of-ai-studio"


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_790_000_000.0

    def __call__(self) -> float:
        return self.seconds


def line(name: str, prompt: str, **more: object) -> str:
    """Return a line of an input file."""
    body = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": prompt}], **more}
    return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"


def upload(fake: FakeGemini, content: str) -> str:
    """Upload an input file with plain requests and return its name."""
    start = send(
        fake,
        "POST",
        "/upload/v1beta/files",
        {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(len(content.encode())),
        },
        b'{"file": {"display_name": "requests"}}',
    )
    headers = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    done = send(fake, "POST", start.headers["x-goog-upload-url"], headers, content.encode())
    return str(json.loads(done.steps[0])["file"]["name"])


def send(fake: FakeGemini, method: str, url: str, headers: dict[str, str] | None = None, content: bytes = b"") -> Any:
    """Return the answer to a request of the native API."""
    return fake.respond(method, url, {"x-goog-api-key": KEY, **(headers or {})}, content)


def client_of(fake: FakeGemini) -> OpenAI:
    """Return openai's client, connected to the fake in process."""
    return OpenAI(base_url=fake.connection()["base_url"], api_key=KEY, max_retries=0, http_client=fake.http_client)


def create(fake: FakeGemini, content: str) -> Batch:
    """Upload `content` and create its batch."""
    return client_of(fake).batches.create(
        input_file_id=upload(fake, content), endpoint="/v1/chat/completions", completion_window="24h"
    )


def download(fake: FakeGemini, name: str | None) -> list[dict[str, Any]]:
    """Return the lines of an output file of a batch."""
    answer = send(fake, "GET", f"/download/v1beta/{name}:download?alt=media")
    return [json.loads(text) for text in answer.steps[0].splitlines()]


def test_the_program_that_google_documents_runs(tmp_path: Path) -> None:
    fake = FakeGemini(lambda request: f"About {request.prompt}")
    path = tmp_path / "requests.jsonl"
    path.write_text(line("a", "moons") + line("b", "stars"))
    with fake.serve() as url:
        native = genai.Client(api_key=KEY, http_options=HttpOptions(base_url=url.removesuffix("/v1beta/openai")))
        uploaded = native.files.upload(file=path, config=UploadFileConfig(display_name="mine", mime_type="jsonl"))
        assert uploaded.name is not None
        with OpenAI(base_url=url, api_key=KEY) as client:
            batch = client.batches.create(
                input_file_id=uploaded.name, endpoint="/v1/chat/completions", completion_window="24h"
            )
            batch = client.batches.retrieve(batch.id)
        assert batch.status == "completed"
        assert batch.output_file_id is not None
        rows = [json.loads(text) for text in native.files.download(file=batch.output_file_id).splitlines()]
        assert [job.name for job in native.batches.list()] == [batch.id]
        with pytest.raises(APIError, match="cannot be downloaded"):
            native.files.download(file=uploaded.name)
    assert [(row["custom_id"], row["response"]["body"]["choices"][0]["message"]["content"]) for row in rows] == [
        ("a", "About moons"),
        ("b", "About stars"),
    ]


def test_google_genai_uploads_a_file_in_several_parts(tmp_path: Path) -> None:
    fake = FakeGemini()
    path = tmp_path / "requests.jsonl"
    path.write_text(line("a", "x" * 9_000_000))
    with fake.serve() as url:
        native = genai.Client(api_key=KEY, http_options=HttpOptions(base_url=url.removesuffix("/v1beta/openai")))
        uploaded = native.files.upload(file=path, config=UploadFileConfig(mime_type="jsonl"))
    assert uploaded.size_bytes == path.stat().st_size
    assert len(fake.requests) == 3


def test_a_batch_passes_its_states_as_time_passes() -> None:
    fake, clock = FakeGemini(), Time()
    fake.batches.clock, fake.batches.plan = clock, BatchPlan(seconds=100)
    batches, batch = client_of(fake).batches, create(fake, line("a", "Hi"))
    assert (batch.id, batch.status, batch.output_file_id) == ("batches/000000000001", "validating", None)
    clock.seconds += 10
    assert batches.retrieve(batch.id).status == "in_progress"
    assert fake.batches[0].requests == []
    clock.seconds += 90
    done = batches.retrieve(batch.id)
    assert (done.status, done.request_counts and done.request_counts.completed) == ("completed", 1)
    assert [request.prompt for request in fake.batches[0].requests] == ["Hi"]


def test_a_batch_expires_after_48_hours_without_results() -> None:
    fake, clock = FakeGemini(), Time()
    fake.batches.clock, fake.batches.plan = clock, BatchPlan(seconds=HOURS_49)
    batch = create(fake, line("a", "Hi"))
    clock.seconds += HOURS_47
    assert client_of(fake).batches.retrieve(batch.id).status == "in_progress"
    clock.seconds += 3600
    late = client_of(fake).batches.retrieve(batch.id)
    assert (late.status, late.output_file_id, fake.batches[0].requests) == ("expired", None, [])


def test_a_plan_ends_a_batch_early_and_partly() -> None:
    fake = FakeGemini()
    fake.batches.rule = lambda batch: BatchPlan(ends="cancelled", answered=len(batch.lines) - 1)
    batch = create(fake, line("a", "one") + line("b", "two"))
    partly = client_of(fake).batches.retrieve(batch.id)
    assert partly.status == "cancelled"
    assert [row["custom_id"] for row in download(fake, partly.output_file_id)] == ["a"]


def test_a_failed_batch_says_why() -> None:
    fake = FakeGemini()
    fake.batches.plan = BatchPlan(ends="failed", message="No capacity.")
    batch = client_of(fake).batches.retrieve(create(fake, line("a", "Hi")).id)
    assert batch.status == "failed"
    assert [error.message for error in (batch.errors and batch.errors.data) or []] == ["No capacity."]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{broken\n", "Line 1 is not JSON."),
        (line("a", "x") + line("a", "y"), "Line 2 needs a custom_id that no other line has."),
        (line("a", "x").replace("/v1/chat", "/v2/chat"), "Line 1 has to have the method POST and the url"),
        (line("a", "x", stream=True), "Line 1 asks for a stream."),
        (line("a", "x") + line("b", "y", model="gemini-3.5-flash"), "Line 2 has another model than the first line."),
        ("\n", "The input file has no requests."),
    ],
)
def test_a_wrong_input_file_fails_its_batch(content: str, reason: str) -> None:
    fake = FakeGemini()
    batch = client_of(fake).batches.retrieve(create(fake, content).id)
    assert batch.status == "failed"
    assert reason in str(batch.errors)


def test_the_fault_of_a_request_is_its_error() -> None:
    replies = ["fine", Fault.overloaded(), "also fine"]
    fake = FakeGemini(replies)
    batch = client_of(fake).batches.retrieve(create(fake, line("a", "1") + line("b", "2") + line("c", "3")).id)
    rows = download(fake, batch.output_file_id)
    assert [row["error"] and row["error"]["code"] for row in rows] == [None, 14, None]
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 1)
    fake.answer_with(replies)
    fake.batches.plan = BatchPlan(error_form="response", has_error_file=True)
    batch = client_of(fake).batches.retrieve(create(fake, line("a", "1") + line("b", "2") + line("c", "3")).id)
    assert [row["custom_id"] for row in download(fake, batch.output_file_id)] == ["a", "c"]
    assert download(fake, batch.error_file_id)[0]["response"]["status_code"] == 503


def test_a_request_of_a_batch_is_checked_like_any_request() -> None:
    fake = FakeGemini()
    batch = client_of(fake).batches.retrieve(create(fake, line("a", "Hi", seed=1, nonsense=1)).id)
    assert "Unknown name" in download(fake, batch.output_file_id)[0]["error"]["message"]


@pytest.mark.parametrize(
    ("camel_case", "usage", "finish"),
    [
        ("usage", "promptTokens", "finish_reason"),
        ("all", "promptTokens", "finishReason"),
        ("none", "prompt_tokens", ""),
    ],
)
def test_an_answer_has_the_keys_of_the_plan(camel_case: Any, usage: str, finish: str) -> None:
    fake = FakeGemini()
    fake.batches.plan = BatchPlan(camel_case=camel_case)
    batch = client_of(fake).batches.retrieve(create(fake, line("a", "Hi")).id)
    body = download(fake, batch.output_file_id)[0]["response"]["body"]
    assert usage in body["usage"]
    assert (finish or "finish_reason") in body["choices"][0]


def test_the_creation_takes_three_keys_and_a_file_that_exists() -> None:
    fake = FakeGemini()
    batches, name = client_of(fake).batches, upload(fake, line("a", "Hi"))
    with pytest.raises(BadRequestError) as refused:
        batches.create(
            input_file_id=name, endpoint="/v1/chat/completions", completion_window="24h", metadata={"run": "1"}
        )
    assert 'Unknown name \\"metadata\\"' in refused.value.response.text
    with pytest.raises(NotFoundError):
        batches.create(input_file_id="files/none", endpoint="/v1/chat/completions", completion_window="24h")
    assert list(fake.batches) == []


def test_a_file_is_gone_after_48_hours() -> None:
    fake, clock = FakeGemini(), Time()
    fake.batches.clock = clock
    name = upload(fake, line("a", "Hi"))
    assert json.loads(send(fake, "GET", f"/v1beta/{name}").steps[0])["displayName"] == "requests"
    clock.seconds += HOURS_49
    assert send(fake, "GET", f"/v1beta/{name}").status == 403
    with pytest.raises(NotFoundError):
        client_of(fake).batches.create(input_file_id=name, endpoint="/v1/chat/completions", completion_window="24h")


def test_no_more_batches_than_the_limit_are_active() -> None:
    fake = FakeGemini()
    fake.batches.max_batches, fake.batches.plan = 1, BatchPlan(seconds=60)
    first = create(fake, line("a", "Hi"))
    with pytest.raises(RateLimitError):
        create(fake, line("b", "Hi"))
    assert send(fake, "POST", f"/v1beta/{first.id}:cancel").status == 200
    assert client_of(fake).batches.retrieve(first.id).status == "cancelled"
    create(fake, line("b", "Hi"))


def test_what_google_does_not_document_is_not_found() -> None:
    fake = FakeGemini()
    batch = create(fake, line("a", "Hi"))
    with pytest.raises(NotFoundError):
        client_of(fake).batches.list()
    with pytest.raises(NotFoundError):
        client_of(fake).batches.cancel(batch.id)


def test_the_native_list_has_pages_and_names_the_input_files() -> None:
    fake = FakeGemini()
    made = [create(fake, line("a", "Hi")) for _ in range(3)]
    first = json.loads(send(fake, "GET", "/v1beta/batches?pageSize=2").steps[0])
    rest = json.loads(send(fake, "GET", f"/v1beta/batches?pageSize=2&pageToken={first['nextPageToken']}").steps[0])
    found = [*first["operations"], *rest["operations"]]
    assert [one["name"] for one in found] == [batch.id for batch in reversed(made)]
    assert found[0]["metadata"]["inputConfig"]["fileName"] == made[-1].input_file_id
    assert "nextPageToken" not in rest


def test_the_native_paths_need_their_own_header() -> None:
    fake = FakeGemini()
    assert fake.respond("GET", "/v1beta/batches", {"Authorization": f"Bearer {KEY}"}, b"").status == 401
    assert send(fake, "GET", "/v1beta/batches").status == 200


def test_an_upload_goes_on_at_the_offset_that_the_server_names() -> None:
    fake, content = FakeGemini(), b"x" * 300_000
    start = {
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": str(len(content)),
    }
    url = send(fake, "POST", "/upload/v1beta/files", start).headers["x-goog-upload-url"]
    part = {"X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "0"}
    assert send(fake, "POST", url, part, content[:100]).status == 400
    assert send(fake, "POST", url, part, content[:262_144]).status == 200
    asked = send(fake, "POST", url, {"X-Goog-Upload-Command": "query"})
    assert asked.headers["x-goog-upload-size-received"] == "262144"
    last = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    assert send(fake, "POST", url, last, content[262_144:]).status == 400
    done = send(fake, "POST", url, {**last, "X-Goog-Upload-Offset": "262144"}, content[262_144:])
    assert json.loads(done.steps[0])["file"]["sizeBytes"] == "300000"


def test_a_fault_rule_breaks_requests_for_files_and_batches() -> None:
    fake = FakeGemini()
    batch = create(fake, line("a", "Hi"))
    fake.batches.fault_rule = lambda request: Fault.overloaded() if request.method == "GET" else None
    assert (
        fake.respond("GET", f"/v1beta/openai/batches/{batch.id}", {"Authorization": f"Bearer {KEY}"}, b"").status == 503
    )


def test_only_ai_studio_has_batches() -> None:
    fake = FakeGemini(surface="vertex")
    assert send(fake, "POST", "/upload/v1beta/files", {"Authorization": "Bearer x"}).status == 404
