"""What a scenario of the mini world is: an instruction, three variants, a solution and an evaluation."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any, Literal

from kate_engine.mini.people import Person

Split = Literal["mini_train", "mini_dev", "mini_test"]
SPLITS: tuple[Split, ...] = ("mini_train", "mini_dev", "mini_test")

SIGN_IN = """
    profile = apis.supervisor.show_profile()
    passwords = {row["account_name"]: row["password"] for row in apis.supervisor.show_account_passwords()}
"""
"""How every solution begins."""


@dataclass(frozen=True)
class Variant:
    """One task of a scenario: who gives it, and the values that its instruction names."""

    supervisor: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Truth:
    """What the evaluation of one task compares with."""

    answer: str | int | float | None = None
    """None where the task asks for a change, not for an answer."""
    private: dict[str, Any] = field(default_factory=dict)
    """What must have changed, by names that the scenario's evaluation uses."""


Prepare = Callable[[Any, Person, dict[str, Any]], Truth]
"""Adds what one task needs to the engine's models and reads the truth from them (not through the APIs)."""


@dataclass(frozen=True)
class Scenario:
    """Three tasks that differ only in names, values and supervisor."""

    name: str
    split: Split
    difficulty: Literal[1, 2, 3]
    apps: tuple[str, ...]
    """The apps that the solution uses, without supervisor."""
    instruction: str
    """With {placeholders} for a variant's values."""
    variants: tuple[Variant, Variant, Variant]
    prepare: Prepare
    solution: str
    """Statements over `apis`, with $placeholders for a variant's values."""
    evaluation: str
    """The body of `evaluate`: `with test(...)` blocks over `models`, `private_data` and `given_answer`."""
    collateral: str
    """Statements that do harm after the solution, which the evaluation must notice."""

    @property
    def id(self) -> str:
        """Seven hexadecimal digits, the same in every build."""
        return hashlib.sha256(f"kate-eval mini world: {self.name}".encode()).hexdigest()[:7]

    def instruction_for(self, variant: Variant) -> str:
        """The instruction as this variant's supervisor says it."""
        return self.instruction.format(**variant.values)

    def solution_for(self, variant: Variant) -> str:
        """The solution's statements with this variant's values in them."""
        return _fill(self.solution, lambda name: json.dumps(variant.values[name]))

    def solution_from_public_data(self) -> str:
        """The solution's statements that read the values from `public_data`."""
        return _fill(self.solution, lambda name: f'public_data["{name}"]')

    def collateral_for(self, variant: Variant) -> str:
        """The harmful statements with this variant's values in them."""
        return _fill(self.collateral, lambda name: json.dumps(variant.values[name]))


def paged(target: str, api: str, arguments: str = "") -> str:
    """Two statements that read all pages of an API into a list.

    Args:
        target: The list's name.
        api: The app and the API, with a dot between them; the app must be logged in to.
        arguments: The call's own arguments, written as in the call.
    """
    app = api.split(".")[0]
    own = f"{arguments}, " if arguments else ""
    return (
        f"    {target} = []\n"
        "    for page_index in range(50):\n"
        f"        page = apis.{api}(\n"
        f"            {own}page_index=page_index, page_limit=20, access_token={app}_token\n"
        "        )\n"
        "        if not page:\n"
        "            break\n"
        f"        {target}.extend(page)\n"
    )


def log_in(app: str) -> str:
    """One statement that logs in to an app and keeps its access token as `<app>_token`."""
    username = "phone_number" if app == "phone" else "email"
    return (
        f'    {app}_token = apis.{app}.login(username=profile["{username}"], password=passwords["{app}"])'
        '["access_token"]\n'
    )


def statements(*parts: str) -> str:
    """Join indented pieces of code into one unindented text without empty lines."""
    lines = [line for part in parts for line in part.splitlines() if line.strip()]
    return dedent("\n".join(lines)) + "\n"


def _fill(text: str, value: Callable[[str], str]) -> str:
    return re.sub(r"\$(\w+)", lambda match: value(match.group(1)), text)
