"""Base class of the chat model and the embeddings: resolves the fields to a connection, and opens its transport.

A changed field leads to a new transport. Sockets are opened at the first call. Open connections are not pickled.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, cast
from uuid import uuid4

from pydantic import ConfigDict, PrivateAttr, SecretStr, model_validator
from typing_extensions import Self

from langchain_gemini_compat._settings.aliases import (
    COMPOSITES,
    IGNORED,
    OPTION_COMPOSITES,
    check_body_keys,
    check_unknown,
    find_similar,
    has_no_effect,
    normalize_arguments,
    replace_vertexai,
)
from langchain_gemini_compat._settings.connection import resolve_connection
from langchain_gemini_compat._settings.fields import ConnectionFields, RequestFields, aliases_of, normalize_options
from langchain_gemini_compat._settings.http_options import check_client, clean_headers, clean_query
from langchain_gemini_compat._transport.process_lock import singleton_lock
from langchain_gemini_compat._transport.timeouts import resolve_timeouts
from langchain_gemini_compat.errors import GeminiCompatWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from google.auth.credentials import Credentials
    from pydantic import BaseModel
    from pydantic.functional_validators import ModelWrapValidatorHandler
    from typing_extensions import Unpack

    from langchain_gemini_compat._settings.connection import Connection
    from langchain_gemini_compat._transport.client import Transport, TransportOptions

#: The fields that choose the server and the credential. The other fields choose how requests are sent.
_PLACE_FIELDS = (
    "model", "surface", "project", "location", "endpoint_id", "base_url", "api_version", "api_key", "credentials",
    "quota_project_id",
)  # fmt: skip
_read_connection: Callable[[object], tuple[object, ...]] = attrgetter(
    *_PLACE_FIELDS, *(name for name in ConnectionFields.model_fields if name not in _PLACE_FIELDS)
)


@dataclass(slots=True)
class _Link:
    """The connection that `fields` select, and its transport. Until the first call, the transport is `None`."""

    fields: tuple[object, ...]
    connection: Connection
    transport: Transport | None = None

    def __deepcopy__(self, memo: object) -> _Link:
        """Return a copy without the transport, since sockets and locks cannot be copied."""
        return _Link(self.fields, self.connection)

    def __reduce__(self) -> tuple[type[_Link], tuple[tuple[()], Connection]]:
        """Pickle the connection without `fields`, which may contain HTTP clients.

        When the model is unpickled, `ConnectedModel.__setstate__` sets `fields` again.
        """
        return _Link, ((), self.connection)


class ConnectedModel(ConnectionFields):
    """Base class of the models: the fields of a connection, the resolved connection, and its transport."""

    # No object of this base class is created, so pydantic need not build the validators of the class at import.
    model_config: ClassVar[ConfigDict] = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        defer_build=True,
    )

    #: The path that is appended to the base URL of each request.
    _path: ClassVar[str] = "/chat/completions"
    _link: _Link | None = PrivateAttr(default=None)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a field of a subclass that would hide the property `model_name`."""
        super().__pydantic_init_subclass__(**kwargs)
        if "model_name" in cls.model_fields:
            raise TypeError(
                f"{cls.__name__} has a field `model_name`. Rename the field to `model`. (`model_name` is an alias of "
                "`model`.)"
            )

    @model_validator(mode="wrap")
    @classmethod
    def _adopt_arguments(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Rename aliases. Add unknown arguments to `model_kwargs` with a warning, as other chat models do."""
        if not isinstance(values, dict):
            return handler(values)
        given = _normalize(cls, cast("dict[str, object]", values))
        unknown = {name: given.pop(name) for name in list(given) if name not in cls.model_fields}
        unknown = {name: value for name, value in unknown.items() if not has_no_effect(name, value)}
        if not unknown:
            return handler(given)
        advice = check_unknown(unknown, cls.__name__, _argument_names(cls))
        if given.get("strict"):
            words = [f"{', '.join(map(repr, unknown))} is not an argument of {cls.__name__}.", *advice.values()]
            text = " ".join(filter(None, words))
            raise ValueError(f"{text} `strict=True` forbids unknown arguments. Use `model_kwargs` for a body key.")
        further = {name: value for name, value in unknown.items() if name not in IGNORED}
        given["model_kwargs"] = {**further, **cast("dict[str, object]", given.get("model_kwargs") or {})}
        self = handler(given)
        self._warn_of_unknown(advice)
        return self

    def _warn_of_unknown(self, advice: Mapping[str, str]) -> None:
        """Give one warning about unknown arguments that are sent, and one about arguments that are left out."""
        sent = [name for name in advice if name not in IGNORED and self._sends_body_key(name)]
        left_out = [name for name in advice if name not in sent]
        for names, fate in ((sent, "is sent as a body key"), (left_out, "is left out of requests")):
            if names:
                ending = "".join(f" {advice[name]}" for name in names if advice[name])
                text = f"{', '.join(map(repr, names))} is not an argument of {type(self).__name__} and {fate}.{ending}"
                warnings.warn(text, GeminiCompatWarning, stacklevel=5)

    def _sends_body_key(self, name: str) -> bool:
        """Return whether requests contain the key `name` of `model_kwargs`. Subclasses override this method."""
        del name
        return True

    @model_validator(mode="after")
    def _resolve_gemini_compat_connection(self) -> Self:
        link = self._resolved_link()
        if link.connection.endpoint.surface != "openai_compatible":
            # `check_body_keys` refuses keys that choose a server, such as `vertex_project`. This check is only for
            # Google's surfaces, because some compatible servers accept such keys. One of them is LiteLLM's proxy.
            check_body_keys(self.model_kwargs)
        resolve_timeouts(self.timeout)
        self._write_resolved_fields(link)
        return self

    def _write_resolved_fields(self, link: _Link) -> None:
        """Set the fields for key, project and location to the resolved values, as other chat models do."""
        for name in ("api_key", "project", "location"):
            found: object = getattr(link.connection, name)
            if getattr(self, name) != found:
                setattr(self, name, found)
        link.fields = _read_connection(self)

    if not TYPE_CHECKING:
        # Type checkers must not see `__setattr__`. If they did, they would accept attributes that do not exist.
        def __setattr__(self, name: str, value: Any) -> None:
            """Set an attribute. A plain `api_key` becomes a secret, since pydantic does not validate assignments."""
            super().__setattr__(name, _as_secret(value) if name == "api_key" else value)

        def copy(self, *, update: Mapping[str, Any] | None = None, **options: Any) -> Self:
            """Return a copy of the model, as pydantic's deprecated method `copy` does.

            `update` accepts the same names as the argument `update` of `model_copy`.
            """
            return super().copy(update=_read_changes(type(self), update), **options)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy of the model with the fields in `update` replaced.

        The copy and the model share connections as long as they have the same server and account.

        Args:
            update: Maps the name or an alias of a parameter to the new value. The values are not validated. An
                `api_key` that is a string becomes a secret.
            deep: Whether to copy the values of the fields too. HTTP clients and credentials are always shared.

        Returns:
            The copy.

        Examples:
            ```python
            creative = model.model_copy(update={"temperature": 1.5, "max_output_tokens": 32_000})
            ```
        """
        return super().model_copy(update=_read_changes(type(self), update), deep=deep)

    @property
    def _connection(self) -> Connection:
        """The endpoint and the credential that the current values of the fields select."""
        return self._resolved_link().connection

    def _resolved_link(self) -> _Link:
        """Return the stored `_Link`. Replace it if a field of `ConnectionFields` has changed."""
        fields, link = _read_connection(self), self._link
        if link is None or fields != link.fields:
            # If none of the `_PLACE_FIELDS` has changed, the resolved connection is still valid.
            is_same_place = link is not None and fields[: len(_PLACE_FIELDS)] == link.fields[: len(_PLACE_FIELDS)]
            self._check_clients()
            link = self._link = _Link(fields, link.connection if link and is_same_place else self._resolve())
        return link

    def _check_clients(self) -> None:
        clients = {"http_client": self.http_client, "http_async_client": self.http_async_client}
        given = {name: client for name, client in clients.items() if client is not None}
        if given:
            from langchain_gemini_compat._lazy import library_name

            for name, client in given.items():
                check_client(name, client, library_name(), is_async=name == "http_async_client")

    def _resolve(self) -> Connection:
        return resolve_fields(self)

    @property
    def model_name(self) -> str:
        """Another name of the field `model`."""
        return self.model

    @model_name.setter
    def model_name(self, name: str) -> None:
        self.model = name

    def _rename_fields(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return `given` with the names of the fields as keys, instead of aliases.

        Raises `ValueError` for a name that belongs to no field, and for two names of the same field.
        """
        cls = type(self)
        names = normalize_arguments(given, _aliases_of(cls), whole=COMPOSITES)
        for name in names:
            if name not in cls.model_fields:
                close = find_similar(name, _argument_names(cls) - COMPOSITES.keys())
                hint = f"Did you mean `{close}`?" if close else ""
                raise ValueError(
                    f"`{name}` is not a field of {cls.__name__}. {_name_parts(cls, name) or hint}".rstrip()
                )
        return names

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Maps each secret field to the environment variable from which LangChain's `load` reads its value.

        The key of a compatible server has its own variable, so that Google's key never goes to another server.
        """
        return {"api_key": self._connection.endpoint.key_variable}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return `True`, so that LangChain's `dumps` writes the constructor's arguments, without secrets."""
        return True

    @property
    def lc_attributes(self) -> dict[str, object]:
        """`extra_body` and `model_kwargs` with secrets replaced. LangChain's `dumps` writes these values."""
        return self.redacted_fields()

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yield the fields for `repr`, with the API key and the secrets in body keys replaced."""
        shown = self.redacted_fields()
        fields = [(name, _as_secret(value) if name == "api_key" else value) for name, value in super().__repr_args__()]
        return [(name, shown.get(name or "", value)) for name, value in fields]

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a deep copy. The copy shares the caller's clients and credentials, which cannot be copied."""
        memo = {} if memo is None else memo
        memo.update(
            {id(one): one for one in (self.http_client, self.http_async_client, self.credentials, self.api_key)}
        )
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        """Return the state for pickling, without open connections and HTTP clients, which contain sockets and locks."""
        self._resolved_link()
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "http_client": None, "http_async_client": None}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Restore the pickled state.

        Older pickles contain the field `model` under the name `model_name`.
        """
        state = _rename_model(state)
        super().__setstate__(state)
        if self._link is not None:
            self._link.fields = _read_connection(self)

    def close(self) -> None:
        """Release the connections that this model uses.

        Models with the same server and credentials share connections. When no model uses the connections any longer,
        they stay open for 30 seconds, so that the next model can use them. So a web service can build a model for each
        request. A model that is garbage collected releases its connections, too.

        Streams that are being read continue. You can call the model again after `close`. Your own `http_client` and
        `http_async_client` are not closed.

        Examples:
            ```python
            with ChatGeminiCompat(model="gemini-3.8-flash", api_key="...") as model:
                model.invoke("Hello")
            ```
        """
        # A stream that is being read is not interrupted, because it has its own reference to the transport.
        if self._link is not None:
            self._link.transport = None

    async def aclose(self) -> None:
        """Async version of `close`, for `async with`. Like `close`, it returns at once.

        Examples:
            ```python
            async def ask() -> str:
                async with ChatGeminiCompat(model="gemini-3.8-flash", api_key="...") as model:
                    return (await model.ainvoke("Hello")).text
            ```
        """
        self.close()

    def __enter__(self) -> Self:
        """Return the model. At the end of the `with` block, `close` is called."""
        return self

    def __exit__(self, *_: object) -> None:
        """Call `close`."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return the model. At the end of the `async with` block, `aclose` is called."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Call `aclose`."""
        await self.aclose()

    def endpoint_info(self) -> dict[str, Any]:
        """Return where requests go and which credential they use, without secrets. No request is sent.

        Returns:
            A dict with `surface`, `base_url`, `model` and `auth`. `model` is the name as the surface spells it, or
            `endpoints/ID` for an endpoint without a model name. `auth` has the `kind` of the credential and its
            `source`, such as "environment GOOGLE_API_KEY".

        Examples:
            ```python
            info = ChatGeminiCompat(model="gemini-3.8-flash", api_key="...").endpoint_info()
            print(info["surface"], info["base_url"])
            ```

            ```text
            ai_studio https://generativelanguage.googleapis.com/v1beta/openai
            ```
        """
        endpoint = self._connection.endpoint
        tokens = self._open_transport().tokens
        auth = {"kind": tokens.info.kind, "source": tokens.info.source}
        return {
            "surface": endpoint.surface,
            "base_url": endpoint.base_url,
            "model": endpoint.name,
            "auth": auth,
        }

    def _open_transport(self) -> Transport:
        link = self._resolved_link()
        return link.transport or self._connect(link)

    async def _aopen_transport(self) -> Transport:
        """Async version of `_open_transport`. A thread imports the HTTP library and google-auth, which takes time."""
        link = self._resolved_link()
        # `close` in another thread may remove the transport at any time, so read the attribute only once.
        transport = link.transport
        return await asyncio.to_thread(self._connect, link) if transport is None else transport

    def _connect(self, link: _Link) -> Transport:
        with singleton_lock():
            transport = link.transport or build_transport(self, link.connection, self._path)
            link.transport = transport
        return transport


def resolve_fields(model: ConnectionFields) -> Connection:
    """Return the endpoint and the credential that the fields of `model` select."""
    return resolve_connection(
        model=model.model or "",
        surface=model.surface,
        project=model.project,
        location=model.location,
        endpoint_id=model.endpoint_id,
        base_url=model.base_url,
        api_version=model.api_version,
        api_key=_as_secret(model.api_key),
        credentials=model.credentials,
        quota_project_id=model.quota_project_id,
    )


def build_transport(model: ConnectionFields, connection: Connection, path: str) -> Transport:
    """Return a transport to `connection` with the limits, headers and clients of `model`."""
    return open_transport(
        connection,
        credentials=model.credentials,
        quota_project_id=model.quota_project_id,
        limits=resolve_timeouts(model.timeout),
        max_retries=model.max_retries,
        headers=clean_headers(model.default_headers) or {},
        query=clean_query(model.default_query) or {},
        http_client=model.http_client,
        http_async_client=model.http_async_client,
        path=path,
    )


def open_transport(
    connection: Connection,
    *,
    credentials: Credentials | None,
    quota_project_id: str | None,
    **options: Unpack[TransportOptions],
) -> Transport:
    """Return a transport for `connection`. This imports the HTTP library. No token is requested."""
    from langchain_gemini_compat._auth.google import build_token_source
    from langchain_gemini_compat._transport.client import Transport, TransportConfig

    tokens = build_token_source(
        api_key=connection.api_key,
        credentials=credentials,
        quota_project_id=quota_project_id,
        source=connection.key_source,
        anonymous=connection.endpoint.takes_calls_without_credentials,
        http_client=options["http_client"],
    )
    account = _account_of(connection.api_key)
    if options["http_client"] or options["http_async_client"]:
        # The caller's HTTP client may lead to another server, such as a test double. The random suffix gives this
        # transport its own rate gate.
        account += uuid4().hex
    endpoint = connection.endpoint
    return Transport(TransportConfig(endpoint.surface, endpoint.base_url, tokens, account=account, **options))


def _as_secret(key: Any) -> Any:
    """Convert a string to a `SecretStr`. Return secrets, callables and `None` unchanged."""
    return SecretStr(key) if isinstance(key, str) else key


def _account_of(key: SecretStr | object) -> str:
    """Return a digest that does not reveal the key. If `key` is a function or `None`, return an empty string."""
    return sha256(key.get_secret_value().encode()).hexdigest()[:16] if isinstance(key, SecretStr) else ""


@cache
def _argument_names(cls: type[BaseModel]) -> frozenset[str]:
    """Return every argument name that the constructor accepts."""
    return frozenset({*cls.model_fields, *_aliases_of(cls), *COMPOSITES} - _unsplit_composites(cls))


@cache
def _aliases_of(cls: type[BaseModel]) -> dict[str, str]:
    return aliases_of(cls)


@cache
def _unsplit_composites(cls: type[BaseModel]) -> frozenset[str]:
    """Return the composite arguments that `cls` does not split into fields.

    A composite argument, such as `thinking_config`, belongs to another chat model. It sets several fields, or one field
    in another form. The class for embeddings does not split composite arguments that set chat options.
    """
    return frozenset() if issubclass(cls, RequestFields) else OPTION_COMPOSITES


def _normalize(cls: type[BaseModel], values: dict[str, object]) -> dict[str, object]:
    """Return `values` with the names of the fields as keys, instead of aliases. Unknown names stay unchanged."""
    given = normalize_arguments(values, _aliases_of(cls), whole=_unsplit_composites(cls))
    if "vertexai" in given:
        replace_vertexai(given)
    further = given.get("model_kwargs")
    if isinstance(further, dict):
        normalize_options(further)
    if "response_format" in given and "response_format" not in values:
        # `normalize_arguments` has built this `response_format` from `response_schema` or `response_mime_type`.
        own = {"response_format": given.pop("response_format")}
        if isinstance(further, dict) and "response_format" in further:
            raise ValueError("`response_schema` contradicts `response_format` in `model_kwargs`. Pass one of them.")
        given["model_kwargs"] = {**own, **cast("dict[str, object]", further or {})}
    return given


def _read_changes(cls: type[BaseModel], update: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return `update` with the names of the fields as keys, instead of aliases. A string `api_key` becomes a secret.

    Raises `ValueError` for a composite argument, such as `client_options`.
    """
    if update is None:
        return None
    given = normalize_arguments(update, _aliases_of(cls), whole=COMPOSITES)
    for name in given:
        if name in COMPOSITES:
            raise ValueError(f"`{name}` is not a field of {cls.__name__}. {_name_parts(cls, name)}".rstrip())
    return {name: _as_secret(value) if name == "api_key" else value for name, value in given.items()}


def _name_parts(cls: type[BaseModel], name: str) -> str:
    """Return advice for an error message: which fields to pass instead of the composite argument `name`.

    Return `""` if the argument sets no field of `cls`.
    """
    parts = [f"`{part}`" for part in COMPOSITES.get(name, ()) if part in cls.model_fields]
    return f"`{name}` sets {', '.join(parts)}. Pass these arguments instead." if parts else ""


def _rename_model(state: dict[Any, Any]) -> dict[Any, Any]:
    """Return the pickled `state`. If it has the field `model_name` of older versions, rename this field to `model`."""
    values = cast("dict[str, object]", state["__dict__"])
    if "model_name" not in values:
        return state
    names = cast("set[str]", state["__pydantic_fields_set__"])
    return {
        **state,
        "__dict__": {"model" if name == "model_name" else name: value for name, value in values.items()},
        "__pydantic_fields_set__": {"model" if name == "model_name" else name for name in names},
    }
