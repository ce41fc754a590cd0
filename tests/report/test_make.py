"""The document: which rows stand together, what is compared with what, and what is told of each."""

from dataclasses import replace
from typing import Any

import pytest

from kate_eval.errors import ConfigurationError
from kate_eval.report.document import Cell, Document, Paired, Row
from tests.report.made import APPWORLD, codes, document, made, sample, tables

HALF = [1.0, 0.0] * 20
BETTER = [1.0, 1.0, 1.0, 0.0] * 10
BASE = made("baseline", HALF)


def paired_of(row: Row) -> Paired:
    """A row's paired difference, which it has."""
    assert row.paired is not None
    return row.paired


def cell(row: Row, key: str) -> Cell:
    """A row's estimate, which it has."""
    found = row.cells[key]
    assert isinstance(found, Cell)
    return found


def test_simulated_rows_never_stand_beside_measured_or_published_ones() -> None:
    runs = [
        BASE,
        made("kate", BETTER),
        made("nearest", HALF, model="(no model)"),
        made("kate", BETTER, model="simulated/default"),
        made("width", BETTER, critic="simulated/default"),
    ]
    found = document(*runs)
    for table in found.tables:
        kinds = {row.kind for row in table.rows}
        assert kinds in ({"simulated"}, {"published"}) or kinds <= {"measured", "floor"}
        assert table.kind in kinds
    assert {plot.kind for plot in found.plots} == {"measured", "simulated"}
    rows = {row.id: row.kind for table in found.tables for row in table.rows}
    for plot in found.plots:
        points = [point for series in plot.series for point in series.points if point.row]
        assert {rows[str(point.row)] == "simulated" for point in points} == {plot.kind == "simulated"}
        assert ("SIMULATED" in plot.title) == (plot.kind == "simulated")
    simulated = next(table for table in found.tables if table.id == "bfcl-v3-simulated")
    assert "SIMULATED" in simulated.title and all(row.paired is None for row in simulated.rows)


def test_published_numbers_are_marked_and_only_where_their_entries_were_played() -> None:
    table = tables(BASE)["bfcl-published"]
    assert table.kind == table.role == "published" and "not measured" in table.title
    assert all([flag.code for flag in row.flags] == ["published"] for row in table.rows)
    assert {row.label: row.cells["multi_turn"] for row in table.rows}["Qwen3-8B KATE, no training"] == 0.46
    assert all(len(row.cells) in (1, 5) for row in table.rows)
    live = made("baseline", HALF, group="live_simple", metadata={"category_hashes": {"live_simple": "h"}})
    assert "bfcl-published" not in tables(live)
    assert "appworld-published" not in tables(made("baseline", HALF, metadata=APPWORLD | {"world": "mini"}))
    assert "appworld-published" in tables(appworld("test_normal"))


def test_differences_are_paired_and_corrected_for_all_comparisons_of_the_table() -> None:
    others = [made("kate", BETTER), made("width", [0.0, 0.0, 1.0, 1.0] * 10), made("depth", HALF)]
    rows = {row.solver: row for row in tables(BASE, *others)["bfcl-v3-measured"].rows}
    kate, width, depth = (paired_of(rows[name]) for name in ("kate", "width", "depth"))
    assert rows["baseline"].paired is None and kate.baseline == BASE.id and kate.n == 40
    assert kate.difference == pytest.approx(0.25) and kate.p is not None and kate.low is not None
    assert kate.p_holm == pytest.approx(3 * kate.p) and kate.low < 0.25 < (kate.high or 0)
    # By hand: ten differences of 1 among forty.
    stderr = (40 / 39 * (0.25 - 0.25**2) / 40) ** 0.5
    assert kate.detectable == pytest.approx(2.8016 * stderr, rel=1e-4)
    assert width.difference == 0 and width.p == pytest.approx(1)
    # On every entry the same: nothing to tell the two apart, and no interval that could be given.
    assert (depth.p, depth.low, depth.detectable) == (1.0, None, None)


def test_what_has_no_p_value_counts_among_the_comparisons() -> None:
    silent = made("baseline", [0.0] * 40)
    rows = {
        r.solver: r
        for r in tables(silent, made("kate", [1.0] * 40), made("width", BETTER))["bfcl-v3-measured"].rows
    }
    assert paired_of(rows["kate"]).p is None and paired_of(rows["kate"]).p_holm is None
    width = paired_of(rows["width"])
    assert width.p is not None and width.p_holm == pytest.approx(2 * width.p)


def test_a_baseline_is_a_solver_or_one_row() -> None:
    wide = made("width", BETTER, parameters={"width": 8, "recover": True})
    other = made("kate", HALF, model="vllm/b")
    runs = (BASE, wide, made("kate", BETTER), other)

    def baselines(name: str) -> dict[str, str | None]:
        rows = tables(*runs, baseline=name)["bfcl-v3-measured"].rows
        return {row.label: row.paired.baseline if row.paired else None for row in rows}

    kate, strange = "vllm/a kate", "vllm/b kate"
    assert baselines("baseline") == {BASE.label: None, wide.label: BASE.id, kate: BASE.id, strange: None}
    assert baselines("width") == {BASE.label: wide.id, wide.label: None, kate: wide.id, strange: None}
    assert wide.label == "vllm/a width (width=8)"
    assert baselines(wide.label) == baselines("width") | {strange: wide.id}
    assert "baseline_model" in codes(other, *runs[:3], baseline=wide.label)
    assert "no_baseline" not in codes(wide, *runs[2:], baseline="width")  # it is the baseline
    assert "no_baseline" in codes(other, BASE)
    with pytest.raises(ConfigurationError, match=r"Unknown baseline 'nobody'.*vllm/a width"):
        baselines("nobody")


def test_passes_over_epochs_are_estimated_from_all_of_them() -> None:
    run = made("kate", [[1.0, 0.0, 1.0, 0.0], [0.0] * 4, [1.0] * 4, [1.0, None, None, 0.0]])
    [row] = tables(run)["bfcl-v3-measured"].rows
    at, hat = cell(row, "pass_at_2"), cell(row, "pass_hat_2")
    # Two of four right: 5/6 that one of two is, 1/6 that both are; the last has two attempts in all.
    assert at.value == pytest.approx((5 / 6 + 0 + 1 + 1) / 4) and hat.value == pytest.approx((1 / 6 + 1) / 4)
    assert cell(row, "pass_at_4").n == 3 and cell(row, "pass_hat_4").value == pytest.approx(1 / 3)
    [plain] = tables(BASE)["bfcl-v3-measured"].rows
    assert not [key for key in plain.cells if key.startswith("pass_")]


def test_headlines_that_differ_are_named_row_by_row() -> None:
    live = made("kate", HALF, group="live_simple", metadata={"category_hashes": {"live_simple": "x"}})
    table = tables(BASE, live)["bfcl-v3-measured"]
    assert table.columns[0].label == "Score"
    assert [row.cells["score_of"] for row in table.rows] == ["base", "live_simple"]
    assert tables(BASE)["bfcl-v3-measured"].columns[0].label == "base"


def appworld(split: str, solver: str = "kate", **more: Any) -> Any:
    """A run on a split of AppWorld: two scenarios of two tasks."""
    tasks = [("a", 1.0), ("a", 1.0), ("b", 1.0), ("b", 0.0)]
    samples = []
    for n, (scenario, value) in enumerate(tasks):
        row = sample(f"{scenario}_{n}", value, group="difficulty_1")
        assert row.observed
        samples.append(replace(row, observed=replace(row.observed, cluster=scenario, variants=2)))
    run = made(solver, [1.0], metadata=APPWORLD | {"split": split, "entries": 4}, **more)
    return replace(run, samples=tuple(samples), expected=4)


def test_appworld_s_test_splits_stand_side_by_side() -> None:
    runs = [appworld("test_normal"), appworld("test_challenge"), appworld("test_normal", "baseline")]
    found = tables(*runs)
    table = found["appworld-measured-overview"]
    assert [column.label for column in table.columns] == [
        *("TGC normal", "SGC normal", "TGC challenge", "SGC challenge")
    ]
    kate, base = table.rows
    assert (kate.solver, len(kate.logs)) == ("kate", 2)
    assert cell(kate, "tgc_challenge").value == 0.75 and cell(kate, "sgc_normal").value == 0.5
    assert set(base.cells) == {"tgc_normal", "sgc_normal"}
    [row, _] = found["appworld-test-normal-measured"].rows
    assert cell(row, "sgc_difficulty_1").value == 0.5 and cell(row, "difficulty_1").n == 4


def test_a_scenario_is_complete_in_an_epoch_in_which_all_its_variants_pass() -> None:
    def score(tasks: dict[str, list[float | None]]) -> Cell:
        samples = []
        for task, values in tasks.items():
            for epoch, value in enumerate(values, 1):
                row = sample(task, value, epoch, group="difficulty_1")
                if row.observed:
                    seen = replace(row.observed, cluster=task[0], variants=2, epoch=epoch)
                    row = replace(row, observed=seen)
                samples.append(row)
        run = replace(appworld("test_normal"), samples=tuple(samples), epochs=2, expected=len(samples))
        [found] = tables(run)["appworld-test-normal-measured"].rows
        return cell(found, "sgc")

    assert score({"a1": [1.0, 0.0], "a2": [0.0, 1.0]}).value == 0.0  # never both in one epoch
    assert score({"a1": [1.0, 0.0], "a2": [1.0, 1.0]}).value == 0.5
    both = score({"a1": [1.0, 0.0], "a2": [1.0, None], "b1": [0.0, 1.0], "b2": [1.0, 1.0]})
    assert (both.value, both.n) == (0.75, 2)  # of the first, the epoch that was scored whole


def test_a_split_that_was_played_twice_has_two_rows() -> None:
    one, part = appworld("test_normal"), appworld("test_normal")
    part = replace(part, selection="two of them", samples=part.samples[:2])
    first, second = tables(one, part, appworld("test_challenge"))["appworld-measured-overview"].rows
    assert (cell(first, "tgc_normal").n, cell(first, "tgc_challenge").n, len(first.logs)) == (4, 4, 2)
    assert cell(second, "tgc_normal").n == 2 and "tgc_challenge" not in second.cells


def test_relevance_and_irrelevance_are_the_leaderboard_s() -> None:
    groups = ["irrelevance", "live_irrelevance", "live_irrelevance", "live_relevance"]
    samples = tuple(sample(f"e{n}", float(n != 1), group=group) for n, group in enumerate(groups))
    run = replace(BASE, samples=samples, metadata=BASE.metadata | {"category_hashes": {}})
    [row] = tables(run)["bfcl-v3-measured"].rows
    assert cell(row, "irrelevance_all").value == 0.75  # each of the two counts the same
    assert cell(row, "relevance").value == 1 and cell(row, "irrelevance").value == 1


def test_the_front_is_of_those_that_none_betters() -> None:
    def run(name: str, tokens: int, right: int) -> Any:
        values = [1.0] * right + [0.0] * (40 - right)
        made_ = made(name, values)
        return replace(made_, samples=tuple(replace(s, tokens=tokens) for s in made_.samples))

    runs = [run("a", 100, 10), run("b", 200, 20), run("c", 300, 15), run("d", 300, 20), run("e", 400, 30)]
    [plot] = [plot for plot in document(*runs).plots if plot.name == "tokens"]
    front = {point.label.split()[-1] for series in plot.series for point in series.points if point.front}
    assert front == {"a", "b", "e"}


def test_plots_of_width_and_forms_have_a_line_for_what_differs_in_nothing_else() -> None:
    def wide(width: int) -> Any:
        run = made("width", BETTER, parameters={"width": width, "aggregate": "majority", "recover": True})
        counted = {"mean_width": float(width), "requests": 9.0}
        return replace(run, samples=tuple(replace(s, counters=counted) for s in run.samples))

    forms = [
        made("knowledge", HALF, parameters={"knowledge": form, "recover": True})
        for form in ("trajectory", "summary", "trajectory,summary")
    ]
    plots = {plot.name: plot for plot in document(BASE, wide(16), wide(4), *forms).plots}
    lines = {series.name: [point.x for point in series.points] for series in plots["width"].series}
    assert lines["vllm/a width (aggregate=majority)"] == [4.0, 16.0] and lines[BASE.label] == [1.0]
    assert plots["forms"].x.values == ("none", "trajectory", "summary", "trajectory + summary")
    [series] = plots["forms"].series
    assert series.name == "vllm/a knowledge" and [p.x for p in series.points].count("none") == 1
    assert "forms" not in {plot.name for plot in document(BASE, forms[0]).plots}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"metadata": BASE.metadata | {"bfcl_eval_version": "2025.1"}}, "version"),
        ({"metadata": BASE.metadata | {"category_hashes": {"multi_turn_base": "other"}}}, "data"),
        ({"task_version": "2-A"}, "version"),
        ({"status": "error"}, "status"),
        ({"status": "started"}, "status"),
        ({"expected": 50}, "not_scored"),
        ({"metadata": BASE.metadata | {"entries": 100}}, "partial"),
        ({"generation": {"temperature": 0.7}}, "baseline_generation"),
        ({"parameters": {"recover": False}}, "baseline_recover"),
        ({"samples": BASE.samples[:30]}, "not_scored"),
        ({"samples": BASE.samples[:6]}, "few"),
        ({"replaced": ("older.eval",)}, "replaced"),
        ({"epochs": 2}, "baseline_epochs"),
    ],
)
def test_what_is_not_like_for_like_is_flagged_in_the_row(change: dict[str, Any], code: str) -> None:
    plain = made("kate", BETTER)
    beside = (BASE, made("width", HALF))
    assert codes(plain, *beside) == []
    assert code in codes(replace(plain, **change), *beside)


@pytest.mark.parametrize(
    "other",
    [
        {"task_version": "2-A"},
        {"metadata": BASE.metadata | {"bfcl_eval_version": "2025.1"}},
        {"metadata": BASE.metadata | {"category_hashes": {"multi_turn_base": "other"}}},
    ],
)
def test_where_no_version_has_most_rows_all_that_differ_are_flagged(other: dict[str, Any]) -> None:
    first, second = made("kate", BETTER), replace(made("width", HALF), **other)
    for run, beside in ((first, second), (second, first)):
        assert {"version", "data"} & set(codes(run, beside))


def test_what_a_running_run_has_still_to_play_is_no_error() -> None:
    run = replace(made("kate", [*BETTER, None]), status="started", expected=60)
    [row] = tables(run)["bfcl-v3-measured"].rows
    assert row.counts and (row.counts.expected, row.counts.scored) == (60, 40)
    assert row.counts.errors["infrastructure"] == 1
    texts = [flag.text for flag in row.flags]
    assert "still running, or killed: 19 of 60 samples to come" in texts
    [ended] = tables(replace(run, status="error"))["bfcl-v3-measured"].rows
    assert ended.counts and ended.counts.errors["infrastructure"] == 20


def test_other_entries_than_the_baseline_s_are_told() -> None:
    kate = made("kate", BETTER)
    beside = replace(BASE, samples=BASE.samples[:25], expected=25)
    [row] = [r for r in tables(kate, beside)["bfcl-v3-measured"].rows if r.solver == "kate"]
    assert paired_of(row).n == 25
    assert "compared on 25 of its 40 entries" in [flag.text for flag in row.flags]


def test_a_bank_that_a_simulation_wrote_is_flagged() -> None:
    run = made("knowledge", BETTER)
    written = {"bank": "b", "bank_hash": "h", "bank_models": ["simulated/default"]}
    run = replace(run, samples=tuple(replace(s, provenance=written) for s in run.samples))
    assert "simulated_bank" in codes(run, BASE)


def test_a_run_of_which_nothing_was_scored_has_a_row_without_scores() -> None:
    run = made("kate", [None] * 30)
    [_, row] = tables(BASE, run)["bfcl-v3-measured"].rows
    assert row.cells["score"] is None and row.paired is None
    assert row.counts is not None and (row.counts.scored, row.counts.errors["infrastructure"]) == (0, 30)
    assert [flag.code for flag in row.flags] == ["not_scored"]


def test_nothing_in_the_document_is_infinite_or_no_number() -> None:
    found = document(BASE, made("kate", [None] * 30), made("width", [1.0]), made("depth", []))
    text = found.to_json()
    assert "NaN" not in text and "Infinity" not in text and Document.from_json(text) == found


def test_ids_stay_when_other_runs_come_and_go() -> None:
    alone = {row.label: row.id for row in tables(BASE)["bfcl-v3-measured"].rows}
    both = {row.label: row.id for row in tables(made("kate", HALF), BASE)["bfcl-v3-measured"].rows}
    assert both.items() >= alone.items() and len(set(both.values())) == 2


def test_few_clusters_are_counted_not_samples() -> None:
    run = made("kate", HALF)
    same = [replace(s, observed=replace(s.observed, cluster="one")) for s in run.samples if s.observed]
    assert "few" in codes(replace(run, samples=tuple(same)), BASE)
