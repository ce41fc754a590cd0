"""Rollouts as JSON Lines that people can read: a file a step, the oldest dropped where they get too many."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from kate_eval.errors import TrainingError
from kate_eval.trainers.rollout.rollout import Played
from kate_eval.trainers.row import Row

FOLDER = "rollouts"
Kind = Literal["train", "eval"]
MIB = 1024 * 1024


class RolloutLog:
    """Writes rollouts below a folder.

    Args:
        folder: of the run.
        mib: all files together; beyond it the oldest go, but never the last one.
        process: number of this process, where several play.
    """

    def __init__(self, folder: Path, mib: int, process: int = 0) -> None:
        self.folder = folder / FOLDER
        self._bytes = mib * MIB
        self._process = process

    def write(self, step: int, kind: Kind, rows: Sequence[Row], played: Sequence[Played]) -> None:
        """Write the rollouts of a step, in place of those that an interrupted run left of it.

        Args:
            step: optimizer step that they are for.
            kind: played to learn from, or to evaluate.
            rows: that they began from.
            played: the rollouts.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [_line(step, kind, row, one) for row, one in zip(rows, played, strict=True)]
        file = self.folder / f"{kind}-{step:07d}-{self._process:03d}.jsonl"
        file.write_text("".join(lines), encoding="utf-8", errors="replace")
        self._drop_oldest(file)

    def _drop_oldest(self, newest: Path) -> None:
        mine = sorted(self.folder.glob(f"*-{self._process:03d}.jsonl"), key=_age)
        left = sum(file.stat().st_size for file in mine) - self._bytes
        for file in mine:
            if left <= 0 or file == newest:
                return
            left -= file.stat().st_size
            file.unlink()


def _age(file: Path) -> tuple[int, str]:
    return int(file.name.split("-")[1]), file.name


def _line(step: int, kind: Kind, row: Row, played: Played) -> str:
    found = played.findings
    record = {
        "step": step,
        "kind": kind,
        "row": row.id,
        "knowledge": len(row.knowledge),
        "asked": row.messages[-1].get("content"),
        "messages": played.messages,
        "calls": [call.text for call in found.calls],
        "gold": [call.text for call in found.gold],
        "accepted": found.accepted,
        "reward": played.reward.value,
        "parts": dict(played.reward.parts),
        "answers": played.steps,
        "tokens": sum(sum(segment.mask) for segment in played.segments),
        "segments": len(played.segments),
        "truncated": played.truncated,
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


def read_rollouts(folder: Path) -> Iterator[dict[str, Any]]:
    """The rollouts of a run, the oldest first.

    Args:
        folder: of the run, or of its checkpoint.

    Raises:
        TrainingError: there are none.
    """
    beside = folder.absolute().with_name(f"{folder.absolute().name}.run")
    for place in (folder / FOLDER, beside / FOLDER):
        files = sorted(place.glob("*.jsonl"), key=_age)
        if files:
            break
    else:
        raise TrainingError(f"No rollouts in {folder} or {beside}. Runs of kate train grpo write them")
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
            if line:
                yield _parsed(line, file, number)


def _parsed(line: str, file: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
        if not isinstance(record, dict) or "row" not in record:
            raise ValueError("it is no rollout")
    except ValueError as ex:
        raise TrainingError(f"{file}, line {number}: {ex}") from ex
    return record
