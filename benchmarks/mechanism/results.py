"""The table and the plots: each claim with its figure and interval, whether it came out or not."""

import json
import math
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
Kind = tuple[str, str]
"""Checkpoint and its prompts; one answer or a vote."""
Steps = dict[str, dict[str, str]]
"""Knowledge, plain, sampled, training -> step -> what it is correlated within."""
SFT, PLAIN, GRPO = ("sft, knowledge", "one"), ("sft, plain", "one"), ("rl, knowledge", "one")
SFT_SAMPLED, GRPO_SAMPLED = ("sft, sampled", "one"), ("rl, sampled", "one")
SFT_VOTED, GRPO_VOTED = ("sft, sampled", "voted"), ("rl, sampled", "voted")
SFT_TRAINING, GRPO_TRAINING = ("sft, training", "one"), ("rl, training", "one")


@dataclass(frozen=True)
class Seed:
    """What one seed gave."""

    seed: int
    base: dict[str, Any]
    sft: dict[str, Curve]
    rl: dict[str, Curve]
    answers: dict[str, dict[str, Values]]
    """Checkpoint and prompts -> one, voted -> values."""

    @classmethod
    def read(cls, file: Path) -> "Seed":
        """From a file."""
        return cls(**json.loads(file.read_text()))


def clusters(asked: dict[str, dict[str, Row]]) -> Steps:
    """What steps are correlated within: their scenario."""
    return {name: {place: row.cluster for place, row in rows.items()} for name, rows in asked.items()}


def measured(found: Sequence[Answered]) -> dict[str, Values]:
    """Right answers by step: one (the mean over those asked for) and, of several, their vote."""
    one = {_place(a.row): fmean(float(keys == a.gold) for keys in a.answers) for a in found}
    voted = {_place(a.row): float(a.voted == a.gold) for a in found}
    return {"one": one, "voted": voted}


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


def claims(seeds: Sequence[Seed], steps: Steps, candidates: int) -> list[Claim]:
    """What the check is for, in the order of the method."""
    pairs: dict[str, tuple[Kind, Kind]] = {
        "test half, greedy: knowledge against none (SFT)": (PLAIN, SFT),
        "test half, sampled: GRPO against SFT": (SFT_SAMPLED, GRPO_SAMPLED),
        "test half, greedy: GRPO against SFT": (SFT, GRPO),
        f"test half: a vote of {candidates} against one sample (SFT)": (SFT_SAMPLED, SFT_VOTED),
        f"test half: a vote of {candidates} against one sample (GRPO)": (GRPO_SAMPLED, GRPO_VOTED),
    }
    loss = _falls("SFT's loss falls", [seed.sft["loss"] for seed in seeds])
    reward = _reward("training half, sampled: GRPO's reward against SFT's", seeds, candidates)
    return [loss, reward, *(_pair(text, seeds, steps, *pair) for text, pair in pairs.items())]


def _pooled(seeds: Sequence[Seed], kind: Kind) -> Values:
    """The mean over the seeds, step by step: seeds share their steps, so these are not independent."""
    found = [seed.answers[kind[0]][kind[1]] for seed in seeds]
    return {place: fmean(values[place] for values in found) for place in found[0]}


def _clusters(steps: Steps, kind: Kind) -> dict[str, str]:
    return steps[kind[0].partition(", ")[2]]


def _pair(text: str, seeds: Sequence[Seed], steps: Steps, first: Kind, second: Kind) -> Claim:
    before, after, clusters = _pooled(seeds, first), _pooled(seeds, second), _clusters(steps, second)
    change = difference(after, before, clusters)
    found = accuracy(before, clusters), accuracy(after, clusters), change
    return _judged(text, seeds, (first, second), found)


def _reward(text: str, seeds: Sequence[Seed], candidates: int) -> Claim:
    """GRPO's reward on the very steps it learns from: they are no sample, so that only the draws are one."""
    before, after = (_drawn(seeds, kind, candidates) for kind in (SFT_TRAINING, GRPO_TRAINING))
    error = math.hypot(before.stderr, after.stderr)
    change = Estimate(after.mean - before.mean, error, before.n, before.clusters)
    return _judged(text, seeds, (SFT_TRAINING, GRPO_TRAINING), (before, after, change))


def _drawn(seeds: Sequence[Seed], kind: Kind, candidates: int) -> Estimate:
    """The mean over steps and seeds, with the error of drawing so many answers to each step."""
    shares = [share for seed in seeds for share in seed.answers[kind[0]][kind[1]].values()]
    variance = sum(share * (1 - share) for share in shares) / (candidates - 1)
    draws = len(shares) * candidates
    return Estimate(fmean(shares), math.sqrt(variance) / len(shares), draws, draws)


def _judged(
    text: str, seeds: Sequence[Seed], kinds: tuple[Kind, Kind], found: tuple[Estimate, Estimate, Estimate]
) -> Claim:
    """A line of the table.

    Args:
        text: what should come out.
        seeds: all of them; each one's difference is told.
        kinds: what is compared.
        found: of the one, of the other, of the difference.
    """
    (first, second), (before, after, change) = kinds, found
    low, high = change.interval()
    each = [
        fmean(s.answers[second[0]][second[1]].values()) - fmean(s.answers[first[0]][first[1]].values())
        for s in seeds
    ]
    spread = f"; by seed {', '.join(f'{100 * one:+.1f}' for one in each)}" if len(seeds) > 1 else ""
    told = f"{100 * change.mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] {_p(change.p_value())}{spread}"
    came_out = None if not change.stderr else True if low > 0 else False if high < 0 else None
    return Claim(text, _percent(before), _percent(after), told, came_out)


def _p(value: float) -> str:
    return "p<0.001" if value < 0.001 else f"p={value:.3f}"


def _percent(found: Estimate) -> str:
    low, high = found.proportion_interval()
    return f"{100 * found.mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _falls(text: str, curves: Sequence[Curve]) -> Claim:
    """The first fifth of a curve against its last; whether it came out is its slope's, by least squares."""
    ends, slopes = [], []
    for curve in curves:
        fifth = max(1, len(curve) // 5)
        ends.append((fmean(v for _, v in curve[:fifth]), fmean(v for _, v in curve[-fifth:])))
        slopes.append(linregress(*zip(*curve, strict=True)))
    right = {bool(slope.slope < 0) for slope in slopes}
    sure = all(slope.pvalue < 0.05 for slope in slopes)
    came_out = right.pop() if sure and len(right) == 1 else None
    before, after = fmean(b for b, _ in ends), fmean(a for _, a in ends)
    told = ", ".join(
        f"{a - b:+.3f}, slope {_p(slope.pvalue)}" for (b, a), slope in zip(ends, slopes, strict=True)
    )
    return Claim(
        f"{text} (first fifth of its steps, last fifth)", f"{before:.3f}", f"{after:.3f}", told, came_out
    )


def write_results(
    out: Path, seeds: Sequence[Seed], steps: Steps, size: dict[str, Any], seconds: float | None
) -> None:
    """README.md with the table, results.json with all figures, mechanism.png.

    Args:
        out: folder.
        seeds: what they gave.
        steps: that were asked.
        size: how much was trained and asked.
        seconds: that all of it took; None where seeds were there before.
    """
    found = claims(seeds, steps, size["candidates"])
    (out / "results.json").write_text(
        json.dumps(
            {"size": size, "seconds": seconds and round(seconds), "claims": [vars(one) for one in found]},
            indent=2,
        )
        + "\n"
    )
    (out / "README.md").write_text("\n".join(_text(seeds, steps, found, size, seconds)) + "\n")
    draw(out / "mechanism.png", seeds, steps)


def _text(
    seeds: Sequence[Seed], steps: Steps, found: Sequence[Claim], size: dict[str, Any], seconds: float | None
) -> list[str]:
    base = seeds[0].base
    scenarios = {name: len(set(clusters.values())) for name, clusters in steps.items()}
    marks = {True: "yes", False: "**no**", None: "not decided"}
    lines = [
        f"# Mechanism check, {datetime.now(UTC).date().isoformat()}",
        "",
        f"A model of {base['parameters']:,} parameters, from scratch on multi_turn_base's training half, "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}, CPU. Percentages are single steps answered with "
        f"exactly gold's calls (GRPO's reward here), given gold's steps before them: "
        f"{len(steps['knowledge'])} steps of {scenarios['knowledge']} scenarios of the test half "
        f"({len(steps['sampled'])} of {scenarios['sampled']} where several were drawn), and the "
        f"{len(steps['training'])} of {size['rl_entries']} entries of the training half that GRPO plays "
        f"again and again. Sampled is the mean of {size['candidates']} at temperature 1. It says that the "
        "parts work together, and nothing about real models.",
        "",
        "| what should come out | before | after | difference | came out |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {c.text} | {c.before} | {c.after} | {c.change} | {marks[c.came_out]} |" for c in found]
    took = "Seeds were there before" if seconds is None else f"{seconds / 60:.0f} minutes"
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    lines += [
        "",
        "Brackets are 95% intervals; differences are paired by step. On the test half they are clustered by "
        "scenario: it is a sample of tasks. On the training half they are of the draws alone: how sure the "
        "reward on these very steps is. Seeds are averaged step by step, not taken for a sample; p-values "
        "are not adjusted for the number of lines. "
        "Sizes: "
        + ", ".join(f"{name} {value}" for name, value in size.items())
        + f". {took}, {platform.machine()}, {packages}.",
        "",
        "![curves and accuracies](mechanism.png)",
    ]
    return lines


def draw(file: Path, seeds: Sequence[Seed], steps: Steps) -> None:
    """Loss, the reward of each step's own rollouts, and accuracies."""
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
        "SFT\nno know-\nledge": PLAIN,
        "SFT": SFT,
        "GRPO": GRPO,
        "SFT\nsampled": SFT_SAMPLED,
        "SFT\nvote": SFT_VOTED,
        "GRPO\nsampled": GRPO_SAMPLED,
        "GRPO\nvote": GRPO_VOTED,
    }
    estimates = [accuracy(_pooled(seeds, kind), _clusters(steps, kind)) for kind in kinds.values()]
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
