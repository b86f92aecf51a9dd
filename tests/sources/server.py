"""A web server on a loopback address that misbehaves in every way that real ones do."""

from __future__ import annotations

import argparse
import hashlib
import re
import socket
import struct
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Literal


@dataclass
class Seen:
    """One request as the server got it."""

    path: str
    headers: dict[str, str]
    at: float


@dataclass
class Route:
    """What a path answers: one behaviour for each request in turn, the last one for ever."""

    behaviours: list[Callable[[Handler], None]]
    asked: int = 0


@dataclass
class Site:
    """A running server and what it was asked."""

    address: str
    routes: dict[str, Route] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def add(self, path: str, *behaviours: Callable[[Handler], None]) -> str:
        """Serve a path and return its URL."""
        self.routes[path] = Route(list(behaviours))
        return self.address + path

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(each.path == path for each in self.seen)


class Handler(BaseHTTPRequestHandler):
    """Hands each request to its route's next behaviour."""

    protocol_version = "HTTP/1.1"
    site: ClassVar[Site]

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        site, path = self.site, self.path.partition("?")[0]
        with site.lock:
            site.seen.append(Seen(path, dict(self.headers), time.monotonic()))
            site.busy += 1
            site.most_busy = max(site.most_busy, site.busy)
            route = site.routes.get(path)
            if route:
                behaviour = route.behaviours[min(route.asked, len(route.behaviours) - 1)]
                route.asked += 1
        try:
            (behaviour if route else status(404))(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with site.lock:
                site.busy -= 1

    def head(self, code: int, **headers: str | int) -> None:
        """Send status and headers; `_` in a name stands for `-`."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def reset(self) -> None:
        """Drop the connection the rough way."""
        self.close_connection = True
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


Behaviour = Callable[[Handler], None]


def tag(content: bytes) -> str:
    """The ETag of a content."""
    return f'"{hashlib.sha256(content).hexdigest()[:12]}"'


def serve(
    content: bytes,
    *,
    cut_at: int | None = None,
    reset: bool = False,
    ranges: Literal["honest", "none", "always"] = "honest",
    validator: str = "etag",
    content_type: str = "video/mp4",
) -> Behaviour:
    """200 or 206 with a content.

    Args:
        cut_at: end the body at this byte of the file, short of what was announced.
        reset: cut with a TCP reset instead of a proper close.
        ranges: whether parts are given: of the same version (If-Range), never, or whatever is asked.
        validator: etag, weak, modified or none.
    """
    validators = {
        "etag": {"ETag": tag(content)},
        "weak": {"ETag": "W/" + tag(content)},
        "modified": {"Last_Modified": formatdate(1_600_000_000, usegmt=True)},
        "none": {},
    }[validator]

    def behave(handler: Handler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        wanted = handler.headers.get("If-Range")
        is_same = wanted is None or wanted in validators.values() or ranges == "always"
        start = int(asked[1]) if asked and ranges != "none" and is_same else 0
        if start and start >= len(content):
            handler.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
            return
        extra = {"Content_Type": content_type, **validators}
        if start:
            extra["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.head(206 if start else 200, Content_Length=len(content) - start, **extra)
        if handler.command == "HEAD":
            return
        end = len(content) if cut_at is None else max(start, cut_at)
        handler.wfile.write(content[start:end])
        if end < len(content):
            handler.close_connection = True
            if reset:
                handler.reset()

    return behave


def delayed(behaviour: Behaviour, seconds: float) -> Behaviour:
    """Answer as ever, after a while."""

    def behave(handler: Handler) -> None:
        time.sleep(seconds)
        behaviour(handler)

    return behave


def status(code: int, body: bytes = b"no", **headers: str | int) -> Behaviour:
    """Any status with a small body."""

    def behave(handler: Handler) -> None:
        handler.head(code, Content_Length=len(body), **headers)
        if handler.command != "HEAD":
            handler.wfile.write(body)

    return behave


def redirect(target: str, code: int = 301) -> Behaviour:
    """Send elsewhere."""
    return status(code, b"", Location=target)


def page(text: bytes = b"\n <!DOCTYPE html><html><body>Please log in</body></html>") -> Behaviour:
    """A web page, answered with 200."""
    return status(200, text, Content_Type="video/mp4")


def wrong_length(content: bytes, *, announced: int) -> Behaviour:
    """Announce another length than the body has, and close."""

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        handler.head(200, Content_Length=announced, Connection="close")
        handler.wfile.write(content)

    return behave


def stall(content: bytes, *, after: int | None) -> Behaviour:
    """Fall silent: before the head (`after=None`), or after some bytes of the body."""

    def behave(handler: Handler) -> None:
        if after is not None:
            handler.head(200, Content_Length=len(content))
            handler.wfile.write(content[:after])
        handler.site.over.wait(10)
        handler.close_connection = True

    return behave


def drip(*, seconds: float, in_head: bool = False) -> Behaviour:
    """Send a byte every few moments, for ever."""

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        if in_head:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        else:
            handler.head(200, Content_Length=100_000)
        while not handler.site.over.wait(seconds):
            handler.wfile.write(b"x")

    return behave


def endless() -> Behaviour:
    """A chunked body without end."""

    def behave(handler: Handler) -> None:
        handler.close_connection = True
        handler.head(200, Transfer_Encoding="chunked")
        while not handler.site.over.is_set():
            handler.wfile.write(b"4000\r\n" + bytes(0x4000) + b"\r\n")

    return behave


def chunked(content: bytes, *, cut: bool = False) -> Behaviour:
    """A body of unknown length, with its end missing if `cut`."""

    def behave(handler: Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        if cut:
            handler.close_connection = True
        else:
            handler.wfile.write(b"0\r\n\r\n")

    return behave


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are not errors here."""


def _listen() -> tuple[_Server, Site]:
    own = type("OwnHandler", (Handler,), {})
    server = _Server(("127.0.0.1", 0), own)
    own.site = Site(f"http://127.0.0.1:{server.server_address[1]}")
    return server, own.site


@contextmanager
def running() -> Iterator[Site]:
    """Run a server in a thread."""
    server, site = _listen()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> str:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def main() -> None:
    """Serve `/small/N` and `/large/N` until standard input ends; the address goes to standard output."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--small-bytes", type=int, default=1 << 16)
    parser.add_argument("--large-bytes", type=int, default=1 << 26)
    parser.add_argument("--delay-seconds", type=float, default=0.0)
    args = parser.parse_args()
    server, site = _listen()
    sizes = {"small": args.small_bytes, "large": args.large_bytes}
    answers = {
        kind: Route([delayed(serve(bytes(size)), args.delay_seconds)])
        for kind, size in sizes.items()
    }
    site.routes = _ByKind(None, answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(site.address, flush=True)
    sys.stdin.read()


class _ByKind(defaultdict[str, Route]):
    def get(self, key: str, default: object = None) -> Route | None:
        """Find a route by the first part of a path."""
        return super().get(key.split("/")[1])


if __name__ == "__main__":
    main()
