"""Train, easy, a change: complete the overdue tasks of one Todoist project."""

from typing import Any

from kate_engine.mini.clock import TODAY
from kate_engine.mini.people import Person
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    project = models.todoist.Project.find_one(user_id=supervisor.id, name=values["project"])
    tasks = models.todoist.Task.find_all(project_id=project.id, is_completed=False)
    overdue = [task.id for task in tasks if task.due_date.date() < TODAY.date()]
    assert overdue, f"{supervisor.name} has nothing overdue in {project.name}"
    return Truth(private={"overdue_task_ids": sorted(overdue)})


SCENARIO = Scenario(
    name="overdue_tasks",
    split="mini_train",
    difficulty=1,
    apps=("todoist",),
    instruction=(
        'I caught up with my "{project}" project on Todoist. '
        "Please mark every task there that is overdue and still open as completed."
    ),
    variants=(
        Variant("priya", {"project": "House Move"}),
        Variant("maya", {"project": "Tax Return"}),
        Variant("oskar", {"project": "Garden Season"}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("todoist"),
        paged("projects", "todoist.show_projects"),
        """
    project_id = [project["project_id"] for project in projects if project["name"] == $project][0]
    overdue = apis.todoist.show_tasks(
        project_id=project_id, overdue=True, is_completed=False, access_token=todoist_token
    )
    tasks = overdue["no_section_tasks"] + [task for part in overdue["sections"] for task in part["tasks"]]
    for task in tasks:
        apis.todoist.update_task(task_id=task["task_id"], is_completed=True, access_token=todoist_token)
    apis.supervisor.complete_task()
""",
    ),
    evaluation='''
with test("""No answer is given, as none was asked for."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Only tasks on Todoist were changed."""):
    test.case(models.changed_model_names(), "==", {"todoist.Task"})
added, updated, removed = models.changed_records("todoist.Task")
with test("""No task was added or removed."""):
    test.case(len(added) + len(removed), "==", 0)
with test("""Exactly the project's open overdue tasks were changed."""):
    test.case(sorted(task.id for task in updated), "==", list(private_data.overdue_task_ids))
with test("""The changed tasks are completed, and nothing else about them is different."""):
    names = [models.changed_field_names("todoist.Task", task.id) for task in updated]
    test.case(names, "==", [{"is_completed"} for _ in private_data.overdue_task_ids])
''',
    collateral=statements(
        """
    listing = apis.todoist.show_tasks(project_id=project_id, is_completed=False, access_token=todoist_token)
    apis.todoist.update_task(
        task_id=listing["no_section_tasks"][0]["task_id"], is_completed=True, access_token=todoist_token
    )
"""
    ),
)
