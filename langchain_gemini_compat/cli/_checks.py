"""The checks of `doctor`: versions, environment, credentials, location and network.

Each check returns findings and has a time limit. A check does not raise exceptions or repeat secrets.
"""

from __future__ import annotations

import json
import os
import platform
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

# packaging is a dependency of langchain-core.
from packaging.requirements import Requirement

from langchain_gemini_compat import errors
from langchain_gemini_compat._auth.keys import start_thread, wait_until
from langchain_gemini_compat._auth.login_file import CREDENTIALS_VARIABLE, locate_login_file
from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat._settings.connection import KEY_VARIABLES
from langchain_gemini_compat.cli._findings import (
    LOGIN,
    SET_KEY,
    SET_PROJECT,
    Finding,
    Place,
    explain_credentials,
    explain_network,
    unset_variable,
)
from langchain_gemini_compat.cli._options import PROXY_VARIABLES

if TYPE_CHECKING:
    from concurrent.futures import Future

    from langchain_gemini_compat._transport.tokens import TokenSource

_DISTRIBUTION = "langchain-gemini-compat"
#: `global` and Google's multi-regions. Any other location is a region.
_MULTI_REGIONS = ("global", "us", "eu")
#: The base URL of Google's own models ends in this path. For other URLs, the location is not checked, because the
#: catalog has no locations for models that a user deployed.
_PUBLISHED_MODELS_PATH = "/endpoints/openapi"
TOKEN_SECONDS = 5.0
_PROBE_SECONDS = 3.0


class _Response(Protocol):
    status_code: int


class _HttpLibrary(Protocol):
    """The functions and classes of httpx and httpx2 that this module uses."""

    HTTPError: type[Exception]
    InvalidURL: type[Exception]

    def get(self, url: str, *, timeout: float) -> _Response: ...


def check_versions() -> list[Finding]:
    """Compare the installed packages with this package's requirements. Packages of the extra `cli` may be missing."""
    found, wrong = [f"Python {platform.python_version()}"], []
    for requirement in map(Requirement, requires(_DISTRIBUTION) or ()):
        is_required = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if not is_required and not (requirement.marker and requirement.marker.evaluate({"extra": "cli"})):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = ""
        if not installed and not is_required:
            continue
        found.append(f"{requirement.name} {installed or 'missing'}")
        if not installed or not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(requirement)
    names = "; ".join(f"{item.name} must be {item.specifier}" for item in wrong)
    fixes = tuple(f'pip install "{item.name}{item.specifier}"' for item in wrong)
    text = ", ".join(found)
    return [Finding("versions", "failed" if wrong else "ok", f"{names} ({text})" if wrong else text, fixes)]


def check_transport_package() -> list[Finding]:
    """Check that an HTTP library for google-auth is installed. google-auth does not require one itself."""
    if find_spec("requests") or find_spec("urllib3"):
        return []
    text = "google-auth has no HTTP library to fetch tokens with. Install the package requests."
    return [Finding("google-auth transport", "failed", text, ("pip install requests",))]


def check_environment(surface: str | None) -> list[Finding]:
    """Return findings for environment variables that contradict each other or are invalid.

    `surface` is the surface that is used, or `None` if the settings select no surface.
    """
    findings: list[Finding] = []
    keys = [name for name in KEY_VARIABLES if os.environ.get(name)]
    if keys and os.environ.get("GOOGLE_CLOUD_PROJECT"):
        used = f"{surface} is used" if surface else "they belong to different surfaces"
        text = f"Both GOOGLE_CLOUD_PROJECT and {keys[0]} are set, and {used}. Unset one of them."
        for_vertex = tuple(f"{unset_variable(name)}   # for Vertex AI" for name in keys)
        fixes = (*for_vertex, f"{unset_variable('GOOGLE_CLOUD_PROJECT')}   # for AI Studio")
        findings.append(Finding("environment", "warning", text, fixes))
    if len({os.environ[name] for name in keys}) > 1:
        text = f"{keys[0]} and {keys[1]} differ. {keys[0]} is used."
        findings.append(Finding("environment", "warning", text, (unset_variable(keys[1]),)))
    for name in keys:
        if os.environ[name] != os.environ[name].strip() or not os.environ[name].isascii():
            text = f"{name} has surrounding white space, or characters that are not valid in a key."
            findings.append(Finding("environment", "failed", text, (SET_KEY,)))
    return findings


def check_credentials_file() -> list[Finding]:
    """Check that the file with the default credentials exists and can be read."""
    path = locate_login_file()
    given = os.environ.get(CREDENTIALS_VARIABLE)
    if not path.is_file():
        if given:
            text = f"{CREDENTIALS_VARIABLE} is set to a file that does not exist: {given}"
            return [Finding("credentials file", "failed", text, (unset_variable(CREDENTIALS_VARIABLE), LOGIN))]
        text = (
            "There is no file with application default credentials. Only machines on Google Cloud work without this "
            "file."
        )
        return [Finding("credentials file", "warning", text, (LOGIN,))]
    try:
        content = json.loads(path.read_text("utf-8"))
        kind = str(content["type"])
    except (OSError, ValueError, KeyError, TypeError):
        text = f"{path} does not contain Google credentials."
        return [Finding("credentials file", "failed", text, (LOGIN,))]
    source = CREDENTIALS_VARIABLE if given else "gcloud"
    return [Finding("credentials file", "ok", f"{kind}, from {source}: {path}")]


def check_location(model: str, location: str | None, place: Place) -> list[Finding]:
    """Compare the location with the locations of the model in the catalog."""
    served = family_of(model).locations
    if location is None or served is None or not place.base_url.rstrip("/").endswith(_PUBLISHED_MODELS_PATH):
        return []
    if (location if location in _MULTI_REGIONS else "regions") in served:
        return []
    text = f"{model} is not served in {location}, only in {', '.join(served)}."
    return [Finding("location", "failed", text, (place.set_global,))]


def check_key_on_vertex(auth_kind: str) -> list[Finding]:
    """Return a finding if the credential is an API key, because Vertex AI refuses API keys with a 401."""
    if auth_kind != "api_key":
        return []
    text = "An API key is set for Vertex AI, which accepts OAuth tokens only."
    fixes = (LOGIN, "langchain-gemini-compat doctor --surface ai_studio   # AI Studio accepts keys")
    return [Finding("api key", "failed", text, fixes)]


def check_token(tokens: TokenSource, place: Place) -> Finding:
    """Fetch one token within `TOKEN_SECONDS`."""
    try:
        token = tokens.token(time.monotonic() + TOKEN_SECONDS)
    except errors.RequestTimeoutError:
        if not locate_login_file().is_file():
            text = f"No Google credentials were found, and no metadata server answered within {TOKEN_SECONDS:.0f} s."
            return Finding("token", "failed", text, (LOGIN,))
        text = f"Google's token server did not answer within {TOKEN_SECONDS:.0f} s."
        return Finding("token", "failed", text, explain_network(text, place))
    except errors.CredentialsError as err:
        return Finding("token", "failed", str(err), explain_credentials(err, place))
    if place.is_vertex:
        return Finding("token", "ok", "A token was fetched.")
    text = "A key is set. Add --call to check that it is valid." if token else "No key is needed."
    return Finding("token", "ok", text)


def check_project(tokens: TokenSource) -> tuple[str | None, list[Finding]]:
    """Return the project of the credentials. Call this if the URL contains no project.

    If the credentials have no project, return a finding.
    """
    try:
        project = tokens.project(time.monotonic() + TOKEN_SECONDS)
    except (errors.RequestTimeoutError, errors.CredentialsError):
        project = None
    if project:
        return project, []
    text = "No project is set: not by --project, not by GOOGLE_CLOUD_PROJECT, and not by the credentials."
    return None, [Finding("project", "failed", text, (SET_PROJECT, "gcloud config set project PROJECT_ID"))]


def probe(base_url: str) -> int:
    """Request the root of the host without a credential, and return the status; raise `ConnectionError` on failure."""
    from langchain_gemini_compat._lazy import library_name

    library = cast("_HttpLibrary", import_module(library_name()))
    try:
        return library.get(origin_of(base_url), timeout=_PROBE_SECONDS).status_code
    except (library.HTTPError, library.InvalidURL, ValueError, OSError, ImportError) as err:
        raise ConnectionError(f"{type(err).__name__}: {err}") from None


def start_probe(base_url: str) -> Future[int]:
    """Start `probe` in a thread. The command can end while this thread still runs."""
    return start_thread(lambda: probe(base_url), "the probe of the host")


def check_network(pending: Future[int], place: Place) -> Finding:
    """Check that the host answers, with any status. `pending` is the result of `start_probe`."""
    proxy = next((f" through the proxy in {name}" for name in PROXY_VARIABLES if os.environ.get(name)), "")
    host = urlsplit(place.base_url).netloc.rpartition("@")[2]
    try:
        wait_until(pending, time.monotonic() + _PROBE_SECONDS + 1, "the probe of the host")
    except errors.RequestTimeoutError:
        reason = f"no answer within {_PROBE_SECONDS:.0f} s"
    except ConnectionError as err:
        reason = str(err)
    else:
        return Finding("network", "ok", f"{host} answers{proxy}.")
    return Finding("network", "failed", f"{host} cannot be reached{proxy} ({reason}).", explain_network(reason, place))


def origin_of(url: str) -> str:
    """Return scheme, host and port of `url`, without path and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
