"""Pooled HTTP/1.1 to the replicas, by aiohttp: of the clients compared it took the least CPU a request.

It knows bytes and connections; what they mean is for others. Needs asyncio, as aiohttp does.
"""

import asyncio
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from kate_eval.endpoints.openai.failures import Refused, Unavailable
from kate_eval.errors import ConfigurationError, EndpointError

CONNECT_S = 10.0
IDLE_S = 60.0
"""How long a connection is kept for the next request."""
Verify = bool | str
"""Check TLS certificates against the system's authorities, not at all, or against those of a file."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that arrived whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """A pool of connections. As many are open as requests are under way: Inspect limits those."""

    def __init__(self, verify: Verify = True, timeout_s: float = 600.0) -> None:
        self._tls = tls(verify)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_S)
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._urls: dict[str, tuple[URL, str | None]] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send JSON and read the answer.

        Raises:
            Unavailable: no whole answer came.
            Refused: the server can't be trusted, or the URL not be used.
        """
        return await self._send("POST", url, body, headers, self._timeout)

    async def get(self, url: str, headers: Mapping[str, str], timeout_s: float) -> Answer:
        """Read a page; raises as `post` does."""
        return await self._send("GET", url, None, headers, aiohttp.ClientTimeout(total=timeout_s))

    async def aclose(self) -> None:
        """Close all connections; the next request opens them again."""
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()
            if self._keeper is not None:
                self._keeper.cancel()

    async def _send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
    ) -> Answer:
        target, proxy = self._urls.get(url) or self._target(url)
        try:
            async with self._open().request(
                method,
                target,
                data=body,
                headers=headers,
                proxy=proxy,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return Answer(response.status, response.headers, await response.read())
        except aiohttp.ClientSSLError as ex:
            raise Refused(_distrust(target, ex)) from ex
        except aiohttp.InvalidURL as ex:
            raise Refused(f"{url} is no address: {ex}") from ex
        except TimeoutError as ex:
            raise Unavailable(f"{url} gave no answer within {timeout.total:g} s", lost=True) from ex
        except (aiohttp.ClientError, OSError) as ex:
            what = str(ex) or type(ex).__name__
            stale = isinstance(ex, aiohttp.ServerDisconnectedError | ConnectionResetError | BrokenPipeError)
            raise Unavailable(f"{url}: {what}", lost=True, stale=stale) from ex

    def _open(self) -> aiohttp.ClientSession:
        """The session of the running event loop; each evaluation of a process has a loop of its own."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as ex:
            raise EndpointError("kate/ needs asyncio: unset INSPECT_ASYNC_BACKEND=trio.") from ex
        if self._session is None or self._session.closed or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._tls, keepalive_timeout=IDLE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                read_bufsize=2**18,
            )
            self._keeper = loop.create_task(_close_at_the_end(self._session))
        return self._session

    def _target(self, url: str) -> tuple[URL, str | None]:
        """The parsed URL and the proxy that the environment names for it."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        bypass = bool(urllib.request.proxy_bypass(host))
        proxy = None if bypass else urllib.request.getproxies().get(parts.scheme)
        self._urls[url] = found = (URL(url), proxy)
        return found


async def _close_at_the_end(session: aiohttp.ClientSession) -> None:
    """Close the connections when the event loop ends, which cancels this: Inspect closes no provider."""
    try:
        await asyncio.Event().wait()
    finally:
        await session.close()


def tls(verify: Verify) -> ssl.SSLContext | bool:
    """What checks certificates.

    Raises:
        ConfigurationError: a file of authorities can't be read.
    """
    if isinstance(verify, bool):
        return verify
    try:
        return ssl.create_default_context(cafile=verify)
    except (OSError, ssl.SSLError) as ex:
        raise ConfigurationError(
            f"-M verify={verify} can't be used ({ex}); name a PEM file of certificate authorities, "
            "true or false."
        ) from ex


def _distrust(url: URL, ex: aiohttp.ClientSSLError) -> str:
    return (
        f"No trusted TLS connection to {url.host}:{url.port}: {ex}. Name the authority that signed its "
        "certificate with -M verify=/path/to/ca.pem, use http:// if it speaks no TLS, or trust it "
        "unchecked with -M verify=false."
    )
