"""Simple Note, Todoist and the file system: what each supervisor wrote down, planned and keeps."""

import random
from typing import Any

from kate_engine.mini.clock import days_ago
from kate_engine.mini.people import PEOPLE, SUPERVISORS, Person

_NOTES = (
    ("Books to borrow", "- a novel about lighthouses\n- the atlas of rivers", ["reading"]),
    ("Bread recipe", "500 g flour, 330 ml water, 10 g salt.\nRest for twelve hours.", ["cooking"]),
    ("Garden plan", "Beans by the wall, tomatoes in the pots.", ["home"]),
    ("Gym routine", "- rowing\n- squats\n- stretching", ["health"]),
    ("Gift ideas", "- a teapot\n- concert tickets", ["family"]),
    ("Packing list", "- charger\n- rain jacket\n- passport", ["travel"]),
)
PROJECTS = ("House Move", "Bike Repair", "Language Course", "Garden Season", "Tax Return", "Film Club")
_TASKS = (
    "Sort the drawers",
    "Call the office",
    "Order spare parts",
    "Read chapter four",
    "Print the forms",
    "Book a van",
    "Water the seedlings",
    "Ask for a receipt",
    "Choose a film",
    "Learn twenty words",
)
FOLDERS = {
    "downloads": ("pdf", "csv", "png", "txt"),
    "documents": ("txt", "pdf"),
    "photos": ("png",),
}
_FILE_NAMES = ("lease", "budget", "route", "menu", "letter", "scan", "roster", "survey")


def add_paperwork(models: Any) -> None:
    """Fill the three apps for every supervisor; the other people's accounts stay empty."""
    rng = random.Random("mini-paperwork")
    for key in SUPERVISORS:
        _add_notes(models.simple_note, PEOPLE[key])
        _add_projects(models.todoist, PEOPLE[key], rng)
        _add_files(models.file_system, PEOPLE[key], rng)


def _add_notes(simple_note: Any, owner: Person) -> None:
    for number, (title, content, tags) in enumerate(_NOTES):
        moment = days_ago(80 - 7 * number)
        simple_note.Note.create_save(
            user_id=owner.id, title=title, content=content, tags=tags, created_at=moment, updated_at=moment
        )


def _add_projects(todoist: Any, owner: Person, rng: random.Random) -> None:
    for number, name in enumerate(("Inbox", *PROJECTS)):
        project = todoist.Project.create_save(
            user_id=owner.id, name=name, is_inbox=name == "Inbox", created_at=days_ago(150 - number)
        )
        todoist.ProjectCollaboratorLink.create_save(
            project_id=project.id, user_id=owner.id, created_at=days_ago(150 - number)
        )
        for order, title in enumerate(rng.sample(_TASKS, 9) if name != "Inbox" else _TASKS[:2]):
            # Never today: whether that is overdue would be a matter of the hour.
            due = rng.choice([day for day in range(-14, 15) if day])
            todoist.Task.create_save(
                project_id=project.id,
                user_id=owner.id,
                title=title,
                due_date=days_ago(due, hour=0),
                priority=("high", "medium", "low")[order % 3],
                is_completed=rng.random() < 0.25,
                order_index=order,
                created_at=days_ago(40 - order),
            )


def _add_files(file_system: Any, owner: Person, rng: random.Random) -> None:
    home = f"/home/{owner.first_name.lower()}/"
    for path in ("/", "/home/", home, *(f"{home}{folder}/" for folder in FOLDERS)):
        _add_directory(file_system, owner, path)
    for folder, extensions in FOLDERS.items():
        for extension in extensions:
            for name in rng.sample(_FILE_NAMES, 4):
                moment = days_ago(rng.randrange(10, 130))
                file_system.File.create_save(
                    path=f"{home}{folder}/{name}.{extension}",
                    user_id=owner.id,
                    content=f"{name} of {owner.name}, kept in {folder}.",
                    created_at=moment,
                    updated_at=moment,
                )


def _add_directory(file_system: Any, owner: Person, path: str) -> None:
    """One directory, made long ago."""
    moment = days_ago(500)
    file_system.Directory.create_save(path=path, user_id=owner.id, created_at=moment, updated_at=moment)
