"""Names in the official result layout: files, folders and ids, of V4 and of V3.

Source: bfcl-eval 2026.3.23, `utils.py`, `base_handler.write` (V4: MODEL/GROUP/BFCL_v4_CATEGORY_result.json);
V3's files lay side by side in MODEL/, and its simple categories were called simple, java and javascript.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kate_eval.bfcl.categories import CATEGORIES, group_of
from kate_eval.errors import ConfigurationError

_V3_NAMES = {"simple": "simple_python", "java": "simple_java", "javascript": "simple_javascript"}
_FILE = re.compile(r"BFCL_v\d+_([a-z]\w*?)(_result|_score)?\.json")


@dataclass(frozen=True)
class ResultFile:
    """A result file and the category it is of (V4's name)."""

    path: Path
    category: str


def result_file(category: str) -> Path:
    """The path of a category's file below a model's folder, in V4's layout."""
    return Path(group_of(category)) / f"BFCL_v4_{category}_result.json"


def category_named(name: str) -> str | None:
    """The category of a result file's name, under V4's name; None for any other file."""
    found = _FILE.fullmatch(name)
    if found is None or found[2] == "_score":
        return None
    return _V3_NAMES.get(found[1], found[1])


def current_id(entry_id: str) -> str:
    """An entry's id under V4's name of its category: "java_3" is "simple_java_3"."""
    category, underscore, index = entry_id.rpartition("_")
    return f"{_V3_NAMES.get(category, category)}{underscore}{index}"


def result_files(path: Path) -> tuple[list[ResultFile], list[Path]]:
    """The result files of one model, in official order, and those of categories that are not BFCL-V3's.

    Args:
        path: a model's folder, or one file.

    Raises:
        ConfigurationError: there are none, or several of one category.
    """
    if not path.exists():
        raise ConfigurationError(f"No such folder or file: {path}")
    paths = [path] if path.is_file() else sorted(path.rglob("*.json"))
    named = [(file, category_named(file.name)) for file in paths if file.is_file()]
    ours = [ResultFile(file, category) for file, category in named if category in CATEGORIES]
    if not ours:
        raise ConfigurationError(
            f"No result files of BFCL-V3 in {path}; they are called BFCL_v4_CATEGORY_result.json "
            "(or BFCL_v3_...), for instance BFCL_v4_multi_turn_base_result.json"
        )
    _require_one_each(path, ours)
    ours.sort(key=lambda file: CATEGORIES.index(file.category))
    return ours, [file for file, category in named if category and category not in CATEGORIES]


def unnamed_files(path: Path) -> list[Path]:
    """Files of a model's folder that are called result files, but for no category."""
    found = sorted(path.rglob("*_result.json")) if path.is_dir() else []
    return [file for file in found if category_named(file.name) is None]


def _require_one_each(path: Path, files: Sequence[ResultFile]) -> None:
    for category in CATEGORIES:
        same = [str(file.path.relative_to(path)) for file in files if file.category == category]
        if len(same) > 1:
            raise ConfigurationError(
                f"{path} has {len(same)} files of {category} ({', '.join(same[:3])}). "
                "Name the folder of one model"
            )
