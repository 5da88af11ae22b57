"""Keeping an entry true: it is asked about, confirmed, tested, and what was asked comes to its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, Invalid, NotFound, Stale
from pocdir.core.refs import new_ref
from pocdir.db import table_of
from pocdir.directory.actions.marking import put_address
from pocdir.directory.actions.past import keep
from pocdir.directory.actions.rows import bump_version, lock_directory
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.models import Check
from pocdir.directory.models import Address, Team
from pocdir.directory.proposals.actions import propose
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import Entry
from pocdir.directory.rules import address_state as states
from pocdir.directory.rules import checks as rules
from pocdir.directory.rules.check_link import claimed_ref, prove, unknown
from pocdir.directory.rules.office import Office
from pocdir.ledger.actions import append
from pocdir.ledger.queries import event_by_key
from pocdir.ledger.rules.events import Event
from pocdir.mail import actions as outbox
from pocdir.mail import queries as letters
from pocdir.mail.models import FAILED, SENT, Mail
from pocdir.mail.rules.replies import is_bounce

SERVICE, TEAM = "service", "recipient"  # who acts: the worker, or whoever holds a letter's link
PERSON = 3  # of the ladder: a person answers; 4 a person who knows, 5 one who can resolve
LEVELS = (3, 4, 5)


class Letter(NamedTuple):
    """A letter as it is queued."""

    subject: str
    body: str
    language: str


@dataclass(frozen=True, slots=True)
class Post:
    """How letters are written: the right side of their Message-IDs, and who words them (`reminder`: a second time)."""

    domain: str
    compose: Callable[[Entry, Check, bool], Letter]


def ask(session: Session, *, slug: str, kind: str, post: Post, now: dt.datetime) -> Check | None:
    """Queue a letter to a team about its own entry; None where something is under way, no address is in use, or the
    year's letters are written."""
    team = entries.team_by_slug(slug, session, lock=True)
    if team.retired_at is not None or checks.under_way(session, team_id=team.id):
        return None
    if not _may_write(session, team, kind, now):
        return None
    entry = entries.entry(slug, audiences=entries.EVERYBODY)
    channel = rules.address_to_ask(entry.channels)
    if channel is None:
        return None
    address = _address(session, channel.kind, channel.value)
    check = Check(ref=new_ref(now), kind=kind, team_id=team.id, address_id=address.id, queued_at=now)
    check.asked_revision = team.revision
    session.add(check)
    session.flush()
    _queue(session, check, post, kind, now, expires_at=now + rules.UNSENT_BY)
    return check


def remind(session: Session, check: Check, *, post: Post, now: dt.datetime) -> bool:
    """Queue the one reminder of a check whose letter was sent, where the year's letters leave room for it."""
    kind = rules.REMINDER[check.kind]
    if check.reminded_at is not None or not _may_write(session, check.team, kind, now):
        return False
    ends = rules.course(check.kind, _sent(check), check.team.timezone).closed_at
    _queue(session, check, post, kind, now, expires_at=ends)
    check.reminded_at, check.reminded_revision = now, check.team.revision
    return True


def note_sent(session: Session, mail: Mail, *, now: dt.datetime) -> None:
    """Write down what became of one of our letters, which has come to its end in the outbox."""
    check = checks.check_by_ref(mail.notification or "", session, lock=True)
    outbox.report([mail], now=now)
    if check is None:
        return
    if mail.state != SENT:
        bounced = mail.state == FAILED and is_bounce(mail.last_error or "")
        came_back(session, check, mail.kind, bounced=bounced, said=mail.last_error or "", now=now)
        return
    at, reminder = mail.sent_at or now, mail.kind not in rules.KINDS
    payload = {"kind": "email", "recipient": mail.to, "message_id": mail.message_id}
    if reminder:
        type_, payload = "reminder.sent", payload | {"to": "recipient"}
    else:
        type_, check.sent_at = "ping.sent" if check.kind == rules.PING else "contact.asked", at
    append(
        session, type=type_, occurred_at=at, now=now, actor=SERVICE, claimed_by="service",
        notification=check.ref, team=check.team.slug, payload=payload,
    )  # fmt: skip
    if mail.kind == rules.CONFIRMATION:
        _move(session, check.address, states.ASKED, f"asked to confirm on {at:%Y-%m-%d}", now)


def came_back(
    session: Session, check: Check, kind: str, *, bounced: bool, said: str, now: dt.datetime,
    stays_guarded: bool = False,
) -> None:  # fmt: skip
    """A letter of this kind did not arrive; `bounced`: because there is no such mailbox or domain."""
    if bounced:
        said = f"mail came back: {said}"
        _move(session, check.address, states.BOUNCED, said, now, stays_guarded=stays_guarded)
    if (bounced or kind in rules.KINDS) and check.closed_at is None:
        _close(check, rules.UNDELIVERABLE if bounced else rules.UNSENT, now)


def close_what_ended(session: Session, check: Check, *, in_use: bool, now: dt.datetime) -> bool:
    """Close a check whose days are over, whose mail bounces, or whose team or address (not `in_use`) is gone."""
    team, address = whole_of(check, session), check.address
    if team.retired_at is not None or not in_use:
        result = rules.ENDED
    elif address.state in ("bouncing", "withdrawn"):
        result = rules.UNDELIVERABLE
    elif check.sent_at and now >= rules.course(check.kind, check.sent_at, team.timezone).closed_at:
        result = rules.UNANSWERED
    else:
        return False
    _close(check, result, now)
    if result == rules.ENDED:
        _move(session, address, states.ENDED, "what it was asked was ended", now, team=team.slug)
    return True


def settle(session: Session, check: Check, *, in_use: bool, now: dt.datetime) -> bool:
    """Let an unanswered check count once its days of grace are over; a word from the address since outweighs it."""
    sent = _sent(check)
    if now < rules.course(check.kind, sent, check.team.timezone).unresponsive_at:
        return False
    check.settled_at = now
    address = check.address
    spoken = address.state == "verified" and address.state_since is not None and address.state_since > sent
    if not in_use:
        _move(session, address, states.ENDED, "what it was asked was ended", now, team=check.team.slug)
    elif not spoken:
        _move(session, address, states.UNANSWERED, f"no answer to our letter of {sent:%Y-%m-%d}", now)
    return True


def grow_old(session: Session, *, kind: str, value: str, evidence: str, now: dt.datetime) -> None:
    """A verified address whose last confirmation is too old: its confirmation is due."""
    _move(session, _address(session, kind, value), states.DUE, evidence, now)


def addressed(session: Session | None, token: str, *, secret: bytes, now: dt.datetime) -> Check:
    """The check of a letter's link; raises NotFound `link_unknown`, Gone `link_expired`.

    The link ends when the address changes or is no longer the team's.
    """
    check = checks.check_by_ref(claimed_ref(token), session, lock=session is not None)
    if check is None:
        raise unknown()
    address = check.address
    prove(secret, token, kind=address.kind, value=address.value, version=address.version, now=now)
    if whole_of(check, session).retired_at is not None or not is_in_use(check):
        raise unknown()
    return check


def whole_of(check: Check, session: Session | None = None) -> Team:
    """The team that was asked, as it stands: the one that its entry was merged into since."""
    return entries.team_by_slug(check.team.slug, session)


def confirm(
    session: Session,
    *,
    slug: str,
    kind: str,
    value: str,
    via: str,
    now: dt.datetime,
    actor: str,
    claimed_by: str = "team",
    assurance: str | None = None,
    evidence: str | None = None,
    digest: str | None = None,
    revision: int | None = None,
    check: Check | None = None,
) -> Event:
    """Somebody at this address of the team says that the entry is right as it stands, whichever way it was said.

    It is a confirmation of the team, a word from the address, and vouches for the team's other addresses; whatever
    the team was asked is answered by it. Through a check's link it counts once. Raises NotFound `team_unknown`,
    `address_unknown`, Stale `stale` where the entry is not at `revision` any more.
    """
    lock_directory(session, now=now)
    team = entries.team_by_slug(slug, session, lock=True)
    slug = team.slug
    once = ("check:" + check.ref, f"confirmed:{team.revision}") if check else (None, None)
    if check and (before := event_by_key(once[0] or "", once[1] or "", session)):
        return before
    if revision is not None and team.revision != revision:
        raise changed_since()
    address = _address(session, kind, value)
    entry = entries.entry(slug, audiences=entries.EVERYBODY)
    if (kind, value) not in {(it.kind, it.value) for it in entry.channels}:
        raise NotFound("address_unknown", "this team has no such address here", where="value")
    payload = {
        "kind": kind, "value": value, "before": address.state, "via": via, "evidence": evidence,
        "state": states.after(address.state, states.CONFIRMED), "reachability": PERSON,
    }  # fmt: skip
    event = append(
        session, type="contact.confirmed", now=now, actor=actor, claimed_by=claimed_by, assurance=assurance,
        team=slug, payload=payload, evidence_digest=digest, scope=once[0], idempotency_key=once[1],
    )  # fmt: skip
    assert event is not None  # noqa: S101 - its key was looked for under the directory's lock
    said = evidence or f"confirmed by the team on {now:%Y-%m-%d}"
    _move(
        session, address, states.CONFIRMED, said, now, actor, claimed_by, level=PERSON, event=(slug, event.id)
    )
    for other in {(it.kind, it.value) for it in entry.channels} - {(kind, value)}:
        _move(session, _address(session, *other), states.VOUCHED, said, now, actor, claimed_by)
    keep(session.connection(), table_of(Team), [team.id], now)
    team.confirmed_at = now
    asked = checks.under_way(session, team_id=team.id)
    for each in {it.id: it for it in (check, *asked) if it}.values():
        _close(each, rules.CONFIRMED, now)
        each.level = max(each.level or 0, PERSON)
    _withdraw_letters(session, team, now)
    bump_version(session, now=now)
    return event


def answer_test(
    session: Session,
    check: Check,
    *,
    level: int,
    now: dt.datetime,
    via: str = "page",
    digest: str | None = None,
) -> Event:
    """A person answers a reachability test, by its link or by mail; the same answer again is the same event.

    `level` is that of the ladder which the person names (LEVELS); raises Invalid `payload_invalid`, and
    `action_unknown` where no test was asked for: what asks for a confirmation is answered by confirming.
    """
    if check.kind != rules.PING:
        raise Invalid("action_unknown", "this letter asks for a confirmation, not for a test", where="action")
    if level not in LEVELS:
        raise Invalid("payload_invalid", "3, 4 or 5 is right", where="level")
    scope, key = f"check:{check.ref}", f"answered:{level}"
    if before := event_by_key(scope, key, session):
        return before
    event = append(
        session, type="ack.given", now=now, actor=TEAM, claimed_by="recipient", assurance="A2",
        notification=check.ref, team=check.team.slug, payload={"via": via}, evidence_digest=digest,
        scope=scope, idempotency_key=key,
    )  # fmt: skip
    assert event is not None  # noqa: S101 - its key was looked for, and the check is locked
    _close(check, rules.ANSWERED, now)
    check.level, check.settled_at = level, None
    said = f"answered a test on {now:%Y-%m-%d}"
    _move(session, check.address, states.CONFIRMED, said, now, TEAM, "team", level=level)
    _withdraw_letters(session, whole_of(check, session), now)
    return event


def choose_tests(
    session: Session, check: Check, *, wanted: bool, office: Office, now: dt.datetime
) -> Proposal | None:
    """The team wants no reachability tests any more, or wants them again: its own word, which takes effect at once.

    None when that stands already.
    """
    team = entries.team_by_slug(check.team.slug, session, lock=True)
    if wanted != rules.declines_tests(team.profile.get("opt_outs", ())):
        return None
    said = [it for it in team.profile.get("opt_outs", ()) if it not in rules.DECLINING]
    said += [] if wanted else [rules.DECLINED]
    return propose(
        session,
        slug=team.slug,
        wanted={("fact", "opt_outs"): {"value": said}},
        by="team",
        actor=TEAM,
        person=None,
        note="said through the link of a letter to the team",
        office=office,
        now=now,
    )


def changed_since() -> Stale:
    """The refusal of a word about what is not there any more."""
    return Stale("stale", "the entry was changed since you read it; read it again")


def refuse_machines(check: Check, now: dt.datetime) -> None:
    """Raises Conflict `too_soon` within a minute of sending: then it is a mail scanner that presses buttons."""
    if rules.may_be_automatic(now, check.sent_at):
        raise Conflict(
            "too_soon", "this came within a minute of the letter, as programs do; press again in a minute"
        )


def _may_write(session: Session, team: Team, kind: str, now: dt.datetime) -> bool:
    since = now - rules.YEAR
    written = [
        mail.created_at
        for slug in checks.slugs_of(team.id)
        for mail in letters.written_to(session, team=slug, kinds=rules.LETTERS, since=since)
    ]
    return rules.may_write(kind, written, now)


def _queue(
    session: Session, check: Check, post: Post, kind: str, now: dt.datetime, expires_at: dt.datetime
) -> None:
    entry = entries.entry(check.team.slug, audiences=entries.EVERYBODY)
    letter = post.compose(entry, check, kind not in rules.KINDS)
    outbox.enqueue(
        session,
        kind=kind,
        to=check.address.value,
        subject=letter.subject,
        body=letter.body,
        language=letter.language,
        key=f"{kind}:{check.ref}",
        domain=post.domain,
        team=check.team.slug,
        notification=check.ref,
        now=now,
        expires_at=expires_at,
    )


def _withdraw_letters(session: Session, team: Team, now: dt.datetime) -> None:
    """What is still in the outbox has its answer already."""
    kinds, since = (*rules.KINDS, *rules.REMINDER.values()), now - rules.UNSENT_BY * 4
    for slug in checks.slugs_of(team.id):
        for mail in letters.written_to(session, team=slug, kinds=kinds, since=since):
            if mail.state == "queued":
                outbox.withdraw(session, ref=mail.ref, now=now, actor=SERVICE, reason="answered already")


def _close(check: Check, result: str, now: dt.datetime) -> None:
    check.closed_at, check.result = now, result


def _sent(check: Check) -> dt.datetime:
    return check.sent_at or check.queued_at


def _address(session: Session, kind: str, value: str) -> Address:
    chosen = select(Address).where(Address.kind == kind, Address.value == value)
    address = session.scalar(chosen.with_for_update())
    if address is None:
        raise NotFound("address_unknown", "no team has this address here", where="value")
    return address


def is_in_use(check: Check) -> bool:
    """Whether the address that was asked is one of the team's own still."""
    address, team_id = check.address, check.team.merged_into_id or check.team_id
    return (team_id, address.kind, address.value) in checks.in_use([team_id])


def _move(
    session: Session,
    address: Address,
    occasion: str,
    evidence: str,
    now: dt.datetime,
    actor: str = SERVICE,
    claimed_by: str = "service",
    *,
    level: int | None = None,
    event: tuple[str, str] | None = None,
    team: str | None = None,
    stays_guarded: bool = False,
) -> None:
    """Move an address as the table says; a word from it counts also where it stays `verified`."""
    lock_directory(session, now=now)
    state = states.after(address.state, occasion)
    if state != address.state or occasion == states.CONFIRMED:
        put_address(
            session, address, state=state, evidence=evidence, now=now, actor=actor, claimed_by=claimed_by,
            level=level, event=event, team=team, stays_guarded=stays_guarded,
        )  # fmt: skip
