"""Appending to the ledger."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pocdir.core.canonical import b64, canonical_json, sha256
from pocdir.core.errors import Invalid
from pocdir.db import db, transaction
from pocdir.ledger import queries
from pocdir.ledger.actions import append, append_all
from pocdir.ledger.rules.events import Event, commitment, keyed_digest, leaf_data

REF = "0192f3a4-0000-7000-8000-000000000001"


def logged(now: dt.datetime, **more: object) -> Event | None:
    with transaction() as session:
        return append(
            session,
            type="notification.logged",
            now=now,
            actor="service",
            claimed_by="sender",
            notification=REF,
            payload={"channel": "phone", "subject": "Sinkhole hits"},
            **more,  # type: ignore[arg-type]
        )


def test_an_event_reads_back_as_it_was_written(app: Flask, now: dt.datetime) -> None:
    event = logged(now)
    assert queries.events_of_notification(REF) == [event]


def test_the_same_key_is_recorded_once(app: Flask, now: dt.datetime) -> None:
    assert logged(now, scope="clock", idempotency_key="k") is not None
    assert logged(now, scope="clock", idempotency_key="k") is None
    assert logged(now, scope="other", idempotency_key="k") is not None
    assert queries.event_count() == 2


def test_the_leaf_tells_nothing_and_commits_to_everything(app: Flask, now: dt.datetime) -> None:
    event = logged(now)
    assert event is not None
    (row,) = queries.stored()
    assert row.leaf == leaf_data(row.salt, row.inner)
    assert json.loads(row.leaf) == {"digest": b64(sha256(row.salt + row.inner)), "v": 1}
    inner = json.loads(row.inner)
    salt, value = queries.values_of([event.id])[event.id]["subject"]
    assert inner["sealed"] == {"subject": commitment(salt, value)}
    assert b"Sinkhole" not in row.inner
    assert canonical_json(inner) == row.inner


def test_an_event_in_the_future_is_refused(app: Flask, now: dt.datetime) -> None:
    logged(now, occurred_at=now + dt.timedelta(minutes=5))
    with pytest.raises(Invalid, match="future"):
        logged(now, occurred_at=now + dt.timedelta(minutes=6))


@pytest.mark.parametrize("statement", ["UPDATE events SET v = 2", "DELETE FROM events"])
def test_nobody_rewrites_an_event(app: Flask, now: dt.datetime, statement: str) -> None:
    logged(now)
    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(text(statement))
    db.session.rollback()
    assert queries.event_count() == 1


def test_a_value_may_be_erased_but_not_changed(app: Flask, now: dt.datetime) -> None:
    logged(now)
    with pytest.raises(DBAPIError, match="never changed"), transaction() as session:
        session.execute(text("""UPDATE event_values SET value = '"other"'"""))
    with transaction() as session:
        session.execute(text("DELETE FROM event_values"))
    (event,) = queries.events_of_notification(REF)
    assert event.sealed == {}


def test_a_digest_is_kept_keyed_under_the_events_salt(app: Flask, now: dt.datetime) -> None:
    sent = "sha256:" + "0" * 64
    for _ in range(2):
        with transaction() as session:
            append(
                session, type="notification.logged", now=now, actor="service", claimed_by="sender", notification=REF,
                payload={"body_digest": sent}, evidence_digest=sent,
            )  # fmt: skip
    kept = [(row.salt, row.evidence_digest) for row in queries.stored()]
    assert [digest for _, digest in kept] == [keyed_digest(salt, sent) for salt, _ in kept]
    assert [event.sealed["body_digest"] for event in queries.events_of_notification(REF)] == [
        digest for _, digest in kept
    ]
    assert len({digest for _, digest in kept}) == 2
    assert not [row for row in queries.stored() if sent.encode() in row.inner]


@pytest.mark.parametrize(
    ("type_", "payload", "code"),
    [
        ("user.created", {}, "event_unknown"),
        ("contact.changed", {"state": "bouncing"}, "payload_invalid"),
        ("contact.marked", {}, "payload_invalid"),
    ],
)
def test_what_is_not_in_the_vocabulary_gets_in_by_no_way(
    app: Flask, now: dt.datetime, type_: str, payload: dict[str, object], code: str
) -> None:
    event = Event(REF, type_, now, now, "steward", "operator", team="isp", payload=payload)
    for write in (
        lambda session: append(
            session, type=type_, now=now, actor="operator", claimed_by="steward", payload=payload
        ),
        lambda session: append_all(session, [event]),
    ):
        with pytest.raises(Invalid) as refused, transaction() as session:
            write(session)
        assert refused.value.code == code
    assert queries.event_count() == 0


def test_nobody_claims_what_is_not_theirs(app: Flask, now: dt.datetime) -> None:
    with pytest.raises(ValueError, match="nothing that sender claims"), transaction() as session:
        append(session, type="ping.sent", now=now, actor="service", claimed_by="sender")
