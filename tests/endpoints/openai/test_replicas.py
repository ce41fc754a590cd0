"""Where requests go: homes, shares of the load, replicas that die and come back."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import ChatMessage, ChatMessageUser

from kate_eval.endpoints.openai import replicas
from kate_eval.endpoints.openai.client import Client
from kate_eval.endpoints.openai.replicas import IMBALANCE, Replica, Replicas
from kate_eval.endpoints.openai.transport import Transport

URLS = ["http://a", "http://b", "http://c"]


async def never_well(url: str) -> bool:
    return False


def pick(table: Replicas, key: object, *tried: str) -> Replica:
    found = table.pick(str(key), set(tried))
    assert found is not None
    return found


def test_conversations_are_spread_and_stay() -> None:
    table = Replicas(URLS, never_well)
    homes = {key: pick(table, key).url for key in range(30)}
    assert sorted(homes.values()) == sorted(URLS * 10)
    assert homes == {key: pick(table, key).url for key in range(30)}


@given(st.lists(st.integers(0, 5), max_size=60))
def test_no_replica_gets_more_than_its_share(keys: list[int]) -> None:
    table = Replicas(URLS, never_well)
    for key in keys:
        chosen = pick(table, key)
        chosen.load += 1
        total = sum(replica.load for replica in table.all)
        assert chosen.load <= IMBALANCE * total / len(URLS) + 1


def test_an_overloaded_home_is_left_for_one_request_only() -> None:
    table = Replicas(URLS, never_well)
    home = pick(table, "k")
    with table.busy(home, 10):
        assert pick(table, "k") is not home
    assert pick(table, "k") is home


def test_a_lost_replica_is_left_until_it_is_well() -> None:
    well = False

    async def answer(url: str) -> bool:
        return well

    async def play() -> None:
        nonlocal well
        table = Replicas(URLS[:2], answer)
        first = pick(table, "k")
        table.failed(first, "connection refused", lost=True)
        assert pick(table, "k") is not first
        assert pick(table, "k", *(r.url for r in table.all if r is not first)) is first  # the last resort
        first.probe_at = 0
        pick(table, "k")
        await asyncio.sleep(0)
        assert first.down and first.wait > replicas.PROBE_S[0]
        well, first.probe_at = True, 0
        pick(table, "k")
        await asyncio.sleep(0)
        assert not first.down

    asyncio.run(play())


def test_single_server_errors_take_no_replica_down() -> None:
    table = Replicas(URLS, never_well)
    replica = table.all[0]
    for _ in range(10):
        table.failed(replica, "500", lost=False)
        table.failed(replica, "500", lost=False)
        table.succeeded(replica)
        assert not replica.down
    for _ in range(replicas.FAILURES):
        table.failed(replica, "500", lost=False)
    assert replica.down == "500"


def test_a_replica_that_an_attempt_still_waits_for_at_the_next_one_hangs() -> None:
    client = Client("m", URLS, Transport())
    messages: list[ChatMessage] = [ChatMessageUser(content="hi")]
    hanging = client.replicas.all[0]
    client.begin(messages).waiting.add(hanging)
    again = client.begin(messages)
    assert (again.count, again.slow, again.waiting) == (2, {hanging.url}, set())
    assert hanging.down
    assert client.begin(list(messages)).count == 1


def test_forgotten_conversations_are_not_counted() -> None:
    table = Replicas(URLS, never_well)
    for key in range(replicas.REMEMBERED + 100):
        pick(table, key)
    assert sum(replica.conversations for replica in table.all) == replicas.REMEMBERED
