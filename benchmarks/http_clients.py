"""What HTTP clients cost: the same POST, so many at once, through each that Inspect already installs.

`python benchmarks/http_clients.py` in an environment with kate-eval. Prints CPU a request of this process;
the server's is not counted.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import httpcore
import httpx
import httpx2
from environments import BENCH, WORKLOAD, write_workload
from measure import serving

REQUESTS, AT_ONCE, ROUNDS = 1500, 50, 3
Post = Callable[[], Awaitable[bytes]]


async def timed(post: Post) -> float:
    """CPU seconds of all requests."""
    left = iter(range(REQUESTS))

    async def worker() -> None:
        for _ in left:
            if b"choices" not in await post():
                raise SystemExit("the server refused the request")

    before = time.process_time()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return time.process_time() - before


async def with_aiohttp(url: str, body: bytes, headers: dict[str, str]) -> float:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def post() -> bytes:
            async with session.post(url, data=body, headers=headers) as response:
                return await response.read()

        return await timed(post)


async def with_httpx(url: str, body: bytes, headers: dict[str, str]) -> float:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def post() -> bytes:
            return (await client.post(url, content=body, headers=headers)).content

        return await timed(post)


async def with_httpx2(url: str, body: bytes, headers: dict[str, str]) -> float:
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as client:

        async def post() -> bytes:
            return (await client.post(url, content=body, headers=headers)).content

        return await timed(post)


async def with_httpcore(url: str, body: bytes, headers: dict[str, str]) -> float:
    pairs = list(headers.items())
    async with httpcore.AsyncConnectionPool(max_connections=None) as pool:

        async def post() -> bytes:
            return (await pool.request("POST", url, content=body, headers=pairs)).content

        return await timed(post)


CLIENTS = {
    "aiohttp": with_aiohttp,
    "httpx": with_httpx,
    "httpx2": with_httpx2,
    "httpcore": with_httpcore,
}


def main() -> None:
    BENCH.mkdir(exist_ok=True)
    write_workload(Path(sys.executable))
    entry = json.loads(WORKLOAD.read_text(encoding="utf-8"))["entries"][0]
    messages = [{"role": "user", "content": entry["turns"][0]["user"]}]
    body = json.dumps({"model": "gold", "messages": messages, "padding": "x" * 15_000}).encode()
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    with serving(WORKLOAD, 5) as server:
        url = server.url + "/chat/completions"
        for name, client in list(CLIENTS.items()) * ROUNDS:
            cpu = asyncio.run(client(url, body, headers))
            print(f"{name}: {1000 * cpu / REQUESTS:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
