"""Result files for the tests: written as anybody might."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kate_eval.bfcl.data import Entry, load_category
from kate_eval.bfcl.gold import single_turn_gold
from kate_eval.bfcl.interchange.layout import result_file
from tests.bfcl.test_gold import gold_result


def write_lines(file: Path, lines: Iterable[Any]) -> Path:
    """Write a file; what is no text is written as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts) + "\n", encoding="utf-8", errors="surrogatepass")
    return file


def right(entry: Entry) -> dict[str, Any]:
    """The line of a right answer, as function-calling models' handlers write it."""
    return {"id": entry.id, "result": gold_result(entry)}


def right_text(entry: Entry) -> dict[str, Any]:
    """The line of a right answer as a prompting model's handler writes it."""
    return {
        "id": entry.id,
        "result": "[" + ", ".join(call.text for call in single_turn_gold(entry)) + "]",
    }


def write_right(folder: Path, category: str, count: int) -> Path:
    """A file in V4's layout with right answers to a category's first entries."""
    lines = [right(entry) for entry in load_category(category)[:count]]
    return write_lines(folder / result_file(category), lines)


HOSTILE: tuple[Any, ...] = (
    *("", "text", "[]", "[f(]", "Error during inference: timed out", "a" * 300_000, "[" * 90_000, "\x00"),
    *(
        None,
        True,
        7,
        -0.0,
        float("nan"),
        [],
        {},
        [[]],
        [{}],
        [None],
        ["f"],
        [1],
        {"f": "{}"},
        {"f": {"x": 1}},
    ),
    *([{"f": "{}", "g": "{}"}], [{"f": {}}], [{"f": "[1]"}], [{"f": "NaN"}], [{"f": "{"}], [{"f": None}]),
    *([{"f": '{"x": ' + "[" * 500 + "]" * 500 + "}"}], [{"f": '{"x": ' + "9" * 5000 + "}"}], [{"": "{}"}]),
    *(
        [{"name": "f", "arguments": 5}],
        [{"tool_name": [], "parameters": {}}],
        [{"f": json.dumps("x" * 99_999)}],
    ),
    *(
        "[f(x=" + "9" * 6000 + ")]",
        "[f(x=9**9**9)]",
        "[f(x=" + "(" * 150 + ")]",
        "[f(**{'a': 1})]",
        "[f(x=1)(y=2)]",
    ),
    *(
        "<tool_call>\n{}\n</tool_call>",
        '<tool_call>\n{"name": 5, "arguments": {}}\n</tool_call>',
        '{"name": "f"}',
    ),
    *(
        [[{"pwd": "{}"}]],
        [["[pwd()]"]],
        [[[{"pwd": "{}"}], 5, None, {"ls": {}}, "[ls()]", [{"cd": "NaN"}]]] * 4,
    ),
    *([[], "text", {"f": []}, []], [[[{"cd": '{"folder": NaN}'}]], []], [[{"cd": {"folder": "x"}}], [], []]),
)
"""Results that no model handler writes; nothing in them is to be run."""
