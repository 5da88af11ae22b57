"""What changes a team's keys: proposing, agreeing, refusing, pinning, refreshing, retiring."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.accounts import queries as accounts
from pocdir.core.errors import Conflict, Invalid
from pocdir.core.refs import new_ref
from pocdir.core.times import isoformat
from pocdir.directory.actions.projection import raise_revision
from pocdir.directory.actions.rows import bump_version, lock_directory
from pocdir.directory.keys import letters, queries
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import (
    EXPIRED,
    OPEN,
    PINNED,
    PROPOSED,
    REFUSED,
    RETIRED,
    WARN_DAYS,
    in_words,
    serves,
    warning,
)
from pocdir.directory.office import office
from pocdir.directory.queries import entries as directory
from pocdir.directory.queries.reading import on_record
from pocdir.directory.queries.wholes import whole_team
from pocdir.directory.rules.approval import KEY, Decision, is_guarded
from pocdir.ledger.actions import append
from pocdir.mail.rules import openpgp

SERVICE = "service"


def propose(
    session: Session,
    *,
    slug: str,
    key: openpgp.Key,
    address: str | None = None,
    evidence: str | None = None,
    mail_domain: str,
    now: dt.datetime,
    actor: str,
    claimed_by: str = "steward",
) -> TeamKey:
    """Bring a key that `queries.examined` has read to a team; returns its row: pinned, or waiting for others.

    A steward's own upload is pinned at once where no four eyes are needed. A copy of a key that the team has already,
    serving no further address, refreshes it; one that is revoked retires it. `claimed_by` team: a steward agrees first.
    Raises NotFound `team_unknown`, Invalid `key_unusable` (with the guard's reasons), `key_serves_nobody`,
    `key_address_unknown`, Conflict `key_waiting`, `key_older`.
    """
    lock_directory(session, now=now)
    team = directory.team_by_slug(slug, session, lock=True)
    ours = queries.of_team(slug, states=OPEN, session=session)
    known = next((it for it in ours if it.fingerprint == key.fingerprint), None)
    if known is not None and "revoked" in key.reasons:
        return _revoke(session, known, key, now, actor, claimed_by)
    _require_usable(session, key, now)
    addresses = serves(
        key.addresses, on_record(session, team.id), address or (known.stated if known else None)
    )
    if known is not None and known.state == PROPOSED:
        raise Conflict("key_waiting", "this key waits for a steward already", where="key")
    if known is not None and set(addresses) <= set(known.addresses):
        return _refresh(session, known, key, addresses, now, actor, claimed_by)
    person = _person(session, actor)
    row = TeamKey(
        ref=new_ref(now), team_id=team.id, fingerprint=key.fingerprint, algorithm=key.algorithm, bits=key.bits,
        public=openpgp.armoured(key.public), addresses=addresses, stated=address, evidence=evidence,
        actor=actor, person=person, uploaded_at=now, signed_at=key.signed_at, expires_at=key.expires,
        state=PROPOSED, approvals={}, revision=1,
    )  # fmt: skip
    row.team = team
    session.add(row)
    session.flush()
    _append(session, "key.proposed", row, now, actor, claimed_by, note=evidence)
    own = claimed_by == "steward" and person in queries.stewards(session, person)
    if own and not is_guarded(whole_team(session, team.id).kind, {KEY}):
        _pin(session, row, now, actor, claimed_by)
        return row
    _send_notice(session, row, mail_domain, now)
    return row


def _send_notice(session: Session, row: TeamKey, mail_domain: str, now: dt.datetime) -> None:
    decision = _decided(session, row)
    row.delay_told = bool(decision.needed.delay)
    if decision.needed.notice:
        letters.send_notice(session, row, decision, mail_domain=mail_domain, now=now)


def _begin_delay(session: Session, row: TeamKey, now: dt.datetime) -> bool:
    """Where one steward is left of two while it waits, the notice goes out again, and the 72 hours run from now."""
    if not queries.decision_of(row, session).begins(row.delay_told):
        return False
    row.uploaded_at = now
    row.revision += 1
    note = "one steward is left: the 72 hours begin"
    _append(session, "key.proposed", row, now, SERVICE, "service", note=note)
    _send_notice(session, row, office().mail_domain, now)
    return True


def _require_usable(session: Session, key: openpgp.Key, now: dt.datetime) -> None:
    if key.reasons or queries.was_revoked(session, key.fingerprint, now=now):
        words = in_words(key.reasons or ("revoked",))
        message = f"this key must not be used: {'; '.join(words)}"
        raise Invalid("key_unusable", message, where="key", errors={"key": words})


def approve(session: Session, *, ref: str, now: dt.datetime, actor: str) -> TeamKey:
    """A steward agrees; the key is pinned as soon as that is enough and no delay lasts.

    Raises NotFound `key_unknown`, Conflict `key_decided`, and `key_own` for who proposed it.
    """
    lock_directory(session, now=now)
    row = _proposed(session, ref)
    _begin_delay(session, row, now)
    person = _person(session, actor)
    if person == row.person:
        raise Conflict("key_own", "another steward than the one who brought it has to agree")
    if person not in row.approvals:
        row.approvals = {**row.approvals, person: isoformat(now)}
        row.revision += 1
        _append(session, "key.approved", row, now, actor, "steward")
    decision = _decided(session, row)
    if decision.is_due(now):
        _pin(session, row, now, actor, "steward")
    session.flush()
    return row


def refuse(
    session: Session,
    *,
    ref: str,
    note: str | None = None,
    now: dt.datetime,
    actor: str,
    claimed_by: str = "steward",
) -> TeamKey:
    """Refuse a key that was brought: one steward is enough, whoever has agreed.

    Raises NotFound `key_unknown`, Conflict `key_decided`.
    """
    lock_directory(session, now=now)
    row = _proposed(session, ref)
    _settle(session, row, REFUSED, None, note, now, actor, claimed_by)
    return row


def retire(session: Session, *, ref: str, note: str | None = None, now: dt.datetime, actor: str) -> TeamKey:
    """Take a pinned key out of use; one steward is enough, for nothing is sent in its place without a new key.

    Raises NotFound `key_unknown`, Conflict `key_decided`.
    """
    lock_directory(session, now=now)
    row = queries.key(ref, session, lock=True)
    if row.state not in (PINNED, EXPIRED):
        raise Conflict("key_decided", f"this key is {row.state} already")
    _settle(session, row, RETIRED, "withdrawn", note, now, actor, "steward")
    return row


def show_anew(session: Session, *, entries: Collection[int], mail_domain: str, now: dt.datetime) -> int:
    """What was brought to these entries while one steward was enough asks for more now: it waits, and begins anew.

    Nobody has agreed to it, the notice goes out, and the delay runs from today. Returns how many keys.
    """
    chosen = select(TeamKey).where(TeamKey.team_id.in_(entries), TeamKey.state.in_((PROPOSED, PINNED)))
    rows = session.scalars(chosen.order_by(TeamKey.id).with_for_update()).all()
    for row in rows:
        stood = row.state == PINNED
        row.state, row.approvals, row.uploaded_at = PROPOSED, {}, now
        row.revision += 1
        note = "its entry became part of a national team: it begins anew"
        _append(session, "key.proposed", row, now, SERVICE, "service", note=note)
        if stood:
            _changed(session, row, now)
        _send_notice(session, row, mail_domain, now)
    return len(rows)


def begin_delays(session: Session, *, now: dt.datetime) -> int:
    """Begin the 72 hours of what waits for two stewards while one alone is left; returns how many."""
    chosen = select(TeamKey).where(TeamKey.state == PROPOSED, TeamKey.effective_at.is_(None))
    begun = 0
    for row in session.scalars(chosen.with_for_update(skip_locked=True)).all():
        lock_directory(session, now=now)
        begun += _begin_delay(session, row, now) or _decided(session, row).effective_at is not None
    return begun


def pin_due(session: Session, *, now: dt.datetime) -> int:
    """Pin what nobody refused within the delay; returns how many proposals were settled."""
    chosen = select(TeamKey).where(TeamKey.state == PROPOSED, TeamKey.effective_at <= now)
    rows = session.scalars(chosen.with_for_update(skip_locked=True)).all()
    settled = 0
    for row in rows:
        lock_directory(session, now=now)
        if _decided(session, row).is_due(now):
            _pin(session, row, now, SERVICE, "service")
            settled += 1
    return settled


def expire(session: Session, *, now: dt.datetime) -> int:
    """What is pinned and has come to its end; returns how many."""
    chosen = select(TeamKey).where(TeamKey.state == PINNED, TeamKey.expires_at <= now)
    rows = session.scalars(chosen.with_for_update(skip_locked=True)).all()
    for row in rows:
        _settle(session, row, EXPIRED, None, None, now, SERVICE, "service", occurred_at=row.expires_at)
    return len(rows)


def warn(session: Session, *, now: dt.datetime, mail_domain: str) -> int:
    """Tell teams that a pinned key will expire, once for each key and threshold; returns how many letters."""
    soon = now + dt.timedelta(days=WARN_DAYS[0])
    chosen = select(TeamKey).where(
        TeamKey.state == PINNED, TeamKey.expires_at > now, TeamKey.expires_at <= soon
    )
    told = 0
    for row in session.scalars(chosen.with_for_update(skip_locked=True)).all():
        days = warning(row.expires_at, now)
        if days is None or days == row.told_days:
            continue
        row.told_days = days
        if letters.send_expiry(session, row, days, mail_domain=mail_domain, now=now):
            _append(session, "key.expiry_told", row, now, SERVICE, "service", days=str(days))
            told += 1
    session.flush()
    return told


def _revoke(
    session: Session, row: TeamKey, key: openpgp.Key, now: dt.datetime, actor: str, claimed_by: str
) -> TeamKey:
    """Its owner took it back: the revocation is kept, so that no older copy brings it again."""
    row.public = openpgp.armoured(key.public)
    words = openpgp.REASONS["revoked"]
    if row.state == PROPOSED:
        _settle(session, row, REFUSED, None, words, now, actor, claimed_by)
    else:
        _settle(session, row, RETIRED, "revoked", words, now, actor, claimed_by)
    return row


def _refresh(
    session: Session,
    row: TeamKey,
    key: openpgp.Key,
    addresses: list[str],
    now: dt.datetime,
    actor: str,
    claimed_by: str,
) -> TeamKey:
    """A newer copy of a key that was agreed before: its new end, its new subkeys, fewer addresses."""
    if row.signed_at and key.signed_at and key.signed_at < row.signed_at:
        raise Conflict("key_older", "a newer copy of this key is here already", where="key")
    public = openpgp.armoured(key.public)
    if row.state == PINNED and (public, addresses) == (row.public, row.addresses):
        return row
    row.public, row.addresses, row.expires_at, row.signed_at = public, addresses, key.expires, key.signed_at
    row.state, row.settled_at, row.note, row.told_days = PINNED, None, None, None
    row.revision += 1
    _replace_others(session, row, now, actor, claimed_by)
    _append(session, "key.refreshed", row, now, actor, claimed_by)
    _changed(session, row, now)
    return row


def _pin(session: Session, row: TeamKey, now: dt.datetime, actor: str, claimed_by: str) -> None:
    """Pin a key: it stands from now on, if the guard still agrees; what served its addresses is retired."""
    reasons = queries.usable(row, now)
    if reasons:
        _settle(session, row, REFUSED, None, "; ".join(in_words(reasons)), now, actor, claimed_by)
        return
    _replace_others(session, row, now, actor, claimed_by)
    row.state, row.pinned_at, row.effective_at = PINNED, now, now
    row.revision += 1
    _append(session, "key.pinned", row, now, actor, claimed_by)
    _changed(session, row, now)


def _replace_others(session: Session, row: TeamKey, now: dt.datetime, actor: str, claimed_by: str) -> None:
    others = queries.of_team(row.team.slug, states=(PINNED, EXPIRED), session=session)
    for other in others:
        if other.id != row.id and set(other.addresses) & set(row.addresses):
            _settle(session, other, RETIRED, "replaced", None, now, actor, claimed_by)


def _settle(
    session: Session,
    row: TeamKey,
    state: str,
    reason: str | None,
    note: str | None,
    now: dt.datetime,
    actor: str,
    claimed_by: str,
    occurred_at: dt.datetime | None = None,
) -> None:
    stood = row.state == PINNED
    row.state, row.settled_at, row.effective_at, row.note = state, now, None, note
    row.revision += 1
    _append(
        session,
        f"key.{state}",
        row,
        now,
        actor,
        claimed_by,
        note=note,
        reason=reason,
        occurred_at=occurred_at,
    )
    if stood:
        _changed(session, row, now)
    session.flush()


def _changed(session: Session, row: TeamKey, now: dt.datetime) -> None:
    """The team's answer is another one: who read it before, and the lookup, read it again."""
    session.flush()
    raise_revision(session.connection(), [row.team_id], now)
    session.expire(row.team)
    bump_version(session, now=now)


def _proposed(session: Session, ref: str) -> TeamKey:
    row = queries.key(ref, session, lock=True)
    if row.state != PROPOSED:
        raise Conflict("key_decided", f"this key is {row.state} already")
    return row


def _person(session: Session, actor: str) -> str:
    """A token is the person who made it; one of the operator's is nobody who may agree."""
    return accounts.person_behind(session, actor) or actor


def _decided(session: Session, row: TeamKey) -> Decision:
    decision = queries.decision_of(row, session)
    row.effective_at = decision.effective_at
    session.flush()
    return decision


def _append(
    session: Session,
    type: str,
    row: TeamKey,
    now: dt.datetime,
    actor: str,
    claimed_by: str,
    occurred_at: dt.datetime | None = None,
    **more: Any,
) -> None:
    payload: dict[str, Any] = {"key": row.ref, "fingerprint": row.fingerprint, "addresses": row.addresses}
    payload |= {name: said for name, said in more.items() if said is not None}
    if type in ("key.pinned", "key.refreshed", "key.proposed") and row.expires_at:
        payload["expires_at"] = isoformat(row.expires_at)
    append(
        session, type=type, occurred_at=occurred_at, now=now, actor=actor, claimed_by=claimed_by,
        team=row.team.slug, payload=payload,
    )  # fmt: skip
