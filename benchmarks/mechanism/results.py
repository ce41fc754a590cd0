"""The table and the plots: each claim with its figure and interval, whether it came out or not."""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy.stats import linregress

from kate_eval.stats import Estimate
from kate_eval.trainers.checkpoint.card import versions
from kate_eval.trainers.row import Row
from mechanism.measure import Answered, accuracy, difference

Curve = list[tuple[int, float]]
Values = dict[str, float]
"""Step of the test half -> share of right answers."""
KNOWLEDGE, PLAIN, RL_KNOWLEDGE = "sft, knowledge", "sft, plain", "rl, knowledge"


@dataclass(frozen=True)
class Seed:
    """What one seed gave."""

    seed: int
    base: dict[str, Any]
    sft: dict[str, Curve]
    rl: dict[str, Curve]
    answers: dict[str, dict[str, Values]]
    """Checkpoint and prompts -> greedy, one, voted -> values."""

    @classmethod
    def read(cls, file: Path) -> "Seed":
        """From a file."""
        return cls(**json.loads(file.read_text()))


def measured(found: Sequence[Answered]) -> dict[str, Values]:
    """Right answers by step: greedy; one candidate (the mean over all of them); the vote."""
    greedy = {_place(one.row): float(one.greedy == one.gold) for one in found}
    drawn = [one for one in found if one.drawn]
    one = {_place(a.row): fmean(float(keys == a.gold) for keys in a.drawn) for a in drawn}
    voted = {_place(a.row): float(a.voted == a.gold) for a in drawn}
    return {"greedy": greedy} | ({"one": one, "voted": voted} if drawn else {})


def _place(row: Row) -> str:
    return f"{row.entry}/{row.turn}/{row.step}"


@dataclass(frozen=True)
class Claim:
    """One line of the table."""

    text: str
    before: str
    after: str
    change: str
    came_out: bool | None
    """None: the interval holds both."""


def claims(seeds: Sequence[Seed], rows: dict[str, Row]) -> list[Claim]:
    """What the check is for, in the order of the method."""
    return [
        _curve("SFT's loss falls", [seed.sft["loss"] for seed in seeds], falls=True),
        _pair(
            "exact calls, knowledge against none (SFT)", seeds, rows, (PLAIN, "greedy"), (KNOWLEDGE, "greedy")
        ),
        _curve("GRPO's reward rises from SFT's", [seed.rl["reward"] for seed in seeds], falls=False),
        _pair("exact calls, GRPO against SFT", seeds, rows, (KNOWLEDGE, "greedy"), (RL_KNOWLEDGE, "greedy")),
        _pair(
            "exact calls, a vote of 8 against one (SFT)",
            seeds,
            rows,
            (KNOWLEDGE, "one"),
            (KNOWLEDGE, "voted"),
        ),
    ]


def _pooled(seeds: Sequence[Seed], kind: tuple[str, str]) -> Values:
    """The mean over the seeds, step by step: seeds share their steps, so these are not independent."""
    found = [seed.answers[kind[0]][kind[1]] for seed in seeds]
    return {place: fmean(values[place] for values in found) for place in found[0]}


def _pair(
    text: str, seeds: Sequence[Seed], rows: dict[str, Row], first: tuple[str, str], second: tuple[str, str]
) -> Claim:
    before, after = _pooled(seeds, first), _pooled(seeds, second)
    change = difference(after, before, rows)
    low, high = change.interval()
    each = [
        fmean(s.answers[second[0]][second[1]].values()) - fmean(s.answers[first[0]][first[1]].values())
        for s in seeds
    ]
    spread = f"; by seed {', '.join(f'{100 * one:+.1f}' for one in each)}" if len(seeds) > 1 else ""
    told = f"{100 * change.mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] p={change.p_value():.3f}{spread}"
    came_out = True if low > 0 else False if high < 0 else None
    return Claim(text, _percent(accuracy(before, rows)), _percent(accuracy(after, rows)), told, came_out)


def _percent(found: Estimate) -> str:
    low, high = found.proportion_interval()
    return f"{100 * found.mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _curve(text: str, curves: Sequence[Curve], falls: bool) -> Claim:
    """The first fifth of a curve against its last; whether it came out is its slope's, by least squares."""
    ends, slopes = [], []
    for curve in curves:
        fifth = max(1, len(curve) // 5)
        ends.append((fmean(v for _, v in curve[:fifth]), fmean(v for _, v in curve[-fifth:])))
        slopes.append(linregress(*zip(*curve, strict=True)))
    right = [(slope.slope < 0) == falls for slope in slopes]
    sure = [slope.pvalue < 0.05 for slope in slopes]
    came_out = all(right) if all(sure) and len(set(right)) == 1 else None
    before, after = fmean(b for b, _ in ends), fmean(a for _, a in ends)
    told = ", ".join(
        f"{a - b:+.3f}, slope p={slope.pvalue:.3f}" for (b, a), slope in zip(ends, slopes, strict=True)
    )
    return Claim(
        f"{text} (first fifth of the steps, last fifth)", f"{before:.3f}", f"{after:.3f}", told, came_out
    )


def write_results(
    out: Path, seeds: Sequence[Seed], rows: dict[str, Row], size: dict[str, Any], seconds: float
) -> None:
    """README.md with the table, results.json with all figures, mechanism.png."""
    found = claims(seeds, rows)
    (out / "results.json").write_text(
        json.dumps(
            {"size": size, "seconds": round(seconds), "claims": [vars(one) for one in found]}, indent=2
        )
        + "\n"
    )
    (out / "README.md").write_text("\n".join(_text(seeds, rows, found, size, seconds)) + "\n")
    draw(out / "mechanism.png", seeds, rows)


def _text(
    seeds: Sequence[Seed], rows: dict[str, Row], found: Sequence[Claim], size: dict[str, Any], seconds: float
) -> list[str]:
    base = seeds[0].base
    scenarios = len({row.cluster for row in rows.values()})
    marks = {True: "yes", False: "**no**", None: "not decided"}
    lines = [
        f"# Mechanism check, {datetime.now(UTC).date().isoformat()}",
        "",
        f"A model of {base['parameters']:,} parameters, from scratch on multi_turn_base's training half, "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}, CPU. Accuracy is of single steps of the test "
        f"half, given gold's steps before them: {len(rows)} steps of {scenarios} scenarios, exactly "
        "gold's calls, in percent. It says that the parts work together, and nothing about real models.",
        "",
        "| what should come out | before | after | difference | came out |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {c.text} | {c.before} | {c.after} | {c.change} | {marks[c.came_out]} |" for c in found]
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    lines += [
        "",
        "Brackets are 95% intervals, clustered by scenario; differences are paired by step. "
        "Sizes: "
        + ", ".join(f"{name} {value}" for name, value in size.items())
        + f". {seconds / 60:.0f} minutes (but for what was there already), {platform.machine()}, {packages}.",
        "",
        "![curves and accuracies](mechanism.png)",
    ]
    return lines


def draw(file: Path, seeds: Sequence[Seed], rows: dict[str, Row]) -> None:
    """Loss, reward and accuracies."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (loss, reward, bars) = plt.subplots(1, 3, figsize=(13, 3.8))
    for seed in seeds:
        loss.plot(*zip(*seed.sft["loss"], strict=True), label=f"seed {seed.seed}")
        reward.plot(*zip(*seed.rl["reward"], strict=True), label=f"seed {seed.seed}")
    for axes, title in ((loss, "SFT: loss"), (reward, "GRPO: reward (step_exact)")):
        axes.set(title=title, xlabel="step")
        axes.legend()
    kinds = {
        "SFT\nno knowledge": (PLAIN, "greedy"),
        "SFT\nknowledge": (KNOWLEDGE, "greedy"),
        "GRPO\nknowledge": (RL_KNOWLEDGE, "greedy"),
        "SFT, one\nof 8": (KNOWLEDGE, "one"),
        "SFT, vote\nof 8": (KNOWLEDGE, "voted"),
    }
    estimates = [accuracy(_pooled(seeds, kind), rows) for kind in kinds.values()]
    means = [100 * one.mean for one in estimates]
    ends = [one.proportion_interval() for one in estimates]
    errors = [
        [m - 100 * low for m, (low, _) in zip(means, ends, strict=True)],
        [100 * high - m for m, (_, high) in zip(means, ends, strict=True)],
    ]
    bars.bar(list(kinds), means, yerr=errors, capsize=4, color="#4c78a8")
    bars.set(title="Exact calls on test steps, %")
    bars.tick_params(axis="x", labelsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    plt.close(figure)
