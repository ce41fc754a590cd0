"""The whole report as data: what report.json holds and what every format is written from.

Numbers are as they were computed, neither rounded nor formatted; text is raw, so each format escapes for
itself. Shares are fractions in [0, 1], which formats show in percent. What is not known is null, never zero
or nan. `VERSION` counts changes that a reader of older files would stumble over; fields may be added without.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

VERSION = 1
"""Of the schema of report.json."""

Kind = Literal["measured", "simulated", "floor", "published"]
"""What a row's numbers are: of a model that answered, of the simulated endpoint (or with its help), of a
solver that asks no model, of a publication. A table or plot holds one kind, or measured rows with floors."""

Unit = Literal["share", "count", "mean", "tokens", "seconds", "dollars", "text"]
"""share: in [0, 1]. count: a whole number. mean: per sample. text: a string."""

Group = Literal["score", "category", "epochs", "rate", "cost", "error", "cause", "part", "provenance"]
"""What a column tells: the scores of a leaderboard; further scores; pass@k and pass^k; shares of steps and
turns; requests, tokens, seconds, dollars; samples by kind of error; failed samples by cause; a part of a run
beside its baseline; what the run depended on."""

PlotName = Literal["width", "tokens", "forms", "categories", "learning", "failures", "training"]
"""width: score over candidates a step. tokens: score over tokens a sample. forms: score by form of knowledge.
categories: score by category. learning: score so far over the order of an online run. failures: failed
samples by cause. training: a trainer's series over its steps."""


class Model(BaseModel):
    """A frozen part of the report; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Cell(Model):
    """An estimate: mean, 95% interval, and the number of samples (or scenarios) that it is of."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


Value = Cell | float | int | str | None
"""What a cell may hold: an estimate, a plain number, a text, or nothing known."""


class Column(Model):
    """A column of a table."""

    key: str
    """Under which rows keep its value; unique in the table."""
    label: str
    unit: Unit
    group: Group
    help: str = ""
    """One sentence on what it is."""
    digits: int = 1
    """Decimals to show; of a share, those of its percentage."""
    better: Literal["higher", "lower"] | None = None


class Flag(Model):
    """Why a row is not like for like. docs/report.md lists the codes."""

    code: str
    text: str


class Paired(Model):
    """The difference to a baseline on the entries that both have, in shares."""

    baseline: str
    """Id of the row that it is compared with; it may stand in another table of the same board."""
    difference: float
    low: float | None
    high: float | None
    p: float | None
    """Two-sided; null where no two entries differ in their difference."""
    p_holm: float | None
    """The same, corrected by Holm for all comparisons of the table."""
    detectable: float | None
    """The smallest true difference that a sample like this one shows with 80% power at the 5% level."""
    n: int
    """Entries that both have."""


class Log(Model):
    """A log that a row comes from."""

    name: str
    """The file's name."""
    folder: str
    """The folder that the report was asked for, as it was given."""
    path: str
    """Below that folder, with "/"; `inspect view --log-dir FOLDER` knows the log by it."""
    created: str


class Counts(Model):
    """How many samples (times epochs) a row was to have and what became of them."""

    expected: int
    scored: int
    errors: dict[str, int]
    """Kind (infrastructure, parse, capability) -> samples. Infrastructure: not scored; of a run that has
    ended, missing ones too. The others are failed samples, and there only if causes were looked up."""


class Row(Model):
    """One line: a run, a part of one, or a published number."""

    id: str
    """Unique in its table, and the same for the same run in all tables (with "/PART" for a part of it)."""
    model: str
    solver: str
    label: str
    """Model, solver and settings in one line."""
    name: str = ""
    """The label of its cell in a grid file; "" for what no grid ran, and for parts of several cells."""
    settings: dict[str, str] = {}
    """What differs from the solver's and the task's defaults."""
    kind: Kind
    part: str | None = None
    """The part of the run, for instance "near < 0.9"; null for the whole."""
    flags: tuple[Flag, ...] = ()
    cells: dict[str, Value] = {}
    """Column's key -> value; a column without one is not known here."""
    paired: Paired | None = None
    logs: tuple[Log, ...] = ()
    counts: Counts | None = None

    @property
    def title(self) -> str:
        """As a reader names it, in one line: model and name, or without a name its label."""
        return f"{self.model} {self.name}" if self.name else self.label


class Table(Model):
    """Rows of one board and kind, with their columns."""

    id: str
    """Unique, of letters, digits and hyphens: fit for a file's name or an anchor."""
    title: str
    board: str
    """What is comparable: the benchmark, for AppWorld with its split. Tables of one board belong together."""
    benchmark: str
    role: Literal["leaderboard", "overview", "strata", "learning", "published"]
    kind: Kind
    note: str = ""
    """What a reader must know to read it: paragraphs, a line each."""
    headline: str = ""
    """Key of the column that ranks and compares."""
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()


class Axis(Model):
    """An axis of a plot."""

    label: str
    unit: Unit
    values: tuple[str, ...] = ()
    """The values of an axis of names, in order; empty for numbers."""
    log: bool = False
    """Whether a logarithmic scale shows it best."""


class Point(Model):
    """A point with its 95% interval."""

    x: float | str
    y: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    row: str | None = None
    """Id of the leaderboard's row that it comes from."""
    label: str = ""
    front: bool = False
    """Whether no other point of the plot has as much y for less x, or more y for as much (Pareto)."""


class Series(Model):
    """Points that belong together."""

    name: str
    points: tuple[Point, ...]


class Plot(Model):
    """The data of one plot, of one board and kind."""

    id: str
    """Unique, of letters, digits and hyphens."""
    name: PlotName
    title: str
    board: str
    kind: Kind
    mark: Literal["line", "point", "bar"]
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    note: str = ""


class Document(Model):
    """The report.

    Attributes:
        version: of this schema.
        generated: when, ISO 8601 with time zone.
        tool_versions: package -> version.
        folders: the folders that were read, as they were given.
        baseline: the solver or row that the others are compared with.
        notes: what concerns the whole report, such as logs that were left out.
        tables: in the order to show.
        plots: in the order to show.
    """

    version: int = VERSION
    generated: str
    tool_versions: dict[str, str]
    folders: tuple[str, ...] = ()
    baseline: str = ""
    notes: tuple[Flag, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()

    def to_json(self) -> str:
        """The text of report.json."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Document":
        """Read it back.

        Raises:
            pydantic.ValidationError: it is no report of this version.
        """
        return cls.model_validate_json(text)
