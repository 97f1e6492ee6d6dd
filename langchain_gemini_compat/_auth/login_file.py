"""Finds the path of the file with the application default credentials."""

from __future__ import annotations

import os
from pathlib import Path

CREDENTIALS_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_NAME = "application_default_credentials.json"


def locate_login_file() -> Path:
    """Return the path where google-auth looks for default credentials. The file may not exist.

    As in google-auth, the file is the value of `GOOGLE_APPLICATION_CREDENTIALS`, if it is set. If not, the file is in
    gcloud's folder. The folder is the value of `CLOUDSDK_CONFIG`, or the default folder of the operating system.
    """
    named = os.environ.get(CREDENTIALS_VARIABLE)
    if named:
        return Path(named)
    folder = os.environ.get("CLOUDSDK_CONFIG")
    if folder:
        return Path(folder) / _NAME
    roaming = os.environ.get("APPDATA") if os.name == "nt" else None
    return Path(roaming or Path("~/.config").expanduser()) / "gcloud" / _NAME
