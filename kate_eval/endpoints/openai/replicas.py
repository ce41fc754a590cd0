"""Which replica answers: the one that has the conversation's prefix, if it is up and not overloaded.

A conversation goes to the least loaded replica first and then stays there, so that its prefix is in that
server's cache. It leaves only while its replica holds more than its share of the load, or is down. A replica
that is down is asked in the background until it is well.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field

IMBALANCE = 1.25
"""A replica takes at most this many times the mean load, and one request more."""
REMEMBERED = 10_000
"""Conversations whose replica is remembered."""
FAILURES = 3
"""Server errors in a row after which a replica counts as down; a lost connection is enough alone."""
PROBE_S = (1.0, 30.0)
"""Seconds until a replica that is down is asked again: at first, and at most."""


@dataclass(eq=False)
class Replica:
    """One server.

    Attributes:
        url: its base URL.
        load: choices that are being generated.
        conversations: how many have their home here.
        failures: server errors in a row.
        down: why it is down; empty while it is up.
        probe_at: when it is asked again, by the monotonic clock.
    """

    url: str
    load: int = 0
    conversations: int = 0
    failures: int = 0
    down: str = ""
    probe_at: float = 0.0
    wait: float = PROBE_S[0]
    probing: asyncio.Task[None] | None = field(default=None, repr=False)


class Replicas:
    """The servers of one model, and where each conversation's home is."""

    def __init__(self, urls: Sequence[str], well: Callable[[str], Awaitable[bool]]) -> None:
        """Create the table.

        Args:
            urls: base URLs, at least one.
            well: asks the server at a base URL whether it can serve.
        """
        self.all = [Replica(url) for url in urls]
        self._well = well
        self._homes: OrderedDict[Hashable, Replica] = OrderedDict()

    def pick(self, key: Hashable, tried: Set[str] = frozenset()) -> Replica | None:
        """The replica for a conversation's next request; None when all were tried.

        Those that are down come last: they may be back before they were asked.
        """
        if len(self.all) == 1:
            return None if self.all[0].url in tried else self.all[0]
        self._ask_after_the_down()
        left = [replica for replica in self.all if replica.url not in tried]
        up = [replica for replica in left if not replica.down]
        if not up:
            return min(left, key=lambda replica: replica.load, default=None)
        home = self._homes.get(key)
        if home in up and (len(up) == 1 or home.load + 1 <= self._share()):
            assert home is not None
            self._homes.move_to_end(key)
            return home
        chosen = min(up, key=lambda replica: (replica.load, replica.conversations))
        if home is None or home.down:
            self._settle(key, chosen)
        return chosen

    def _share(self) -> float:
        up = [replica.load for replica in self.all if not replica.down]
        return IMBALANCE * (sum(up) + 1) / len(up) + 1

    def _settle(self, key: Hashable, replica: Replica) -> None:
        old = self._homes.pop(key, None)
        if old is not None:
            old.conversations -= 1
        self._homes[key] = replica
        replica.conversations += 1
        if len(self._homes) > REMEMBERED:
            _, forgotten = self._homes.popitem(last=False)
            forgotten.conversations -= 1

    @contextmanager
    def busy(self, replica: Replica, choices: int) -> Iterator[None]:
        """The replica generates this many choices for the length of the block."""
        replica.load += choices
        try:
            yield
        finally:
            replica.load -= choices

    def succeeded(self, replica: Replica) -> None:
        """The replica gave an answer."""
        replica.failures = 0
        replica.down = ""
        replica.wait = PROBE_S[0]

    def failed(self, replica: Replica, reason: str, lost: bool) -> None:
        """The replica failed; it is down when the connection was lost, or after FAILURES in a row."""
        replica.failures += 1
        if lost or replica.failures >= FAILURES:
            replica.down = reason
            replica.probe_at = time.monotonic() + replica.wait

    def _ask_after_the_down(self) -> None:
        now = time.monotonic()
        for replica in self.all:
            idle = replica.probing is None or replica.probing.done()
            if replica.down and idle and now >= replica.probe_at:
                replica.probing = asyncio.get_running_loop().create_task(self._probe(replica))

    async def _probe(self, replica: Replica) -> None:
        if await self._well(replica.url):
            self.succeeded(replica)
            return
        replica.wait = min(2 * replica.wait, PROBE_S[1])
        replica.probe_at = time.monotonic() + replica.wait
