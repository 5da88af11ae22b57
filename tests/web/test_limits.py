"""How often something may be done."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import pytest
from flask import Flask

from pocdir.core.errors import TooMany
from pocdir.db import db, transaction
from pocdir.web import limits
from pocdir.web.models import RateLimit

Count = Callable[[limits.Limit, str, dt.datetime], None]

THRICE = limits.Limit("thrice", most=3, seconds=60)
LEASED = limits.Limit("leased", most=10, seconds=60, lease=4)


@pytest.fixture(autouse=True)
def _fresh(app: Flask) -> None:
    limits.init_app(app)


def test_what_is_within_the_limit_passes(app: Flask, now: dt.datetime) -> None:
    for _ in range(3):
        limits.spend(THRICE, "anna", now)
        limits.glance(THRICE, "anna", now)


@pytest.mark.parametrize("count", [limits.spend, limits.glance])
def test_one_more_is_refused_until_the_window_is_over(app: Flask, now: dt.datetime, count: Count) -> None:
    for _ in range(3):
        count(THRICE, "anna", now)
    with pytest.raises(TooMany) as refused:
        count(THRICE, "anna", now)
    wait = refused.value.retry_after
    assert wait is not None
    assert 1 <= wait <= 60
    count(THRICE, "anna", now + dt.timedelta(seconds=wait))


@pytest.mark.parametrize("count", [limits.spend, limits.glance])
def test_another_key_is_counted_by_itself(app: Flask, now: dt.datetime, count: Count) -> None:
    for _ in range(3):
        count(THRICE, "anna", now)
    count(THRICE, "ben", now)


def test_two_processes_share_one_count(app: Flask, now: dt.datetime) -> None:
    for _ in range(3):
        limits.init_app(app)  # another process remembers nothing of the first one's
        limits.spend(THRICE, "anna", now)
    with pytest.raises(TooMany):
        limits.spend(THRICE, "anna", now)


def test_a_lease_is_never_more_than_the_limit(app: Flask, now: dt.datetime) -> None:
    for _ in range(10):
        limits.spend(LEASED, "anna", now)
    with pytest.raises(TooMany):
        limits.spend(LEASED, "anna", now)


def test_threads_at_once_are_counted_exactly(app: Flask, now: dt.datetime) -> None:
    passed: list[int] = []

    def hurry() -> None:
        with app.app_context():
            for _ in range(5):
                try:
                    limits.spend(THRICE, "everybody", now)
                    passed.append(1)
                except TooMany:
                    pass
            db.session.remove()

    threads = [threading.Thread(target=hurry) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 3


def test_the_database_keeps_no_address(app: Flask, now: dt.datetime) -> None:
    limits.spend(THRICE, "anna@example.org", now)
    kept = db.session.scalars(db.select(RateLimit)).one()
    assert "anna" not in kept.key


def test_counters_whose_window_is_over_are_dropped(app: Flask, now: dt.datetime) -> None:
    limits.spend(THRICE, "anna", now)
    with transaction() as session:
        assert limits.forget_old_limits(session, now=now) == 0
        assert limits.forget_old_limits(session, now=now + dt.timedelta(seconds=60)) == 1


def test_limits_can_be_switched_off(app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "RATELIMIT_ENABLED", False)
    for _ in range(5):
        limits.spend(THRICE, "anna", now)
        limits.glance(THRICE, "anna", now)


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        (":not an address:", ":not an address:"),
    ],
)
def test_one_customer_is_one_network(address: str | None, stands_for: str) -> None:
    assert limits.network(address) == stands_for
