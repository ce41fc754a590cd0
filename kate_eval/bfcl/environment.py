"""Executable environments: our own instances per sample and attempt, and dispatch without eval().

Source: bfcl-eval 2026.3.23, `multi_turn_eval/multi_turn_utils.py`. It keeps instances in module
globals for ever and runs `eval(call_string)`; here a call is looked up among the public methods of
the entry's classes and applied to parsed arguments. Departures (docs/departures.md gives reasons):

- names that are not methods give a NameError text, also where eval() would find a builtin;
- arguments are never rewritten (the official regular expression also changes text inside strings);
- mutable default arguments are fresh in each call;
- calls that could take unbounded time or memory are refused (`_refuse`).
"""

import copy
import inspect
import json
import keyword
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import MethodType
from typing import Any

from kate_eval.bfcl import engine
from kate_eval.bfcl.data import Entry
from kate_eval.episode import Call

MAX_DEPTH = 64
MAX_TEXT = 2_000_000
MAX_PRECISION = 10_000
MAX_DIGITS = 4300
"""CPython's own limit for writing an integer in decimal."""
CALL_SECONDS = 5.0


class Environment:
    """The executable classes of one entry, in one state."""

    def __init__(self, entry: Entry) -> None:
        self.instances: dict[str, Any] = {
            name: engine.new_instance(name, entry.initial_config, entry.long_context)
            for name in entry.classes
        }
        self._methods: dict[str, MethodType] = {}
        for instance in self.instances.values():
            for name, method in inspect.getmembers(instance, inspect.ismethod):
                if not name.startswith("_"):
                    self._methods[name] = method

    def execute(self, call: Call) -> str:
        """Run one call and return its result as the text the model sees. Never raises."""
        try:
            with deadline(CALL_SECONDS):
                return _as_text(self._apply(call))
        except Exception as ex:  # whatever the benchmark's methods raise is an answer to the model
            return f"Error during execution: {ex}"

    def _apply(self, call: Call) -> Any:
        method = self._methods.get(call.name)
        if method is None:
            raise NameError(f"name '{call.name.split('.')[0]}' is not defined")
        arguments: dict[str, Any] = {}
        for name, value in call.arguments.items():
            if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
                raise SyntaxError(f"invalid argument name {str(name)[:80]!r}")
            arguments[name] = self._apply(value) if isinstance(value, Call) else value
        _refuse(call.name, arguments)
        for name, value in call.arguments.items():
            # The call stays as it was: TwitterAPI keeps a list it is given, and adds to it later.
            if isinstance(value, list | dict):
                arguments[name] = copy.deepcopy(value)
        for name, default in _mutable_defaults(method.__func__).items():
            arguments.setdefault(name, copy.deepcopy(default))
        return method(**arguments)


def _as_text(result: Any) -> str:
    if isinstance(result, str):
        return result
    if isinstance(result, dict):
        try:
            return json.dumps(result)
        except (TypeError, ValueError):
            return str(result)
    return str(result)


@cache
def _mutable_defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if isinstance(p.default, list | dict | set)}


def _check_value(value: Any, depth: int = 0) -> int:
    """Check one argument; returns its size in characters."""
    if depth > MAX_DEPTH:
        raise ValueError(f"arguments are nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise NameError(f"name '{abs(value)!r}' is not defined")  # what eval() of its repr says
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(
            _check_value(key, depth + 1) + _check_value(item, depth + 1) for key, item in value.items()
        )
    if isinstance(value, Sequence):
        return sum(_check_value(item, depth + 1) for item in value)
    return 1


def _refuse(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that would take unbounded time or memory inside one C-level operation."""
    if _check_value(arguments) > MAX_TEXT:
        raise ValueError(f"arguments are longer than {MAX_TEXT} characters")
    for parameter in ("precision", "decimal_places"):
        value = arguments.get(parameter)
        if isinstance(value, int | float) and abs(value) > MAX_PRECISION:
            raise ValueError(f"{parameter} must be between -{MAX_PRECISION} and {MAX_PRECISION}")
    if name == "power":
        base, exponent = arguments.get("base"), arguments.get("exponent")
        if (
            isinstance(base, int)
            and isinstance(exponent, int)
            and base.bit_length() * exponent > 4 * MAX_DIGITS
        ):
            raise ValueError(f"Exceeds the limit ({MAX_DIGITS} digits) for integer string conversion")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block when it runs longer (POSIX, main thread; elsewhere: no bound).

    Inspect runs its event loop, and so every call, in the main thread.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def expire(*_: object) -> None:
        raise TimeoutError(f"took longer than {seconds:g} seconds")

    handler = signal.signal(signal.SIGALRM, expire)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
        if outer:  # somebody else's alarm (a test runner's timeout) goes on, a little late
            signal.setitimer(signal.ITIMER_REAL, outer)
