"""Writes one task's folder in the layout that the engine reads."""

import ast
import json
import re
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from appworld.common.constants import CANARY_STRING, DB_VERSION

from kate_engine.mini.clock import TODAY
from kate_engine.mini.people import PEOPLE
from kate_engine.mini.scenario import Scenario, Truth, Variant

_CANARY = f"# Canary String: {CANARY_STRING}\n"
_EVALUATION = '''\
import json


def given_answer(models):
    """The answer with which the task was completed."""
    return json.loads(models.end.supervisor.Task.first().answer)


def rows(records, *names):
    """The named fields of some records, sorted, dates as text."""
    values = [[getattr(record, name) for name in names] for record in records]
    return sorted([list(map(str, row)) for row in values])


def evaluate(test, public_data, private_data, main_user, models, ground_truth_answer):
'''


def write_json(path: Path, value: Any) -> None:
    """Write one JSON file, always with the same bytes for the same value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_task(folder: Path, scenario: Scenario, variant: Variant, truth: Truth) -> None:
    """Write specs.json and ground_truth/ (without api_calls.json, which a run of the solution gives)."""
    person = PEOPLE[variant.supervisor]
    specs = {
        "instruction": scenario.instruction_for(variant),
        "supervisor": {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "phone_number": person.phone_number,
        },
        "datetime": TODAY.isoformat(),
        "db_version": DB_VERSION,
        "canary_string": CANARY_STRING,
    }
    write_json(folder / "specs.json", specs)
    truths = folder / "ground_truth"
    write_json(truths / "answer.json", truth.answer)
    write_json(truths / "public_data.json", variant.values)
    write_json(truths / "private_data.json", truth.private)
    write_json(truths / "required_apps.json", sorted(scenario.apps))
    write_json(truths / "metadata.json", _metadata(scenario, variant))
    write_json(truths / "test_data.json", _test_data(scenario))
    _write_code(truths, scenario, variant)


def _metadata(scenario: Scenario, variant: Variant) -> dict[str, Any]:
    code = scenario.solution_for(variant)
    return {
        "mode": "full",
        "difficulty": scenario.difficulty,
        "num_apps": len(scenario.apps),
        "num_apis": len(set(re.findall(r"apis\.(\w+\.\w+)", code))),
        "num_solution_code_lines": len(code.splitlines()),
    }


def _test_data(scenario: Scenario) -> list[dict[str, str]]:
    """The requirements in order; which of them hold without any work is found out by a run."""
    calls = (node for node in ast.walk(ast.parse(dedent(scenario.evaluation))) if isinstance(node, ast.With))
    texts = [ast.literal_eval(node.items[0].context_expr.args[0]) for node in calls]  # type: ignore[attr-defined]
    return [{"requirement": text, "label": "no_op_fail"} for text in texts]


def _write_code(truths: Path, scenario: Scenario, variant: Variant) -> None:
    imports = "import datetime\n\n\n" if "datetime." in scenario.solution else "\n"
    compiled = "def solution(apis, requester):\n" + indent(scenario.solution_for(variant), "    ")
    general = "def solution(apis, requester, public_data):\n" + indent(
        scenario.solution_from_public_data(), "    "
    )
    evaluation = _EVALUATION + indent(dedent(scenario.evaluation).strip() + "\n", "    ")
    for name, code in (
        ("compiled_solution.py", imports + compiled),
        ("solution.py", imports + general),
        ("evaluation.py", evaluation),
    ):
        (truths / name).write_text(_CANARY + code, encoding="utf-8")
