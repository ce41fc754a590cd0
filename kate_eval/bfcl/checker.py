"""Verdicts: the official checkers, applied to results we decode and execute ourselves.

Source: bfcl-eval 2026.3.23, `eval_checker/eval_runner.py` and `multi_turn_checker.py`. A *result* has
the shape of the official result files: for single-turn entries one response, for multi-turn entries a
list of turns of responses; a response is `[{name: arguments JSON}, ...]` or text.

Departure: where an official checker raises on what a model wrote (and the official run then stops),
the verdict is "wrong", with error type "checker:<exception>".
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kate_eval.bfcl import engine
from kate_eval.bfcl.categories import Mode, has_gold, language_of
from kate_eval.bfcl.data import Entry
from kate_eval.bfcl.decode import DecodeError, decode_fc, decode_prompt, executable_calls
from kate_eval.bfcl.environment import Environment, deadline
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.episode import Call

CHECK_SECONDS = 10.0


@dataclass(frozen=True)
class Verdict:
    """Whether a result is correct, and if not, the official error type and message."""

    correct: bool
    error_type: str = ""
    message: str = ""


CORRECT = Verdict(True)


def check(entry: Entry, result: Any, mode: Mode) -> Verdict:
    """The verdict on an entry's result.

    Args:
        entry: the benchmark entry.
        result: in the shape of the official result files (see the module's docstring).
        mode: "fc" or "prompt", the format of the responses.

    Raises:
        DatasetError: the benchmark's package or data is at fault; never for what a model wrote.
    """
    if entry.multi_turn:
        return _check_multi_turn(entry, result, mode)
    if not has_gold(entry.category):
        return _check_relevance(entry, result, mode)
    return _check_single_turn(entry, result, mode)


def _ask(checker: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """An official checker's finding; what it raises on a model's answer is a finding too.

    Only checkers are asked here: a fault of ours or of the data must not look like a wrong answer.
    """
    try:
        with deadline(CHECK_SECONDS):
            return checker(*arguments)
    except Exception as ex:  # they index and compare what a model wrote without care
        return {"valid": False, "error_type": f"checker:{type(ex).__name__}", "error": str(ex)[:200]}


def decode_answer(response: Any, category: str, mode: Mode) -> list[dict[str, Any]]:
    """The calls of a single-turn answer, in the language of its category.

    Raises:
        DecodeError: it is no list of calls.
    """
    return decode_fc(response) if mode == "fc" else decode_prompt(response, language_of(category))


def _check_relevance(entry: Entry, response: Any, mode: Mode) -> Verdict:
    # The official runner decodes Python here for every category.
    try:
        decoded = decode_fc(response) if mode == "fc" else decode_prompt(response, "python")
        called = not engine.official().is_empty_output(decoded)
    except DecodeError:
        called = False
    if called == ("irrelevance" not in entry.category):
        return CORRECT
    if called:
        return Verdict(False, "irrelevance_error:decoder_success", "called a function where none applies")
    return Verdict(False, "relevance_error:decoder_failed", "called no function where one applies")


def _check_single_turn(entry: Entry, response: Any, mode: Mode) -> Verdict:
    try:
        decoded = decode_answer(response, entry.category, mode)
    except DecodeError as ex:
        return Verdict(False, "ast_decoder:decoder_failed", str(ex))
    if not engine.official().is_call_format(decoded):
        return Verdict(False, "ast_decoder:decoder_wrong_output_format", "not a list of calls")
    found = _ask(engine.check_ast, entry.functions, decoded, entry.gold, entry.category, mode)
    if found["valid"]:
        return CORRECT
    return Verdict(False, found["error_type"], str(found["error"])[:500])


def meets(entry: Entry, call: Call, answer: Any, mode: Mode) -> bool:
    """Whether the official checker accepts one call of a single-turn entry for one of its possible answers.

    Args:
        entry: the benchmark entry.
        call: under the name that the model was offered.
        answer: an item of the entry's gold.
        mode: "fc" or "prompt".
    """
    asked = list(entry.functions), [{call.name: call.arguments}], [answer], entry.category, mode
    return bool(_ask(engine.check_ast, *asked)["valid"])


def decode_step(response: Any, mode: Mode) -> list[Call]:
    """The calls of one multi-turn step; none for text and for anything that does not decode."""
    try:
        if mode == "prompt":
            return executable_calls(decode_prompt(response, "python"))
        return [Call(name, arguments) for item in decode_fc(response) for name, arguments in item.items()]
    except DecodeError:
        return []


def _check_multi_turn(entry: Entry, result: Sequence[Sequence[Any]], mode: Mode) -> Verdict:
    if len(result) != len(entry.gold):
        return Verdict(
            False, "multi_turn:force_terminated", f"{len(result)} turns played, gold has {len(entry.gold)}"
        )
    found = first_fault(entry, result, mode)
    return found[1] if found else CORRECT


def first_fault(
    entry: Entry, result: Sequence[Sequence[Any]], mode: Mode, seconds: float = math.inf
) -> tuple[int, Verdict] | None:
    """The first turn of a multi-turn result that the official checkers reject, with their verdict.

    Args:
        entry: the benchmark entry.
        result: the turns that were played; there may be fewer than gold has.
        mode: "fc" or "prompt", the format of the responses.
        seconds: for all of it; a single call has a bound of its own.

    Raises:
        TimeoutError: it takes longer.
    """
    model, gold = Environment(entry), Environment(entry)
    ends = time.monotonic() + seconds
    so_far: list[str] = []
    for index, (steps, gold_calls) in enumerate(zip(result, multi_turn_gold(entry), strict=False)):
        calls = [call for step in steps for call in decode_step(step, mode)]
        for call in calls:
            so_far.append(model.execute(call))
            if time.monotonic() > ends:
                raise TimeoutError(f"{len(so_far)} calls took longer than {seconds:g} seconds")
        gold_results = [gold.execute(call) for call in gold_calls]
        if not gold_calls:
            continue
        verdict = check_turn(index, model, gold, calls, so_far, gold_results)
        if not verdict.correct:
            return index, verdict
    return None


def check_turn(
    index: int,
    model: Environment,
    gold: Environment,
    calls: Sequence[Call],
    so_far: Sequence[str],
    gold_results: Sequence[str],
) -> Verdict:
    """The official checkers' verdict on a turn that has gold calls, after both sides have made theirs.

    Args:
        index: of the turn, for messages.
        model: the environment that the model's calls have changed.
        gold: the one that the gold calls have.
        calls: the model's, of this turn.
        so_far: results of all the model's calls, earlier turns' included.
        gold_results: results of this turn's gold calls.
    """
    if not calls:
        return Verdict(False, "multi_turn:empty_turn_model_response", f"no calls in turn {index}")
    found = _ask(engine.official().state_checker, model.instances, gold.instances)
    if found["valid"]:
        found = _ask(engine.official().response_checker, list(so_far), list(gold_results), index)
    if found["valid"]:
        return CORRECT
    return Verdict(False, found["error_type"], f"turn {index}: {_message(found)}")


def _message(found: dict[str, Any]) -> str:
    """A finding in words. Whole states are not rendered: a model can make them exponentially large."""
    details = found.get("details", {})
    differing = ", ".join(details.get("differences", {}))
    missing = "; ".join(str(item)[:100] for item in details.get("missing_items", [])[:3])
    message = str(found.get("error_message") or found.get("error") or "")
    evidence = f" differs in: {differing}" if differing else f" missing: {missing}" if missing else ""
    return f"{message}{evidence}"[:500]
