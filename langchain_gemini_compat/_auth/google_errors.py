"""Classification of google-auth's exceptions: which kind of credentials failed, and why.

google-auth does not have error codes. One class covers missing and broken default credentials, and another covers every
refusal of a server. So this module compares modules, class names and message texts of google-auth. No other module of
this package compares them. If a release changes a text, the error message gives less specific advice.

Checked with google-auth 2.29 and 2.62. `tests/auth/test_google_errors.py` raises each of these errors in the installed
release and fails if a name or a text has changed.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from langchain_gemini_compat._auth.google_transport import TokenResponse


class CredentialKind(Enum):
    """The kinds of Google credentials. Each value is the name of the module that defines the credentials' class."""

    USER = "google.oauth2.credentials"
    SERVICE_ACCOUNT = "google.oauth2.service_account"
    IMPERSONATED = "google.auth.impersonated_credentials"
    METADATA_SERVER = "google.auth.compute_engine.credentials"
    WORKLOAD_IDENTITY = "google.auth.external_account"
    WORKFORCE_IDENTITY = "google.auth.external_account_authorized_user"
    DISTRIBUTED_CLOUD = "google.oauth2.gdch_credentials"
    OTHER = ""


class Cause(Enum):
    """The reasons why google-auth has no token."""

    NO_DEFAULT_CREDENTIALS = auto()
    UNUSABLE_DEFAULT_CREDENTIALS = auto()
    MISSING_PACKAGE = auto()
    QUOTA_PROJECT = auto()
    UNREACHABLE = auto()
    REDIRECT = auto()
    HTML_PAGE = auto()
    TEMPORARY = auto()
    IMPERSONATION_DENIED = auto()
    IMPERSONATION_API_DISABLED = auto()
    #: Impersonation failed, because google-auth got no token for the source credentials (see `find_caller`).
    CALLER_FAILED = auto()
    EXPIRED_LOGIN = auto()
    #: A bare token has expired, and there is no refresh token.
    NOT_RENEWABLE = auto()
    REFUSED = auto()


#: Part of `google.auth._default._CLOUD_SDK_MISSING_CREDENTIALS`.
NOT_FOUND = "credentials were not found"
#: Part of an error text of `google.oauth2.credentials.Credentials.refresh`.
NOT_RENEWABLE = "necessary fields"
#: Value of `google.auth.impersonated_credentials._REFRESH_ERROR`, the text for refusals of the IAM Credentials API.
NOT_IMPERSONATED = "Unable to acquire impersonated credentials"
#: `invalid_grant` is an error code of OAuth. "reauth" is in the texts of `google.oauth2.reauth`.
EXPIRED_LOGIN = re.compile(r"invalid_grant|reauth", re.IGNORECASE)
#: Class names of exceptions for network errors. Names are compared instead of classes, because several libraries define
#: such classes, for example `requests`, and `concurrent.futures` in Python 3.10.
NETWORK_ERRORS = frozenset({"TransportError", "TimeoutError", "ConnectionError"})
#: The attribute of impersonated credentials that contains their source credentials.
CALLER = "_source_credentials"

#: Matches error texts of Google's servers about the quota project.
_QUOTA_PROJECT = re.compile(r"quota project|USER_PROJECT_DENIED|serviceusage\.services\.use", re.IGNORECASE)
#: Matches error texts of Google's servers about an API that is not enabled.
_API_DISABLED = re.compile(r"SERVICE_DISABLED|has not been used in project", re.IGNORECASE)
#: HTTP status codes of temporary failures.
_TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECT = 3
#: Kinds of credentials that the user renews by a new login. Only with these kinds, `invalid_grant` means that a login
#: has expired.
_LOGINS = frozenset(
    {
        CredentialKind.USER,
        CredentialKind.WORKFORCE_IDENTITY,
        CredentialKind.DISTRIBUTED_CLOUD,
        CredentialKind.OTHER,
    }
)


def find_kind(credentials: Credentials | None) -> CredentialKind:
    """Return the kind of `credentials`, by the module of their class or of a base class."""
    modules = (base.__module__ for base in type(credentials).__mro__)
    return next((kind for module in modules for kind in CredentialKind if kind.value == module), CredentialKind.OTHER)


def find_caller(credentials: Credentials | None) -> Credentials | None:
    """Return the source credentials of impersonated `credentials`, or `None` for other kinds of credentials.

    With the source credentials, google-auth requests a token for the impersonated service account.
    """
    caller: Credentials | None = getattr(credentials, CALLER, None)
    return caller


def find_cause(err: BaseException, kind: CredentialKind, answer: TokenResponse | None) -> Cause:
    """Return the reason why google-auth raised `err`. `answer` is the server's last answer, or `None`."""
    from google.auth.exceptions import DefaultCredentialsError

    evidence = " ".join(str(arg) for arg in err.args)
    if isinstance(err, DefaultCredentialsError):
        is_missing = not evidence or NOT_FOUND in evidence
        return Cause.NO_DEFAULT_CREDENTIALS if is_missing else Cause.UNUSABLE_DEFAULT_CREDENTIALS
    if isinstance(err, ImportError):
        return Cause.MISSING_PACKAGE
    if _QUOTA_PROJECT.search(evidence):
        return Cause.QUOTA_PROJECT
    # A metadata server that does not answer probably does not exist on this machine. So its network errors do not count
    # as `UNREACHABLE`, which would lead to the advice to check the network.
    if _is_network_error(err) and kind is not CredentialKind.METADATA_SERVER:
        return Cause.UNREACHABLE
    return _find_answer_cause(err, answer) or _find_refusal(evidence, kind)


def is_temporary(err: BaseException, answer: TokenResponse | None) -> bool:
    """Return whether the failure is temporary, so that a retry may succeed."""
    return getattr(err, "retryable", False) is True or (answer is not None and answer.status in _TEMPORARY)


def _find_answer_cause(err: BaseException, answer: TokenResponse | None) -> Cause | None:
    """Return the cause if the answer is a redirect or an HTML page, or if the failure is temporary; else `None`."""
    if answer is not None and answer.status // 100 == _REDIRECT:
        return Cause.REDIRECT
    if answer is not None and answer.data.lstrip().startswith(b"<"):
        return Cause.HTML_PAGE
    return Cause.TEMPORARY if is_temporary(err, answer) else None


def _find_refusal(evidence: str, kind: CredentialKind) -> Cause:
    if NOT_IMPERSONATED in evidence:
        is_disabled = _API_DISABLED.search(evidence)
        return Cause.IMPERSONATION_API_DISABLED if is_disabled else Cause.IMPERSONATION_DENIED
    if kind is CredentialKind.IMPERSONATED:
        return Cause.CALLER_FAILED
    if kind in _LOGINS and EXPIRED_LOGIN.search(evidence):
        return Cause.EXPIRED_LOGIN
    return Cause.NOT_RENEWABLE if NOT_RENEWABLE in evidence else Cause.REFUSED


def _is_network_error(err: BaseException) -> bool:
    return any(base.__name__ in NETWORK_ERRORS for base in type(err).__mro__)
