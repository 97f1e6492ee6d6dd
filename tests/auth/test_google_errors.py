"""The installed google-auth has the class names and message texts that our error messages depend on.

If one of these tests fails after an upgrade of google-auth, correct `_auth/google_errors.py`.
"""

import json
from importlib import import_module
from types import SimpleNamespace

import google.auth
import pytest
from google.auth import exceptions, impersonated_credentials
from google.auth.credentials import AnonymousCredentials
from google.oauth2 import reauth
from google.oauth2.credentials import Credentials as UserCredentials

from langchain_gemini_compat._auth import google_errors
from langchain_gemini_compat._auth.google_errors import Cause, CredentialKind, find_caller, find_cause, find_kind

KINDS = [kind for kind in CredentialKind if kind.value]


def answer(status, content):
    """Return a transport that gives the same answer to each request, in the form that google-auth reads."""
    response = SimpleNamespace(status=status, data=json.dumps(content).encode(), headers={})
    return lambda *args, **kwargs: response


def impersonated():
    caller = UserCredentials("caller-token")
    return impersonated_credentials.Credentials(caller, "target@p.iam.gserviceaccount.com", ["scope"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_module_of_each_kind_defines_its_credentials(kind):
    module = import_module(kind.value)
    found = getattr(module, "Credentials", None) or module.ServiceAccountCredentials
    # The class of federated credentials is abstract. Only a subclass with `retrieve_subject_token` can have instances.
    example = type("Example", (found,), {"retrieve_subject_token": None})
    assert find_kind(object.__new__(example)) is kind


def test_kinds_of_federated_credentials_are_found_by_base_class():
    """Federated credentials have a class for each source of the subject token: a file, AWS or a program.

    The classes are in different modules. So `find_kind` looks for the module of their base class.
    """
    for name in ("identity_pool", "aws", "pluggable"):
        found = import_module(f"google.auth.{name}").Credentials
        assert find_kind(object.__new__(found)) is CredentialKind.WORKLOAD_IDENTITY


def test_unknown_credentials_are_of_the_other_kind():
    assert find_kind(AnonymousCredentials()) is find_kind(None) is CredentialKind.OTHER


def test_missing_default_credentials_have_the_known_text(monkeypatch, tmp_path):
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(exceptions.DefaultCredentialsError, match=google_errors.NOT_FOUND) as caught:
        google.auth.default()
    assert find_cause(caught.value, CredentialKind.OTHER, None) is Cause.NO_DEFAULT_CREDENTIALS


def test_broken_default_credentials_have_another_text(monkeypatch, tmp_path):
    path = tmp_path / "login.json"
    path.write_text("{", "utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(exceptions.DefaultCredentialsError) as caught:
        google.auth.default()
    assert find_cause(caught.value, CredentialKind.OTHER, None) is Cause.UNUSABLE_DEFAULT_CREDENTIALS


def test_bare_token_without_refresh_token_has_the_known_text():
    with pytest.raises(exceptions.RefreshError, match=google_errors.NOT_RENEWABLE) as caught:
        UserCredentials("token").refresh(answer(200, {}))
    assert find_cause(caught.value, CredentialKind.USER, None) is Cause.NOT_RENEWABLE


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Permission 'iam.serviceAccounts.getAccessToken' denied", Cause.IMPERSONATION_DENIED),
        ("The API has not been used in project 1 before or it is disabled.", Cause.IMPERSONATION_API_DISABLED),
    ],
)
def test_refused_impersonation_has_the_known_text(said, cause):
    credentials = impersonated()
    with pytest.raises(exceptions.RefreshError, match=google_errors.NOT_IMPERSONATED) as caught:
        credentials.refresh(answer(403, {"error": {"code": 403, "message": said}}))
    assert find_cause(caught.value, find_kind(credentials), None) is cause


def test_impersonated_credentials_hold_those_of_the_caller():
    assert isinstance(find_caller(impersonated()), UserCredentials)


def test_refused_refresh_token_is_an_expired_login():
    means = {"refresh_token": "r", "client_id": "i", "client_secret": "s", "token_uri": "https://oauth2.example/"}
    with pytest.raises(exceptions.RefreshError) as caught:
        UserCredentials(None, **means).refresh(answer(400, {"error": "invalid_grant"}))
    assert find_cause(caught.value, CredentialKind.USER, None) is Cause.EXPIRED_LOGIN


def test_failed_reauthentication_is_an_expired_login():
    """A login may expire because an organisation limits the length of its sessions."""
    err = reauth.exceptions.ReauthFailError("no answer")
    assert find_cause(err, CredentialKind.USER, None) is Cause.EXPIRED_LOGIN


def test_transport_error_is_a_network_error():
    err = exceptions.TransportError("no route")
    assert find_cause(err, CredentialKind.USER, None) is Cause.UNREACHABLE
    assert find_cause(err, CredentialKind.METADATA_SERVER, None) is Cause.REFUSED


def test_google_auth_marks_temporary_failures():
    err = exceptions.RefreshError("later", retryable=True)
    assert find_cause(err, CredentialKind.USER, None) is Cause.TEMPORARY
