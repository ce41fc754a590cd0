"""Whole evals with a scripted model: what each kind of play is scored as; and a log scores alike again."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from inspect_ai import eval, score
from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from kate_eval.appworld.data import AppTask
from kate_eval.appworld.scorer import appworld_verdict, failure_of
from kate_eval.errors import ConfigurationError
from kate_eval.tasks.appworld import appworld
from tests.appworld.conftest import SPLIT
from tests.conftest import Scripted, output

pytestmark = pytest.mark.xdist_group("appworld-evals")

Run = Callable[..., EvalLog]
Solution = Callable[[str], list[str]]
DONE = "```python\napis.supervisor.complete_task()\n```"


def fenced(steps: Sequence[str]) -> str:
    return "I do it.\n```python\n" + "\n".join(steps) + "\n```"


def scripted(plans: dict[str, Sequence[str | Exception]]) -> Scripted:
    """Plays, for each instruction, its replies in order; then the last one again."""

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        text = "\n".join(message.text for message in messages if message.role == "user")
        plan = next(replies for instruction, replies in plans.items() if instruction in text)
        said = sum(message.role == "assistant" for message in messages)
        reply = plan[min(said, len(plan) - 1)]
        if isinstance(reply, Exception):
            raise reply
        return output(reply)

    return Scripted(answer)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, tasks: list[AppTask], solution: Solution) -> EvalLog:
    """The first task solved, the second submitted without having done anything, the third never submitted."""
    plans: dict[str, Sequence[str | Exception]] = {
        tasks[0].instruction: ["Let me think.", fenced(solution(tasks[0].id))],
        tasks[1].instruction: [DONE],
        tasks[2].instruction: ["I don't know.", "```python\nprint(apis.supervisor.show_profile())\n```"],
    }
    folder, model = str(tmp_path_factory.mktemp("logs")), scripted(plans).model()
    [log] = eval(appworld(SPLIT, max_interactions=4), model=model, limit=3, log_dir=folder, display="log")
    return log


def verdicts(log: EvalLog) -> list[tuple[Any, Any]]:
    """Value and kind of failure of each sample, in the order of their ids' first appearance."""
    found = []
    for sample in log.samples or []:
        verdict = (sample.scores or {})["appworld_verdict"]
        found.append((verdict.value, (verdict.metadata or {}).get("failure")))
    return found


def metrics(log: EvalLog, scorer: str = "appworld_verdict") -> dict[str, float]:
    """All metrics of a scorer."""
    assert log.results is not None
    scores = [item for item in log.results.scores if item.scorer == scorer]
    return {name: metric.value for item in scores for name, metric in item.metrics.items()}


def _details(sample: EvalSample) -> dict[str, Any]:
    return (sample.scores or {})["appworld_verdict"].metadata or {}


def test_solved_submitted_and_never_submitted(played: EvalLog, tasks: list[AppTask]) -> None:
    assert played.status == "success"
    [solved, submitted, never] = verdicts(played)
    assert solved == ("C", None)
    assert submitted[0] == "I" and submitted[1] in ("missing_change", "wrong_answer")
    assert never == ("I", "never_finished")
    assert metrics(played)["tgc"] == 33.3
    assert [_details(sample)["interactions"] for sample in played.samples or []] == [2, 1, 4]


def test_a_log_scores_alike_again(played: EvalLog) -> None:
    again = score(played, appworld_verdict(), action="overwrite", display="log")
    assert verdicts(again) == verdicts(played)
    assert metrics(again) == metrics(played)


def test_the_verdict_says_which_tests_failed(played: EvalLog) -> None:
    assert played.samples is not None
    verdict = (played.samples[1].scores or {})["appworld_verdict"]
    assert "FAILED" in str(verdict.explanation) and "tests passed" in str(verdict.explanation)


def test_a_limit_ends_a_sample_that_is_scored_as_it_stands(
    run: Run, tasks: list[AppTask], solution: Solution
) -> None:
    steps = fenced([step for step in solution(tasks[0].id) if "complete_task" not in step])
    model = scripted({tasks[0].instruction: [steps, "```python\nprint(1)\n```"]}).model()
    log = run(appworld(SPLIT), model, limit=1, message_limit=8)
    assert log.samples is not None and log.samples[0].limit is not None
    assert [kind for _, kind in verdicts(log)] == ["never_finished"]


@pytest.mark.parametrize("whose", ["the task's", "Inspect's"])
def test_a_time_limit_ends_a_step_that_does_not_end(whose: str, run: Run, tasks: list[AppTask]) -> None:
    model = scripted({tasks[0].instruction: ["```python\nwhile True:\n    pass\n```"]}).model()
    own = whose == "the task's"
    task = appworld(SPLIT, step_seconds=60, sample_seconds=2 if own else 3600)
    log = run(task, model, limit=1, **({} if own else {"time_limit": 2}))
    assert log.samples is not None and (log.samples[0].limit is None) == own
    assert [kind for _, kind in verdicts(log)] == ["never_finished"]


def test_outputs_too_large_to_evaluate_are_a_failure_and_no_error(run: Run, tasks: list[AppTask]) -> None:
    flood = """```python
passwords = {a["account_name"]: a["password"] for a in apis.supervisor.show_account_passwords()}
email = apis.supervisor.show_profile()["email"]
token = apis.simple_note.login(username=email, password=passwords["simple_note"])["access_token"]
for number in range(24):
    note = {"title": f"flood {number}", "content": '"' * 800_000, "access_token": token}
    apis.simple_note.create_note(**note)
```"""
    model = scripted({tasks[0].instruction: [flood, DONE]}).model()
    log = run(appworld(SPLIT), model, limit=1)
    [sample] = log.samples or []
    assert sample.error is None and (sample.scores or {})["appworld_verdict"].value == "I"
    assert "too large" in str((sample.scores or {})["appworld_verdict"].explanation)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_interactions", 0),
        ("sample_seconds", 0),
        ("step_seconds", 0),
        ("max_output", -1),
        ("memory_mb", 1),
    ],
)
def test_limits_that_make_no_sense_are_refused_before_the_first_sample(name: str, value: int) -> None:
    with pytest.raises(ConfigurationError, match=str(value)):
        appworld(SPLIT, **{name: value})


def test_a_sample_that_failed_is_not_scored_but_counted(run: Run, tasks: list[AppTask]) -> None:
    plans: dict[str, Sequence[str | Exception]] = {
        tasks[0].instruction: ["```python\nprint(1)\n```", RuntimeError("the endpoint broke")],
        tasks[1].instruction: [DONE],
    }
    log = run(appworld(SPLIT), scripted(plans).model(), limit=2)
    [failed, submitted] = [value for value, _ in verdicts(log)]
    assert isinstance(failed, float) and math.isnan(failed)
    assert submitted == "I"
    assert metrics(log)["tgc"] == 0.0
    counters = [(sample.scores or {})["run_counters"].value for sample in log.samples or []]
    assert [dict(value)["errored"] for value in counters if isinstance(value, dict)] == [1.0, 0.0]


def test_a_submission_as_failed_is_a_submission(run: Run, tasks: list[AppTask]) -> None:
    model = scripted({tasks[0].instruction: [DONE.replace("()", "(status='fail')")]}).model()
    log = run(appworld(SPLIT), model, limit=1)
    [(value, kind)] = verdicts(log)
    assert value == "I" and kind != "never_finished"


KINDS = {
    "never_finished": (False, [{"requirement": "a", "label": "no_op_fail"}]),
    "wrong_answer": (True, [{"requirement": "assert answers match", "label": "no_op_fail"}]),
    "collateral_damage": (
        True,
        [{"requirement": "a", "label": "no_op_pass"}, {"requirement": "b", "label": "no_op_fail"}],
    ),
    "missing_change": (True, [{"requirement": "a", "label": "no_op_fail"}]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_failure(kind: str) -> None:
    completed, failures = KINDS[kind]
    assert failure_of({"success": False, "failures": failures}, completed) == kind
    assert failure_of({"success": True, "failures": []}, completed) is None
