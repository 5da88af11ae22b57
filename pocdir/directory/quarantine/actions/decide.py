"""A steward accepts or refuses what waits; for what is guarded (approval.py) two of them, or one and 72 hours."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from pocdir.accounts import queries as accounts
from pocdir.accounts.rules import OPERATOR
from pocdir.core.errors import Conflict, NotFound
from pocdir.core.refs import new_ref
from pocdir.core.times import isoformat
from pocdir.directory.actions.rows import BATCH, Batch, lock_directory, write
from pocdir.directory.models import Held, Import
from pocdir.directory.quarantine.actions import notice
from pocdir.directory.quarantine.actions.hold import old_unread
from pocdir.directory.quarantine.queries.judged import Judged, decision_of, judge
from pocdir.directory.queries import entries
from pocdir.directory.queries.statements import Kept, said_by
from pocdir.directory.rules import held
from pocdir.directory.rules.approval import Decision
from pocdir.directory.rules.record import Diff, Key, diff
from pocdir.ledger.actions import append_all
from pocdir.ledger.rules.events import Event

# Accepted by somebody, and not in effect yet.
_ACCEPTED = select(Held).where(Held.state == "held", cast(Held.approvals, String) != "{}")


class DecidedRow(NamedTuple):
    """What became of one row; `became` is a state of it, or waits (for `missing` stewards, or `until`), or stale.

    A file that could not be read is seen, not refused.
    """

    ref: str
    team: str | None
    became: str
    missing: int = 0
    until: dt.datetime | None = None


def accept(
    session: Session,
    *,
    refs: Sequence[str],
    note: str | None = None,
    seen: Mapping[str, int | None] | None = None,
    mail_domain: str,
    now: dt.datetime,
    actor: str,
) -> list[DecidedRow]:
    """Apply exactly what was held; what became of them in the order of `refs`.

    Where the team was changed since it was held (or since `seen`, its revision by ref), or something is doubtful that
    was not, nothing is applied: it is stale, and shown anew. Where four eyes are needed it waits. Raises NotFound
    `quarantine_unknown`, Conflict `quarantine_decided`, `nothing_to_apply` for what could not be read.
    """
    lock_directory(session, now=now)
    rows = _waiting(session, refs)
    if any(row.team is None for row in rows):
        raise Conflict("nothing_to_apply", "the file could not be read: there is nothing to apply")
    stewards = accounts.steward_refs(session)
    judged = judge(session, rows)
    decided: dict[str, DecidedRow] = {}
    due: list[Held] = []
    for row in rows:
        of = judged[row.ref]
        overtaken = of.revision != (seen or {}).get(row.ref, row.revision) or of.is_worse
        if overtaken or of.whole in {judged[it.ref].whole for it in due}:
            decided[row.ref] = DecidedRow(row.ref, row.team, "stale")
            continue
        decision = _approved(session, row, of, stewards, note, mail_domain, now, actor)
        if decision.is_due(now):
            due.append(row)
            decided[row.ref] = DecidedRow(row.ref, row.team, "accepted")
        else:
            decided[row.ref] = DecidedRow(
                row.ref, row.team, "waits", decision.missing, decision.effective_at or decision.not_before
            )
    _apply(session, due, judged, note, now, actor)
    stale = [row for row in rows if decided[row.ref].became == "stale"]
    _show_anew(session, stale, decided, now)
    return [decided[row.ref] for row in rows]


def refuse(
    session: Session, *, refs: Sequence[str], note: str | None = None, now: dt.datetime, actor: str
) -> list[DecidedRow]:
    """Leave the directory as it is; the same change of the same source is not held again.

    One steward is enough, also for what another has accepted and what still waits. Raises as `accept` does.
    """
    lock_directory(session, now=now)
    rows = _waiting(session, refs)
    for row in rows:
        _settle(row, "refused", note, now, actor)
    append_all(session, [_event("quarantine.refused", row, note, now, actor) for row in rows])
    session.flush()
    return [DecidedRow(row.ref, row.team, "refused" if row.team else "seen") for row in rows]


def apply_due(session: Session, *, now: dt.datetime, mail_domain: str) -> int:
    """Apply what was accepted and whose delay has passed; returns how many rows were settled."""
    rows = session.execute(_ACCEPTED.with_for_update()).scalars().all()
    if not rows:
        return 0
    lock_directory(session, now=now)
    stewards = accounts.steward_refs(session)
    judged = judge(session, rows)
    due: list[Held] = []
    decided: dict[str, DecidedRow] = {}
    for row in rows:
        of = judged[row.ref]
        _begin_delay(session, row, of, stewards, mail_domain, now)
        if decision_of(row, of, stewards, now).is_due(now) or of.is_worse:
            alone = of.whole not in {judged[it.ref].whole for it in due}
            fresh = of.revision == row.revision and not of.is_worse and alone
            decided[row.ref] = DecidedRow(row.ref, row.team, "accepted" if fresh else "stale")
            due.append(row)
    _apply(session, [it for it in due if decided[it.ref].became == "accepted"], judged, None, now, "service")
    _show_anew(session, [it for it in due if decided[it.ref].became == "stale"], decided, now)
    return len(due)


def anything_to_settle(session: Session, *, now: dt.datetime) -> bool:
    """Whether there is something for the worker to look at."""
    accepted = session.execute(_ACCEPTED.limit(1)).first() is not None
    return accepted or session.execute(old_unread(now).limit(1)).first() is not None


def _approved(
    session: Session,
    row: Held,
    judged: Judged,
    stewards: frozenset[str],
    note: str | None,
    mail_domain: str,
    now: dt.datetime,
    actor: str,
) -> Decision:
    """The decision with this steward's word; when it is not the last one needed, it is kept and told."""
    who = accounts.person_behind(session, actor) or OPERATOR
    is_new, is_first = who not in row.approvals, not row.approvals
    if not is_first:
        _begin_delay(session, row, judged, stewards, mail_domain, now)
    row.approvals = {who: isoformat(now)} | row.approvals
    decision = decision_of(row, judged, stewards, now)
    if decision.is_due(now) or not is_new:
        return decision
    row.note = note or row.note
    append_all(session, [_event("quarantine.approved", row, note, now, actor)])
    if is_first:
        _send_notice(session, row, judged, decision, mail_domain, now)
    session.flush()
    return decision


def _send_notice(
    session: Session, row: Held, judged: Judged, decision: Decision, mail_domain: str, now: dt.datetime
) -> None:
    row.delay_told = bool(decision.needed.delay)
    if not decision.needed.notice:
        return
    told = [(judged.whole, judged.doubts or judged.told, False)] if judged.team is not None else []
    told += [(slug, [doubt], True) for doubt in judged.seconds for slug in doubt.values["others"].split(", ")]
    for slug, doubts, beside in told:
        team = entries.team_by_slug(slug, session)
        notice.send(
            session, row, team, doubts, decision, beside=beside, mail_domain=mail_domain, now=now
        )  # fmt: skip


def _begin_delay(
    session: Session, row: Held, judged: Judged, stewards: frozenset[str], mail_domain: str, now: dt.datetime
) -> None:
    """Where one steward is left of two since it was accepted, the notice goes out again; the 72 hours run from now."""
    if not decision_of(row, judged, stewards, now).begins(row.delay_told):
        return
    row.approvals = dict.fromkeys(row.approvals, isoformat(now))
    append_all(session, [_event("quarantine.approved", row, "one steward is left", now, "service")])
    _send_notice(session, row, judged, decision_of(row, judged, stewards, now), mail_domain, now)


def _waiting(session: Session, refs: Sequence[str]) -> list[Held]:
    found: dict[str, Held] = {}
    wanted = list(dict.fromkeys(refs))
    for start in range(0, len(wanted), BATCH):
        some = select(Held).where(Held.ref.in_(wanted[start : start + BATCH])).with_for_update()
        found |= {row.ref: row for row in session.execute(some).scalars()}
    for ref in wanted:
        if ref not in found:
            raise NotFound("quarantine_unknown", "nothing of this name is in the quarantine", where=ref[:40])
        if found[ref].state != "held":
            became = "seen" if found[ref].team is None else found[ref].state
            raise Conflict("quarantine_decided", f"this is {became} already", where=found[ref].ref)
    return [found[ref] for ref in wanted]


def _apply(
    session: Session,
    rows: Sequence[Held],
    judged: Mapping[str, Judged],
    note: str | None,
    now: dt.datetime,
    actor: str,
) -> None:
    """Write the rows of each source with the same reasons at once; the source's own rows are what was held."""
    if not rows:
        return
    said = said_by(session, sorted({row.source_id for row in rows}))
    groups: dict[tuple[Any, ...], list[Held]] = {}
    for row in rows:
        forced = tuple(str(doubt) for doubt in judged[row.ref].doubts or judged[row.ref].told)
        groups.setdefault((row.source_id, row.source.name, row.origin, row.note, forced), []).append(row)
    for (source_id, source, origin, before, forced), some in groups.items():
        kept = said.get((source_id, origin), {})
        change = held.together(held.read(row.changes) for row in some)
        told = {"forced": list(forced), "evidence": note or before}
        write(
            session,
            [Batch(source_id, source, origin, change, kept)],
            now=now,
            actor=actor,
            claimed_by="steward" if actor != "service" else "service",
            note={name: value for name, value in told.items() if value},
        )
    for row in rows:
        _count(session, row)
        _settle(row, "accepted", note or row.note, now, actor)
    append_all(session, [_event("quarantine.accepted", row, note, now, actor) for row in rows])
    session.flush()


def _count(session: Session, row: Held) -> None:
    """What is accepted of an import counts among what was applied of it."""
    change, brought_by = held.read(row.changes), session.get_one(Import, row.import_id)
    brought_by.added += len(change.added)
    brought_by.changed += len(change.changed)
    brought_by.removed += len(change.removed)


def _show_anew(
    session: Session, rows: Sequence[Held], decided: dict[str, DecidedRow], now: dt.datetime
) -> None:
    """What was overtaken begins again, over what stands by now; nobody has accepted that yet."""
    if not rows:
        return
    session.flush()
    session.expire_all()
    said = said_by(session, sorted({row.source_id for row in rows}))
    for row in rows:
        change = _rebased(row, said.get((row.source_id, row.origin), {}))
        row.approvals = {}
        if held.kept(change):
            row.changes = held.kept(change)
            row.digest = held.digest(row.changes)
        else:
            _settle(row, "superseded", None, now, "service")
            decided[row.ref] = DecidedRow(row.ref, row.team, "superseded")
    judged = judge(session, rows)
    for row in rows:
        row.revision = judged[row.ref].revision
        if judged[row.ref].doubts:
            row.reasons = [{"code": it.code, "values": dict(it.values)} for it in judged[row.ref].doubts]
    session.flush()


def _rebased(row: Held, kept: Mapping[Key, Kept]) -> Diff:
    """From what the source's rows of these keys are now to what it wants them to be."""
    wanted = held.read(row.changes)
    keys = {*wanted.added, *wanted.changed, *wanted.removed}
    after = dict(wanted.added) | {key: now for key, (_, now) in wanted.changed.items()}
    before = {key: kept[key].statement for key in keys if key in kept}
    return held.in_full(diff(before, after), before)


def _settle(row: Held, state: str, note: str | None, now: dt.datetime, actor: str) -> None:
    row.state, row.decided_at, row.decided_by = state, now, actor
    row.note = note


def _event(type: str, row: Held, note: str | None, now: dt.datetime, actor: str) -> Event:
    return Event(
        id=new_ref(now),
        type=type,
        occurred_at=now,
        recorded_at=now,
        claimed_by={"service": "service", "recipient": "team"}.get(actor, "steward"),
        actor=actor,
        team=row.team,
        payload={"item": row.ref, "source": row.source.name, "note": note},
    )
