"""The parity check against a server that lies; against a real one it is in tests/server/test_rendering.py."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from kate_eval.errors import EndpointError, TrainingError
from kate_eval.trainers.parity import check_parity, spread
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.row import Row
from tests.listening import Listening

from . import tiny


class Plain:
    """A tokenizer of characters, with what a renderer asks of one."""

    chat_template: Any = "hermes"
    eos_token_id: int | None = 0
    name_or_path = "plain"

    def apply_chat_template(self, conversation: Any, **options: Any) -> str:
        return "".join(f"{m['role']}:{m['content']}\n" for m in conversation)

    def get_chat_template(self, chat_template: str | None, tools: Any) -> str:
        return str(self.chat_template)

    def __call__(self, text: str, **options: Any) -> Any:
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, ids: Any, **options: Any) -> str:
        return "".join(map(chr, ids))

    def save_pretrained(self, folder: Any) -> None:
        raise NotImplementedError


class Server(Listening):
    """Tokenizes as Plain does, but for a letter; notes what it is asked."""

    def __init__(self, wrong: str = "") -> None:
        self.asked: list[dict[str, Any]] = []
        self.wrong = wrong
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers as vLLM does."""

    server: Server

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "served"}]})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(request)
        text = Plain().apply_chat_template(request["messages"])
        if self.server.wrong:
            text = text.replace(self.server.wrong, "!")
        self._answer({"tokens": Plain()(text)["input_ids"], "max_model_len": 99, "count": 1})

    def _answer(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200 if self.path in ("/tokenize", "/v1/models") else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that runs for the test."""
    made = Server()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(autouse=True)
def plain_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jinja2, which only the trainers' environment has, what a template takes can't be looked up."""
    import sys
    from types import SimpleNamespace

    name = "kate_eval.trainers.loops"
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(content_form=lambda template: "string"))


def rows() -> list[Row]:
    """Three rows."""
    return [tiny.row(number) for number in range(3)]


def test_what_agrees_is_counted(server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    found = check_parity(rows(), Renderer(Plain(), {"enable_thinking": False}), f"{url}/v1/")
    assert (found.rows, found.model, found.max_model_len) == (3, "served", 99)
    assert server.asked[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert server.asked[0]["tools"] == [tiny.TOOL]


def test_a_difference_is_shown_with_its_place(server: Server) -> None:
    server.wrong = "b."
    with pytest.raises(TrainingError) as caught:
        check_parity(rows(), Renderer(Plain()), f"http://127.0.0.1:{server.server_port}/v1")
    assert str(caught.value).splitlines()[:3] == [
        "Row entry_1/0/0/step: the server shows its model other tokens than training would. They part at "
        "token 10 of 13 here and 12 there, after 'er:Make ':",
        "  training: 'b.\\n' [98, 46, 10]",
        "  server:   '!\\n' [33, 10]",
    ]


def test_reasoning_is_sent_by_the_name_that_tokenize_knows(server: Server) -> None:
    said = {"role": "assistant", "content": "b", "reasoning_content": "why"}
    asked = rows()[0].model_copy(update={"messages": ({"role": "user", "content": "a"}, said)})
    check_parity([asked], Renderer(Plain()), f"http://127.0.0.1:{server.server_port}")
    assert server.asked[0]["messages"][1] == {"role": "assistant", "content": "b", "reasoning": "why"}


def test_no_server_is_an_error_with_the_remedy() -> None:
    with pytest.raises(EndpointError, match=r"doesn't answer as a vLLM server does.*kate serve MODEL"):
        check_parity(rows(), Renderer(Plain()), "http://127.0.0.1:9/v1")


def test_rows_are_taken_from_everywhere() -> None:
    made = [tiny.row(number) for number in range(10)]
    assert [row.entry for row in spread(made, 3)] == ["entry_0", "entry_3", "entry_6"]
    assert spread(made, 20) == made and spread([], 3) == []
