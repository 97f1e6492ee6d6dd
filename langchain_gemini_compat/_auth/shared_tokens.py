"""Process-wide cache of credentials and tokens, so that models that are built for each request share one token.

Two callers share a token only if nothing differs that could give them different tokens. The entry of a caller's own
object is removed with that object. At most `_MOST` entries of default credentials are kept.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

from langchain_gemini_compat._auth.failures import Failure
from langchain_gemini_compat._auth.login_file import locate_login_file
from langchain_gemini_compat._transport.process_lock import singleton_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import TypeAlias, TypeVar

    from google.auth.credentials import Credentials

    _Kept = TypeVar("_Kept")
    Key: TypeAlias = tuple[object, ...]

_MOST = 64
#: Beginnings and endings of the environment variables that google-auth, its sources or the HTTP library read.
_PREFIXES = ("GOOGLE_", "GCLOUD_", "GCE_", "NO_GCE_", "CLOUDSDK_", "AWS_", "SSL_CERT_", "HOME", "APPDATA")
_PROXIES = "_PROXY"


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and the time at which it is replaced."""

    value: str = field(repr=False)
    expiry: datetime | None
    renew_at: datetime | None


class Refresh(Future[Token | Failure]):
    """A refresh that is under way. It gives no exception: each waiter has to raise one of its own."""

    def __init__(self, client: object) -> None:
        super().__init__()
        #: The caller's `http_client` that it uses, if any.
        self.client = client
        # From now on a cancelled waiter cannot cancel it.
        self.set_running_or_notify_cancel()


@dataclass(slots=True)
class Known:
    """The shared state of one credential.

    Its lock and its refresh belong here, since objects of google-auth are not thread-safe: models with different
    clients may use one such object.
    """

    #: The loaded credentials. A caller's own object is kept only as a copy with scopes, so that it can be collected.
    loaded: Credentials | None = field(default=None, repr=False)
    is_loaded: bool = False
    #: Whether no other token can be fetched.
    is_fixed: bool = False
    project: str | None = None
    token: Token | None = None
    #: Token and expiry of the credentials when they were last read. Others may renew or replace them meanwhile.
    seen: object = field(default=None, repr=False)
    lock: Lock = field(default_factory=Lock, repr=False)
    running: Refresh | None = field(default=None, repr=False)
    #: The time on the monotonic clock at which the last waiting caller gives up.
    until: float = math.inf

    def forget_refresh(self) -> None:
        """Start anew in a forked process: a lock may have been held and a refresh under way, neither is ours."""
        self.lock = Lock()
        self.running = None


def find_known(credentials: Credentials | None, quota_project_id: str | None, client: object) -> tuple[Known, Key]:
    """Return the state of `credentials` (`None`: the default ones) and its key.

    The state of default credentials depends on the quota project, the environment, and the caller's `client` if token
    requests use one.
    """
    if credentials is not None:
        return _of_object(credentials).setdefault("", Known()), (id(credentials),)
    digest = f"{_digest_environment()} {quota_project_id}"
    kept = _default if client is None else _of_object(client)
    with singleton_lock():
        known = kept.setdefault(digest, Known())
        if isinstance(kept, OrderedDict):
            kept.move_to_end(digest)
            while len(kept) > _MOST:
                kept.popitem(last=False)
    return known, (digest,)


def share(kept: WeakValueDictionary[Key, _Kept], key: Key, build: Callable[[], _Kept]) -> _Kept:
    """Return the object under `key`; build it if it is missing."""
    with singleton_lock():
        found = kept.get(key)
        if found is None:
            found = kept[key] = build()
    return found


_default: OrderedDict[str, Known] = OrderedDict()
_by_object: dict[int, tuple[ref[object], dict[str, Known]]] = {}


def _of_object(owner: object) -> dict[str, Known]:
    """Return a dictionary that lives as long as `owner`, which need not be hashable."""
    number = id(owner)
    with singleton_lock():
        entry = _by_object.get(number)
        if entry is not None and entry[0]() is owner:
            return entry[1]
        known: dict[str, Known] = {}
        try:
            # Python reuses ids: the entry may belong to another owner by the time this one is collected.
            reference = ref(owner, lambda gone: _forget(number, gone))
        except TypeError:
            return known
        _by_object[number] = reference, known
    return known


def _forget(number: int, gone: ref[object]) -> None:
    entry = _by_object.get(number)
    if entry is not None and entry[0] is gone:
        _by_object.pop(number, None)


def _digest_environment() -> str:
    """Return a digest of all variables that the default credentials, or the route to their server, depend on."""
    read = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(_PREFIXES) or name.upper().endswith(_PROXIES)
    )
    return sha256(repr((read, _describe_login_file())).encode(errors="replace")).hexdigest()


def _describe_login_file() -> tuple[object, ...]:
    """Return the path of the file with the default credentials, and the state of that file."""
    path = locate_login_file()
    try:
        state = path.stat()
    except (OSError, ValueError, RuntimeError):
        return (str(path),)
    return str(path), state.st_mtime_ns, state.st_size, state.st_ino
