"""Samples share nothing: two epochs, or 200 samples at once, score as one after another.

The official harness keeps its instances in module globals for ever, and several of its classes share
mutable data; each test sets one of these traps.
"""

import copy
from collections.abc import Callable, Iterator, Sequence

from inspect_ai.model import ChatMessage

from kate_eval.bfcl.categories import MULTI_TURN
from kate_eval.bfcl.checker import check
from kate_eval.bfcl.data import Entry, load, load_category, load_entry
from kate_eval.bfcl.environment import Environment
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.episode import Call
from tests.conftest import now

Score = tuple[str, bool, list[str]]
"""Entry id, verdict, and every text that the model was shown."""


def plan_of(entry: Entry) -> list[list[Call]]:
    return multi_turn_gold(entry)


def damaged(entry: Entry) -> list[list[Call]]:
    """Gold without its last call."""
    turns = copy.deepcopy(plan_of(entry))
    last = max(turn for turn, calls in enumerate(turns) if calls)
    turns[last].pop()
    return turns


def played(entry: Entry, plan: Callable[[Entry], list[list[Call]]] = plan_of) -> Iterator[Score | None]:
    """Play an entry one call at a time, with a pause (None) after each; at last its score."""
    episode = BfclEpisode(entry, "fc")
    shown: list[ChatMessage] = []
    for calls in plan(entry):
        turn = episode.next_turn()
        assert turn is not None
        shown += turn.messages
        for call in calls:
            shown += now(episode.step(episode.encode([call]))).messages
            yield None
        if not episode.over:
            now(episode.step(episode.encode([], "Done.")))
    verdict = check(entry, episode.result, "fc")
    yield entry.id, verdict.correct, [message.text for message in shown]


def one_after_another(entries: Sequence[Entry]) -> list[Score]:
    return [score for entry in entries for score in played(entry) if score is not None]


def all_at_once(entries: Sequence[Entry]) -> list[Score]:
    """Every sample takes one step, then every sample the next, and so on."""
    running = [played(entry) for entry in entries]
    scores: list[Score] = []
    while running:
        steps = [(sample, next(sample)) for sample in running]
        scores += [score for _, score in steps if score is not None]
        running = [sample for sample, score in steps if score is None]
    return sorted(scores, key=lambda score: [entry.id for entry in entries].index(score[0]))


def test_200_samples_at_once_score_and_read_as_one_after_another() -> None:
    entries = load_category("multi_turn_base")
    alone = one_after_another(entries)
    assert sum(correct for _, correct, _ in alone) == 200
    assert all_at_once(entries) == alone


def test_a_second_epoch_scores_as_the_first() -> None:
    entries = list(load(MULTI_TURN))[::4]
    assert one_after_another(entries) == one_after_another(entries)


def test_two_epochs_of_an_entry_at_once_do_not_meet() -> None:
    entry = load_entry("multi_turn_long_context_0")
    [alone] = one_after_another([entry])
    assert all_at_once([entry, entry]) == [alone, alone]


def test_a_bad_first_epoch_does_not_spoil_gold() -> None:
    entries = load_category("multi_turn_base")
    bad = [score for entry in entries for score in played(entry, damaged) if score is not None]
    assert sum(correct for _, correct, _ in bad) < 20
    assert sum(correct for _, correct, _ in one_after_another(entries)) == 200


def test_order_does_not_matter() -> None:
    entries = list(load(MULTI_TURN))[::7]
    assert sorted(one_after_another(entries[::-1])) == sorted(one_after_another(entries))


def with_class(name: str, category: str) -> Entry:
    return next(entry for entry in load_category(category) if name in entry.classes)


def test_tweets_posted_without_mentions_do_not_share_a_list() -> None:
    # bfcl_eval's post_tweet has mutable defaults: one list for every tweet of the process.
    entry = with_class("TwitterAPI", "multi_turn_base")
    first, second = Environment(entry), Environment(entry)
    for environment in (first, second):
        environment.instances["TwitterAPI"].authenticated = True
        environment.execute(Call("post_tweet", {"content": "hello"}))
    number = max(first.instances["TwitterAPI"].tweets)
    first.execute(Call("mention", {"tweet_id": number, "mentioned_usernames": ["@someone"]}))
    assert first.instances["TwitterAPI"].tweets[number]["mentions"] == ["@someone"]
    assert second.instances["TwitterAPI"].tweets[number]["mentions"] == []
    assert Environment(entry).instances["TwitterAPI"].post_tweet.__func__.__defaults__ == ([], [])


def test_long_context_cards_are_not_shared() -> None:
    # bfcl_eval puts the same module-level card into every long-context wallet.
    entry = with_class("TravelAPI", "multi_turn_long_context")
    first, second = Environment(entry).instances["TravelAPI"], Environment(entry).instances["TravelAPI"]
    for card in first.credit_card_list.values():
        card["balance"] = -1
    assert all(card["balance"] != -1 for card in second.credit_card_list.values())
    fresh = Environment(entry).instances["TravelAPI"]
    assert fresh.credit_card_list == second.credit_card_list


def test_no_instance_refers_to_another_ones_data() -> None:
    def mutable(value: object) -> Iterator[int]:
        if isinstance(value, dict):
            yield id(value)
            for item in value.values():
                yield from mutable(item)
        elif isinstance(value, list):
            yield id(value)
            for item in value:
                yield from mutable(item)

    for entry in list(load(MULTI_TURN))[::20]:
        first, second = Environment(entry), Environment(entry)
        for name, instance in first.instances.items():
            shared = set(mutable(vars(instance))) & set(mutable(vars(second.instances[name])))
            assert not shared, f"{entry.id}: {name}"


def test_playing_leaves_the_entry_as_it_was() -> None:
    entry = load_entry("multi_turn_miss_func_0")
    before = copy.deepcopy((entry.initial_config, entry.functions, entry.turns, entry.held_out))
    one_after_another([entry])
    assert (entry.initial_config, entry.functions, entry.turns, entry.held_out) == before
