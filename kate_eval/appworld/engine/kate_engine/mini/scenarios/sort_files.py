"""Train, medium, a change: move the files of one kind out of the downloads folder."""

from typing import Any

from kate_engine.mini.people import Person
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    home = f"/home/{supervisor.first_name.lower()}/"
    folder = f"{home}downloads/"
    target = values["folder"].replace("~/", home)
    files = [
        file
        for file in models.file_system.File.find_all(user_id=supervisor.id)
        if file.path.startswith(folder) and file.path.endswith(values["extension"])
    ]
    assert len(files) > 1, f"{supervisor.name} has too few such files"
    moved = [[file.path.replace(folder, target), file.content] for file in files]
    kept = [[file.path, file.content] for file in files]
    return Truth(private={"moved": sorted(moved), "gone": sorted(kept), "folder": target})


SCENARIO = Scenario(
    name="sort_files",
    split="mini_train",
    difficulty=2,
    apps=("file_system",),
    instruction=(
        "My downloads are a mess. Move all {extension} files from ~/downloads/ to the folder {folder}, "
        "which does not exist yet, and keep their names."
    ),
    variants=(
        Variant("maya", {"extension": ".csv", "folder": "~/tables/"}),
        Variant("oskar", {"extension": ".pdf", "folder": "~/papers/"}),
        Variant("priya", {"extension": ".png", "folder": "~/pictures/"}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("file_system"),
        """
    paths = apis.file_system.show_directory(
        directory_path="~/downloads/", entry_type="files", access_token=file_system_token
    )
    matching = [path for path in paths if path.endswith($extension)]
    apis.file_system.create_directory(directory_path=$folder, access_token=file_system_token)
    for path in matching:
        apis.file_system.move_file(
            source_file_path=path,
            destination_file_path=$folder + path.split("/")[-1],
            access_token=file_system_token,
        )
    apis.supervisor.complete_task()
""",
    ),
    evaluation='''
with test("""No answer is given, as none was asked for."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Only files and directories were changed."""):
    test.case(models.changed_model_names(), "==", {"file_system.File", "file_system.Directory"})
added, updated, removed = models.changed_records("file_system.File")
with test("""Exactly the files of the wanted kind left the downloads folder."""):
    test.case(rows(removed, "path", "content"), "==", [list(row) for row in private_data.gone])
with test("""They are in the wanted folder under their old names, unchanged, and no other file is new."""):
    test.case(rows(added, "path", "content"), "==", [list(row) for row in private_data.moved])
with test("""The contents of no other file are different."""):
    test.case(len(updated), "==", 0)
added, updated, removed = models.changed_records("file_system.Directory")
with test("""The wanted folder is the only new one, and none is gone."""):
    test.case([folder.path for folder in added], "==", [private_data.folder])
    test.case(len(removed), "==", 0)
''',
    collateral=statements(
        """
    others = [path for path in paths if path not in matching]
    apis.file_system.delete_file(file_path=others[0], access_token=file_system_token)
"""
    ),
)
