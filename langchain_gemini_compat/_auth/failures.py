"""Failures of google-auth to one sentence that names the credential and one that mends it.

Its one rule: no secret gets through, though servers put into their answers what they like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from langchain_gemini_compat._auth.google_transport import TokenResponse
    from langchain_gemini_compat._errors.base import GeminiCompatError
    from langchain_gemini_compat.errors import CredentialsError, RequestTimeoutError

_LOGIN = "`gcloud auth application-default login`"
_RUN_LOGIN = f"Run {_LOGIN}."


@dataclass(frozen=True, slots=True)
class _Kind:
    """A sort of credentials; `{mail}` in its remedy is the service account's address."""

    noun: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no token, and whether there may be one soon."""

    text: str
    is_retryable: bool = False
    #: Whether every caller that waited has given up.
    is_late: bool = False


_UNKNOWN = _Kind("Google credentials", _RUN_LOGIN)
_CREATOR = (
    "Grant the caller `roles/iam.serviceAccountTokenCreator`: `gcloud iam service-accounts "
    "add-iam-policy-binding {mail} --member=MEMBER --role=roles/iam.serviceAccountTokenCreator`."
)
#: By the module of the class or of a base class; google-auth has no common attribute that tells them apart.
_KINDS = {
    "google.oauth2.credentials": _Kind("user credentials", _RUN_LOGIN),
    "google.oauth2.service_account": _Kind(
        "service account key",
        "Check this machine's clock, and that the key was not deleted: "
        "`gcloud iam service-accounts keys list --iam-account={mail}`.",
    ),
    "google.auth.impersonated_credentials": _Kind("impersonated service account", _CREATOR),
    "google.auth.compute_engine.credentials": _Kind(
        "metadata server's service account",
        "On Google Cloud attach a service account to the machine or workload; elsewhere there is no metadata "
        f"server: run {_LOGIN}.",
    ),
    "google.auth.external_account": _Kind(
        "workload identity federation",
        "Check the credential configuration file, the subject token it points at, and the provider: `gcloud iam "
        "workload-identity-pools providers describe PROVIDER --workload-identity-pool=POOL --location=global`.",
    ),
    "google.auth.external_account_authorized_user": _Kind(
        "workforce identity federation",
        "Run `gcloud auth application-default login --login-config=FILE`.",
    ),
}
_LOGINS = ("user credentials", "workforce identity federation", _UNKNOWN.noun)
_NETWORK_ERRORS = frozenset({"TransportError", "TimeoutError", "ConnectionError"})
#: Of a token server: it may answer otherwise in a moment.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECT = 3
_LATER = "Ask again in a while."
#: `_REFRESH_ERROR` of google-auth, for answers of the IAM Credentials API.
_NOT_IMPERSONATED = "Unable to acquire impersonated credentials"
_QUOTA_PROJECT = re.compile(r"quota project|USER_PROJECT_DENIED|serviceusage\.services\.use", re.IGNORECASE)
_DISABLED = re.compile(r"SERVICE_DISABLED|has not been used in project", re.IGNORECASE)
_EXPIRED_LOGIN = re.compile(r"invalid_grant|reauth", re.IGNORECASE)
#: Shorter ones are words of the sentence as well.
_SHORTEST_SECRET = 8
_OWN_SECRETS = ("token", "refresh_token", "client_secret", "id_token")
_SECRET_FIELD = re.compile(r"""((?:token|secret|assertion|key|password)["']?\s*[:=]\s*["'])[^"']+""", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
#: Names of projects, accounts and files have shorter words.
_OPAQUE_WORD = re.compile(r"[\w+=~-]{40,}")


def describe_failure(
    err: BaseException, credentials: Credentials | None, source: str, answer: TokenResponse | None = None
) -> Failure:
    """What looking up or refreshing `credentials` raised, and its remedy; holds no token and no key.

    `source` is where they came from, for example the argument `credentials`; `answer` the last one of a server.
    """
    names = {base.__name__ for base in type(err).__mro__}
    if "GeminiCompatError" in names:
        return Failure(str(err), getattr(err, "is_retryable", False), "RequestTimeoutError" in names)
    reason, evidence = _quote(err, credentials), " ".join(str(arg) for arg in err.args)
    if "DefaultCredentialsError" in names:
        return Failure(_describe_lookup(reason))
    who = _describe(credentials, source)
    missing = _describe_missing(names, reason, evidence)
    if missing:
        return Failure(f"No token for {who}: {missing}")
    if names & _NETWORK_ERRORS and "metadata" not in _find_kind(credentials).noun:
        text = f"Google's token server could not be reached ({reason}) Check the network, and ask again."
        return Failure(f"No token for {who}: {text}", is_retryable=True)
    strange = _describe_answer(reason, answer, is_passing=bool(getattr(err, "retryable", False)))
    if strange is not None:
        return Failure(f"No token for {who}: {strange.text}", is_retryable=strange.is_retryable)
    return Failure(_describe_refusal(reason, evidence, credentials, source))


def _describe_missing(names: set[str], reason: str, evidence: str) -> str:
    """A package or a quota project; empty where neither is missing."""
    if "ImportError" in names:
        packages = {"requests": "requests", "OpenSSL": "pyopenssl"}
        remedy = "".join(f" Run `pip install {package}`." for name, package in packages.items() if name in reason)
        return f"a package is missing: {reason}{remedy}"
    if _QUOTA_PROJECT.search(evidence):
        return (
            f"its quota project is missing or refused: {reason} "
            "Run `gcloud auth application-default set-quota-project PROJECT`, or pass `quota_project_id`."
        )
    return ""


def _describe_answer(reason: str, answer: TokenResponse | None, *, is_passing: bool) -> Failure | None:
    """An answer that says nothing of the credentials."""
    is_passing = is_passing or (answer is not None and answer.status in _PASSING)
    is_page = answer is not None and answer.data.lstrip().startswith(b"<")
    is_redirect = answer is not None and answer.status // 100 == _REDIRECT
    if answer is not None and (is_page or is_redirect):
        kind = "a redirect, which is not followed" if is_redirect else "an HTML page"
        remedy = _LATER if is_passing else "Check proxy settings and the `token_uri` of the credentials."
        return Failure(f"The token server answered {answer.status} with {kind}. {remedy}", is_passing)
    return Failure(f"The token server failed: {reason} {_LATER}", is_retryable=True) if is_passing else None


def adopt_failure(err: Exception, source: str) -> GeminiCompatError:
    """What a function of the caller raised, as ours; `err` itself where it is ours already."""
    from langchain_gemini_compat._errors.base import GeminiCompatError

    if isinstance(err, GeminiCompatError):
        return err
    is_retryable = any(getattr(err, name, False) is True for name in ("is_retryable", "retryable"))
    remedy = _LATER if is_retryable else "Mend the function, or what it asks."
    error = build_error(
        f"The callable of {source} raised {type(err).__name__}: {_quote(err, None)} {remedy}", is_retryable=is_retryable
    )
    error.__cause__ = err
    return error


def late_token(source: str) -> RequestTimeoutError:
    """Return the error for a call whose time limit passes before it has a token."""
    from langchain_gemini_compat.errors import RequestTimeoutError

    error = RequestTimeoutError(
        f"No token for {source} within the time limit of the call: the token source did not answer. Check the network "
        "and the proxy, or raise `timeout`."
    )
    error.limit = "total"
    return error


def build_error(message: str, *, is_retryable: bool = False) -> CredentialsError:
    """Return our `CredentialsError` with this text."""
    from langchain_gemini_compat.errors import CredentialsError

    error = CredentialsError(message)
    if is_retryable:
        error.is_retryable = True
    return error


def no_sync_result() -> CredentialsError:
    """For an async `api_key` callable that a sync call cannot await."""
    return build_error(
        "`api_key` is an async callable, so only `ainvoke` and `astream` can use it. Pass a sync one for sync calls."
    )


def _describe_lookup(reason: str) -> str:
    """google-auth raises one class for credentials that are nowhere and for a file that is broken."""
    if "credentials were not found" in reason or reason == "DefaultCredentialsError.":
        return f"No Google credentials were found. {_RUN_LOGIN} For AI Studio pass `api_key` instead."
    return (
        f"The application default credentials cannot be used: {reason} Check the variable "
        f"GOOGLE_APPLICATION_CREDENTIALS, or run {_LOGIN}."
    )


def _describe_refusal(reason: str, evidence: str, credentials: Credentials | None, source: str) -> str:
    """A server answered, and gave no token."""
    who, kind = _describe(credentials, source), _find_kind(credentials)
    mail = _read_text(credentials, "service_account_email") or "SERVICE_ACCOUNT_EMAIL"
    if _NOT_IMPERSONATED in evidence:
        remedy = _CREATOR
        if _DISABLED.search(evidence):
            remedy = "Run `gcloud services enable iamcredentials.googleapis.com`."
    elif kind.remedy == _CREATOR:
        # Impersonation was not reached: it is the caller's own credentials that failed.
        caller: Credentials | None = getattr(credentials, "_source_credentials", None)
        return f"No token for {who}: its caller has none. " + _describe_refusal(reason, evidence, caller, source)
    elif kind.noun in _LOGINS and _EXPIRED_LOGIN.search(evidence):
        return f"No token for {who}: the login has expired or was revoked ({reason}) {kind.remedy}"
    elif "necessary fields" in reason:
        return f"No token for {who}: a bare token has expired, and nothing was given to renew it. {_RUN_LOGIN}"
    else:
        remedy = kind.remedy
    return f"No token for {who}: {reason} {remedy.format(mail=mail)}"


def _find_kind(credentials: Credentials | None) -> _Kind:
    modules = (base.__module__ for base in type(credentials).__mro__)
    return next((_KINDS[module] for module in modules if module in _KINDS), _UNKNOWN)


def _describe(credentials: Credentials | None, source: str) -> str:
    if credentials is None:
        return f"the {source}"
    mail = _read_text(credentials, "service_account_email") or _read_text(credentials, "account")
    name = f"{_find_kind(credentials).noun} {mail}" if mail else _find_kind(credentials).noun
    return f"the {name} ({source})"


def _read_text(credentials: Credentials | None, name: str) -> str:
    value = getattr(credentials, name, None)
    return value if isinstance(value, str) and value != "default" else ""


def _quote(err: BaseException, credentials: Credentials | None) -> str:
    """The first argument of `err` as one short sentence; further ones are whole answers of the server."""
    said = err if isinstance(err, OSError) else next(iter(err.args), "")
    text = " ".join(str(said).split()) or type(err).__name__
    secrets = (_read_text(credentials, name) for name in _OWN_SECRETS)
    for secret in secrets:
        text = text.replace(secret, "[hidden]") if len(secret) >= _SHORTEST_SECRET else text
    text = _SECRET_FIELD.sub(r"\1[hidden]", text)
    text = _OPAQUE_WORD.sub("[hidden]", _PASSWORD_IN_URL.sub("[hidden]@", text))
    return text[:300].rstrip(".") + "."
