"""Test, medium, a change: write the titles of a project's urgent open tasks into a new file."""

from typing import Any

from kate_engine.mini.people import Person
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    project = models.todoist.Project.find_one(user_id=supervisor.id, name=values["project"])
    tasks = models.todoist.Task.find_all(project_id=project.id, is_completed=False)
    titles = sorted(task.title for task in tasks if task.priority == values["priority"])
    assert len(titles) > 1, f"{supervisor.name} has too few such tasks in {project.name}"
    path = values["file"].replace("~/", f"/home/{supervisor.first_name.lower()}/")
    return Truth(private={"path": path, "lines": titles})


SCENARIO = Scenario(
    name="todo_file",
    split="mini_test",
    difficulty=2,
    apps=("file_system", "todoist"),
    instruction=(
        'Write the titles of the open {priority}-priority tasks of my Todoist project "{project}" into a new '
        "file {file}, one title a line, in alphabetical order and with nothing else in it."
    ),
    variants=(
        Variant("priya", {"priority": "high", "project": "Film Club", "file": "~/documents/film_club.txt"}),
        Variant("oskar", {"priority": "medium", "project": "House Move", "file": "~/documents/move.txt"}),
        Variant("maya", {"priority": "low", "project": "Language Course", "file": "~/documents/course.txt"}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("todoist"),
        paged("projects", "todoist.show_projects"),
        """
    project_id = [project["project_id"] for project in projects if project["name"] == $project][0]
    listing = apis.todoist.show_tasks(
        project_id=project_id, priority=$priority, is_completed=False, access_token=todoist_token
    )
    tasks = listing["no_section_tasks"] + [task for part in listing["sections"] for task in part["tasks"]]
    titles = sorted(task["title"] for task in tasks)
""",
        log_in("file_system"),
        """
    apis.file_system.create_file(
        file_path=$file, content="\\n".join(titles), access_token=file_system_token
    )
    apis.supervisor.complete_task()
""",
    ),
    evaluation='''
with test("""No answer is given, as none was asked for."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Nothing but files was changed (and the dates of the directories that hold them)."""):
    changed = models.changed_model_names(ignore=["file_system.Directory"])
    test.case(changed, "==", {"file_system.File"})
added, updated, removed = models.changed_records("file_system.File")
with test("""The wanted file is the only new one, and no other file is different."""):
    test.case([file.path for file in added], "==", [private_data.path])
    test.case(len(updated) + len(removed), "==", 0)
with test("""It holds exactly the titles of the open tasks with the wanted priority, in order."""):
    test.case([file.content.strip().splitlines() for file in added], "==", [list(private_data.lines)])
directories, _, gone = models.changed_records("file_system.Directory")
with test("""No directory was added or removed."""):
    test.case(len(directories) + len(gone), "==", 0)
''',
    collateral=statements(
        """
    apis.todoist.update_task(task_id=tasks[0]["task_id"], is_completed=True, access_token=todoist_token)
"""
    ),
)
