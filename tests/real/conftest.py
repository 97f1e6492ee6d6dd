"""Marks the tests with real software, and skips them if the software is not installed.

`tests/real/run.py` installs the software, and sets the environment variable `REAL_SOFTWARE` to its folder.
"""

from pathlib import Path

import pytest
from real_software import VARIABLE, software_folder

HERE = Path(__file__).parent
# Without this line, failed assertions in the module `gateway_routes` would not show their values.
pytest.register_assert_rewrite("gateway_routes")


def pytest_collection_modifyitems(items):
    reason = f"real software is not installed ({VARIABLE} is not set): run `uv run python tests/real/run.py`"
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.real)
            if software_folder() is None:
                item.add_marker(pytest.mark.skip(reason=reason))
