"""Failures of google-auth to one sentence that names the credential and one that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from langchain_gemini_compat.errors import CredentialsError

_LOGIN = "Run `gcloud auth application-default login`."
#: By the class of the credentials; google-auth has no common attribute that tells them apart.
_REMEDIES = {
    "impersonated_credentials": "Grant the caller `roles/iam.serviceAccountTokenCreator` on that service account.",
    "service_account": "Check that its key still exists (`gcloud iam service-accounts keys list`) and the clock.",
    "compute_engine": "No metadata server answers here: run on Google Cloud, or " + _LOGIN.lower(),
    "external_account": "Check the workload identity pool's configuration file and the token it reads.",
}


def translate_auth_error(err: BaseException, credentials: Credentials | None) -> CredentialsError:
    """Our error for whatever looking up or refreshing `credentials` raised; holds no token and no key."""
    from langchain_gemini_compat.errors import CredentialsError

    if isinstance(err, CredentialsError):
        return err
    kind = type(err).__name__
    who = _describe(credentials)
    if kind == "DefaultCredentialsError":
        return CredentialsError(f"No Google credentials were found. {_LOGIN} For AI Studio pass `api_key` instead.")
    if kind == "TransportError":
        return CredentialsError(f"No token for {who}: Google's token server could not be reached. Check the network.")
    if kind in ("ImportError", "ModuleNotFoundError"):
        return CredentialsError("google-auth needs an HTTP library: run `pip install requests`.")
    reason = str(err.args[0]) if err.args else kind
    if kind == "ReauthFailError" or "reauth" in reason.lower() or "invalid_grant" in reason:
        return CredentialsError(f"No token for {who}: the login has expired or was revoked. {_remedy(credentials)}")
    return CredentialsError(f"No token for {who}: {kind}: {reason[:300]} {_remedy(credentials)}")


def no_sync_result() -> CredentialsError:
    """For an async `api_key` callable that a sync call cannot await."""
    from langchain_gemini_compat.errors import CredentialsError

    return CredentialsError(
        "`api_key` is an async callable, so only `ainvoke` and `astream` can use it. Pass a sync one for sync calls."
    )


def _describe(credentials: Credentials | None) -> str:
    if credentials is None:
        return "the application default credentials"
    mail = getattr(credentials, "service_account_email", None)
    kind = type(credentials).__module__.rpartition(".")[2].lstrip("_").replace("_", " ")
    return f"{kind} {mail}" if isinstance(mail, str) and mail not in ("", "default") else f"the {kind}"


def _remedy(credentials: Credentials | None) -> str:
    module = type(credentials).__module__
    return next((remedy for part, remedy in _REMEDIES.items() if part in module), _LOGIN)
