"""Results of the checks of `doctor`, and the commands that fix each error."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_gemini_compat import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_gemini_compat._wire.json_types import JsonObject

Status: TypeAlias = Literal["ok", "warning", "failed"]


def set_variable(name: str, value: str) -> str:
    """Return the line that sets an environment variable in the usual shell of this platform."""
    return f'$env:{name} = "{value}"' if os.name == "nt" else f"export {name}={value}"


def unset_variable(name: str) -> str:
    """Return the line that removes an environment variable in the usual shell of this platform."""
    return f"Remove-Item Env:{name}" if os.name == "nt" else f"unset {name}"


LOGIN = "gcloud auth application-default login"
SET_PROJECT = set_variable("GOOGLE_CLOUD_PROJECT", "PROJECT_ID")
SET_KEY = set_variable("GOOGLE_API_KEY", "YOUR_KEY") + "   # create one at https://aistudio.google.com/apikey"
#: The two fixes for a setup that selects no endpoint: a key of AI Studio, or a login for Vertex AI.
CHOOSE_ENDPOINT = (
    set_variable("GOOGLE_API_KEY", "YOUR_KEY") + "   # for AI Studio; create one at https://aistudio.google.com/apikey",
    f"{LOGIN}   # for Vertex AI",
    f"{SET_PROJECT}   # for Vertex AI",
)
SET_GLOBAL = set_variable("GOOGLE_CLOUD_LOCATION", "global")
GLOBAL_ARGUMENT = "langchain-gemini-compat doctor --location global"
#: Commands in error texts of this package are in backquotes.
_COMMAND = re.compile(r"`((?:gcloud|pip) [^`]+)`")
_QUOTAS_PAGE = "https://console.cloud.google.com/iam-admin/quotas"
INSTALL_GCLOUD = "# install gcloud: https://cloud.google.com/sdk/docs/install"
#: The checks, in the order in which the user should apply their fixes.
_ORDER = (
    "versions",
    "google-auth transport",
    "network",
    "gcloud",
    "environment",
    "endpoint",
    "credentials file",
    "api key",
    "token",
    "project",
    "location",
    "call",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of `doctor`. `name` is an item of `_ORDER`, and `fixes` are shell commands."""

    name: str
    status: Status
    detail: str
    fixes: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        """Return the finding as `--json` prints it."""
        return {**asdict(self), "fixes": [*self.fixes]}


@dataclass(frozen=True, slots=True)
class Place:
    """The endpoint of a failed request. The fix depends on the endpoint."""

    surface: str
    base_url: str
    project: str | None = None
    #: A line for the user to paste, which changes the location to `global`. The line replaces the user's setting: the
    #: URL, `--location` or an environment variable.
    set_global: str = SET_GLOBAL

    @property
    def is_vertex(self) -> bool:
        """Whether the endpoint is Vertex AI, which has roles, projects and locations."""
        return self.surface == "vertex"


def explain_credentials(err: errors.CredentialsError, place: Place) -> tuple[str, ...]:
    """Return the commands that fix a missing token."""
    text = str(err)
    found = _COMMAND.findall(text)
    if "could not be reached" in text:
        return (*found, *explain_network(text, place))
    if "project" in text.lower() and not found:
        return (SET_PROJECT,)
    return tuple(dict.fromkeys(found)) or (LOGIN,)


def explain_call(err: errors.GeminiCompatError, place: Place) -> tuple[str, ...]:
    """Return the commands that fix a failed request."""
    if isinstance(err, errors.CredentialsError):
        return explain_credentials(err, place)
    if isinstance(err, errors.APIConnectionError):
        return explain_network(str(err), place)
    if isinstance(err, errors.PermissionDeniedError):
        return _explain_denial(err, place)
    return _explain_answer(err, place)


def explain_network(text: str, place: Place) -> tuple[str, ...]:
    """Return commands for a host that cannot be reached. `text` describes the failure."""
    if "CERTIFICATE" in text.upper():
        return (set_variable("SSL_CERT_FILE", "/path/to/your/company-ca.pem"),)
    proxy = set_variable("HTTPS_PROXY", "http://PROXY_HOST:PORT")
    return (f"curl -sSI {place.base_url}", f"{proxy}   # if your network requires a proxy")


def mention_gcloud(findings: Sequence[Finding]) -> list[Finding]:
    """Return a finding if a fix needs gcloud and gcloud is not installed."""
    needed = any(fix.startswith("gcloud ") for finding in findings for fix in finding.fixes)
    if not needed or shutil.which("gcloud"):
        return []
    text = "A fix needs gcloud, which is not on the PATH."
    return [Finding("gcloud", "warning", text, (INSTALL_GCLOUD,))]


def order_steps(findings: Sequence[Finding]) -> list[str]:
    """Return the fixes of all findings, in the order in which the user has to apply them."""
    steps: dict[str, str] = {}
    for finding in sorted(findings, key=lambda finding: _ORDER.index(finding.name)):
        for fix in finding.fixes:
            steps.setdefault(fix.partition("   # ")[0], fix)
    return [*steps.values()]


def _explain_answer(err: errors.GeminiCompatError, place: Place) -> tuple[str, ...]:
    if isinstance(err, errors.AuthenticationError):
        return (LOGIN,) if place.is_vertex else (SET_KEY,)
    if isinstance(err, errors.RateLimitError):
        return (f"open {_QUOTAS_PAGE if place.is_vertex else 'https://ai.studio/spend'}",)
    if isinstance(err, errors.ModelNotFoundError) or "only available via global" in str(err):
        list_models = f'curl -H "Authorization: Bearer $KEY" {place.base_url}/models'
        return (place.set_global if place.is_vertex else list_models,)
    return ()


def _explain_denial(err: errors.PermissionDeniedError, place: Place) -> tuple[str, ...]:
    project = place.project or "PROJECT_ID"
    text = f"{err} {_reasons(err)}".lower()
    if "service_disabled" in text or "has not been used in project" in text or "it is disabled" in text:
        service = "aiplatform.googleapis.com" if place.is_vertex else "generativelanguage.googleapis.com"
        return (f"gcloud services enable {service} --project={project}",)
    if "billing" in text:
        return (f"gcloud billing projects link {project} --billing-account=ACCOUNT_ID",)
    if "quota project" in text or "user_project_denied" in text or "serviceusage" in text:
        return (f"gcloud auth application-default set-quota-project {project}",)
    if not place.is_vertex:
        return (SET_KEY,)
    member = "user:$(gcloud config get-value account)"
    return (f'gcloud projects add-iam-policy-binding {project} --member="{member}" --role=roles/aiplatform.user',)


def _reasons(err: errors.PermissionDeniedError) -> str:
    return " ".join(str(detail.get("reason", "")) for detail in err.details)
