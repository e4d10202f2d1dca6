"""Send a callback to where its sender asked, and nowhere else (design, "Settings").

What a sender may name is a way into our network, unless it is watched: only https, only allowed hosts; the name is
resolved once, every address of it is checked, and the connection goes to a checked one, so that no second answer
of a name server counts. Redirects are not followed, and little of an answer is read.
"""

import fnmatch
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from worker.hook_settings import is_address
from worker.make_errors import CallbackFailed, CallbackGone, CallbackRefused

CONNECT_TIME, READ_TIME, TOTAL_TIME = 5.0, 10.0, 20.0
"""Seconds: to connect, between two pieces of the answer, and for all of it."""

MOST_READ = 65_536
LONGEST_URL = 2000
_GONE = 410
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def check_url(url: str, hosts: str) -> None:
    """Make sure that a callback may go to this address, as far as the address itself tells.

    Args:
        url: where to.
        hosts: the setting: host names, `*` standing for any part, and literal addresses, divided by commas.

    Raises:
        CallbackRefused: says what is wrong with it.
    """
    parts, host = _parts(url)
    allowed = [pattern.strip().lower() for pattern in hosts.split(",") if pattern.strip()]
    literal = is_address(host) and host in allowed
    if parts.scheme != "https" and not (parts.scheme == "http" and literal and not _is_public(host)):
        raise _refused(url, "only https is allowed")
    if not any(fnmatch.fnmatchcase(host, pattern) for pattern in allowed):
        raise _refused(
            url, f"its host is none of {', '.join(allowed) or 'those allowed'} (COLUMNLINE_CALLBACK_HOSTS)"
        )
    if is_address(host) and not literal and not _is_public(host):
        raise _refused(url, "it is a private address")


def post(url: str, body: bytes, headers: Mapping[bytes | str, bytes | str], hosts: str) -> int:
    """Send the body, and return the status of an answer that says it was taken.

    Raises:
        CallbackRefused: the address may not be called, leads to a private one, or answered with a redirect.
        CallbackGone: it answered 410.
        CallbackFailed: it answered otherwise, or not at all.
    """
    check_url(url, hosts)
    timeouts = {"connect": CONNECT_TIME, "read": READ_TIME, "write": READ_TIME, "pool": CONNECT_TIME}
    until = time.monotonic() + TOTAL_TIME
    backend = Guarded({part.strip().lower() for part in hosts.split(",")}, until)
    try:
        with (
            httpcore2.ConnectionPool(network_backend=backend, keepalive_expiry=0) as pool,
            pool.stream("POST", url, headers=headers, content=body, extensions={"timeout": timeouts}) as answer,
        ):
            status: int = answer.status
            _read_a_little(answer.iter_stream(), until)
    except CallbackRefused:
        raise
    except (httpcore2.TimeoutException, TimeoutError):
        raise CallbackFailed(f"{_shown(url)} did not answer in time.", field="callback_url") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, UnicodeError) as error:
        raise CallbackFailed(
            f"{_shown(url)} could not be reached ({type(error).__name__}).", field="callback_url"
        ) from None
    if status == _GONE:
        raise CallbackGone(
            f"{_shown(url)} answered 410: its hook is gone. It is not called again until a delivery to it is "
            "replayed.",
            field="callback_url",
        )
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        raise _refused(url, f"it answered {status}, and redirects are not followed")
    if not 200 <= status < 300:  # noqa: PLR2004 - successes
        raise CallbackFailed(f"{_shown(url)} answered {status}.", field="callback_url")
    return status


class Guarded(httpcore2.NetworkBackend):
    """Connects to public addresses only, and to the literal ones that are allowed."""

    def __init__(self, allowed: Iterable[str], until: float) -> None:
        self._allowed = frozenset(allowed)
        self._until = until
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of the host that answers, if every one of them may be connected to.

        Raises:
            CallbackRefused: one of them is private.
            OSError: the name cannot be resolved, or no address answered before the moment.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
        private = [address for address in addresses if not _is_public(address)]
        if private and not (is_address(host) and host in self._allowed):
            raise CallbackRefused(
                f"The callback's host {host!r} leads to {private[0]}, which is not a public address. Nothing "
                "was sent.",
                field="callback_url",
            )
        failed: Exception = OSError("no address")
        for address in dict.fromkeys(addresses):
            try:
                left = _left(self._until, timeout)
                stream = self._plain.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
            else:
                return InTime(stream, self._until)
        raise failed


class InTime(httpcore2.NetworkStream):
    """A connection on which nothing waits beyond a moment, however the other side spreads its answer."""

    def __init__(self, stream: httpcore2.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what there is, before the moment."""
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write it, before the moment."""
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """The same connection, encrypted."""
        return InTime(self._stream.start_tls(ssl_context, server_hostname, self._left(timeout)), self._until)

    def get_extra_info(self, info: str) -> Any:
        """What the connection tells of itself."""
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float:
        return _left(self._until, timeout)


def _left(until: float, timeout: float | None) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left if timeout is None else min(left, timeout)


def _read_a_little(pieces: Iterable[bytes], until: float) -> None:
    """Read the answer, so that its end is known to be proper; not more of it than it may take."""
    read = 0
    for piece in pieces:
        read += len(piece)
        if read > MOST_READ:
            return
        if time.monotonic() > until:
            raise TimeoutError


def _parts(url: str) -> tuple[Any, str]:
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _refused(url, "it is no URL") from None
    named = is_address(host) or all(_LABEL.fullmatch(label) for label in host.split("."))
    if not host or not named or len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise _refused(url, "it is no URL")
    if parts.username or parts.password:
        raise _refused(url, "it holds a user or a password")
    return parts, host


def _is_public(address: str) -> bool:
    """Whether an address is one of the internet's, whichever form hides another in it."""
    found: Any = ipaddress.ip_address(address)
    if found.version == 6:  # noqa: PLR2004 - IPv6
        found = found.ipv4_mapped or found.sixtofour or _of_nat64(found) or found
        if found.version == 6 and found not in _GLOBAL_UNICAST:  # noqa: PLR2004 - IPv6
            return False
    return bool(found.is_global and not found.is_multicast)


def _of_nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    is_nat64 = address in ipaddress.ip_network("64:ff9b::/96")
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if is_nat64 else None


def _refused(url: str, why: str) -> CallbackRefused:
    return CallbackRefused(f"{_shown(url)} is not called: {why}. Nothing was sent.", field="callback_url")


def _shown(url: str) -> str:
    """The address without what may be secret in it: a hook's path is its password."""
    try:
        parts = urlsplit(url)
        return f"The callback to {parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:200]
    except ValueError:
        return "The callback"
