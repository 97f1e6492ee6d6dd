"""What this process knows of each credential, so that models that are built again and again ask for one token.

Its one rule: two callers share a token only if nothing differs that could give them different ones. What is known of
the caller's own object is forgotten with that object; of default credentials at most `_MOST` sets are kept.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

from langchain_gemini_compat._locks import making

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import TypeAlias, TypeVar

    from google.auth.credentials import Credentials

    _Kept = TypeVar("_Kept")
    Key: TypeAlias = tuple[object, ...]

_MOST = 64
#: Variables of the environment that google-auth, its sources or the HTTP library read begin or end like this.
_PREFIXES = ("GOOGLE_", "GCLOUD_", "GCE_", "NO_GCE_", "CLOUDSDK_", "AWS_", "SSL_CERT_", "HOME", "APPDATA")
_PROXIES = "_PROXY"
_LOGIN_FILE = "application_default_credentials.json"


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, and when it is replaced."""

    value: str = field(repr=False)
    expiry: datetime | None
    renew_at: datetime | None


@dataclass(slots=True)
class Known:
    """What is known of one credential; shared by all that use it."""

    #: The loaded credentials; of the caller's own object only a copy with scopes, or it would keep itself alive.
    loaded: Credentials | None = field(default=None, repr=False)
    is_loaded: bool = False
    #: Whether there are no means to fetch another token.
    is_fixed: bool = False
    project: str | None = None
    token: Token | None = None


def find_known(credentials: Credentials | None, quota_project_id: str | None, client: object) -> tuple[Known, Key]:
    """What is known of `credentials`, `None` being the default ones, and a key that tells it from others.

    Default credentials are loaded with the quota project, and depend on the environment, and on the caller's `client`
    where one asks for the tokens.
    """
    if credentials is not None:
        return _of_object(credentials).setdefault("", Known()), (id(credentials),)
    digest = f"{_digest_environment()} {quota_project_id}"
    kept = _default if client is None else _of_object(client)
    with making():
        known = kept.setdefault(digest, Known())
        if isinstance(kept, OrderedDict):
            kept.move_to_end(digest)
            while len(kept) > _MOST:
                kept.popitem(last=False)
    return known, (digest,)


def share(kept: WeakValueDictionary[Key, _Kept], key: Key, build: Callable[[], _Kept]) -> _Kept:
    """The object under `key`, built where there is none."""
    with making():
        found = kept.get(key)
        if found is None:
            found = kept[key] = build()
    return found


_default: OrderedDict[str, Known] = OrderedDict()
_by_object: dict[int, tuple[ref[object], dict[str, Known]]] = {}


def _of_object(owner: object) -> dict[str, Known]:
    """A dictionary that lives as long as `owner`, whether that can be hashed or not."""
    number = id(owner)
    with making():
        entry = _by_object.get(number)
        if entry is not None and entry[0]() is owner:
            return entry[1]
        known: dict[str, Known] = {}
        try:
            # The entry may be another owner's by the time this one is collected: numbers are used again.
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
    """Tells environments apart whose default credentials, or the way to their token server, may differ."""
    read = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(_PREFIXES) or name.upper().endswith(_PROXIES)
    )
    return sha256(repr((read, _describe_login())).encode(errors="replace")).hexdigest()


def _describe_login() -> tuple[object, ...]:
    """The file with the default credentials, where google-auth looks for it, and its state."""
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    configuration = os.environ.get("CLOUDSDK_CONFIG")
    if not named and not configuration:
        roaming = os.environ.get("APPDATA") if os.name == "nt" else None
        configuration = str(Path(roaming or Path("~/.config").expanduser()) / "gcloud")
    path = named or str(Path(configuration or "") / _LOGIN_FILE)
    try:
        state = Path(path).stat()
    except (OSError, ValueError, RuntimeError):
        return (path,)
    return path, state.st_mtime_ns, state.st_size, state.st_ino
