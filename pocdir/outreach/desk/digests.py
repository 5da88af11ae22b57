"""The daily mail of a team: chosen at its desk, written when its hour has come and something new stands open."""

from __future__ import annotations

import datetime as dt

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid
from pocdir.directory.office import office
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import Entry
from pocdir.directory.rules.office import language_for
from pocdir.directory.rules.record import DEAD_STATES
from pocdir.ledger.actions import append
from pocdir.mail.actions import enqueue
from pocdir.outreach.desk import letter, queries, rules
from pocdir.outreach.desk.models import Digest
from pocdir.outreach.queries import told

KIND = "digest"


def addresses(entry: Entry) -> list[str]:
    """The mail addresses of an entry to which letters go, in the order to be tried."""
    live = (it.value for it in entry.channels if it.kind == "email" and it.state not in DEAD_STATES)
    return list(dict.fromkeys(live))


def choose_digest(
    session: Session,
    team_id: int,
    *,
    hour: int | None,
    address: str | None,
    now: dt.datetime,
    actor: str,
    by: str = "team",
) -> None:
    """A team wants one mail a day at most, at this hour of its own day, to an address on record; None: none.

    `by`: the team itself, or a steward with its word.

    Raises Invalid `address_not_on_record`.
    """
    slug = queries.slug_of(team_id)
    entry = entries.entry(slug, audiences=queries.ITS_OWN)
    queries.lock_team(team_id, session)
    standing = session.get(Digest, team_id, with_for_update=True)
    if hour is None and standing is None:
        return
    if hour is not None and address not in addresses(entry):
        raise Invalid(
            "address_not_on_record", "one of the mail addresses of the entry is right", where="address"
        )
    append(
        session, type="desk.digest_chosen", now=now, actor=actor, claimed_by=by, team=slug,
        payload={"digest": "off" if hour is None else "on", "hour": hour, "address": address},
    )  # fmt: skip
    if standing is not None and hour is None:
        session.delete(standing)
    elif hour is not None and address is not None:
        kept = standing or Digest(team_id=team_id, told_until=now)
        kept.hour, kept.address, kept.chosen_at, kept.chosen_by = hour, address, now, actor
        kept.look_at = rules.next_look(now, hour, entry.team.timezone)
        session.add(kept)
    session.flush()


def send_digest(session: Session, digest: Digest, *, now: dt.datetime) -> bool:
    """Queue it if anything new stands open; one a day at most, whatever hour is chosen meanwhile.

    Nothing goes to an address that is not the entry's any more, nor to a team that was merged or retired.
    """
    entry = queries.entry_of(digest.team_id)
    zone = entry.team.timezone if entry else None
    due_at, digest.look_at = digest.look_at, rules.next_look(now, digest.hour, zone)
    if entry is None or digest.address not in addresses(entry) or not rules.may_send(digest.sent_at, now):
        return False
    if not queries.anything_new(digest.team_id, digest.told_until):
        return False
    here, language = office(), language_for(entry.team.languages)
    waiting = queries.waiting(digest.team_id, limit=letter.MOST, url=f"{here.url}/told")
    with force_locale(language):
        written = letter.letter(
            team=entry.team.name, waiting=waiting, total=told.counts(digest.team_id)["open"],
            without_outcome=queries.without_outcome(digest.team_id), desk=f"{here.url}/desk", _=_,
        )  # fmt: skip
    digest.told_until, digest.sent_at = now, now
    return enqueue(
        session, kind=KIND, to=digest.address, subject=written.subject, body=written.body,
        key=f"{KIND}:{digest.team_id}:{due_at.isoformat()}", domain=here.mail_domain, now=now, team=entry.team.slug,
        language=language, confidential=True, expires_at=now + rules.DIGEST_STALE,
    ).is_new  # fmt: skip
