"""HTTP sessions: one request at a time per slot of a host, every wait bounded, redirects checked."""

from __future__ import annotations

import heapq
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import LocationParseError

from reelpack.core.errors import ClipError
from reelpack.core.names import check_url, refused
from reelpack.sources.base import Limits, find_host, hide_secrets

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOSTS = 64


@dataclass(order=True)
class _Watched:
    """A socket that is shut down when its time is over; None when the watch has ended."""

    due: float
    sock: socket.socket | None = field(compare=False)
    is_late: bool = field(default=False, compare=False)


class _Watchdog:
    """One thread that ends waits on sockets; a thread for each would cost more than the request."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: list[_Watched] = []
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, sock: socket.socket, seconds: float) -> Iterator[_Watched]:
        """Shut a socket down if the block takes longer."""
        watched = _Watched(time.monotonic() + seconds, sock)
        with self._changed:
            # A forked process has the object, but not the thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            heapq.heappush(self._queue, watched)
            if self._queue[0] is watched:
                self._changed.notify()
        try:
            yield watched
        finally:
            with self._changed:
                watched.sock = None

    def _run(self) -> None:
        with self._changed:
            while True:
                left = self._queue[0].due - time.monotonic() if self._queue else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                watched = heapq.heappop(self._queue)
                if watched.sock is not None:
                    watched.is_late = True
                    with suppress(OSError):
                        watched.sock.shutdown(socket.SHUT_RDWR)


_WATCHDOG = _Watchdog()


class _BoundedHead:
    """A connection that ends if an answer's head is not here in time.

    A socket's own time-out starts anew with every byte, so a head that drips would never end.
    """

    sock: Any
    timeout: Any

    def getresponse(self) -> Any:
        if not self.timeout or self.sock is None:
            return super().getresponse()  # type: ignore[misc]
        with _WATCHDOG.watch(self.sock, self.timeout) as watched:
            try:
                return super().getresponse()  # type: ignore[misc]
            finally:
                if watched.is_late:
                    raise TimeoutError("the answer's head took too long")


class _HTTPConnection(_BoundedHead, HTTPConnection):
    pass


class _HTTPSConnection(_BoundedHead, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class Session:
    """Connections that are kept between requests; safe to share between threads.

    Proxies, certificates and passwords come from the usual environment variables and ~/.netrc, looked
    up once for each host.

    Args:
        limits: `per_host`, the time-outs and `redirects` count here.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._slots: dict[str, threading.Semaphore] = {}
        self._environment: dict[str, dict[str, Any]] = {}
        self._requests = requests.Session()
        self._requests.trust_env = False
        adapter = _Adapter(pool_connections=_HOSTS, pool_maxsize=limits.per_host, max_retries=0)
        for prefix in ("http://", "https://"):
            self._requests.mount(prefix, adapter)

    def close(self) -> None:
        """Close all connections."""
        self._requests.close()

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """Request an address, follow its redirects, and give the answer with its body unread.

        Raises:
            ClipError: refused, network, timeout, or missing for a redirect loop.
        """
        for _ in range(self.limits.redirects + 1):
            check_url(url)
            with self._slot(find_host(url)), self._ask(url, headers) as answer:
                target = answer.headers.get("Location")
                if answer.status_code not in REDIRECTS or target is None:
                    yield answer
                    return
            url = self._redirected(url, target)
        raise ClipError(
            "missing", f"{hide_secrets(url)}: more than {self.limits.redirects} redirects"
        )

    def _slot(self, host: str) -> threading.Semaphore:
        with self._lock:
            return self._slots.setdefault(host, threading.Semaphore(self.limits.per_host))

    def _from_environment(self, url: str) -> dict[str, Any]:
        """Return what requests would look up anew for every request."""
        key = f"{url.partition(':')[0]}://{find_host(url)}"
        if key not in self._environment:
            with requests.Session() as usual:
                found = usual.merge_environment_settings(key, {}, True, None, None)
            self._environment[key] = {**found, "auth": requests.utils.get_netrc_auth(key)}
        return self._environment[key]

    def _redirected(self, url: str, target: str) -> str:
        try:
            # HTTP heads are read as Latin-1, while servers that send more than ASCII mean UTF-8.
            target = urljoin(url, target.encode("latin-1").decode("utf-8"))
            check_url(target)
        except (ValueError, ClipError) as error:
            reason = error.message if isinstance(error, ClipError) else str(error)
            raise refused(f"{hide_secrets(url)}: redirects elsewhere: {reason}") from error
        return target

    def _ask(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            return self._requests.get(
                url,
                headers={"Accept-Encoding": "identity", **headers},
                allow_redirects=False,
                timeout=(self.limits.connect_seconds, self.limits.read_seconds),
                **self._from_environment(url),
            )
        except requests.exceptions.Timeout as error:
            raise ClipError("timeout", f"{hide_secrets(url)}: no answer in time") from error
        except (requests.exceptions.InvalidURL, LocationParseError, UnicodeError) as error:
            raise refused(f"{hide_secrets(url)}: no valid address") from error
        except requests.exceptions.RequestException as error:
            raise ClipError("network", f"{hide_secrets(url)}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return the innermost cause of a failed request in a few words."""
    while inner := getattr(error, "reason", None) or error.__cause__ or error.__context__:
        if not isinstance(inner, BaseException):
            break
        error = inner
    return f"{type(error).__name__}: {error}"[:200]
