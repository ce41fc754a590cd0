"""Cost and latency in the report: tokens, seconds, dollars, from logs that tell and logs that don't."""

import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput, ModelUsage

from kate_eval.cli import main
from kate_eval.counters import COUNTERS_KEY, Counters
from kate_eval.errors import ConfigurationError
from kate_eval.report.cost import Cost, quantile, read_prices
from kate_eval.report.formats.markdown import markdown
from kate_eval.report.leaderboard import Result, leaderboard
from kate_eval.report.make import make_document
from kate_eval.report.read import read_logs, read_runs
from kate_eval.solvers.kate import baseline, kate, width
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Reply, Scripted, gold_answer, output

BASE = {"categories": "multi_turn_base"}
LS: Reply = [("ls", {"a": True})]
GOOD = "mockllm/scripted: {input: 2, input_cache_read: 0.5, output: 8}\n"


def cached(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
    """Gold, with usage that tells of a prefix cache."""
    usage = ModelUsage(
        input_tokens=100,
        input_tokens_cache_read=900,
        output_tokens=50,
        total_tokens=1050,
        reasoning_tokens=30,
    )
    return _GOLD(messages, config).model_copy(update={"usage": usage})


_GOLD = gold_answer()


@pytest.fixture
def logs(run: Any, tmp_path: Path) -> Path:
    """A baseline run of two samples whose usage tells of a prefix cache."""
    run(bfcl(**BASE), Scripted(cached).model(), baseline(), limit=2)
    return tmp_path / "logs"


def row_of(logs: Path, prices: Path | None = None) -> Result:
    [row] = leaderboard(read_runs(logs), read_prices(prices) if prices else None)
    return row


def cost_of(logs: Path, prices: Path | None = None) -> Cost:
    return row_of(logs, prices).cost


def rewritten(logs: Path, change: Any) -> None:
    """Apply a change to what each sample's counters kept."""
    [file] = logs.glob("*.eval")
    log: EvalLog = read_eval_log(str(file))
    for sample in log.samples or ():
        assert sample.scores
        change(sample.scores["run_counters"].metadata)
    write_eval_log(log, str(file))


def test_tokens_seconds_and_dollars_are_in_the_log_and_in_the_report(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(GOOD)
    row = row_of(logs, tmp_path / "prices.yaml")
    cost, requests = row.cost, row.means["requests"]
    assert (cost.input, cost.cached) == (1000 * requests, 900 * requests)
    assert (cost.output, cost.reasoning) == (50 * requests, 30 * requests)
    assert cost.roles == {"policy": 1050 * requests}
    assert cost.dollars == pytest.approx(2 * requests * (100 * 2 + 900 * 0.5 + 50 * 8) / 1e6)
    assert cost.p50 is not None and cost.p95 is not None and 0 <= cost.p50 <= cost.p95 < 60
    steps = [ms for sample in row.run.samples for ms in sample.step_ms]
    assert len(steps) == 2 * requests  # one request a step
    value = row.run.samples[0].counters
    assert value["tokens_cached"] / value["tokens_input"] == 0.9
    assert value["step_seconds"] >= 0 and value["mean_width"] == 1


def test_the_table_stands_beside_the_leaderboard_and_dollars_need_prices(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(GOOD)
    priced = ["report", str(logs), "--prices", str(tmp_path / "prices.yaml"), "-o", str(tmp_path / "b.md")]
    done = CliRunner().invoke(main, priced)
    assert done.exit_code == 0 and "BFCL-V3: cost and latency" in done.output, done.output
    text = (tmp_path / "b.md").read_text()
    line = next(line for line in text.split("cost and latency")[1].splitlines() if "mockllm" in line)
    assert not line.rstrip(" |").endswith("-") and "BFCL-V3: cost and latency" in text
    assert cost_of(logs).dollars is None


def test_what_inspect_priced_while_it_ran_is_shown_and_a_table_goes_before_it(
    logs: Path, tmp_path: Path
) -> None:
    [file] = logs.glob("*.eval")
    log = read_eval_log(str(file))
    for usage in (
        *(u for s in log.samples or () for u in s.model_usage.values()),
        *log.stats.model_usage.values(),
    ):
        usage.total_cost = 0.25
    write_eval_log(log, str(file))
    assert cost_of(logs).dollars == 0.5  # two samples
    (tmp_path / "prices.yaml").write_text("mockllm/scripted: {input: 0, output: 0}")
    assert cost_of(logs, tmp_path / "prices.yaml").dollars == 0
    (tmp_path / "prices.yaml").write_text("another/model: {input: 1, output: 1}")
    assert cost_of(logs, tmp_path / "prices.yaml").dollars == 0.5


def test_attempts_that_were_played_again_are_paid_for(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(GOOD)
    before = cost_of(logs, tmp_path / "prices.yaml").dollars
    [file] = logs.glob("*.eval")
    log = read_eval_log(str(file))
    usage = log.stats.model_usage["mockllm/scripted"]
    log.stats.model_usage["mockllm/scripted"] = usage + usage
    write_eval_log(log, str(file))
    assert before and cost_of(logs, tmp_path / "prices.yaml").dollars == pytest.approx(2 * before)


def test_logs_of_other_versions_have_tokens_but_no_seconds(logs: Path) -> None:
    def older(kept: dict[str, Any]) -> None:
        for name in ("step_ms", "model_ms", "tokens", "tokens_saved", "cancelled"):
            del kept[name]

    rewritten(logs, older)
    cost = cost_of(logs)
    assert cost.input and (cost.p50, cost.p95, cost.model, dict(cost.roles)) == (None, None, None, {})
    assert "| - | - | - |" in markdown(make_document(read_logs(logs)))


def test_more_steps_than_a_summary_holds_are_read_from_the_sample(logs: Path) -> None:
    rewritten(logs, lambda kept: kept.update(step_ms=list(range(1000, 3000))))
    cost = cost_of(logs)
    assert (cost.p50, cost.p95) == (1.999, 2.899)


@pytest.mark.parametrize("found", ["x", {"a": 1}, [None, "y", [1]], 7])
def test_what_is_no_list_of_steps_is_no_steps(logs: Path, found: Any) -> None:
    rewritten(logs, lambda kept: kept.update(step_ms=found, tokens=found, model_ms="z"))
    assert cost_of(logs).p50 is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no prices"),
        ("- 1", "holds no prices"),
        ("m: 3", "needs dollars per million tokens"),
        ("m: {input: 1}", "needs dollars per million tokens"),
        ("m: {input: 1, output: -2}", "can't be used: output"),
        ("m: {input: .nan, output: 2}", "can't be used: input"),
        ("m: {input: 1, output: 2, outputs: 3}", "can't be used: outputs"),
        ("m: {input: 1", "can't be read"),
    ],
)
def test_a_bad_price_table_is_named_with_an_example(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=reason) as error:
        read_prices(tmp_path / "prices.yaml")
    assert "vllm/Qwen/Qwen3-8B: {input" in str(error.value)
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_prices(tmp_path / "nowhere.yaml")


def test_adaptive_runs_show_their_width_and_what_they_saved(run: Any, tmp_path: Path) -> None:
    arguments = {"prefix_cache": True, "latency": 0.01}
    run(bfcl(**BASE), "simulated/default", width(width="adaptive:4..16"), limit=3, model_args=arguments)
    row = row_of(tmp_path / "logs")
    assert row.run.settings["width"] == "adaptive:4..16" and 4 <= row.means["mean_width"] < 16
    assert row.cost.cached and row.cost.input and row.cost.cached < row.cost.input
    assert row.cost.p50 is not None and row.cost.p50 >= 0.01
    text = markdown(make_document(read_logs(tmp_path / "logs")))
    line = next(line for line in text.split("cost and latency")[1].splitlines() if "adaptive:" in line)
    assert "simulated/default" in line and f"{row.means['tokens_saved']:,.0f}" in line


def test_stated_intents_and_critics_are_roles_of_their_own(run: Any) -> None:
    answers = Scripted(lambda messages, config: output("Done.", LS, LS, "Done."))
    log = run(bfcl(**BASE), answers.model(), kate(), limit=1)
    [sample] = log.samples
    tokens = sample.store[COUNTERS_KEY]["tokens"]
    assert tokens["policy_input"] and tokens["critic_input"] and "policy_cached" not in tokens
    assert math.isnan(sample.scores["run_counters"].value["tokens_cached"])
    told = Counters(tokens={"policy_input": 5, "intent_input": 2, "judge_output": 1})
    assert (told.tokens_of("input"), told.tokens_of("output")) == (7, 1)


def test_quantiles_are_by_nearest_rank() -> None:
    assert quantile([], 0.5) is None
    assert [quantile([1, 2, 3, 4], share) for share in (0.5, 0.95, 0.0)] == [2, 4, 1]
