"""What the doctor found, and the commands that mend it: exceptions of the library in, findings out."""

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
    """The line that sets a variable of the environment, in this platform's usual shell."""
    return f'$env:{name} = "{value}"' if os.name == "nt" else f"export {name}={value}"


def unset_variable(name: str) -> str:
    """The line that takes a variable out of the environment."""
    return f"Remove-Item Env:{name}" if os.name == "nt" else f"unset {name}"


LOGIN = "gcloud auth application-default login"
SET_PROJECT = set_variable("GOOGLE_CLOUD_PROJECT", "PROJECT_ID")
SET_KEY = set_variable("GOOGLE_API_KEY", "YOUR_KEY") + "   # made at https://aistudio.google.com/apikey"
SET_GLOBAL = set_variable("GOOGLE_CLOUD_LOCATION", "global")
GLOBAL_ARGUMENT = "langchain-gemini-compat doctor --location global"
#: Commands in the texts of the library stand between backticks.
_COMMAND = re.compile(r"`((?:gcloud|pip) [^`]+)`")
_USED_UP = "https://console.cloud.google.com/iam-admin/quotas"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fixes` are lines to paste into a shell."""

    name: str
    status: Status
    detail: str
    fixes: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        """For `--json`."""
        return {**asdict(self), "fixes": [*self.fixes]}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the request that failed went to, as far as a remedy depends on it."""

    surface: str
    base_url: str
    project: str | None = None
    #: What makes the location `global`; it has to be where the location came from.
    set_global: str = SET_GLOBAL

    @property
    def is_vertex(self) -> bool:
        """Google Cloud, where roles, projects and regions matter."""
        return self.surface == "vertex"


def explain_credentials(err: errors.CredentialsError, place: Place) -> tuple[str, ...]:
    """The commands for a token that could not be had; `err` names most of them itself."""
    text = str(err)
    found = _COMMAND.findall(text)
    if "could not be reached" in text:
        return (*found, *explain_network(text, place))
    if "project" in text.lower() and not found:
        return (SET_PROJECT,)
    return tuple(dict.fromkeys(found)) or (LOGIN,)


def explain_call(err: errors.GeminiCompatError, place: Place) -> tuple[str, ...]:
    """The commands for a request that failed."""
    if isinstance(err, errors.CredentialsError):
        return explain_credentials(err, place)
    if isinstance(err, errors.APIConnectionError):
        return explain_network(str(err), place)
    if isinstance(err, errors.PermissionDeniedError):
        return _explain_denial(err, place)
    return _explain_answer(err, place)


def explain_network(text: str, place: Place) -> tuple[str, ...]:
    """The commands for a host that does not answer, whose failure `text` describes."""
    if "CERTIFICATE" in text.upper():
        return (set_variable("SSL_CERT_FILE", "/path/to/your/company-ca.pem"),)
    proxy = set_variable("HTTPS_PROXY", "http://PROXY_HOST:PORT")
    return (f"curl -sSI {place.base_url}", f"{proxy}   # where there is a proxy")


def mention_gcloud(findings: Sequence[Finding]) -> list[Finding]:
    """A last finding where the remedies need gcloud and this machine has none."""
    needed = any(fix.startswith("gcloud ") for finding in findings for fix in finding.fixes)
    if not needed or shutil.which("gcloud"):
        return []
    text = "gcloud is not on the PATH, and a remedy needs it: https://cloud.google.com/sdk/docs/install"
    return [Finding("gcloud", "warning", text)]


def _explain_answer(err: errors.GeminiCompatError, place: Place) -> tuple[str, ...]:
    if isinstance(err, errors.AuthenticationError):
        return (LOGIN,) if place.is_vertex else (SET_KEY,)
    if isinstance(err, errors.RateLimitError):
        return (f"open {_USED_UP if place.is_vertex else 'https://ai.studio/spend'}",)
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
