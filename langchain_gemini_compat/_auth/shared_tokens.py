"""Process-wide cache of credentials and tokens, so that models built for each request share one token.

Two callers share a token only if all settings that affect the token are equal. The entry for a caller's object, such as
its credentials, is removed when the object is garbage collected. For default credentials, the cache keeps at most
`_MOST` entries.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from types import MethodType
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

from langchain_gemini_compat._auth.failures import Failure
from langchain_gemini_compat._auth.login_file import locate_login_file
from langchain_gemini_compat._transport.process_lock import singleton_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime
    from typing import TypeAlias, TypeVar

    from google.auth.credentials import Credentials

    _Kept = TypeVar("_Kept")
    Key: TypeAlias = tuple[object, ...]

_MOST = 64
#: Prefixes and suffix of the environment variables that google-auth or the HTTP library reads.
_PREFIXES = ("GOOGLE_", "GCLOUD_", "GCE_", "NO_GCE_", "CLOUDSDK_", "AWS_", "SSL_CERT_", "HOME", "APPDATA")
_PROXY_SUFFIX = "_PROXY"


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, its expiry, and the time from which a new token is requested."""

    value: str = field(repr=False)
    expiry: datetime | None
    renew_at: datetime | None


class Refresh(Future[Token | Failure]):
    """The future of a running refresh.

    The result is a token or a `Failure`. Each waiting caller builds its own exception from the `Failure`.
    """

    def __init__(self, client: object) -> None:
        super().__init__()
        #: The caller's `http_client` that the refresh uses, if there is one.
        self.client = client
        # Mark the future as running, so that a cancelled caller cannot cancel the refresh for the other callers.
        self.set_running_or_notify_cancel()


@dataclass(slots=True)
class CredentialState:
    """The shared state of one credential.

    The state includes the lock and the running refresh. google-auth's credentials are not thread-safe, and models with
    different clients may share the same credentials.
    """

    #: An object that identifies the credentials. All token sources with this state have the same object.
    account: Hashable = field(default_factory=object, repr=False)
    #: The loaded credentials. `None` if the caller passed credentials, so that the caller's object can be garbage
    #: collected.
    loaded: Credentials | None = field(default=None, repr=False)
    is_loaded: bool = False
    #: Whether the credentials cannot get another token.
    is_static: bool = False
    project: str | None = None
    token: Token | None = None
    #: The token and the expiry that this package last read from the credentials. If one of them is different now, other
    #: code has replaced the token.
    last_snapshot: object = field(default=None, repr=False)
    lock: Lock = field(default_factory=Lock, repr=False)
    running: Refresh | None = field(default=None, repr=False)
    #: The time at which the last waiting caller gives up, in seconds of the monotonic clock.
    latest_deadline: float = math.inf

    def forget_refresh(self) -> None:
        """Replace the lock and drop the refresh. A forked process calls this, since threads do not survive a fork."""
        self.lock = Lock()
        self.running = None


def share_state(
    credentials: Credentials | None, quota_project_id: str | None, client: object
) -> tuple[CredentialState, Key]:
    """Return the `CredentialState` of `credentials` with its cache key. Create the state if it does not exist.

    With `None`, the state belongs to the default credentials. They have a separate state for each quota project, each
    environment and each `client`.
    """
    if credentials is not None:
        return _states_of(credentials).setdefault("", CredentialState()), (id(credentials),)
    digest = f"{_digest_environment()} {quota_project_id}"
    kept = _default_states if client is None else _states_of(client)
    with singleton_lock():
        state = kept.setdefault(digest, CredentialState())
        if isinstance(kept, OrderedDict):
            kept.move_to_end(digest)
            while len(kept) > _MOST:
                kept.popitem(last=False)
    return state, (digest,)


def identify_function(function: Callable[..., object]) -> Hashable:
    """Return an object that identifies `function` as long as `function` exists.

    Python makes a new object at each access of a bound method. So a bound method is identified by its instance and its
    function.
    """
    if isinstance(function, MethodType):
        return identify_function(function.__func__), _identify(function.__self__)
    return _identify(function)


def _identify(owner: object) -> Hashable:
    # `id(owner)` is not used, because Python reuses the id of an object that was garbage collected.
    return _states_of(owner).setdefault("", CredentialState()).account


def share_source(kept: WeakValueDictionary[Key, _Kept], key: Key, build: Callable[[], _Kept]) -> _Kept:
    """Return the cached object for `key`. If there is none, build the object with `build`."""
    with singleton_lock():
        found = kept.get(key)
        if found is None:
            found = kept[key] = build()
    return found


_default_states: OrderedDict[str, CredentialState] = OrderedDict()
_states_by_object: dict[int, tuple[ref[object], dict[str, CredentialState]]] = {}


def _states_of(owner: object) -> dict[str, CredentialState]:
    """Return a dict with the `CredentialState` objects that belong to `owner`.

    The dict is kept as long as `owner` exists. `owner` does not have to be hashable.
    """
    number = id(owner)
    with singleton_lock():
        entry = _states_by_object.get(number)
        if entry is not None and entry[0]() is owner:
            return entry[1]
        states: dict[str, CredentialState] = {}
        try:
            # When `owner` is garbage collected, `_forget` removes the entry. It first compares the reference, because
            # Python reuses ids: the entry under `number` may already belong to a new object.
            reference = ref(owner, lambda gone: _forget(number, gone))
        except TypeError:
            return states
        _states_by_object[number] = reference, states
    return states


def _forget(number: int, gone: ref[object]) -> None:
    entry = _states_by_object.get(number)
    if entry is not None and entry[0] is gone:
        _states_by_object.pop(number, None)


def _digest_environment() -> str:
    """Return a SHA-256 hash of the settings outside the program that affect the default credentials.

    The hash covers environment variables for credentials and the network, and the file with the default credentials
    (see `_describe_login_file`).
    """
    read = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(_PREFIXES) or name.upper().endswith(_PROXY_SUFFIX)
    )
    return sha256(repr((read, _describe_login_file())).encode(errors="replace")).hexdigest()


def _describe_login_file() -> tuple[object, ...]:
    """Return the path, modification time, size and inode of the file with the default credentials.

    If the file does not exist or cannot be accessed, return only the path.
    """
    path = locate_login_file()
    try:
        state = path.stat()
    except (OSError, ValueError, RuntimeError):
        return (str(path),)
    return str(path), state.st_mtime_ns, state.st_size, state.st_ino
