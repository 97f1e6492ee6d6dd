"""Tests of `GeminiCompatEmbeddings` (batches, order, retries, errors) and of the fake server's vectors."""

import asyncio
import base64
import json
import logging
import math
import pickle
import struct
import subprocess
import sys
import threading

import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import ValidationError
from wire import Wire, google_error, http, reply

from langchain_gemini_compat import GeminiCompatEmbeddings, errors
from langchain_gemini_compat._request.embeddings import Batch
from langchain_gemini_compat.testing import FakeGemini, Fault
from langchain_gemini_compat.testing._server.embeddings import embed


def vectors(*numbers, **more):
    """Return a reply with a one-number vector for each text. Like AI Studio's replies, it has no `index`."""
    data = [{"object": "embedding", "embedding": [number]} for number in numbers]
    return {"object": "list", "data": data, "model": "gemini-embedding-001", **more}


def limited():
    return reply(google_error(429, "RESOURCE_EXHAUSTED", "Please retry in 0.01s."), 429)


def refused():
    return reply(google_error(400, "INVALID_ARGUMENT", "No."), 400)


def connect(wire, **kwargs):
    return GeminiCompatEmbeddings(model="gemini-embedding-001", api_key="k", **wire.clients, **kwargs)


def echo(request):
    """Return vectors that identify their texts: text "7" has the vector [7.0]."""
    return reply(vectors(*map(float, json.loads(request.content)["input"])))


class Echo(Wire):
    """Answers each request with the vectors of its texts."""

    def __init__(self):
        super().__init__(None)

    def answer(self, request):
        self.requests.append(request)
        return echo(request)


async def both(embeddings, texts):
    """Return the result of the sync method, and check that the async method returns the same."""
    one, two = embeddings.embed_documents(texts), await embeddings.aembed_documents(texts)
    assert one == two
    return one


async def failure(embeddings, texts, kind):
    """Return the error of the sync method, and check that the async method raises the same."""
    with pytest.raises(kind) as one:
        embeddings.embed_documents(texts)
    with pytest.raises(kind) as two:
        await embeddings.aembed_documents(texts)
    assert str(one.value) == str(two.value)
    return one.value


async def test_texts_are_sent_in_batches_and_keep_their_order():
    """AI Studio accepts at most 100 texts in one request, so 250 texts are sent in three requests to `/embeddings`."""
    wire = Echo()
    found = await both(connect(wire), [str(number) for number in range(250)])
    assert found == [[float(number)] for number in range(250)]
    assert sorted(len(body["input"]) for body in wire.bodies) == [50, 50, 100, 100, 100, 100]
    assert {str(request.url) for request in wire.requests} == {
        "https://generativelanguage.googleapis.com/v1beta/openai/embeddings"
    }
    assert wire.requests[0].headers["authorization"] == "Bearer k"


async def test_no_texts_send_no_request():
    """An empty list returns an empty list."""
    wire = Wire(RuntimeError("a request was made"))
    assert await both(connect(wire), []) == []
    assert wire.requests == []


async def test_query_is_one_text():
    """The result is one vector, not a list of vectors."""
    wire = Echo()
    embeddings = connect(wire)
    assert embeddings.embed_query("5") == await embeddings.aembed_query("5") == [5.0]
    assert wire.bodies[0] == {"model": "gemini-embedding-001", "input": ["5"]}


@pytest.mark.parametrize("name", ["dimensions", "output_dimensionality"])
def test_dimensions_batch_size_and_further_keys_are_in_the_body(name):
    """`dimensions` can be set under this package's name and under the name of Google's own class."""
    embeddings = GeminiCompatEmbeddings(
        model="models/gemini-embedding-001",
        api_key="k",
        batch_size=2,
        model_kwargs={"user": "u"},
        **{name: 64},
    )
    rest = {"model": "gemini-embedding-001", "dimensions": 64, "user": "u"}
    assert embeddings.preview(["a", "b", "c"]) == [{**rest, "input": ["a", "b"]}, {**rest, "input": ["c"]}]


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ([None, None, None], [0, 1, 2]),
        ([0, 0, 0], [0, 1, 2]),
        ([2, None, 1], [1, 2, 0]),
        ([2, 0, 1], [1, 2, 0]),
        ([2.0, 0.0, 1.0], [1, 2, 0]),
        (["2", "0", "1"], [1, 2, 0]),
        (["2", None, 1.0], [1, 2, 0]),
    ],
)
async def test_vectors_are_ordered_by_index(indices, expected):
    """A missing `index` counts as 0. If every `index` is missing or 0, the order of the reply is used."""
    body = vectors(0, 1, 2)
    for item, index in zip(body["data"], indices, strict=True):
        if index is not None:
            item["index"] = index
    assert await both(connect(Wire(body)), ["a", "b", "c"]) == [[float(number)] for number in expected]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (vectors(1), "The reply has 1 vectors for 2 texts (texts[0:2])"),
        (vectors(1, 2, 3), "The reply has 3 vectors for 2 texts (texts[0:2])"),
        ({"data": None}, "The reply has 0 vectors"),
        ({}, "not a reply of this API"),
        ({"data": [{"index": 1, "embedding": [1]}, {"index": 1, "embedding": [2]}]}, "the indexes [1, 1]"),
        ({"data": [{"index": 0, "embedding": [1]}, {"index": 7, "embedding": [2]}]}, "the indexes [0, 7]"),
        ({"data": [{"index": 0, "embedding": [1]}, {"index": -1, "embedding": [2]}]}, "the indexes [0, -1]"),
        (
            {"data": [{"index": 0, "embedding": [1]}, {"index": True, "embedding": [2]}]},
            "texts[0:2] has the `index` True",
        ),
        (
            {"data": [{"index": 1.5, "embedding": [1]}, {"index": 0, "embedding": [2]}]},
            "texts[0:2] has the `index` 1.5",
        ),
        ('{"data": [{"index": 1e999, "embedding": [1]}, {"embedding": [2]}]}', "texts[0:2] has the `index` inf"),
        ({"data": [{"index": "first", "embedding": [1]}, {"embedding": [2]}]}, "texts[0:2] has the `index` 'first'"),
        ({"data": [{"index": "²", "embedding": [1]}, {"embedding": [2]}]}, "texts[0:2] has the `index` '²'"),
        ({"data": [{"index": [1], "embedding": [1]}, {"embedding": [2]}]}, "texts[0:2] has the `index` [1]"),
        (vectors(1, None), "texts[1] is not a list of numbers"),
        (vectors(1, "2"), "texts[1] is not a list of numbers"),
        ({"data": [{"embedding": [1]}, {"embedding": [True]}]}, "texts[1] is not a list of numbers"),
        *(
            ({"data": [{"embedding": [1]}, {"embedding": [0.5, odd]}]}, "texts[1] is not a list of numbers")
            for odd in (True, "1.5", "NaN", [1.5], {"x": 1}, None)
        ),
        ('{"data": [{"embedding": [1]}, {"embedding": [1e999, -1e999]}]}', "texts[1] has a number that is not finite"),
        (vectors(1, 10**400), "texts[1] has a number that is not finite"),
        ('{"data": [{"embedding": [1]}, {"embedding": [NaN]}]}', "texts[1] has a number that is not finite"),
        ('{"data": [{"embedding": [1e999]}, {"embedding": [1]}]}', "texts[0] has a number that is not finite"),
        ({"data": [{"embedding": [1]}, {"embedding": []}]}, "texts[1] is not a list of numbers"),
        ({"data": [{"embedding": [1]}, {"embedding": "AACAPwA="}]}, "texts[1] is not a list of numbers"),
        ({"data": [{"embedding": [1]}, {"embedding": "no base64"}]}, "texts[1] is not a list of numbers"),
        ({"data": [{"embedding": [1]}, {"embedding": "AACAfw=="}]}, "texts[1] has a number that is not finite"),
        ({"data": [{"embedding": [1]}, "vector"]}, "texts[1] is not a list of numbers"),
        ({"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}, "different lengths: 1 for texts[0] and 2 for texts[1]"),
    ],
)
async def test_reply_with_missing_or_invalid_vectors_raises(body, words):
    """The error is an error of this package, and names the text."""
    error = await failure(connect(Wire(body), max_retries=0), ["a", "b"], errors.InvalidReplyError)
    assert words in str(error)


@pytest.mark.parametrize("numbers", [[1, -2], [0.5, 2], [1e308, 1e308], [-0.0, 5e-324]])
async def test_finite_numbers_are_returned_as_floats(numbers):
    """Integers become floats. Finite numbers are valid, even if their sum is infinite."""
    found = await both(connect(Wire({"data": [{"embedding": numbers}]})), ["a"])
    assert found == [numbers]
    assert {type(number) for number in found[0]} == {float}


def test_vector_of_floats_is_not_copied():
    """Decoding would be slower if it copied all numbers of a vector."""
    vector = [0.5, -0.25]
    batch = Batch(model="m", payload={}, first=0, size=1, dimensions=None)
    assert batch.decode({"data": [{"embedding": vector}]})[0] is vector


async def test_bad_reply_is_retried():
    """After a reply with one vector for two texts, the request is sent again."""
    wire = Wire(vectors(1), vectors(1, 2), vectors(1), vectors(1, 2))
    assert await both(connect(wire, timeout={"retry_wait": 5}), ["a", "b"]) == [[1.0], [2.0]]
    assert len(wire.requests) == 4


async def test_wrong_dimensions_raise_without_a_retry():
    """A server that ignores `dimensions` would fill a vector store with vectors of another length."""
    wire = Wire(vectors(1))
    error = await failure(connect(wire, dimensions=3), ["a"], errors.InvalidReplyError)
    assert "have 1 dimensions instead of 3" in str(error)
    assert len(wire.requests) == 2


async def test_vectors_of_one_call_have_one_length():
    """A vector store requires one length. A sync call stops at the first vector with another length."""
    answers = [{"data": [{"embedding": numbers}]} for numbers in ([1, 2], [1, 2, 3], [1, 2])]
    wire = Wire(*answers, *answers)
    embeddings = connect(wire, batch_size=1)
    text = r"2 for texts\[0\] and 3 for texts\[1\]"
    with pytest.raises(errors.InvalidReplyError, match=text):
        embeddings.embed_documents(["a", "b", "c"])
    assert len(wire.requests) == 2
    wire.answers = answers
    with pytest.raises(errors.InvalidReplyError, match="different lengths"):
        await embeddings.aembed_documents(["a", "b", "c"])


async def test_base64_vectors_are_decoded():
    """On request, a server sends base64 vectors of little-endian 32-bit floats."""
    wire = Wire({"data": [{"embedding": base64.b64encode(struct.pack("<2f", 0.5, -3.0)).decode()}]})
    assert await both(connect(wire, model_kwargs={"encoding_format": "base64"}), ["a"]) == [[0.5, -3.0]]
    assert [body["encoding_format"] for body in wire.bodies] == ["base64"] * 2


@pytest.mark.parametrize("form", [tuple, iter, dict.fromkeys, lambda texts: (text for text in texts)])
async def test_texts_may_be_any_iterable_of_strings(form):
    """A generator is read once."""
    embeddings, texts = connect(Echo(), batch_size=2), ["3", "1", "2"]
    expected = [[3.0], [1.0], [2.0]]
    assert embeddings.embed_documents(form(texts)) == expected
    assert await embeddings.aembed_documents(form(texts)) == expected
    assert len(embeddings.preview(form(texts))) == 2


@pytest.mark.parametrize("odd", [None, 7])
async def test_argument_other_than_a_list_of_texts_raises(odd):
    """The error is an `UnsupportedContentError`, as for any invalid content that is found before a request is sent."""
    error = await failure(connect(Echo()), odd, errors.UnsupportedContentError)
    assert str(error) == f"`texts` is a {type(odd).__name__}. Pass a list of strings."


async def test_total_timeout_holds_for_all_requests_of_a_call():
    """Each request is within the timeout, but all requests together are not."""
    fake = FakeGemini(Fault.slow(first_byte=0.1))
    embeddings = fake.embeddings(batch_size=1, max_concurrency=1, timeout={"total": 0.35})
    error = await failure(embeddings, ["a"] * 10, errors.RequestTimeoutError)
    assert (error.limit, "0.35 seconds" in str(error)) == ("total", True)
    assert len(fake.requests) <= 8
    # The total timeout starts anew with each call, so a call with one text succeeds.
    assert len(embeddings.embed_query("a")) == 3072


async def test_retries_are_counted_for_each_request():
    """Each of two batches may be retried `max_retries` times."""
    wire = Wire(*(answer for _ in range(2) for answer in (limited(), vectors(1), limited(), vectors(2))))
    assert await both(connect(wire, batch_size=1, max_retries=1, max_concurrency=1), ["a", "b"]) == [[1.0], [2.0]]
    assert len(wire.requests) == 8


@pytest.mark.parametrize(
    ("odd", "words"), [("", "is empty. Google does not accept empty texts."), (None, "is a NoneType"), (7, "is a int")]
)
async def test_text_that_google_does_not_embed_raises_before_the_request(odd, words):
    """Empty texts and values of other types raise."""
    wire = Wire(vectors(1, 2, 3))
    error = await failure(connect(wire), ["a", odd, "b"], errors.UnsupportedContentError)
    assert str(error).startswith(f"texts[1] {words}")
    assert wire.requests == []


def test_single_string_as_texts_raises():
    """A string is an iterable of strings, so each letter would be embedded as a text."""
    with pytest.raises(errors.UnsupportedContentError, match="embed_query"):
        connect(Wire(vectors(1))).embed_documents("abc")


def test_empty_text_is_sent_to_a_compatible_server():
    """A compatible server may embed empty texts."""
    wire = Wire(vectors(1))
    embeddings = GeminiCompatEmbeddings(model="m", base_url="http://127.0.0.1:9/v1", **wire.clients)
    assert embeddings.embed_documents([""]) == [[1.0]]
    assert str(wire.requests[0].url) == "http://127.0.0.1:9/v1/embeddings"


async def test_failed_request_is_retried_and_then_raises():
    """Retries and error classes are the same as for the chat model. After the last retry no vector is returned."""
    wire = Wire(limited(), vectors(1), limited(), vectors(1))
    assert await both(connect(wire, batch_size=1), ["a"]) == [[1.0]]
    assert len(wire.requests) == 4
    error = await failure(connect(Wire(refused(), refused())), ["a"], errors.InvalidRequestError)
    assert (error.status_code, error.tries) == (400, 1)


async def test_texts_of_a_failed_request_are_logged(caplog):
    """The log names the texts, because the server's error does not."""
    caplog.set_level(logging.INFO, logger="langchain_gemini_compat")
    wire = Wire(vectors(1, 2), refused())
    with pytest.raises(errors.InvalidRequestError):
        connect(wire, batch_size=2).embed_documents(["a", "b", "c", "d", "e"])
    assert "texts[2:4] could not be embedded (InvalidRequestError)" in caplog.text
    assert len(wire.requests) == 2


class Slow(Wire):
    """Answers after a moment, and counts the concurrent requests."""

    def __init__(self):
        super().__init__(None)
        self.now = self.most = 0

    async def aanswer(self, request):
        self.requests.append(request)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            # The replies come in reverse order: the latest request waits the shortest time.
            await asyncio.sleep(0.05 / len(self.requests))
            if "-1" in json.loads(request.content)["input"]:
                return refused()
            return echo(request)
        finally:
            self.now -= 1


async def test_async_requests_keep_max_concurrency_and_order():
    """Exactly `max_concurrency` requests run at once."""
    wire = Slow()
    texts = [str(number) for number in range(20)]
    found = await connect(wire, batch_size=2, max_concurrency=3).aembed_documents(texts)
    assert found == [[float(number)] for number in range(20)]
    assert (wire.most, len(wire.requests)) == (3, 10)


async def test_first_failure_cancels_the_other_requests():
    """No request continues in the background, and no further request is sent."""
    wire = Slow()
    texts = [*map(str, range(6)), "-1", *map(str, range(100))]
    with pytest.raises(errors.InvalidRequestError):
        await connect(wire, batch_size=1, max_concurrency=2).aembed_documents(texts)
    sent = len(wire.requests)
    assert wire.now == 0
    assert sent <= 9
    await asyncio.sleep(0.05)
    assert len(wire.requests) == sent


@pytest.mark.parametrize("end", ["", "/", "/embeddings", "/embeddings/", "/chat/completions"])
def test_base_url_may_end_in_the_path(end):
    """The documentation of a server may show a `base_url` that ends in `/embeddings`."""
    wire = Wire(vectors(1))
    embeddings = GeminiCompatEmbeddings(model="m", base_url=f"http://127.0.0.1:9/v1{end}", **wire.clients)
    assert embeddings.embed_documents(["a"]) == [[1.0]]
    assert str(wire.requests[0].url) == "http://127.0.0.1:9/v1/embeddings"


@pytest.mark.parametrize("variable", ["GOOGLE_API_KEY", "GEMINI_API_KEY"])
def test_key_and_project_in_the_environment_raise_one_error(monkeypatch, variable):
    """A key and a project in the environment contradict each other, because embeddings do not support Vertex AI.

    The argument `surface`, `api_key` or `base_url` resolves the conflict, so the error does not advise another package.
    """
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv(variable, "key-of-the-environment")
    with pytest.raises(ValidationError, match="are both in the environment, and Vertex AI has no") as caught:
        GeminiCompatEmbeddings(model="m")
    assert "langchain-google-genai" not in str(caught.value)
    for chosen in ({"surface": "ai_studio"}, {"api_key": "k"}, {"base_url": "http://127.0.0.1:9/v1"}):
        GeminiCompatEmbeddings(model="m", **chosen)


@pytest.mark.parametrize(
    "where", [{"project": "p"}, {"base_url": "https://gateway.example/v1/projects/p/locations/l/endpoints/openapi"}]
)
def test_vertex_is_refused_at_construction(where):
    """The error names the package to use."""
    with pytest.raises(ValidationError, match="langchain-google-genai"):
        GeminiCompatEmbeddings(model="gemini-embedding-001", **where)


def test_copy_for_vertex_is_refused_at_first_use():
    """`model_copy` does not check the new values, so the first call raises the error."""
    copy = connect(Wire(vectors(1))).model_copy(update={"api_key": None, "project": "p", "surface": "vertex"})
    with pytest.raises(errors.UnsupportedParameterError, match="langchain-google-genai"):
        copy.embed_query("a")


def test_gateway_with_vertex_path_may_embed():
    """A `base_url` with a path of Vertex AI is accepted if `surface` is `openai_compatible`."""
    url = "https://gateway.example/endpoints/openapi"
    embeddings = GeminiCompatEmbeddings(model="m", base_url=url, surface="openai_compatible", api_key="k")
    assert embeddings.endpoint_info()["base_url"] == url


@pytest.mark.parametrize("given", [{"dimensions": 0}, {"batch_size": 0}, {"max_concurrency": 0}, {"timeout": "soon"}])
def test_invalid_numbers_are_refused_at_construction(given):
    """The error is raised before any text is embedded."""
    with pytest.raises(ValueError, match=next(iter(given))):
        GeminiCompatEmbeddings(model="m", api_key="k", **given)


def test_embeddings_are_pickled_without_their_clients():
    """A worker process opens its own clients."""
    embeddings = connect(Wire(vectors(1)), dimensions=3, chunk_size=7)
    copy = pickle.loads(pickle.dumps(embeddings))
    assert (copy.dimensions, copy.batch_size, copy.http_client) == (3, 7, None)
    assert copy.endpoint_info() == embeddings.endpoint_info()
    assert copy.api_key.get_secret_value() == "k"


def test_embeddings_share_the_connection_but_not_the_rate_gate():
    """A quota belongs to a model, so chat calls pass while embeddings wait."""
    fake = FakeGemini()
    one, two = fake.embeddings()._open_transport(), fake.chat_model()._open_transport()
    assert one._config.base_url == two._config.base_url
    assert one.begin("gemini-embedding-001")._gate is not two.begin("gemini-3.8-flash")._gate


def test_threads_can_embed_at_the_same_time():
    """All threads share the same `GeminiCompatEmbeddings` object."""
    wire, found = Echo(), {}
    embeddings = connect(wire)
    threads = [
        threading.Thread(target=lambda number=number: found.update({number: embeddings.embed_query(str(number))}))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [float(number)] for number in range(8)}


def test_embeddings_are_loaded_lazily():
    """Importing the package does not import `embeddings`. Creating the object does not import openai or google-auth."""
    code = (
        "import sys, langchain_gemini_compat as p\n"
        "print('langchain_gemini_compat.embeddings' in sys.modules)\n"
        "p.GeminiCompatEmbeddings(model='gemini-embedding-001', api_key='k')\n"
        "print([name for name in ('openai', 'google.auth', 'numpy') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "[]"]


def test_unknown_name_of_the_package_is_an_attribute_error():
    """Only listed names are loaded lazily."""
    import langchain_gemini_compat  # noqa: PLC0415

    with pytest.raises(AttributeError, match="NoSuchThing"):
        _ = langchain_gemini_compat.NoSuchThing


PASSAGES = [
    "Tokens of service accounts are refreshed five minutes before they expire.",
    "A thought signature belongs to one surface and is never replayed on another.",
    "When the server answers 429, all callers of one model wait at one gate.",
    "Images are sent as base64 data or by URL, audio as base64 data only.",
    "The schema compiler inlines references and drops keywords that Gemini refuses.",
]


@pytest.mark.parametrize("surface", ["ai_studio", "openai_compatible"])
@pytest.mark.parametrize("dimensions", [None, 256])
@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("What happens with signatures when I move to the other surface?", 1),
        ("Who waits after a 429?", 2),
        ("How do I send an image?", 3),
        ("Which keywords of a schema are dropped?", 4),
        ("When is a token refreshed?", 0),
    ],
)
async def test_question_finds_its_passage(question, place, dimensions, surface):
    """The fake's vectors work for retrieval, in full length and shortened."""
    fake = FakeGemini(surface=surface)
    store = InMemoryVectorStore(fake.embeddings(dimensions=dimensions))
    store.add_texts(PASSAGES)
    assert store.similarity_search(question, k=1)[0].page_content == PASSAGES[place]
    assert (await store.asimilarity_search(question, k=1))[0].page_content == PASSAGES[place]
    assert fake.refusals == []


def test_fake_vectors_have_length_one_and_are_stable():
    """The vectors are the same in each process. An unusual text also has a vector."""
    fake = FakeGemini()
    texts = ["Vectors", "the", "!!!", " ", "\ud800", "日本語のテキスト"]
    found = fake.embeddings(dimensions=64).embed_documents(texts)
    assert all(math.isclose(math.fsum(value * value for value in vector), 1.0) for vector in found)
    assert len({tuple(vector) for vector in found}) == len(texts)
    strongest = max(range(64), key=lambda place: abs(found[0][place]))
    assert (strongest, round(found[0][strongest], 6)) == (55, 0.758098)
    assert len(fake.embeddings().embed_query("a")) == 3072


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"input": ["a"] * 101}, "batch-size"),
        ({"input": ["a", ""]}, "empty-text"),
        ({"input": []}, "empty-text"),
        ({"input": "a", "dimensions": 4000}, "dimensions"),
        ({"input": "a", "dimensions": True}, "dimensions"),
        ({"input": "a", "user": "u"}, "unknown-field"),
        ({"input": "a", "model": ""}, "model-name"),
    ],
)
def test_fake_refuses_what_google_refuses(body, rule):
    """The refusals have Google's texts, and apply only to Google's surfaces."""
    fake = FakeGemini()
    url, headers = f"{fake.connection()['base_url']}/embeddings", {"Authorization": "Bearer k"}
    answer = fake.http_client.post(url, json={"model": "gemini-embedding-001", **body}, headers=headers)
    assert (answer.status_code, answer.headers["x-fake-gemini-rule"]) == (400, rule)
    assert [violation.rule for violation in fake.refusals] == [rule]


def test_fake_refusal_of_a_long_batch_has_googles_text():
    """Google's text is quoted in https://github.com/geldata/gel/issues/9032."""
    with pytest.raises(errors.InvalidRequestError, match="at most 100 requests can be in one batch"):
        FakeGemini().embeddings(batch_size=500).embed_documents(["a"] * 101)


def test_fake_leaves_out_what_ai_studio_leaves_out():
    """In a reply with embeddings, AI Studio leaves out `usage` and an `index` of 0. A compatible server sends both."""
    studio, plain = (
        embed({"model": "m", "input": ["a", "b"]}, surface) for surface in ("ai_studio", "openai_compatible")
    )
    assert [item.get("index") for item in studio["data"]] == [None, 1]
    assert [item["index"] for item in plain["data"]] == [0, 1]
    assert ("usage" in studio, "usage" in plain) == (False, True)


def test_openai_sdk_reads_the_fakes_vectors():
    """The SDK requests base64 by default. It also reads lists of numbers."""
    import openai  # noqa: PLC0415

    fake = FakeGemini()
    client = openai.OpenAI(api_key="k", base_url=fake.connection()["base_url"], http_client=fake.http_client)
    found = client.embeddings.create(model="gemini-embedding-001", input=["a", "b"])
    assert [len(item.embedding) for item in found.data] == [3072, 3072]


def test_vertex_has_no_embeddings_path():
    """The fake answers with an HTML page, as Google does."""
    fake = FakeGemini(surface="vertex")
    url = f"{fake.connection()['base_url']}/embeddings"
    assert fake.http_client.post(url, json={}, headers={"Authorization": "Bearer k"}).status_code == 404
    assert isinstance(fake.http_client, http.Client)
