"""Why a single-turn BFCL sample failed: the first gold call that no call of the answer meets.

Each call is put before the official checker alone, and each argument with the others as in the gold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kate_eval.bfcl.categories import has_gold
from kate_eval.bfcl.checker import check, decode_answer, meets
from kate_eval.bfcl.data import Entry
from kate_eval.bfcl.decode import DecodeError
from kate_eval.bfcl.gold import single_turn_gold
from kate_eval.episode import Call
from kate_eval.failures.alignment import differing, mixed, unlike
from kate_eval.failures.cause import Cause, compared, listed, shown
from kate_eval.failures.shape import MAX_CALLS, Played
from kate_eval.failures.written import looks_like_calls


def single_turn_cause(entry: Entry, played: Played) -> Cause:
    """The cause of a failed single-turn sample."""
    verdict = check(entry, played.result, played.mode)
    if verdict.correct:
        return Cause("unreadable", None, None, "the log says it failed; the checkers accept what it holds")
    if verdict.error_type.startswith("irrelevance_error"):
        return Cause("irrelevant_call", 0, 0, f"called {_names(entry, played)}; no function applies")
    calls = _calls(entry, played)
    if calls is None and looks_like_calls(played.result, played.mode):
        return Cause("parse", 0, 0, f"{verdict.message}: {str(played.result)[:120]}")
    if not calls:
        return Cause("no_call", 0, 0, f"answered without a call: {str(played.result)[:120]}")
    if not has_gold(entry.category):
        return Cause("unexplained", 0, 0, verdict.message)
    if len(calls) > MAX_CALLS:
        return Cause("unexplained", 0, 0, f"{len(calls)} calls were made; {verdict.message}")
    return _Answer(entry, played, tuple(calls)).cause() or Cause("unexplained", 0, 0, verdict.message)


def _calls(entry: Entry, played: Played) -> list[Call] | None:
    """The calls of the answer; None if it does not decode."""
    try:
        decoded = decode_answer(played.result, entry.category, played.mode)
    except DecodeError:
        return None
    pairs = [(name, arguments) for item in decoded for name, arguments in item.items()]
    return [Call(name, arguments) for name, arguments in pairs if isinstance(arguments, dict)]


def _names(entry: Entry, played: Played) -> str:
    return listed(call.name for call in _calls(entry, played) or ())


@dataclass(frozen=True)
class _Answer:
    """An answer with calls, none of which need be right."""

    entry: Entry
    played: Played
    calls: tuple[Call, ...]

    def cause(self) -> Cause | None:
        """The first gold call without a counterpart, or the call too many; None if there is neither."""
        left = list(self.calls)
        unmet: list[int] = []
        for at, answer in enumerate(self.entry.gold):
            met = next((c for c in left if meets(self.entry, c, answer, self.played.mode)), None)
            if met is None:
                unmet.append(at)
            else:
                left.remove(met)
        if unmet:
            return self._unmet(unmet, left)
        return Cause("extra_call", 0, 0, f"{shown(left[0])} is a call too many") if left else None

    def _unmet(self, unmet: Sequence[int], left: Sequence[Call]) -> Cause:
        gold = [self._offered(call) for call in single_turn_gold(self.entry)]
        for at in unmet:
            alike = [call for call in left if call.name == gold[at].name]
            if alike:
                return self._argument(at, gold[at], min(alike, key=lambda call: unlike(gold[at], call)))
        missing = gold[unmet[0]]
        if left:
            return Cause("wrong_tool", 0, 0, f"{shown(left[0])} in place of {shown(missing)}")
        return Cause("missing_call", 0, 0, f"{shown(missing)} was left out")

    def _offered(self, call: Call) -> Call:
        """The call under the name that the model was offered."""
        name = call.name.replace(".", "_") if self.played.mode == "fc" else call.name
        return Call(name, call.arguments)

    def _argument(self, at: int, gold: Call, made: Call) -> Cause:
        names = differing(gold, made)
        if not names:
            return Cause(
                "unexplained", 0, 0, f"{shown(made)} is the gold's own call, which the checker rejects"
            )
        answer = self.entry.gold[at]
        bad = [n for n in names if not meets(self.entry, mixed(gold, made, n), answer, self.played.mode)]
        return Cause("wrong_argument", 0, 0, compared(gold, made, bad or names))
