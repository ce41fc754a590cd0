"""Small rows for tests."""

from typing import Any

from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.card import RowsCard

CARD = RowsCard(benchmark="bfcl", split="train", mode="fc", data_hash="0", engine="none", license="none")
TOOL = {"type": "function", "function": {"name": "ls", "description": "Lists.", "parameters": {}}}


def said(text: str = "Done.") -> dict[str, Any]:
    """A closing reply."""
    return {"role": "assistant", "content": text}


def called(name: str = "ls", arguments: str = "{}") -> dict[str, Any]:
    """A tool call as the chat completions API has it."""
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def row(number: int = 0, cluster: str = "a", **fields: Any) -> Row:
    """A row."""
    given: dict[str, Any] = {
        "id": f"e/{number}/0/step",
        "benchmark": "bfcl",
        "entry": f"e_{cluster}",
        "cluster": cluster,
        "turn": number,
        "step": 0,
        "mode": "fc",
        "messages": ({"role": "user", "content": f"List \u2028 the files, {number} times, 学"},),
        "tools": (TOOL,),
        "completion": called(),
    }
    return Row(**given | fields)
