"""Error messages for missing tokens. Each message says which credential failed, why, and what to do.

Secrets are removed from the messages, since token servers may repeat a secret of the request in their answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_gemini_compat import errors
from langchain_gemini_compat._auth.google_errors import (
    Cause,
    CredentialKind,
    find_caller,
    find_cause,
    find_kind,
    is_temporary,
)
from langchain_gemini_compat._errors.base import GeminiCompatError
from langchain_gemini_compat._errors.pending import PendingError, are_classes_imported, make_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.auth.credentials import Credentials

    from langchain_gemini_compat._auth.google_transport import TokenResponse

_LOGIN = "`gcloud auth application-default login`"
_RUN_LOGIN = f"Run {_LOGIN}."
_TRY_LATER = "Try again later."
_GRANT_ROLE = (
    "Grant the caller `roles/iam.serviceAccountTokenCreator`: `gcloud iam service-accounts "
    "add-iam-policy-binding {mail} --member=MEMBER --role=roles/iam.serviceAccountTokenCreator`."
)


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why there is no token, and whether a later request may get a token."""

    text: str
    is_retryable: bool = False
    #: Whether the refresh ended because no caller waits for the token any longer, or because of a time limit.
    is_timeout: bool = False
    #: If set, this function returns an error, and may import openai. The text and the `is_retryable` of this error are
    #: used instead of the fields `text` and `is_retryable`.
    build: Callable[[], GeminiCompatError] | None = None

    def make_error(self) -> GeminiCompatError:
        """Return a new `CredentialsError`.

        Before openai is imported, this may be a placeholder for the error (see `_errors.pending.make_error`).
        """
        return make_error(self._build_error)

    def _build_error(self) -> errors.CredentialsError:
        if self.build is None:
            return _build_error(self.text, is_retryable=self.is_retryable)
        error = self.build()
        return _build_error(str(error), is_retryable=error.is_retryable)


class AbandonedRefreshError(Exception):
    """Ends a refresh if no caller waits for the token any longer. google-auth does not retry after this exception."""


@dataclass(frozen=True, slots=True)
class _Wording:
    """Words for error messages about one kind of credentials.

    `noun` is the name of the kind. `remedy` is the advice for the case that a server refuses the credentials. `{mail}`
    in `remedy` is replaced by the address of the service account.
    """

    noun: str
    remedy: str


_WORDINGS = {
    CredentialKind.USER: _Wording("user credentials", _RUN_LOGIN),
    CredentialKind.SERVICE_ACCOUNT: _Wording(
        "service account key",
        "Check this machine's clock, and that the key was not deleted: "
        "`gcloud iam service-accounts keys list --iam-account={mail}`.",
    ),
    CredentialKind.IMPERSONATED: _Wording("impersonated service account", _GRANT_ROLE),
    CredentialKind.METADATA_SERVER: _Wording(
        "metadata server's service account",
        "On Google Cloud, attach a service account to the machine or workload. Elsewhere there is no metadata "
        f"server: run {_LOGIN}.",
    ),
    CredentialKind.WORKLOAD_IDENTITY: _Wording(
        "workload identity federation",
        "Check the credential configuration file, the subject token named in the file, and the provider: `gcloud iam "
        "workload-identity-pools providers describe PROVIDER --workload-identity-pool=POOL --location=global`.",
    ),
    CredentialKind.WORKFORCE_IDENTITY: _Wording(
        "workforce identity federation",
        "Run `gcloud auth application-default login --login-config=FILE`.",
    ),
    CredentialKind.DISTRIBUTED_CLOUD: _Wording("Google credentials", _RUN_LOGIN),
    CredentialKind.OTHER: _Wording("Google credentials", _RUN_LOGIN),
}

#: Error messages by cause. `{reason}` is replaced by google-auth's message without secrets, and `{remedy}` by the
#: `remedy` for the kind of credentials.
_TEXTS = {
    Cause.NO_DEFAULT_CREDENTIALS: (
        f"No Google credentials were found. {_RUN_LOGIN} For AI Studio pass `api_key` instead."
    ),
    Cause.UNUSABLE_DEFAULT_CREDENTIALS: (
        "The application default credentials cannot be used: {reason}. Check the variable "
        f"GOOGLE_APPLICATION_CREDENTIALS, or run {_LOGIN}."
    ),
    Cause.MISSING_PACKAGE: "No token for {who}: a package is missing: {reason}.{install}",
    Cause.QUOTA_PROJECT: (
        "No token for {who}: its quota project is missing or refused: {reason}. "
        "Run `gcloud auth application-default set-quota-project PROJECT`, or pass `quota_project_id`."
    ),
    Cause.UNREACHABLE: (
        "No token for {who}: Google's token server could not be reached ({reason}). Check the network, and try again."
    ),
    Cause.REDIRECT: (
        "No token for {who}: the token server answered {status} with a redirect, which is not followed. {later}"
    ),
    Cause.HTML_PAGE: "No token for {who}: the token server answered {status} with an HTML page. {later}",
    Cause.TEMPORARY: f"No token for {{who}}: the token server failed: {{reason}}. {_TRY_LATER}",
    Cause.IMPERSONATION_DENIED: f"No token for {{who}}: {{reason}}. {_GRANT_ROLE}",
    Cause.IMPERSONATION_API_DISABLED: (
        "No token for {who}: {reason}. Run `gcloud services enable iamcredentials.googleapis.com`."
    ),
    Cause.EXPIRED_LOGIN: "No token for {who}: the login has expired or was revoked ({reason}). {remedy}",
    Cause.NOT_RENEWABLE: (
        f"No token for {{who}}: the bare token has expired, and there is no refresh token to renew it. {_RUN_LOGIN}"
    ),
    Cause.REFUSED: "No token for {who}: {reason}. {remedy}",
}
_CHECK_ROUTE = "Check the proxy settings and the `token_uri` of the credentials."
#: Maps a missing module to the PyPI package that contains it.
_PACKAGES = {"requests": "requests", "OpenSSL": "pyopenssl"}

#: Minimum length of a value that is hidden as a secret. Shorter values may be ordinary words.
_SHORTEST_SECRET = 8
_SECRET_ATTRIBUTES = ("token", "refresh_token", "client_secret", "id_token")
_SECRET_FIELD = re.compile(r"""((?:token|secret|assertion|key|password)["']?\s*[:=]\s*["'])[^"']+""", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
#: Matches words that are so long that they must be tokens or keys. Names of projects, accounts and files are shorter.
_OPAQUE_WORD = re.compile(r"[\w+=~-]{40,}")
_LONGEST_REASON = 300


def describe_failure(
    err: BaseException, credentials: Credentials | None, source: str, answer: TokenResponse | None = None
) -> Failure:
    """Return a `Failure` that describes `err`, an exception from the lookup or the refresh of credentials.

    `source` names the origin of the credentials, for example ``argument `credentials` ``. `answer` is the response to
    google-auth's last HTTP request; `None` if there is none.
    """
    if isinstance(err, AbandonedRefreshError):
        return Failure("No caller waits for the token any longer.", is_timeout=True)
    if isinstance(err, PendingError):
        return Failure("", build=err.build)
    if isinstance(err, GeminiCompatError):
        is_timeout = are_classes_imported() and isinstance(err, errors.RequestTimeoutError)
        return Failure(str(err), err.is_retryable, is_timeout)
    return _describe(err, _redact_message(err, credentials), credentials, source, answer)


def _describe(
    err: BaseException, reason: str, credentials: Credentials | None, source: str, answer: TokenResponse | None
) -> Failure:
    kind = find_kind(credentials)
    cause = find_cause(err, kind, answer)
    wording = _WORDINGS[kind]
    who = _name_credentials(wording.noun, credentials, source)
    if cause is Cause.CALLER_FAILED:
        failure = _describe(err, reason, find_caller(credentials), source, answer)
        return Failure(
            f"No token for {who}, because its source credentials failed. {failure.text}", failure.is_retryable
        )
    mail = _read_text(credentials, "service_account_email") or "SERVICE_ACCOUNT_EMAIL"
    is_passing = is_temporary(err, answer)
    text = _TEXTS[cause].format(
        who=who,
        reason=reason,
        remedy=wording.remedy.format(mail=mail),
        mail=mail,
        install=_suggest_install(reason),
        status=answer.status if answer else "",
        later=_TRY_LATER if is_passing else _CHECK_ROUTE,
    )
    is_answer = cause in (Cause.REDIRECT, Cause.HTML_PAGE)
    return Failure(text, cause in (Cause.UNREACHABLE, Cause.TEMPORARY) or (is_answer and is_passing))


def _name_credentials(noun: str, credentials: Credentials | None, source: str) -> str:
    if credentials is None:
        return f"the {source}"
    mail = _read_text(credentials, "service_account_email") or _read_text(credentials, "account")
    return f"the {noun} {mail} ({source})" if mail else f"the {noun} ({source})"


def _suggest_install(reason: str) -> str:
    return "".join(f" Run `pip install {package}`." for name, package in _PACKAGES.items() if name in reason)


def _read_text(credentials: Credentials | None, name: str) -> str:
    value = getattr(credentials, name, None)
    return value if isinstance(value, str) and value != "default" else ""


def _redact_message(err: BaseException, credentials: Credentials | None) -> str:
    """Return the message of `err` on one line, shortened, without secrets and without a full stop.

    Only the first argument of an exception is used. Further arguments contain whole answers of a server.
    """
    said = err if isinstance(err, OSError) else next(iter(err.args), "")
    text = " ".join(str(said).split()) or type(err).__name__
    for secret in (_read_text(credentials, name) for name in _SECRET_ATTRIBUTES):
        text = text.replace(secret, "[hidden]") if len(secret) >= _SHORTEST_SECRET else text
    text = _SECRET_FIELD.sub(r"\1[hidden]", text)
    text = _OPAQUE_WORD.sub("[hidden]", _PASSWORD_IN_URL.sub("[hidden]@", text))
    return text[:_LONGEST_REASON].rstrip(".")


def convert_callable_error(err: Exception, source: str) -> GeminiCompatError:
    """Return a `CredentialsError` for an exception of the caller's `api_key` function.

    An error of this package is returned unchanged.
    """
    if isinstance(err, GeminiCompatError):
        return err
    is_retryable = any(getattr(err, name, False) is True for name in ("is_retryable", "retryable"))
    remedy = _TRY_LATER if is_retryable else "Check the function and the service that it calls."
    error = build_error(
        f"The callable in {source} raised {type(err).__name__}: {_redact_message(err, None)}. {remedy}",
        is_retryable=is_retryable,
    )
    error.__cause__ = err
    return error


def build_timeout_error(source: str) -> GeminiCompatError:
    """Return the error for a call whose time limit expires before the call has a token."""
    return make_error(lambda: _build_timeout(source))


def build_error(message: str, *, is_retryable: bool = False) -> GeminiCompatError:
    """Return a `CredentialsError` with this text."""
    return make_error(lambda: _build_error(message, is_retryable=is_retryable))


def _build_timeout(source: str) -> errors.RequestTimeoutError:
    error = errors.RequestTimeoutError(
        f"No token for {source} within the time limit of the call: the token source did not answer. Check the network "
        "and the proxy, or raise `timeout`."
    )
    error.limit = "total"
    return error


def _build_error(message: str, *, is_retryable: bool) -> errors.CredentialsError:
    error = errors.CredentialsError(message)
    if is_retryable:
        error.is_retryable = True
    return error


def build_async_callable_error() -> GeminiCompatError:
    """Return the error for an async `api_key` function in a sync call, which cannot await the function."""
    return build_error(
        "`api_key` is an async callable. Only `ainvoke` and `astream` can use it. For sync calls, pass a sync callable."
    )
