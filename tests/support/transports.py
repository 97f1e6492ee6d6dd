"""Parameters for tests whose async calls go over httpx, and also over aiohttp where it is installed.

The fixture `async_transport` of `tests/conftest.py` chooses the library. Without these parameters, it chooses httpx.
"""

from importlib.util import find_spec

import pytest

_needs_aiohttp = pytest.mark.skipif(
    not (find_spec("aiohttp") and find_spec("httpx_aiohttp")), reason="The extra `aiohttp` is not installed"
)
_aiohttp = pytest.param("aiohttp", marks=_needs_aiohttp)


def _in_modes(*names):
    cases = [pytest.param(name, "httpx", id=name) for name in names]
    cases += [
        pytest.param(name, "aiohttp", id=f"{name} over aiohttp", marks=_needs_aiohttp)
        for name in names
        if name.startswith("a")
    ]
    return pytest.mark.parametrize(("mode", "async_transport"), cases, indirect=["async_transport"])


#: Runs an async test with each transport, httpx and aiohttp.
both_transports = pytest.mark.parametrize("async_transport", ["httpx", _aiohttp], indirect=True)
#: Runs an async test with aiohttp only.
over_aiohttp = pytest.mark.parametrize("async_transport", [_aiohttp], indirect=True)
#: Runs a test in each mode. In the async modes, it runs once with each transport.
modes = _in_modes("invoke", "ainvoke", "stream", "astream")
whole_modes = _in_modes("invoke", "ainvoke")
stream_modes = _in_modes("stream", "astream")
