"""A bucket holds a minute's worth and refills evenly; who fails to sign in waits, and shuts nobody else out."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.bridge.problems import RateLimited, answer
from worker.bridge.rates import MOST_KNOWN, Buckets, Rates


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self):
        return self.now


@dataclass
class Caller:
    host: str


@dataclass
class Asked:
    """As much of a request as is looked at."""

    client: Caller | None = field(default_factory=lambda: Caller("192.0.2.1"))


def asked(host):
    return Asked(Caller(host))


@pytest.fixture
def clock():
    return Clock()


def test_a_minutes_worth_passes_at_once_and_the_next_waits_for_its_share(clock):
    buckets = Buckets(clock=clock)
    assert [buckets.take("a", 60) for _ in range(60)] == [0] * 60
    assert buckets.take("a", 60) == pytest.approx(1)
    clock.now += 0.5
    assert buckets.take("a", 60) == pytest.approx(0.5)
    clock.now += 0.5
    assert buckets.take("a", 60) == 0
    assert buckets.take("a", 60) == pytest.approx(1)


def test_each_name_has_a_bucket_of_its_own(clock):
    buckets = Buckets(clock=clock)
    assert [buckets.take("a", 1), buckets.take("b", 1)] == [0, 0]
    assert buckets.take("a", 1) > 0


def test_without_a_limit_everything_passes_and_nothing_is_remembered(clock):
    buckets = Buckets(clock=clock)
    assert not any(buckets.take("a", 0) for _ in range(10_000))
    assert len(buckets) == 0


def test_looking_takes_nothing(clock):
    buckets = Buckets(clock=clock)
    assert [buckets.wait("a", 1) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", 1) == 0
    assert buckets.wait("a", 1) == pytest.approx(60)


@given(
    st.integers(1, 600),
    st.lists(st.tuples(st.floats(0, 30, allow_nan=False), st.integers(1, 50)), max_size=30),
)
def test_no_span_of_time_lets_more_through_than_a_minutes_worth_and_what_came_in_it(a_minute, calls):
    clock = Clock()
    buckets, taken = Buckets(clock=clock), []
    for pause, count in calls:
        clock.now += pause
        taken += [clock.now for _ in range(count) if not buckets.take("a", a_minute)]
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= a_minute * (1 + (taken[last] - taken[first]) / 60) + 0.01


@given(st.integers(1, 10_000), st.floats(0, 120, allow_nan=False))
def test_who_waits_as_long_as_told_is_let_through(a_minute, later):
    clock = Clock()
    buckets = Buckets(clock=clock)
    for _ in range(a_minute):
        buckets.take("a", a_minute)
    clock.now += later
    if seconds := buckets.take("a", a_minute):
        clock.now += seconds
        assert buckets.take("a", a_minute) == 0


def test_no_more_callers_are_remembered_than_memory_is_meant_for(clock):
    buckets = Buckets(most=3, clock=clock)
    for name in "abcd":
        buckets.take(name, 1)
    assert len(buckets) == 3
    assert buckets.take("d", 1) > 0
    assert buckets.take("a", 1) == 0, "forgotten, so full again"


def test_threads_share_a_bucket_and_take_no_token_twice(clock):
    buckets = Buckets(clock=clock)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: buckets.take("a", 500), range(2_000)))
    assert waits.count(0) == 500


def test_a_refusal_is_a_429_that_says_how_long_in_whole_seconds():
    response = answer(RateLimited("Later.", seconds=0.2))
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


def test_an_address_that_fails_too_often_waits_and_others_do_not(clock, setting):
    setting(sign_in_limit=3)
    rates = Rates(clock=clock)
    for number in range(3):
        rates.failed(asked("192.0.2.1"), rates.admit(asked("192.0.2.1"), f"guess {number}"))
    with pytest.raises(RateLimited, match="COLUMNLINE_SIGN_IN_LIMIT") as refused:
        rates.admit(asked("192.0.2.1"), "another guess")
    rates.admit(asked("192.0.2.2"), "another guess")
    clock.now += refused.value.seconds
    rates.admit(asked("192.0.2.1"), "another guess")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("testclient", "another", False),
    ],
)
def test_addresses_of_one_customer_are_one_address(clock, setting, one, other, same):
    setting(sign_in_limit=1)
    rates = Rates(clock=clock)
    rates.failed(asked(one))
    with pytest.raises(RateLimited) if same else nullcontext():
        rates.admit(asked(other), "another guess")


def test_a_key_that_was_good_goes_on_from_an_address_where_others_fail_until_it_is_bad(clock, setting):
    setting(sign_in_limit=1)
    rates, proxy = Rates(clock=clock), asked("192.0.2.1")
    rates.known(rates.admit(proxy, "good"))
    rates.failed(proxy, rates.admit(proxy, "guess"))
    mark = rates.admit(proxy, "good")
    with pytest.raises(RateLimited):
        rates.admit(proxy, "never seen")
    rates.failed(proxy, mark)
    with pytest.raises(RateLimited):
        rates.admit(proxy, "good")


def test_a_guess_that_bears_a_keys_id_does_not_use_up_its_share(clock, setting):
    setting(rate_limit=2)
    rates = Rates(clock=clock)
    for _ in range(2):
        rates.admit(asked("192.0.2.9"), "clk_id_guess")
    with pytest.raises(RateLimited, match="2 requests a minute"):
        rates.admit(asked("192.0.2.9"), "clk_id_guess")
    rates.admit(Asked(None), "clk_id_secret")


def test_good_keys_remembered_are_as_many_as_memory_is_meant_for(clock):
    rates = Rates(clock=clock)
    for number in range(MOST_KNOWN + 5):
        rates.known(str(number))
    assert len(rates._good) == MOST_KNOWN
