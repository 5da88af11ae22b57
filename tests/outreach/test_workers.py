"""Workers that are killed, and two at once: nothing is lost and nothing is done twice."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from pocdir.accounts.actions import create_workspace
from pocdir.accounts.models import Workspace
from pocdir.accounts.queries import team_id_of
from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.ledger.models import LedgerEvent
from pocdir.mail.models import Mail
from pocdir.outreach.desk.actions import choose_automatic
from pocdir.outreach.desk.digests import choose_digest
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.actions import policies
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.sending.actions import allow, send
from pocdir.outreach.webhooks.actions import subscribe
from pocdir.outreach.webhooks.models import Delivery
from tests.latency.made import DAY, HOUR, event, told
from tests.mail.relay import Relay, serving
from tests.outreach import made
from tests.outreach.policies import chosen
from tests.outreach.receiver import Receiver, receiving
from tests.site import service

pytestmark = pytest.mark.long


@pytest.fixture
def given(place: tuple[Flask, dict[str, str]]):
    """A workspace that may send, and a service with a relay and webhooks: (the workspace, its environment)."""
    app, environ = place
    relay = Relay()
    with serving(relay) as port:
        more = {"smtp_url": f"smtp://127.0.0.1:{port}", "mail_from": "pocdir@pocdir.example"}
        more |= {"webhooks": "http", "webhook_networks": "127.0.0.0/8"}
        environ |= {f"POCDIR_{name.upper()}": value for name, value in more.items()}
        environ["POCDIR_SENDS_PER_DAY"] = "1000"
        app.extensions["pocdir"] = dataclasses.replace(app.extensions["pocdir"], **more, sends_per_day=1000)
        before = clock.now() - 90 * DAY
        with transaction() as session:
            lab = create_workspace(session, name="lab", now=before, actor="operator")
            allow(session, lab, allowed=True, now=before, actor="user:steward")
        yield lab, environ


def teams(count: int) -> list[str]:
    """Teams with two mail addresses each."""
    slugs = [f"team-{number}" for number in range(count)]
    records: list[dict[str, Any]] = [
        {
            "slug": slug, "name": slug, "kind": "provider", "country": "AT", "responsibilities": [],
            "channels": [
                {"kind": "email", "value": f"{name}@{slug}.example", "purpose": "incident", "preference": number}
                for number, name in enumerate(("abuse", "second"), 1)
            ],
        }
        for slug in slugs
    ]  # fmt: skip
    made._import(records, "many", clock.now() - 80 * DAY)
    return slugs


def reported(lab: Workspace, slug: str, at: dt.datetime) -> str:
    more = {"tlp": "TLP:GREEN", "subject": "Hits", "body": "It calls in."}
    return told(lab, team=slug, at=at, channel=("email", f"abuse@{slug}.example"), **more)


def times(*types: str) -> Counter[tuple[str, str | None]]:
    """How often each fact stands about each notification."""
    db.session.rollback()
    kept = select(LedgerEvent.type, LedgerEvent.notification).where(LedgerEvent.type.in_(types))
    return Counter((row.type, row.notification) for row in db.session.execute(kept))


def count_of(type_: str) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(LedgerEvent.type == type_)) or 0


def killed(environ: dict[str, str], when: Callable[[], bool]) -> None:
    """A worker's process that is killed as soon as this holds, in whatever it does then."""
    process = service.worker(environ)
    while not when():
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def done(environ: dict[str, str]) -> None:
    ended = service.pocdir("worker", "--once", environ=environ)
    assert ended.returncode == 0, ended.stderr


def test_a_worker_killed_between_lapses_and_between_steps_goes_on_where_it_was(
    given: tuple[Workspace, dict[str, str]],
) -> None:
    lab, environ = given
    slugs, now = teams(120), clock.now()
    plain = [reported(lab, "team-0", now - 9 * DAY) for _ in range(600)]
    slug = chosen(lab, now - 30 * DAY, {"target": "same_team", "wait": "P1D"})
    with transaction() as session:
        policy = queries.policy(slug, workspace_id=lab.id, session=session)
        policies.approve_or_stop(session, policy, approved=True, now=now - 30 * DAY, actor="user:a")
        for each in slugs:
            choose_automatic(
                session, team_id_of(session, each), ["follow_up"], now=now - 30 * DAY, actor="user:b"
            )
    walking = [reported(lab, each, now - 3 * DAY - HOUR) for each in slugs]
    db.session.remove()

    killed(environ, lambda: count_of("expectation.lapsed") > 0)
    assert 0 < count_of("expectation.lapsed") < 720
    killed(environ, lambda: count_of("escalation.step_due") > 0)
    assert 0 < count_of("escalation.step_due") < 120
    done(environ)

    assert times("expectation.lapsed") == {("expectation.lapsed", ref): 1 for ref in plain + walking}
    taken = ("escalation.step_due", "escalation.step_taken")
    assert times(*taken, "escalation.step_held") == {(each, ref): 1 for ref in walking for each in taken}
    assert Counter(db.session.scalars(select(Mail.to))) == {f"second@{each}.example": 1 for each in slugs}
    assert list(differences()) == []


def test_a_worker_killed_while_a_receiver_is_told_tells_it_again_and_loses_nothing(
    given: tuple[Workspace, dict[str, str]],
) -> None:
    lab, environ = given
    (slug,) = teams(1)
    with receiving() as one:
        listen(lab, one, "notification.logged")
        for _ in range(6):
            reported(lab, slug, clock.now() - HOUR)
        db.session.remove()
        process = service.worker(environ)
        one.at_post = lambda: os.kill(process.pid, signal.SIGKILL) if len(one.taken) == 3 else None
        assert process.wait() == -signal.SIGKILL
        with transaction() as session:  # its lease ends
            session.execute(
                update(Delivery).where(Delivery.state == "claimed").values(lease_until=clock.now())
            )
        db.session.remove()
        done(environ)
    assert sorted(told_of(one).values()) == [
        1,
        1,
        1,
        1,
        1,
        2,
    ]  # with the same id, by which its receiver knows it
    assert set(db.session.scalars(select(Delivery.state))) == {"sent"}


def test_two_workers_at_once_tell_write_and_follow_everything_once(
    given: tuple[Workspace, dict[str, str]], tmp_path: Path
) -> None:
    lab, environ = given
    slugs, now = teams(20), clock.now()
    with receiving() as one:
        listen(lab, one, "notification.logged", "escalation.other_channel")
        with transaction() as session:
            for slug in slugs:
                team, address = team_id_of(session, slug), f"abuse@{slug}.example"
                choose_digest(session, team, hour=9, address=address, now=now - 3 * DAY, actor="user:b")
        refs = [reported(lab, slug, now - HOUR) for slug in slugs]
        for ref in refs:
            with transaction() as session:
                send(session, ref=ref, now=now - HOUR, actor="user:a")
            event(lab, ref, "delivery.failed", at=now - HOUR / 2, by=("remote_mta", "S"), status="5.1.1")
        db.session.remove()
        logs = [tmp_path / f"{number}.log" for number in range(2)]
        nowhere = Path(os.devnull)
        workers = [
            service.Process("worker", "--once", environ=environ, said=nowhere, logged=log) for log in logs
        ]
        for each in workers:
            each.wait()
        failures = [line for log in logs for line in log.read_text().splitlines() if "job failed" in line]
        # Where one has to wait too long for the other, the next round does it.
        assert [line for line in failures if "the database is busy" not in line] == []
        done(environ)
        assert set(told_of(one).values()) == {1}
        assert len(told_of(one)) == 3 * len(
            slugs
        )  # the report, the letter that followed it, that it followed
    assert times("escalation.other_channel") == {("escalation.other_channel", ref): 1 for ref in refs}
    written = Counter((row.kind, row.to) for row in db.session.execute(select(Mail.kind, Mail.to)))
    assert set(written.values()) == {1}
    assert Counter(kind for kind, _ in written) == {"digest": 20, "notification": 40}
    assert list(differences()) == []


def listen(lab: Workspace, one: Receiver, *types: str) -> None:
    with transaction() as session:
        subscribe(
            session,
            workspace_id=lab.id,
            url=one.url,
            types=types,
            mode="http",
            now=clock.now(),
            actor="user:a",
        )


def told_of(one: Receiver) -> Counter[str]:
    """How often each message came."""
    return Counter(headers["webhook-id"] for headers, _ in one.taken)
