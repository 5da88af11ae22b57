"""The letters about a key: to every address on record before it is pinned, to the team before it expires."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import NOTICE
from pocdir.directory.reading import mail_addresses
from pocdir.directory.rules.approval import Decision
from pocdir.directory.rules.checks import KEY_EXPIRY, LETTERS, MOST_A_YEAR, YEAR
from pocdir.mail.actions import enqueue
from pocdir.mail.queries import written_to


def send_notice(
    session: Session, row: TeamKey, decision: Decision, *, mail_domain: str, now: dt.datetime
) -> int:
    """Queue it to every mail address that anybody gives of the team; returns how many letters are new."""
    new = 0
    for to in mail_addresses(session, row.team.merged_into_id or row.team_id):
        new += enqueue(
            session,
            kind=NOTICE,
            to=to,
            subject=f"A new OpenPGP key for {row.team.name[:150]}",
            body=_notice(row, decision),
            key=f"{NOTICE}:{row.ref}:{row.revision}:{to}"[:200],
            domain=mail_domain,
            now=now,
            team=row.team.slug,
        ).is_new
    return new


def send_expiry(session: Session, row: TeamKey, days: int, *, mail_domain: str, now: dt.datetime) -> bool:
    """Queue one letter to the first address that the key serves; False when it was queued before, or not to be.

    It counts among the letters a year about a team's own entry; beyond these the stewards see it alone.
    """
    here = [
        email
        for email in mail_addresses(session, row.team.merged_into_id or row.team_id)
        if email in row.addresses
    ]
    ends = row.expires_at
    if not here or ends is None:
        return False
    if len(written_to(session, team=row.team.slug, kinds=LETTERS, since=now - YEAR)) >= MOST_A_YEAR:
        return False
    return enqueue(
        session,
        kind=KEY_EXPIRY,
        to=here[0],
        subject=f"Your OpenPGP key expires on {ends:%Y-%m-%d}",
        body=_expiry(row, ends),
        key=f"{KEY_EXPIRY}:{row.ref}:{ends:%Y%m%d}:{days}",
        domain=mail_domain,
        now=now,
        team=row.team.slug,
        expires_at=ends,
    ).is_new


def _spaced(fingerprint: str) -> str:
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


def _notice(row: TeamKey, decision: Decision) -> str:
    if decision.missing:
        when = "It is used from the moment when the stewards have agreed."
        if decision.needed.delay:
            when = (
                f"It is used when a steward has agreed, not before {decision.not_before:%Y-%m-%d %H:%M} UTC."
            )
    else:
        when = f"It is used from {decision.not_before:%Y-%m-%d %H:%M} UTC on."
    return (
        f"Hello {row.team.name},\n\n"
        "a new OpenPGP key was brought to your entry in this directory:\n\n"
        f"    {_spaced(row.fingerprint)}\n"
        f"    for {', '.join(row.addresses)}\n\n"
        f"{when} Whoever writes to you through this directory will then be given this key.\n\n"
        "If it is yours, there is nothing to do. If it is not, please answer this letter: a steward can still\n"
        "refuse it.\n"
    )


def _expiry(row: TeamKey, ends: dt.datetime) -> str:
    return (
        f"Hello {row.team.name},\n\n"
        f"the OpenPGP key in your entry in this directory expires on {ends:%Y-%m-%d %H:%M} UTC:\n\n"
        f"    {_spaced(row.fingerprint)}\n\n"
        "From then on nobody is given it any more. Please answer this letter with the key as you have extended\n"
        "it, or with a new one (the public key only).\n"
    )
