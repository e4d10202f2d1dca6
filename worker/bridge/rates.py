"""How often one may call: a rate for each key, and one for failed sign-ins from each address.

Counted in this process alone, so that a request costs no round trip: several bridges allow as many times as much.
A full bucket is a minute's worth, so bursts pass; what is forgotten to save memory is full again.
"""

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from fastapi import Request

from worker.bridge.problems import RateLimited
from worker.settings import Settings, settings

MINUTE = 60.0
MOST_KNOWN = 10_000
"""Callers remembered at once; beyond them, whoever has been away longest is forgotten."""

SIGNED = "signed requests"


class Buckets:
    """Token buckets by name, each refilled evenly; safe for threads.

    A bucket is one number, the moment at which it will be full again (the generic cell rate algorithm of ATM's
    traffic management), so nothing has to refill them.
    """

    def __init__(self, most: int = MOST_KNOWN, clock: Callable[[], float] = time.monotonic) -> None:
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._most = most
        self._clock = clock
        self._lock = Lock()

    def take(self, name: str, a_minute: int) -> float:
        """Take a token; returns 0, or the seconds until there is one, where there is none.

        Args:
            name: whose bucket.
            a_minute: tokens that come in a minute, and that a full bucket holds; 0: no limit.
        """
        return self._look(name, a_minute, take=True)

    def wait(self, name: str, a_minute: int) -> float:
        """Seconds until there is a token; none is taken."""
        return self._look(name, a_minute, take=False)

    def _look(self, name: str, a_minute: int, *, take: bool) -> float:
        if a_minute == 0:
            return 0.0
        each = MINUTE / a_minute
        with self._lock:
            now = self._clock()
            full_at = max(self._full_at.get(name, now), now) + each
            over = full_at - now - MINUTE
            if over > each / 1000:  # what adding so many fractions of a minute leaves is no debt
                return over
            if take:
                self._full_at[name] = full_at
                self._full_at.move_to_end(name)
                if len(self._full_at) > self._most:
                    self._full_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)


class Rates:
    """The limits of one bridge.

    A key is known by a hash of what was presented: asked for before the database is, and a stranger who knows a
    key's id does not use up its owner's share. An address that failed too often is asked to wait, except with a
    key that was good a moment ago: a proxy that does not tell addresses apart must not shut everybody out. Who
    signs is known by the address alone, which stays good whatever else comes from there: no signature is guessed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = Buckets(clock=clock)
        self._failures = Buckets(clock=clock)
        self._good: OrderedDict[str, None] = OrderedDict()

    def admit(self, request: Request, presented: str) -> str:
        """Count a call with this key, before it is looked up; returns its mark, for `known` or `failed`.

        Raises:
            RateLimited: the key has called, or the address has failed to sign in, too often.
        """
        mark = _mark(presented)
        self._let_in(request, mark)
        self.count(mark)
        return mark

    def admit_signer(self, request: Request) -> str:
        """Let in who sends something signed, before anything of it is read; returns the mark of its address.

        Raises:
            RateLimited: the address has failed too often, and has signed nothing well.
        """
        mark = _mark(f"{SIGNED} {_address(request)}")
        self._let_in(request, mark)
        return mark

    def _let_in(self, request: Request, mark: str) -> None:
        config = settings()
        if mark not in self._good and (seconds := self._failures.wait(_address(request), config.sign_in_limit)):
            raise _too_many_failures(config, seconds)

    def count(self, mark: str) -> None:
        """Count a call of whoever bears this mark.

        Raises:
            RateLimited: too many within a minute.
        """
        config = settings()
        if seconds := self._calls.take(mark, config.rate_limit):
            raise RateLimited(
                f"This key may send {config.rate_limit} requests a minute (COLUMNLINE_RATE_LIMIT), and has. Send "
                f"this one again in {math.ceil(seconds)} s. Many runs go into one `POST /columnline/publish`, "
                "many outputs into one `POST …/outputs`, and `?wait=25` saves asking again.",
                seconds=seconds,
            )

    def known(self, mark: str) -> None:
        """Note that the key was good."""
        if mark not in self._good:
            self._good[mark] = None
            while len(self._good) > MOST_KNOWN:
                self._good.popitem(last=False)

    def failed(self, request: Request, mark: str = "") -> None:
        """Note that the address failed to sign in."""
        self._good.pop(mark, None)
        self._failures.take(_address(request), settings().sign_in_limit)


def rates(request: Request) -> Rates:
    """The limits of the bridge that was asked."""
    found: Rates = request.app.state.rates
    return found


def _too_many_failures(config: Settings, seconds: float) -> RateLimited:
    return RateLimited(
        f"This address failed to sign in {config.sign_in_limit} times within a minute (COLUMNLINE_SIGN_IN_LIMIT). "
        f"Check the key, then send this again in {math.ceil(seconds)} s.",
        seconds=seconds,
    )


def _address(request: Request) -> str:
    """Who called, as uvicorn has it: the proxy's word counts where FORWARDED_ALLOW_IPS trusts it.

    Of IPv6 the network counts: each customer has one of 2^64 addresses, and could guess with a new one each time.
    """
    host = request.client.host if request.client else "nobody"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address), 64), strict=False))


def _mark(presented: str) -> str:
    return hashlib.sha256(presented.encode("utf-8", "surrogatepass")).hexdigest()
