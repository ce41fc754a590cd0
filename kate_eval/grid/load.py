"""Reading a grid file: a Python file of the user's that sets GRID, or the name of one that comes with us."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from kate_eval.errors import ConfigurationError, KateError, one_line
from kate_eval.grid.cell import Grid, require_distinct

PACKAGE = "kate_eval.grids"


def load_grid(file: str) -> tuple[str, Grid]:
    """The grid of a file, and its name.

    Args:
        file: path of the file; or, where there is none, the name of a grid of ours.

    Raises:
        ConfigurationError: no such file, it fails, holds no grid, or two of its cells are the same.
    """
    path = _find(file)
    grid = getattr(_run(path), "GRID", None)
    if not isinstance(grid, Grid):
        raise ConfigurationError(
            f"{path} is no grid: it must set GRID = Grid(title=..., cells=(...)), as "
            f"grids/paper_table_knowledge.py does"
        )
    require_distinct(grid)
    return path.stem, grid


def known_grids() -> dict[str, Path]:
    """Name -> file of the grids that come with us."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    files = sorted(file for folder in folders for file in folder.glob("*.py"))
    return {file.stem: file for file in files if file.stem != "__init__"}


def _find(file: str) -> Path:
    path = Path(file)
    if path.is_file():
        return path
    known = known_grids()
    if path.stem in known and str(path) in (path.stem, f"{path.stem}.py", f"grids/{path.stem}.py"):
        return known[path.stem]
    raise ConfigurationError(f"No grid file {file}; ours are: {', '.join(known)}. Or pass a file of your own")


def _run(path: Path) -> ModuleType:
    """The file, run: it is the user's own code, as a task file is."""
    name = f"kate_eval_grid_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KateError:
        raise
    except Exception as ex:  # it is anybody's code
        raise ConfigurationError(f"{path} can't be read: {type(ex).__name__}: {one_line(ex)}") from ex
    finally:
        del sys.modules[name]
    return module
