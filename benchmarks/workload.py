"""The benchmark's conversations, written once as a file that every peer's side of the bench reads.

One request per gold call and one closing text per user turn: multi_turn_base's 200 entries make
1,142 + 734 = 1,876 requests. Run in an environment that has kate-eval: `python workload.py OUT`.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kate_eval.bfcl.data import Entry, load
from kate_eval.bfcl.environment import Environment
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.bfcl.play import BfclEpisode

CATEGORY = "multi_turn_base"


def conversation(entry: Entry) -> dict[str, Any]:
    """An entry as user texts, each with its gold calls and what the environment answers them."""
    environment = Environment(entry)
    turns = [
        {
            "user": messages[-1]["content"],
            "steps": [
                # The call is copied by dumping it first: an environment may keep and change its arguments.
                {**json.loads(json.dumps(asdict(call))), "result": environment.execute(call)}
                for call in calls
            ],
        }
        for messages, calls in zip(entry.turns, multi_turn_gold(entry), strict=True)
    ]
    return {
        "id": entry.id,
        "classes": entry.classes,
        "initial_config": entry.initial_config,
        "gold": entry.gold,
        "turns": turns,
        "tools": [tool.name for tool in BfclEpisode(entry, "fc").tools],
    }


def workload() -> dict[str, Any]:
    """All conversations, and the tools they name (Inspect's ToolInfo as JSON)."""
    entries = list(load([CATEGORY]))
    tools = {tool.name: tool for entry in entries for tool in BfclEpisode(entry, "fc").tools}
    return {
        "category": CATEGORY,
        "tools": {name: tool.model_dump(mode="json", exclude_none=True) for name, tool in tools.items()},
        "entries": [conversation(entry) for entry in entries],
    }


def requests_of(entry: dict[str, Any]) -> int:
    """How many requests a conversation takes: one per gold call, one closing text per turn."""
    return sum(len(turn["steps"]) + 1 for turn in entry["turns"])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(workload()), encoding="utf-8")
