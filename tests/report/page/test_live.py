"""The live report's server: new numbers when logs change, silence when they don't, and this machine only."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from kate_eval.errors import ConfigurationError
from kate_eval.report.document import Document
from kate_eval.report.page.live import HOST, Live, serving
from tests.report.example import example


def ask(url: str, **headers: str) -> tuple[int, bytes, str | None]:
    """Status, body and tag of an answer."""
    request = urllib.request.Request(
        url, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers["ETag"]
    except urllib.error.HTTPError as ex:
        return ex.code, ex.read(), None


def numbered(made: list[int]) -> Callable[[], Document]:
    """Makes the example, with the number of the making as its time."""

    def make() -> Document:
        made.append(len(made))
        return example().model_copy(update={"generated": f"2026-11-25T08:00:0{len(made)}Z"})

    return make


def test_the_report_is_made_again_only_when_a_log_changed(tmp_path: Path) -> None:
    made: list[int] = []
    live = Live(numbered(made), (tmp_path,))
    assert live.refresh() and not live.refresh()
    (tmp_path / "set").mkdir()
    (tmp_path / "set/one.eval").write_text("1")
    assert live.refresh() and not live.refresh()
    (tmp_path / "set/one.eval").write_text("12")
    (tmp_path / "other.txt").touch()
    assert live.refresh() and len(made) == 3


def test_data_that_is_known_is_not_sent_again(tmp_path: Path) -> None:
    with serving(numbered([]), (tmp_path,), port=0) as url:
        status, body, tag = ask(f"{url}data.json")
        assert status == 200 and json.loads(body)["tables"] and tag
        assert ask(f"{url}data.json", If_None_Match=tag)[:2] == (304, b"")
        assert ask(f"{url}data.json", If_None_Match='"other"')[0] == 200
        assert b'data-live="true"' in ask(url)[1]


def test_other_paths_and_other_names_of_the_host_get_nothing(tmp_path: Path) -> None:
    with serving(numbered([]), (tmp_path,), port=0) as url:
        for path in ("etc/passwd", "..%2f..%2fetc/passwd", "index.html", "viewer/"):
            assert ask(url + path)[0] == 404
        for name in ("evil.example", "evil.example:80", "localhost.evil.example", "", "["):
            assert ask(f"{url}data.json", Host=name)[0] == 403
        assert ask(f"{url}data.json", Host="localhost:1")[0] == 200


def test_before_the_first_log_the_page_says_what_is_missing(tmp_path: Path) -> None:
    def make() -> Document:
        raise ConfigurationError("No kate-eval logs in here")

    with serving(make, (tmp_path,), port=0) as url:
        data = json.loads(ask(f"{url}data.json")[1])
    assert data["tables"] == [] and data["notes"] == [
        {"code": "waiting", "text": "No kate-eval logs in here"}
    ]


def test_a_taken_port_and_a_missing_folder_are_clear_errors(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        says = f"Port {port} .* is taken.*--port"
        with pytest.raises(ConfigurationError, match=says), serving(numbered([]), (tmp_path,), port=port):
            pass
    missing = (tmp_path / "nowhere",)
    with pytest.raises(ConfigurationError, match="No folder"), serving(numbered([]), missing, port=0):
        pass


def test_ctrl_c_ends_the_command_without_a_word_of_python(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from kate_eval.cli import main; main()",
        "report",
        str(tmp_path),
        "--serve",
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://127.0.0.1:" in line
    assert process.stdout.readline().startswith("There are no logs yet")
    assert process.stdout.readline().endswith(f"inspect view --log-dir {tmp_path}\n")
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in rest
