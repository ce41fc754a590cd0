"""`kate serve`: what is refused before anything starts, and what a dead server's log tells."""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.endpoints.serve.environment import provide
from kate_eval.endpoints.serve.failures import explain
from kate_eval.endpoints.serve.server import Server, wait_until_ready
from kate_eval.errors import ConfigurationError, ServerError

# Answers /health and /v1/models like vLLM once it has slept, or ends with a given last word.
FAKE = """
import http.server, json, sys, time
port, sleep, last = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
print("loading", flush=True)
if last:
    print(last, flush=True); sys.exit(3)
time.sleep(sleep)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"data": [{"id": "tiny"}]}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def server(tmp_path: Path, sleep: float = 0, last: str = "") -> Server:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = (sys.executable, "-c", FAKE, str(port), str(sleep), last)
    return Server(command, {}, "127.0.0.1", port, tmp_path / "server.log")


def folder(tmp_path: Path, **files: Any) -> str:
    for name, content in files.items():
        (tmp_path / name.replace("__", ".")).write_text(json.dumps(content))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["./nowhere"], "No folder ./nowhere"),
        (["{empty}"], "has no config.json"),
        (["{config}"], "has a config.json, but no weights"),
        (["{adapter}"], "is an adapter: kate serve base/model --adapter"),
        (["Qwen/Qwen3-8B", "--replicas", "0"], "replicas"),
        (["Qwen/Qwen3-8B", "--adapter", "{empty}"], "is no adapter: it has no adapter_config.json"),
        (["Qwen/Qwen3-8B", "--env", "{empty}"], "No environment with vLLM"),
        (["Qwen/Qwen3-8B", "--", "--port", "9"], "--port can't be given to vLLM directly"),
    ],
    ids=["no folder", "no model", "no weights", "adapter", "replicas", "no adapter", "no vLLM", "our flag"],
)
def test_what_can_t_be_served_is_refused_at_once(arguments: list[str], said: str, tmp_path: Path) -> None:
    for name in ("empty", "config", "adapter"):
        (tmp_path / name).mkdir()
    folder(tmp_path / "config", config__json={"model_type": "qwen3"})
    folder(tmp_path / "adapter", adapter_config__json={"base_model_name_or_path": "base/model", "r": 8})
    places = {name: str(tmp_path / name) for name in ("empty", "config", "adapter")}
    done = CliRunner().invoke(main, ["serve", *(argument.format(**places) for argument in arguments)])
    assert done.exit_code != 0 and said in " ".join(done.output.split()), done.output
    assert "Traceback" not in done.output


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(main, ["serve", "Qwen/Qwen3-8B", "--port", port])
    assert done.exit_code == 1 and f"Port {port}" in done.output and "--port" in done.output


def test_an_environment_is_found_by_its_folder_or_python(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    assert provide(tmp_path, print) == provide(tmp_path / "bin/python", print) == tmp_path / "bin/python"
    with pytest.raises(ConfigurationError, match="--env DIR"):
        provide(tmp_path / "elsewhere", print)


def test_a_server_that_starts_is_waited_for_and_ends_with_all_it_started(tmp_path: Path) -> None:
    one = server(tmp_path, sleep=0.5)
    one.start()
    wait_until_ready([one], 30, print)
    assert one.models() == [{"id": "tiny"}] and one.process is not None and one.process.poll() is None
    begun = time.monotonic()
    one.stop()
    assert time.monotonic() - begun < 10 and one.process.wait(0) != 0


def test_a_server_that_is_too_slow_is_given_up_with_the_remedy(tmp_path: Path) -> None:
    one = server(tmp_path, sleep=60)
    one.start()
    with pytest.raises(ServerError, match=r"(?s)did not answer within 1 s.*--timeout 120.*loading"):
        wait_until_ready([one], 1, print)
    one.stop()


@pytest.mark.parametrize(
    ("last", "remedy"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "--gpu-memory-utilization"),
        ("ValueError: No available memory for the cache blocks.", "--max-model-len 8192"),
        ("api_server.py: error: unrecognized arguments: --fast", "does not take that flag"),
        ("OSError: [Errno 98] Address already in use", "--port 8100"),
        ("RuntimeError: CPU Generator does not use offset", "Leave --seed out"),
    ],
)
def test_the_cause_of_an_end_is_told_with_what_to_do(tmp_path: Path, last: str, remedy: str) -> None:
    one = server(tmp_path, last=last)
    one.start()
    with pytest.raises(ServerError) as caught:
        wait_until_ready([one], 30, print)
    assert "exit code 3" in str(caught.value) and remedy in str(caught.value) and last in str(caught.value)


def test_an_unknown_end_has_its_last_lines_and_no_guess() -> None:
    assert explain("something odd", 1) == ""
    assert "memory is used up" in explain("loading", 137)
