"""The outbox: a letter is queued once, claimed by one, tried again, and never lost."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import pytest
from flask import Flask

from pocdir.core.errors import Conflict, Invalid, NotFound
from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.mail import actions, jobs, queries
from pocdir.mail.models import Mail
from pocdir.mail.rules import schedule
from tests.mail.made import queued

LEASE = dt.timedelta(minutes=15)
MINUTE = dt.timedelta(minutes=1)


def claim(now: dt.datetime) -> Mail | None:
    with transaction() as session:
        return actions.claim(session, now=now, lease=LEASE)


def state(ref: str) -> Mail:
    db.session.remove()
    return queries.mail(ref)


def act(action: Callable[..., object], ref: str, now: dt.datetime, **more: object) -> None:
    with transaction() as session:
        action(session, ref=ref, now=now, **more)


def test_a_letter_waits_in_the_outbox_as_it_will_be_sent(app: Flask, now: dt.datetime) -> None:
    letter = queued(now, tlp="green", to="cert@MÜNCHEN.example")
    mail = state(letter.ref)
    assert letter.is_new
    assert mail.state == "queued"
    assert mail.to == "cert@xn--mnchen-3ya.example"
    assert mail.subject == f"[TLP:GREEN] Please confirm your entry [pocdir {letter.ref}]"
    assert mail.body == "TLP:GREEN\n\nDear colleagues,\n\nis this still right?\n"
    assert mail.message_id == letter.message_id == f"<{letter.ref}@pocdir.example>"


def test_a_letter_about_a_notification_carries_its_reference(app: Flask, now: dt.datetime) -> None:
    about = new_ref(now)
    letter = queued(now, notification=about)
    assert f"[pocdir {about}]" in state(letter.ref).subject
    assert letter.message_id == f"<{about}.{letter.ref}@pocdir.example>"


def test_the_same_letter_is_queued_once(app: Flask, now: dt.datetime) -> None:
    first = queued(now)
    again = queued(now + MINUTE, subject="Other words")
    assert (again.ref, again.message_id, again.is_new) == (first.ref, first.message_id, False)
    assert queries.counts() == {"queued": 1}


def test_what_is_rolled_back_was_never_queued(app: Flask, now: dt.datetime) -> None:
    with pytest.raises(ZeroDivisionError), transaction() as session:
        actions.enqueue(
            session, kind="x", to="a@example.org", subject="s", body="b", key="k", domain="d.example", now=now
        )
        raise ZeroDivisionError
    assert queries.counts() == {}


@pytest.mark.parametrize(
    "to", ["", "nobody", "A <a@example.org>", "a@b@example.org", "a\n@example.org", "a@[192.0.2.1]"]
)
def test_an_address_that_is_none_is_refused(app: Flask, now: dt.datetime, to: str) -> None:
    with pytest.raises(Invalid) as refusal:
        queued(now, to=to)
    assert refusal.value.code == "address_invalid"


def test_a_line_break_in_a_subject_is_refused(app: Flask, now: dt.datetime) -> None:
    with pytest.raises(Invalid) as refusal:
        queued(now, subject="hello\r\nBcc: everybody@example.org")
    assert refusal.value.code == "header_invalid"
    assert queries.counts() == {}


def test_a_claimed_letter_is_nobody_elses(app: Flask, now: dt.datetime) -> None:
    letter = queued(now)
    mail = claim(now)
    assert mail is not None
    assert (mail.ref, mail.attempts) == (letter.ref, 1)
    assert claim(now) is None
    for action in (actions.withdraw, actions.retry, actions.mark_sent_by_hand):
        with pytest.raises(Conflict) as refusal:
            act(action, letter.ref, now, actor="steward")
        assert refusal.value.code == "mail_claimed"


def test_a_letter_for_later_waits_for_its_time(app: Flask, now: dt.datetime) -> None:
    queued(now, not_before=now + MINUTE)
    assert claim(now) is None
    assert claim(now + MINUTE) is not None


def test_a_worker_that_died_holds_a_letter_no_longer_than_its_lease(app: Flask, now: dt.datetime) -> None:
    letter = queued(now)
    claim(now)
    assert claim(now + LEASE - MINUTE) is None
    again = claim(now + LEASE)
    assert again is not None
    assert (again.ref, again.attempts) == (letter.ref, 2)
    with transaction() as session:  # the first comes back after all: it has sent it
        assert actions.refuse(session, ref=letter.ref, attempt=1, reason="late", now=now) is False
        assert actions.mark_sent(session, ref=letter.ref, now=now + LEASE) is True
    with transaction() as session:
        assert actions.mark_sent(session, ref=letter.ref, now=now + LEASE + MINUTE) is False
    assert state(letter.ref).sent_at == now + LEASE


def test_it_is_tried_again_by_the_schedule_and_then_given_up(app: Flask, now: dt.datetime) -> None:
    letter, moment = queued(now), now
    for attempt in range(1, schedule.MOST_ATTEMPTS + 1):
        mail = claim(moment)
        assert mail is not None
        with transaction() as session:
            said = actions.defer(session, ref=letter.ref, attempt=attempt, reason="421 not now", now=moment)
        mail = state(letter.ref)
        assert mail.last_error == "421 not now"
        if attempt < schedule.MOST_ATTEMPTS:
            assert said == "queued"
            assert mail.next_attempt_at is not None
            assert claim(mail.next_attempt_at - dt.timedelta(seconds=1)) is None
            moment = mail.next_attempt_at
    assert state(letter.ref).state == "dead"
    assert moment - now >= dt.timedelta(days=4)
    act(actions.retry, letter.ref, moment, actor="steward")
    assert (state(letter.ref).state, state(letter.ref).attempts) == ("queued", 0)


def test_a_letter_that_ends_every_worker_is_given_up(app: Flask, now: dt.datetime) -> None:
    letter, moment = queued(now), now
    for _ in range(schedule.MOST_ATTEMPTS):
        assert claim(moment) is not None
        moment += LEASE
    assert claim(moment) is None
    assert state(letter.ref).state == "dead"


def test_what_is_not_true_any_more_is_not_sent(app: Flask, now: dt.datetime) -> None:
    first = queued(now, expires_at=now + MINUTE)
    second = queued(now, key="another", expires_at=now + MINUTE)
    assert claim(now) is not None
    assert claim(now + LEASE) is None  # also when it was claimed once
    assert jobs.tidy(now + LEASE) == 0
    assert {state(first.ref).state, state(second.ref).state} == {"stale"}
    with pytest.raises(Conflict):
        act(actions.retry, first.ref, now + LEASE, actor="steward")


def test_without_a_relay_what_is_past_its_time_becomes_stale_too(app: Flask, now: dt.datetime) -> None:
    letter = queued(now, expires_at=now + MINUTE)
    assert jobs.tidy(now) == 0
    assert jobs.tidy(now + MINUTE) == 1
    assert state(letter.ref).state == "stale"


def test_a_person_sends_it_by_hand_once(app: Flask, now: dt.datetime) -> None:
    letter = queued(now)
    act(actions.mark_sent_by_hand, letter.ref, now, actor="user:1")
    mail = state(letter.ref)
    assert (mail.state, mail.sent_at, mail.settled_by) == ("sent", now, "user:1")
    for action in (actions.mark_sent_by_hand, actions.withdraw, actions.retry):
        with pytest.raises(Conflict) as refusal:
            act(action, letter.ref, now, actor="user:1")
        assert refusal.value.code == "mail_sent"
    assert claim(now) is None


def test_a_withdrawn_letter_stays_where_it_is(app: Flask, now: dt.datetime) -> None:
    letter = queued(now)
    act(actions.withdraw, letter.ref, now, actor="user:1", reason="wrong\nteam")
    assert (state(letter.ref).state, state(letter.ref).last_error) == ("withdrawn", "wrong team")
    assert claim(now) is None
    for action in (actions.mark_sent_by_hand, actions.retry):
        with pytest.raises(Conflict):
            act(action, letter.ref, now, actor="user:1")


def test_a_letter_that_is_not_there(app: Flask, now: dt.datetime) -> None:
    with pytest.raises(NotFound):
        act(actions.withdraw, new_ref(now), now, actor="user:1")


def test_the_body_of_a_one_time_link_goes_with_the_letter(app: Flask, now: dt.datetime) -> None:
    letter = queued(now, confidential=True)
    assert claim(now) is not None
    act(actions.mark_sent, letter.ref, now)
    assert state(letter.ref).body is None


def test_bodies_are_erased_after_a_year(app: Flask, now: dt.datetime) -> None:
    letter = queued(now)
    act(actions.mark_sent_by_hand, letter.ref, now, actor="user:1")
    kept = dt.timedelta(days=365)
    with transaction() as session:
        assert actions.forget_letters(session, now=now + dt.timedelta(days=364), kept=kept) == 0
        assert actions.forget_letters(session, now=now + kept, kept=kept) == 1
        assert actions.forget_letters(session, now=now + kept, kept=kept) == 0
    assert (state(letter.ref).body, state(letter.ref).subject) == (None, "erased")


def test_a_domain_is_not_flooded(app: Flask, now: dt.datetime) -> None:
    for number in range(schedule.BURST + 2):
        queued(now, key=str(number))
    queued(now, key="elsewhere", to="cert@example.net")
    domains = []
    while (mail := claim(now)) is not None:
        domains.append(mail.domain)
    assert domains.count("example.org") == schedule.BURST
    assert domains.count("example.net") == 1
    assert claim(now + schedule.GAP) is not None
    assert claim(now + schedule.GAP) is None


def test_a_domain_that_asks_for_patience_rests(app: Flask, now: dt.datetime) -> None:
    letter = queued(now)
    queued(now, key="another")
    assert claim(now) is not None
    with transaction() as session:
        actions.defer(session, ref=letter.ref, attempt=1, reason="450 slowly", now=now, pause=True)
    assert claim(now + MINUTE) is None
    assert claim(now + schedule.PAUSE) is not None


def test_the_room_that_queued_it_reads_every_end_once(app: Flask, now: dt.datetime) -> None:
    sent, failed, waits = (queued(now, key=key).ref for key in "abc")
    queued(now, key="d", kind="claim")
    claim(now)
    act(actions.mark_sent, sent, now)
    claim(now)
    act(actions.refuse, failed, now, attempt=1, reason="550 no such user")
    with transaction() as session:
        ended = queries.unreported(session, kinds=["confirmation"])
        assert [mail.ref for mail in ended] == [sent, failed]
        actions.report(ended, now=now)
    with transaction() as session:
        assert queries.unreported(session, kinds=["confirmation"]) == []
        written = queries.written_to(session, team="cert", kinds=["confirmation"], since=now)
        assert [mail.ref for mail in written] == [sent, waits]
    act(actions.retry, failed, now, actor="user:1")
    claim(now)
    act(actions.mark_sent, failed, now)
    with transaction() as session:
        assert [mail.ref for mail in queries.unreported(session, kinds=["confirmation"])] == [failed]


def test_many_workers_claim_each_letter_once(app: Flask, now: dt.datetime) -> None:
    refs = {queued(now, key=str(number)).ref for number in range(24)}
    taken: list[str] = []

    def work() -> None:
        with app.app_context():
            while (mail := claim(now)) is not None:
                taken.append(mail.ref)
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(refs)


def test_the_same_letter_asked_for_at_once_is_one(app: Flask, now: dt.datetime) -> None:
    new: list[bool] = []

    def work() -> None:
        with app.app_context():
            new.append(queued(now).is_new)
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False, False, False, True]
