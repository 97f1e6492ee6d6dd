"""`GeminiCompatEmbeddings`: an embedding model with the chat model's connection, retries and errors."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from langchain_core.embeddings import Embeddings
from langchain_core.load.serializable import Serializable
from pydantic import AliasChoices, Field, model_validator
from typing_extensions import Self

from langchain_gemini_compat._catalog.surfaces import leads_to_vertex
from langchain_gemini_compat._errors.pending import aimport_classes, import_seconds
from langchain_gemini_compat._model import call as _call
from langchain_gemini_compat._model.connection import ConnectedModel
from langchain_gemini_compat._request.embeddings import MOST_TEXTS, encode_batches, join_vectors
from langchain_gemini_compat._request.known_refusals import EMBEDDINGS_PATH, apply_refusals
from langchain_gemini_compat._request.repair import Repair
from langchain_gemini_compat._settings.connection import has_two_sources
from langchain_gemini_compat._transport.timeouts import resolve_timeouts
from langchain_gemini_compat._wire.json_types import JsonObject
from langchain_gemini_compat.errors import GeminiCompatError, UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from typing import Any

    from google.auth.credentials import Credentials

    from langchain_gemini_compat._catalog.surfaces import Endpoint, Surface
    from langchain_gemini_compat._request.embeddings import Batch
    from langchain_gemini_compat._settings import argument_types as types
    from langchain_gemini_compat._settings.connection import Connection
    from langchain_gemini_compat._transport.client import Transport
    from langchain_gemini_compat._transport.retry import Tries
    from langchain_gemini_compat._wire.json_types import WireChunk

_log = logging.getLogger("langchain_gemini_compat")
_NOT_ON_VERTEX = (
    "Vertex AI has no OpenAI-compatible `/embeddings`. For Vertex AI, use `GoogleGenerativeAIEmbeddings(model=…, "
    "vertexai=True, project=…)` of the package langchain-google-genai. For AI Studio, pass `api_key` or "
    '`surface="ai_studio"`. For a gateway, pass `base_url` and `surface="openai_compatible"`.'
)
_BOTH_IN_ENVIRONMENT = (
    "GOOGLE_CLOUD_PROJECT and a key are both in the environment, and Vertex AI has no `/embeddings`. Pass "
    '`surface="ai_studio"` to use the key.'
)


class GeminiCompatEmbeddings(ConnectedModel, Serializable, Embeddings):
    """Embedding model on the `/embeddings` endpoint of AI Studio and of compatible servers.

    Vertex AI has no such endpoint. Connection, credentials, time limits, retries and errors work as in
    `ChatGeminiCompat`, with the same parameters.

    All parameters are keyword arguments. Only `model` is required. The `description` of each field gives its unit, its
    default and the surfaces that accept it, for example
    `GeminiCompatEmbeddings.model_fields["dimensions"].description`. The parameters by group:

    - model and vectors: `model`, `dimensions`
    - requests: `batch_size`, `max_concurrency`, `model_kwargs`, `default_headers`, `default_query`
    - endpoint: `base_url`, `surface`; `project`, `location`, `endpoint_id` and `api_version` belong to Vertex AI only
    - credentials: `api_key`, `credentials`, `quota_project_id`
    - transport: `timeout`, `max_retries`, `http_client`, `http_async_client`
    - errors: `strict`; `streaming` has no effect

    Raises:
        ValueError: At construction, if the arguments select no endpoint or select Vertex AI.
        GeminiCompatError: At a call. `InvalidReplyError` means that the reply does not have exactly one valid vector
            for each text.

    Examples:
        ```python
        GeminiCompatEmbeddings(model="gemini-embedding-001", api_key="...", dimensions=768)  # AI Studio
        GeminiCompatEmbeddings(model="nomic-embed-text", base_url="http://127.0.0.1:8080/v1")  # a compatible server
        ```
    """

    dimensions: int | None = Field(
        default=None,
        ge=1,
        validation_alias=AliasChoices("dimensions", "output_dimensionality"),
        description="Length of the vectors, 1 or more. Default: `None`, which means the model's own length (3072 for "
        "Gemini). Surfaces: AI Studio, compatible servers.",
    )
    batch_size: int = Field(
        default=MOST_TEXTS,
        ge=1,
        validation_alias=AliasChoices("batch_size", "chunk_size"),
        description="Number of texts in one request, 1 or more. AI Studio takes at most 100. Default: `100`. "
        "Surfaces: AI Studio, compatible servers.",
    )
    max_concurrency: int = Field(
        default=4,
        ge=1,
        description="Number of requests that one async call has open at once, 1 or more. A sync call sends one "
        "request at a time. Default: `4`. Surfaces: AI Studio, compatible servers.",
    )

    _path: ClassVar[str] = "/embeddings"

    @model_validator(mode="after")
    def _check_surface(self) -> Self:
        _ = self._endpoint
        return self

    @property
    def _endpoint(self) -> Endpoint:
        endpoint = self._connection.endpoint
        if not endpoint.serves_embeddings:
            raise UnsupportedParameterError(_NOT_ON_VERTEX)
        return endpoint

    def _resolve(self) -> Connection:
        # The environment may contain both an API key and a project. Without this check, the constructor would warn that
        # it selects Vertex AI, and then fail, because Vertex AI has no `/embeddings` endpoint.
        chosen = self.surface, self.base_url, self.api_key, self.project, self.location, self.endpoint_id
        if not any((*chosen, self.credentials)) and has_two_sources():
            raise UnsupportedParameterError(_BOTH_IN_ENVIRONMENT)
        # A `base_url` of Vertex AI is always an error. Check it before the credentials, so that the user does not first
        # have to correct the credentials.
        if self.surface is None and self.base_url and leads_to_vertex(self.base_url, has_vertex_arguments=False):
            raise UnsupportedParameterError(_NOT_ON_VERTEX)
        return super()._resolve()

    def embed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        """Embed texts. Requests with `batch_size` texts each are sent one after the other.

        The limit `total` of `timeout` applies to the whole call. `max_retries` and the other limits apply to each
        request.

        Args:
            texts: Texts to embed, as any iterable of strings. Without texts, no request is sent.

        Returns:
            One vector for each text, in the order of the texts.

        Raises:
            UnsupportedContentError: Before a request is sent, if an item is not a string, or is empty on AI Studio.
            InvalidReplyError: If a reply does not have exactly one valid vector for each text.
            GeminiCompatError: If a request fails for another reason. Vectors of earlier requests are discarded.

        Examples:
            ```python
            vectors = GeminiCompatEmbeddings(model="gemini-embedding-001").embed_documents(["one", "two"])
            ```
        """
        batches = self._encode(texts)
        if not batches:
            return []
        sender = _Sender(self._open_transport(), self._endpoint, self.strict, self._deadline())
        return join_vectors(map(sender.embed, batches))

    def embed_query(self, text: str) -> list[float]:
        """Embed one text.

        Args:
            text: Text to embed.

        Returns:
            Its vector.

        Raises:
            GeminiCompatError: As for `embed_documents`.
        """
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        """Async version of `embed_documents`, with up to `max_concurrency` requests at once.

        The first failed request cancels the other requests.

        Args:
            texts: Texts to embed, as any iterable of strings. Without texts, no request is sent.

        Returns:
            One vector for each text, in the order of the texts.

        Raises:
            GeminiCompatError: As for `embed_documents`.
        """
        batches = self._encode(texts)
        if not batches:
            return []
        sender = _Sender(await self._aopen_transport(), self._endpoint, self.strict, self._deadline())
        found: dict[int, list[list[float]]] = {}
        # The tasks share one iterator. When a task has finished a batch, it takes the next batch.
        pending = iter(batches)
        count = min(self.max_concurrency, len(batches))
        tasks = [asyncio.create_task(sender.aembed(pending, found)) for _ in range(count)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if len({len(vector) for vectors in found.values() for vector in vectors}) > 1:
            # `join_vectors` will raise an error, because the vectors have different lengths. Import the class of the
            # error in a thread first, because an import in `join_vectors` would block the event loop.
            await aimport_classes()
        return join_vectors(found[batch.first] for batch in batches)

    async def aembed_query(self, text: str) -> list[float]:
        """Async version of `embed_query`: embed one text.

        Args:
            text: Text to embed.

        Returns:
            Its vector.

        Raises:
            GeminiCompatError: As for `embed_documents`.
        """
        return (await self.aembed_documents([text]))[0]

    def preview(self, texts: Iterable[str]) -> list[JsonObject]:
        """Return the bodies of the requests that `embed_documents` would send. No request is sent.

        Args:
            texts: Texts to embed.

        Returns:
            One body for each request.

        Raises:
            UnsupportedContentError: If an item of `texts` is not a string, or is empty on AI Studio.
        """
        batches = self._encode(texts)
        return [_without_refused(batch.payload, self._endpoint, strict=self.strict) for batch in batches]

    def _deadline(self) -> Callable[[], float | None]:
        """Return a function that returns the deadline of a call that begins now, or `None` if the call has no deadline.

        The deadline is a time of the monotonic clock. If openai is imported during the call, the deadline moves by the
        duration of the import.
        """
        total = resolve_timeouts(self.timeout).total
        end = None if total is None else time.monotonic() + total - import_seconds()
        return lambda: None if end is None else end + import_seconds()

    def _encode(self, texts: Iterable[str]) -> list[Batch]:
        return encode_batches(
            texts,
            self._endpoint,
            batch_size=self.batch_size,
            dimensions=self.dimensions,
            further=self.model_kwargs,
        )

    if TYPE_CHECKING:
        # At run time, pydantic builds the constructor from the fields. Type checkers and editors read this signature,
        # which also has the aliases. `tests/support/constructor_docs.py` writes the docstring. `tests/typing` compares
        # the signature and the docstring with the fields.
        def __init__(
            self,
            *,
            # Parameters: model and endpoint.
            model: str | None = None,
            model_name: str | None = None,
            project: str | None = None,
            location: str | None = None,
            endpoint_id: str | None = None,
            base_url: str | Mapping[str, object] | None = None,
            openai_api_base: str | None = None,
            api_base: str | None = None,
            api_endpoint: str | None = None,
            client_options: str | Mapping[str, object] | types.ClientOptions | None = None,
            api_version: str = "v1",
            surface: Surface | None = None,
            vertexai: bool | None = None,
            # Parameters: credentials.
            api_key: types.ApiKey | None = None,
            google_api_key: types.ApiKey | None = None,
            gemini_api_key: types.ApiKey | None = None,
            openai_api_key: types.ApiKey | None = None,
            credentials: Credentials | None = None,
            quota_project_id: str | None = None,
            # Parameters: vectors.
            dimensions: int | None = None,
            output_dimensionality: int | None = None,
            batch_size: int = 100,
            chunk_size: int = 100,
            max_concurrency: int = 4,
            # Parameters: keys of the body, headers and query parameters.
            model_kwargs: dict[str, Any] | None = None,
            default_headers: types.Headers | None = None,
            additional_headers: types.Headers | None = None,
            extra_headers: types.Headers | None = None,
            headers: types.Headers | None = None,
            default_query: types.Headers | None = None,
            extra_query: types.Headers | None = None,
            # Parameters: transport.
            timeout: types.Timeout | None = None,
            request_timeout: types.Timeout | None = None,
            max_retries: int | None = 2,
            retries: int | None = 2,
            http_client: types.SyncClient | None = None,
            http_async_client: types.AsyncClient | None = None,
            # Parameters: errors.
            strict: bool = False,
            streaming: bool = False,
        ) -> None:
            """Build an embedding model. No connection is opened and no credential is read.

            Args:
                model: Name of the model.
                    `gemini-x`, `google/gemini-x` and `models/gemini-x` mean the same on Google's surfaces. Compatible
                    servers get the name unchanged. Default: `""`, which works only for a Vertex AI endpoint of your
                    own. Surfaces: all.
                model_name: Same as `model`.
                project: ID or number of the Google Cloud project.
                    It selects Vertex AI. Domain-scoped IDs such as `example.com:my-project` are valid. Default: `None`,
                    which means the environment variable `GOOGLE_CLOUD_PROJECT`, then the project of the credentials.
                    Surfaces: Vertex AI.
                location: Region such as `us-central1`, or `us`, `eu` or `global`.
                    It selects Vertex AI. Newer models are only in `global`, `us` and `eu`. Default: `None`, which means
                    the environment variable `GOOGLE_CLOUD_LOCATION`, then `global`. Surfaces: Vertex AI.
                endpoint_id: ID of a Vertex AI endpoint to which you deployed a model.
                    It selects Vertex AI. The endpoint serves one model, so `model` may be left out. Default: `None`,
                    which means Google's shared endpoint. Surfaces: Vertex AI.
                base_url: Address of the API without `/chat/completions` or `/embeddings`, with its scheme.
                    `api_endpoint` and `client_options` set it too. The end of the address selects the surface:
                    `/endpoints/openapi` is Vertex AI, and `/v1beta/openai` is AI Studio. Default: `None`, which means
                    Google's address for the surface. Surfaces: all.
                openai_api_base: Same as `base_url`.
                api_base: Same as `base_url`.
                api_endpoint: Address of the API as Google's packages take it: a host, with or without a scheme.
                    It sets `base_url`.
                client_options: `ClientOptions` of Google's packages, or a dict with the keys `api_endpoint`, `api_key`
                    and `quota_project_id`.
                    It sets `base_url`, `api_key` and `quota_project_id`.
                api_version: Version of the Vertex AI API in the URL, such as `v1beta1`.
                    It is not used if `base_url` has a path. Default: `"v1"`. Surfaces: Vertex AI.
                surface: The API to use: `"vertex"`, `"ai_studio"` or `"openai_compatible"`.
                    Set it for a gateway that passes requests on to Gemini, so that the package sends histories and
                    tools as Gemini requires. Default: `None`, which means the surface that follows from the other
                    arguments and the environment. Surfaces: all.
                vertexai: `True` selects Vertex AI.
                    `False` selects AI Studio, unless `base_url` selects the surface. It sets `surface`.
                api_key: API key, or a function that returns a bearer token and is called for each request.
                    An async function works in async calls only. Not allowed together with `credentials`. `repr` and
                    traces do not show the key. Default: `None`, which means `GOOGLE_API_KEY`, then `GEMINI_API_KEY` on
                    AI Studio, and `credentials` on Vertex AI. Surfaces: all.
                google_api_key: Same as `api_key`.
                gemini_api_key: Same as `api_key`.
                openai_api_key: Same as `api_key`.
                credentials: A `google.auth.credentials.Credentials` object.
                    It selects Vertex AI unless `base_url` is given. Not allowed together with `api_key`. The token is
                    refreshed before it expires, once for all threads and tasks. Default: `None`, which means
                    application default credentials on Vertex AI. Surfaces: all.
                quota_project_id: Project that is billed for the requests, sent as the header `x-goog-user-project`.
                    Default: `None`, which means the quota project of the credentials. Surfaces: all.
                dimensions: Length of the vectors, 1 or more.
                    Default: `None`, which means the model's own length (3072 for Gemini). Surfaces: AI Studio,
                    compatible servers.
                output_dimensionality: Same as `dimensions`.
                batch_size: Number of texts in one request, 1 or more.
                    AI Studio takes at most 100. Default: `100`. Surfaces: AI Studio, compatible servers.
                chunk_size: Same as `batch_size`.
                max_concurrency: Number of requests that one async call has open at once, 1 or more.
                    A sync call sends one request at a time. Default: `4`. Surfaces: AI Studio, compatible servers.
                model_kwargs: Further keys of the request body.
                    `ChatGeminiCompat` leaves out keys that the surface does not take, with a warning.
                    `GeminiCompatEmbeddings` sends all keys. Default: `{}`. Surfaces: all.
                default_headers: HTTP headers of every request, in addition to those of the package.
                    A line break, or a character that is not ASCII, raises `ValueError`. `repr` does not show the
                    values. Default: `None`. Surfaces: all.
                additional_headers: Same as `default_headers`.
                extra_headers: Same as `default_headers`.
                headers: Same as `default_headers`.
                default_query: Query parameters of every request.
                    An example is `api-version`, for a gateway that requires it. Default: `None`. Surfaces: all.
                extra_query: Same as `default_query`.
                timeout: Time limits of a call: seconds, a `timedelta`, `(connect, read)`, a `Timeouts` dict, or the
                    `Timeout` of httpx, httpx2 or openai.
                    A number limits the time to the first chunk and between chunks. An expired limit raises
                    `RequestTimeoutError`. Default: `None`, which means 30 s to connect, 600 s to the first chunk or the
                    whole reply, 120 s between chunks, 120 s for all waits between tries, and no limit for the whole
                    call. Surfaces: all.
                request_timeout: Same as `timeout`.
                max_retries: Maximum number of retries of one call, 0 or more.
                    One request with a new token after a 401 does not count as a retry. The package retries 408, 429,
                    5xx, failed connections, expired limits, and replies that are empty or have a malformed call. It
                    waits as long as the server says. If the server says nothing, it waits 0.5 s, and twice as long
                    after each further try. Default: `2`. Surfaces: all.
                retries: Same as `max_retries`.
                http_client: Client for sync calls: `httpx.Client` with openai 2, `httpx2.Client` with openai 3.
                    The client's proxies, certificates and connection limits apply. The package neither closes nor
                    shares the client. Default: `None`, which means a client that the package builds. Surfaces: all.
                http_async_client: Client for async calls: `httpx.AsyncClient` with openai 2, `httpx2.AsyncClient` with
                    openai 3.
                    The package neither closes nor shares the client. Google's requests for access tokens do not use
                    this client. Default: `None`, which means a client that the package builds. Surfaces: all.
                strict: Whether the package raises an error if it would have to repair or leave out a part of the
                    request.
                    Default: `False`, which means that it changes the request and warns once. Surfaces: all.
                streaming: Whether `invoke` and `ainvoke` stream the reply and return the sum of its chunks.
                    With `True`, the limit `first_byte` applies to the first chunk and not to the whole reply.
                    Embeddings ignore this parameter. Default: `False`. Surfaces: all.
            """


@dataclass(frozen=True, slots=True)
class _Sender:
    """Sends the batches of one call."""

    transport: Transport
    endpoint: Endpoint
    strict: bool
    #: Returns the deadline of the call by the monotonic clock, or `None`.
    deadline: Callable[[], float | None]

    def embed(self, batch: Batch) -> list[list[float]]:
        """Return the vectors of `batch`."""
        with _log_failure(batch):
            decode = partial(_decode, batch)
            return _call.ask(batch.model, self._repair(batch), self.transport, decode, deadline=self.deadline())

    async def aembed(self, pending: Iterator[Batch], found: dict[int, list[list[float]]]) -> None:
        """Embed the batches in `pending`, and add their vectors to `found`.

        The key of a batch in `found` is the index of its first text.
        """
        for batch in pending:
            with _log_failure(batch):
                repair, decode = self._repair(batch), partial(_decode, batch)
                found[batch.first] = await _call.aask(
                    batch.model, repair, self.transport, decode, deadline=self.deadline()
                )

    def _repair(self, batch: Batch) -> Repair:
        payload = _without_refused(batch.payload, self.endpoint, strict=self.strict)
        return Repair(payload, self.endpoint, EMBEDDINGS_PATH, strict=self.strict)


def _without_refused(payload: JsonObject, endpoint: Endpoint, *, strict: bool) -> JsonObject:
    """Return `payload` without the keys that the server is known to refuse. With `strict`, return it unchanged."""
    return payload if strict else apply_refusals(payload, endpoint, EMBEDDINGS_PATH)[0]


def _decode(batch: Batch, reply: WireChunk, tries: Tries) -> list[list[float]]:
    vectors = batch.decode(reply)
    tries.mark_delivered()
    return vectors


@contextmanager
def _log_failure(batch: Batch) -> Generator[None]:
    """Log which texts a failed request contained, because the error message does not say which."""
    try:
        yield
    except GeminiCompatError as err:
        text = "%s could not be embedded (%s). No vector of this call is returned."
        _log.info(text, batch, type(err).__name__)
        raise
