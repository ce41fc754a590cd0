"""What the grid tests share: small grids in files, and the command."""

from pathlib import Path

from click.testing import CliRunner, Result

from kate_eval.cli import main

ONE = 'bfcl("FC", "baseline")'
TWO = f'{ONE}, bfcl("majority 4", "width", width=4, aggregate="majority")'


def grid_file(folder: Path, cells: str = TWO, name: str = "mine") -> Path:
    """A grid file with these cells."""
    file = folder / f"{name}.py"
    names = "from kate_eval.grid.cell import Grid, appworld, bfcl"
    file.write_text(f"{names}\n\nGRID = Grid(title='Mine', cells=({cells},))\n", encoding="utf-8")
    return file


def kate_grid(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["grid", *map(str, arguments)])


def rows(output: str) -> dict[str, list[str]]:
    """First column of a printed table -> the other columns; Inspect's own tables have two."""
    lines = [
        [part.strip() for part in line.strip("│").split("│")] for line in output.splitlines() if "│" in line
    ]
    return {line[0]: line[1:] for line in lines if len(line) > 2}
