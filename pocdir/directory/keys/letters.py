"""The letters about a key: to every address on record before it is pinned, to the team before it expires."""

from __future__ import annotations

import datetime as dt

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pocdir.directory.actions import notices
from pocdir.directory.actions.notices import Words
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import NOTICE
from pocdir.directory.office import office
from pocdir.directory.queries.reading import on_record
from pocdir.directory.rules.approval import Decision
from pocdir.directory.rules.checks import KEY_EXPIRY, LETTERS, MOST_A_YEAR, YEAR
from pocdir.directory.rules.office import language_for
from pocdir.mail.actions import enqueue
from pocdir.mail.queries import written_to


def send_notice(
    session: Session, row: TeamKey, decision: Decision, *, mail_domain: str, now: dt.datetime
) -> int:
    """Queue it to every mail address that anybody gives of the team; returns how many letters are new."""
    return notices.send(
        session, kind=NOTICE, ref=row.ref, again=row.revision, team=row.team, domain=mail_domain, now=now,
        words=lambda: _notice(row, decision),
    )  # fmt: skip


def send_expiry(session: Session, row: TeamKey, days: int, *, mail_domain: str, now: dt.datetime) -> bool:
    """Queue one letter to the first address that the key serves; False when it was queued before, or not to be.

    It counts among the letters a year about a team's own entry; beyond these the stewards see it alone.
    """
    here = [
        email
        for email in on_record(session, row.team.merged_into_id or row.team_id)
        if email in row.addresses
    ]
    ends = row.expires_at
    if not here or ends is None:
        return False
    if len(written_to(session, team=row.team.slug, kinds=LETTERS, since=now - YEAR)) >= MOST_A_YEAR:
        return False
    language = language_for(row.team.languages)
    with force_locale(language):
        said = _expiry(row, ends)
    return enqueue(
        session,
        kind=KEY_EXPIRY,
        to=here[0],
        subject=said.subject,
        body="\n\n".join(said.paragraphs) + "\n",
        language=language,
        key=f"{KEY_EXPIRY}:{row.ref}:{ends:%Y%m%d}:{days}",
        domain=mail_domain,
        now=now,
        team=row.team.slug,
        expires_at=ends,
    ).is_new


def _spaced(fingerprint: str) -> str:
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


def _notice(row: TeamKey, decision: Decision) -> Words:
    when = (
        _("It is used from the moment when the stewards who are asked have agreed.")
        if decision.missing and not decision.needed.delay
        else _("It is used not before %(time)s UTC, and after a steward's approval where one is needed.")
        % {"time": decision.not_before.strftime("%Y-%m-%d %H:%M")}
    )
    return Words(
        _("A new OpenPGP key for your entry"),
        (
            _(
                "a new OpenPGP key was brought to the entry of %(team)s in this directory of points of contact:"
            )
            % {"team": row.team.name},
            f"{_spaced(row.fingerprint)}\n{', '.join(row.addresses)}",
            when + " " + _("Whoever writes to you through this directory will then be given this key."),
        ),
    )


def _expiry(row: TeamKey, ends: dt.datetime) -> Words:
    return Words(
        _("Your OpenPGP key expires on %(day)s") % {"day": ends.strftime("%Y-%m-%d")},
        (
            _("Dear colleagues,"),
            _("the OpenPGP key in the entry of %(team)s in this directory expires on %(time)s UTC:")
            % {"team": row.team.name, "time": ends.strftime("%Y-%m-%d %H:%M")},
            _spaced(row.fingerprint),
            _("From then on nobody is given it any more. Replies to this letter are not read: sign in on the page of "
              "your entry and propose the fingerprint of the key that is to be used from then on:")
            + f"\n{office().url}/teams/{row.team.slug}",
        ),
    )  # fmt: skip
