"""`langchain-gemini-compat doctor`: each problem is reported with the command that fixes it."""

import json
import re
import socket
import threading
import time
from importlib import metadata

import google.auth
import google.oauth2.credentials
import pytest
from families import CHAT_FAMILIES
from google.auth import exceptions as google_errors
from google.oauth2.credentials import Credentials
from wire import http

from langchain_gemini_compat._transport.server_errors import translate_body
from langchain_gemini_compat.cli import _checks, main
from langchain_gemini_compat.cli._findings import LOGIN, SET_KEY, Finding, Place, explain_call, order_steps
from langchain_gemini_compat.errors import APIConnectionError, CredentialsError
from langchain_gemini_compat.testing import FakeGemini, Fault, Raw

CANARY = "canary-7f3a91c2e5"
PROJECT = ["--project", "my-project"]
URL_OF_NOWHERE = "https://nowhere-aiplatform.googleapis.com/v1/projects/p/locations/nowhere/endpoints/openapi"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch, tmp_path):
    """Provide no credentials and no settings, and block connections to other machines."""
    for name in (
        "GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_APPLICATION_CREDENTIALS", "HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    # Without this patch, google-auth would run the program gcloud, which takes seconds.
    monkeypatch.setattr("google.auth._cloud_sdk.get_project_id", lambda: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # Port 9 refuses connections, so no request reaches another machine.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


@pytest.fixture
def reachable(monkeypatch):
    """Let every host answer."""
    monkeypatch.setattr(_checks, "probe", lambda base_url: 404)


@pytest.fixture
def diagnose(capsys):
    """Run `doctor --json`, check that no output has a key, and return exit code, findings and setup."""

    def run(*arguments):
        code = main(["doctor", "--json", *arguments])
        output = capsys.readouterr()
        assert CANARY not in output.out + output.err
        report = json.loads(output.out)
        assert report["ok"] is (code == 0)
        return code, {check["name"]: check for check in report["checks"]}, report["used"]

    return run


def log_in(tmp_path, kind="authorized_user", **fields):
    """Write the file that `gcloud auth application-default login` writes."""
    content = {"type": kind, "client_id": "id", "client_secret": CANARY, "refresh_token": CANARY, **fields}
    path = tmp_path / "application_default_credentials.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def give_token(monkeypatch, *, project=None):
    """Let google-auth find credentials with a valid token."""
    monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials(CANARY), project))


def test_missing_setup_suggests_key_and_project(diagnose):
    """There is no key, no project and no credentials file."""
    code, found, used = diagnose()
    assert code == 1
    assert found["endpoint"]["status"] == "failed"
    assert any("GOOGLE_API_KEY" in fix for fix in found["endpoint"]["fixes"])
    assert any("GOOGLE_CLOUD_PROJECT" in fix for fix in found["endpoint"]["fixes"])
    assert used == {}


def test_findings_are_printed_as_text(capsys):
    """Without a terminal, the lines have no escape codes."""
    assert main(["doctor", *PROJECT]) == 1
    output = capsys.readouterr().out
    assert "FAILED  token" in output
    assert f". {LOGIN}\n" in output
    assert "\x1b" not in output


def test_missing_default_credentials_suggest_a_login(diagnose, reachable):
    code, found, used = diagnose(*PROJECT)
    assert code == 1
    assert found["token"]["fixes"] == [LOGIN]
    assert used["project"] == "my-project (--project)"
    assert used["location"] == "global (default)"
    assert used["as"].startswith("application_default")


def test_credentials_variable_without_file_fails(diagnose, reachable, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    _, found, _ = diagnose(*PROJECT)
    assert "gone.json" in found["credentials file"]["detail"]
    assert found["credentials file"]["fixes"] == ["unset GOOGLE_APPLICATION_CREDENTIALS", LOGIN]


def test_unreadable_credentials_file_fails(diagnose, reachable, tmp_path):
    (tmp_path / "application_default_credentials.json").write_text("{", "utf-8")
    _, found, _ = diagnose(*PROJECT)
    assert found["credentials file"]["status"] == "failed"
    assert found["credentials file"]["fixes"] == [LOGIN]


@pytest.mark.parametrize(
    "err",
    [
        google_errors.RefreshError("invalid_grant: Token has been expired or revoked.", {"error": "invalid_grant"}),
        google_errors.RefreshError("Reauthentication is needed. Please run gcloud again."),
    ],
)
def test_expired_login_suggests_a_login(diagnose, reachable, monkeypatch, tmp_path, err):

    def refuse(self, request):
        raise err

    log_in(tmp_path)
    monkeypatch.setattr(google.oauth2.credentials.Credentials, "refresh", refuse)
    code, found, _ = diagnose(*PROJECT)
    assert code == 1
    assert found["credentials file"]["status"] == "ok"
    assert "authorized_user" in found["credentials file"]["detail"]
    assert "expired" in found["token"]["detail"]
    assert found["token"]["fixes"] == [LOGIN]


def test_unreachable_token_server_suggests_the_network(diagnose, reachable, monkeypatch, tmp_path):
    """The login file is valid, and only the network fails."""

    def fail(self, request):
        raise google_errors.TransportError("no route")

    log_in(tmp_path)
    monkeypatch.setattr(google.oauth2.credentials.Credentials, "refresh", fail)
    _, found, _ = diagnose(*PROJECT)
    assert any("HTTPS_PROXY" in fix for fix in found["token"]["fixes"])


def test_hanging_metadata_server_has_a_time_limit(diagnose, reachable, monkeypatch):
    """On some machines, packets to 169.254.169.254, the address of the metadata server, are dropped."""
    release = threading.Event()
    monkeypatch.setattr(google.auth, "default", lambda **_: release.wait(120))
    monkeypatch.setattr(_checks, "TOKEN_SECONDS", 0.2)
    started = time.monotonic()
    code, found, _ = diagnose(*PROJECT)
    release.set()
    assert time.monotonic() - started < 60
    assert code == 1
    assert "metadata server" in found["token"]["detail"]
    assert found["token"]["fixes"] == [LOGIN]


def test_time_limit_of_the_token_is_below_ten_seconds():
    """Fetching the token and probing the host run at the same time, so their time limits are not added."""
    assert _checks.TOKEN_SECONDS + 2 < 10


def test_missing_project_fails(diagnose, reachable, monkeypatch):
    """The arguments name only a location, and the credentials name no project."""
    give_token(monkeypatch)
    code, found, _ = diagnose("--location", "global")
    assert code == 1
    assert found["token"]["status"] == "ok"
    assert "export GOOGLE_CLOUD_PROJECT=PROJECT_ID" in found["project"]["fixes"]


def test_project_of_the_credentials_is_named_with_its_source(diagnose, reachable, monkeypatch):
    give_token(monkeypatch, project="from-adc")
    code, _, used = diagnose("--location", "global")
    assert code == 0
    assert used["project"] == "from-adc (from the credentials)"


def test_api_key_on_vertex_is_refused_before_anything_is_sent(diagnose, reachable, monkeypatch):
    monkeypatch.setenv("MY_KEY", CANARY)
    code, found, used = diagnose(*PROJECT, "--api-key-env", "MY_KEY")
    assert code == 1
    assert LOGIN in found["api key"]["fixes"]
    assert used["as"] == "api_key (environment MY_KEY)"


def test_key_and_project_in_the_environment_cause_a_warning(diagnose, reachable, monkeypatch):
    """The warning names the surface that is used."""
    monkeypatch.setenv("GOOGLE_API_KEY", CANARY)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "env-project")
    give_token(monkeypatch)
    code, found, used = diagnose()
    assert code == 0
    assert "vertex is used" in found["environment"]["detail"]
    assert used["project"] == "env-project (environment GOOGLE_CLOUD_PROJECT)"


def test_location_without_the_model_fails(diagnose, reachable, monkeypatch):
    give_token(monkeypatch)
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
    code, found, _ = diagnose(*PROJECT, "--model", "gemini-3.8-flash")
    assert code == 1
    assert found["location"]["fixes"][0].startswith("export GOOGLE_CLOUD_LOCATION=global")
    assert diagnose(*PROJECT, "--location", "us-central1", "--model", "gemini-3.5-flash")[0] == 0


PLACES = ("global", "us", "eu", "us-central1")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "family", [family for family in CHAT_FAMILIES if family.locations], ids=lambda family: family.name
)
def test_each_location_is_checked_against_the_table_of_models(family, place):
    """A location is reported if the catalog does not list it for the model. Field case E20."""
    served = place in family.locations or ("regions" in family.locations and place == "us-central1")
    url = f"https://aiplatform.googleapis.com/v1/projects/p/locations/{place}/endpoints/openapi"
    for model in (family.name, f"google/{family.name}"):
        found = _checks.check_location(model, place, Place("vertex", url))
        assert [finding.status for finding in found] == ([] if served else ["failed"])
        assert all(place in finding.detail and family.locations[0] in finding.detail for finding in found)
    own = Place("vertex", url.replace("openapi", "1234567890"))
    assert _checks.check_location(family.name, place, own) == []


def test_global_model_in_another_location_fails(diagnose, reachable, monkeypatch):
    """Field case E20."""
    give_token(monkeypatch)
    code, found, _ = diagnose(*PROJECT, "--model", "gemini-3.1-pro-preview", "--location", "eu")
    assert code == 1
    assert "not served in eu, only in global" in found["location"]["detail"]
    assert diagnose(*PROJECT, "--model", "gemini-3.1-pro-preview", "--location", "global")[0] == 0


def test_last_line_names_commands_only_if_there_are_some(capsys, monkeypatch):
    """Field case G10."""
    for status, expected in ((400, "marked FAILED"), (401, "Take these steps in order")):
        answer = Raw({"error": {"code": status, "message": "It is broken."}}, status)
        with FakeGemini([answer], surface="ai_studio").serve() as url:
            base = ["--base-url", url, "--surface", "ai_studio", "--api-key-env", "SOME_KEY"]
            monkeypatch.setenv("SOME_KEY", CANARY)
            assert main(["doctor", "--call", *base]) == 1
        output = capsys.readouterr().out
        assert expected in output
        steps = [line for line in output.splitlines() if re.match(r"\d\. ", line)]
        assert bool(steps) is ("steps" in output)


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        (["--location", "nowhere", *PROJECT], "replaces your --location"),
        (["--base-url", URL_OF_NOWHERE], "with --project, and without --base-url"),
    ],
)
def test_location_option_is_fixed_by_an_option(diagnose, reachable, monkeypatch, typed, place):
    """The report suggests an option, since an environment variable cannot override the option that was given."""
    give_token(monkeypatch)
    _, found, _ = diagnose(*typed)
    (fix,) = found["location"]["fixes"]
    assert fix.startswith("langchain-gemini-compat doctor --location global   # ")
    assert place in fix


def test_unreachable_host_names_the_proxy_variable(diagnose, monkeypatch):
    """The password of the proxy is not in the report."""
    monkeypatch.setenv("GOOGLE_API_KEY", CANARY)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@127.0.0.1:9")
    code, found, _ = diagnose()
    assert code == 1
    assert "through the proxy in HTTPS_PROXY" in found["network"]["detail"]


def test_white_space_around_a_key_fails(diagnose, reachable, monkeypatch):
    """A key with a line end makes an invalid header."""
    monkeypatch.setenv("GOOGLE_API_KEY", f"{CANARY}\n")
    _, found, _ = diagnose()
    assert found["environment"]["status"] == "failed"


def test_two_different_keys_cause_a_warning(diagnose, reachable, monkeypatch):
    """GOOGLE_API_KEY is used."""
    monkeypatch.setenv("GOOGLE_API_KEY", CANARY)
    monkeypatch.setenv("GEMINI_API_KEY", f"{CANARY}-other")
    _, found, used = diagnose()
    assert found["environment"]["fixes"] == ["unset GEMINI_API_KEY"]
    assert used["as"] == "api_key (environment GOOGLE_API_KEY)"


def test_missing_http_library_fails(diagnose, reachable, monkeypatch):
    """google-auth needs `requests` or `urllib3`."""
    give_token(monkeypatch)
    monkeypatch.setattr(_checks, "find_spec", lambda name: None)
    code, found, _ = diagnose(*PROJECT)
    assert code == 1
    assert found["google-auth transport"]["fixes"] == ["pip install requests"]


@pytest.mark.parametrize("installed", ["1.99.0", "4.0.0"])
def test_unsupported_version_of_openai_fails(diagnose, monkeypatch, installed):
    """The other checks are skipped."""
    monkeypatch.setattr(_checks, "version", lambda name: installed if name == "openai" else metadata.version(name))
    code, found, _ = diagnose()
    assert code == 1
    assert set(found) == {"versions"}
    assert found["versions"]["fixes"] == ['pip install "openai<4,>=2.16.0"']


def test_valid_setup_ends_with_zero(diagnose):
    with FakeGemini("ok", surface="ai_studio").serve() as url:
        code, found, used = diagnose("--base-url", url, "--call")
    assert code == 0
    assert found["call"]["status"] == "ok"
    assert used["surface"] == "ai_studio"


def test_failed_call_suggests_a_fix(diagnose, monkeypatch):
    """A wrong key is found only by `--call`."""
    monkeypatch.setenv("MY_KEY", CANARY)
    with FakeGemini([Fault.bad_key()], surface="ai_studio").serve() as url:
        code, found, _ = diagnose("--base-url", url, "--call", "--api-key-env", "MY_KEY")
    assert code == 1
    assert "valid API key" in found["call"]["detail"]
    assert "aistudio.google.com/apikey" in found["call"]["fixes"][0]


VERTEX = Place("vertex", "https://aiplatform.googleapis.com/v1", "p")
STUDIO = Place("ai_studio", "https://generativelanguage.googleapis.com/v1beta/openai")
DISABLED = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}]
ANSWERS = [
    (403, "Vertex AI API has not been used in project 1 before or it is disabled.", [], VERTEX, "gcloud services enable aiplatform.googleapis.com --project=p"),
    (403, "Denied.", DISABLED, STUDIO, "gcloud services enable generativelanguage.googleapis.com"),
    (403, "Permission 'aiplatform.endpoints.predict' denied on resource", [], VERTEX, "--role=roles/aiplatform.user"),
    (403, "This API method requires billing to be enabled.", [], VERTEX, "gcloud billing projects link p"),
    (403, "Your application is authenticating with a quota project that is not set", [], VERTEX, "set-quota-project p"),
    (403, "Your project has been denied access.", [], STUDIO, "GOOGLE_API_KEY"),
    (401, "Request had invalid authentication credentials.", [], VERTEX, LOGIN),
    (404, "Publisher Model was not found or your project does not have access to it.", [], VERTEX, "GOOGLE_CLOUD_LOCATION=global"),
    (404, "models/x is not found", [], STUDIO, "/v1beta/openai/models"),
    (400, "Publisher model 'x' in region 'us-central1' is only available via global endpoint.", [], VERTEX, "GOOGLE_CLOUD_LOCATION=global"),
    (429, "Your project has exceeded its monthly spending cap.", [], STUDIO, "https://ai.studio/spend"),
    (400, "/chat/completions: Invalid model name passed in model=x. Call `/v1/models` to view available models.", [], STUDIO, "/v1beta/openai/models"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "message", "details", "place", "command"), ANSWERS)
def test_each_refusal_of_google_has_a_command(status, message, details, place, command):
    """The command depends on the surface."""
    body = [{"error": {"code": status, "message": message, "status": "X", "details": details}}]
    err = translate_body(body, http.Response(status, request=http.Request("POST", "https://host.invalid")), "vertex")
    assert any(command in fix for fix in explain_call(err, place))


def test_untrusted_certificate_suggests_the_company_ca():
    """A proxy that inspects TLS uses the certificate of the company."""
    err = APIConnectionError("Could not reach the server ([SSL: CERTIFICATE_VERIFY_FAILED] unable to get issuer).")
    assert explain_call(err, STUDIO) == ("export SSL_CERT_FILE=/path/to/your/company-ca.pem",)


def test_slow_token_server_suggests_no_login(diagnose, reachable, monkeypatch, tmp_path):
    """There is a login, so another login would not help."""
    release = threading.Event()
    log_in(tmp_path)
    monkeypatch.setattr(google.oauth2.credentials.Credentials, "refresh", lambda self, request: release.wait(120))
    monkeypatch.setattr(_checks, "TOKEN_SECONDS", 0.2)
    _, found, _ = diagnose(*PROJECT)
    release.set()
    assert "token server did not answer" in found["token"]["detail"]
    assert LOGIN not in found["token"]["fixes"]


def test_silent_host_has_a_time_limit(diagnose, monkeypatch):
    """The socket accepts the connection and sends nothing."""
    monkeypatch.setattr(_checks, "_PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        code, found, _ = diagnose("--base-url", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
    assert time.monotonic() - started < 60
    assert code == 1
    assert "Timeout" in found["network"]["detail"] or "no answer" in found["network"]["detail"]
    assert found["token"]["detail"] == "No key is needed."


def test_missing_gcloud_is_reported_if_a_fix_needs_it(diagnose, reachable, monkeypatch):
    monkeypatch.setenv("PATH", "")
    _, found, _ = diagnose(*PROJECT)
    assert found["gcloud"]["fixes"] == ["# install gcloud: https://cloud.google.com/sdk/docs/install"]


def test_unusable_reply_is_only_a_warning(diagnose):
    """An empty reply proves that the credentials work."""
    with FakeGemini([Fault.empty_reply()], surface="vertex").serve() as url:
        code, found, used = diagnose("--base-url", url, "--call")
    assert code == 0
    assert found["call"]["status"] == "warning"
    assert used["project"] == "fake-project (--base-url)"


def test_quota_and_connection_errors_have_fixes():
    err = APIConnectionError("Could not reach the server (no route).")
    assert explain_call(err, VERTEX)[0].startswith("curl -sSI https://aiplatform")
    assert explain_call(CredentialsError("No project is set, and the credentials do not name one."), VERTEX) == (
        "export GOOGLE_CLOUD_PROJECT=PROJECT_ID",
    )
    assert explain_call(CredentialsError("It is broken."), VERTEX) == (LOGIN,)


def test_steps_are_in_the_order_to_try():
    """The user needs credentials before a project, and a project before a location and a call.

    A command that fixes two problems is listed once.
    """
    findings = [
        Finding("call", "failed", "", ("gcloud services enable x",)),
        Finding("location", "failed", "", ("export GOOGLE_CLOUD_LOCATION=global",)),
        Finding("project", "failed", "", ("export GOOGLE_CLOUD_PROJECT=PROJECT_ID",)),
        Finding("token", "failed", "", (LOGIN,)),
        Finding("network", "failed", "", ("curl -sSI https://host.invalid",)),
        Finding("credentials file", "warning", "", (f"{LOGIN}   # for Vertex AI",)),
        Finding("versions", "failed", "", ("pip install openai",)),
    ]
    assert order_steps(findings) == [
        "pip install openai",
        "curl -sSI https://host.invalid",
        f"{LOGIN}   # for Vertex AI",
        "export GOOGLE_CLOUD_PROJECT=PROJECT_ID",
        "export GOOGLE_CLOUD_LOCATION=global",
        "gcloud services enable x",
    ]


def test_report_has_the_documented_keys(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    assert main(["doctor", "--json", *PROJECT]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [*report] == ["ok", "used", "checks", "steps"]
    assert [*report["used"]] == ["surface", "url", "model", "as", "project", "location"]
    assert all([*check] == ["name", "status", "detail", "fixes"] for check in report["checks"])
    steps = [step.partition("   # ")[0] for step in report["steps"]]
    assert steps[-2:] == ["# install gcloud: https://cloud.google.com/sdk/docs/install", LOGIN]
    assert {fix for check in report["checks"] for fix in check["fixes"]} == {*report["steps"]}


def test_setup_without_endpoint_names_both_ways(diagnose, tmp_path):
    """If the user has logged in already, the steps do not contain a login."""
    _, found, _ = diagnose()
    commands = [fix.partition("   # ")[0] for fix in found["endpoint"]["fixes"]]
    assert commands == [SET_KEY.partition("   # ")[0], LOGIN, "export GOOGLE_CLOUD_PROJECT=PROJECT_ID"]
    log_in(tmp_path)
    _, found, _ = diagnose()
    assert not any(fix.startswith(LOGIN) for fix in found["endpoint"]["fixes"])


def test_warnings_have_steps_too(capsys, reachable, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", CANARY)
    monkeypatch.setenv("GEMINI_API_KEY", f"{CANARY}-other")
    assert main(["doctor"]) == 0
    assert "No check failed. These steps end the warnings:\n1. unset GEMINI_API_KEY\n" in capsys.readouterr().out
