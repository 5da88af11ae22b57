"""The notice to every address on record that a guarded change was brought, or that an address is out of use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.directory.models import Address, Team
from pocdir.directory.office import office
from pocdir.directory.proposals.rules import LINK_LASTS, cancel_token
from pocdir.directory.queries.reading import to_be_told
from pocdir.directory.rules.office import language_for
from pocdir.mail.actions import enqueue


class Words(NamedTuple):
    """What a notice says of its own; greeting, the link and the end are the same in all."""

    subject: str
    paragraphs: tuple[str, ...]


def send(
    session: Session,
    *,
    kind: str,
    ref: str,
    again: int | str,
    team: Team,
    words: Callable[[], Words],
    domain: str,
    now: dt.datetime,
) -> int:
    """Queue a notice to every mail address that is to be told (queries/reading.py), in the team's language.

    Returns how many are new. `ref` is what the link calls off; `again` tells one round of letters from the next.
    """
    here, language, expires = office(), language_for(team.languages), now + LINK_LASTS
    values = to_be_told(session, team.merged_into_id or team.id, now)
    chosen = select(Address).where(Address.kind == "email", Address.value.in_(values))
    new = 0
    for address in session.scalars(chosen.order_by(Address.id)):
        bound = (address.kind, address.value)
        token = cancel_token(here.secret, ref, address_id=address.id, address=bound, expires=expires)
        with force_locale(language):
            said = words()
            body = "\n\n".join(
                (_("Dear colleagues,"), *said.paragraphs, *_end(f"{here.url}/proposed/{token}"))
            )
        new += enqueue(
            session, kind=kind, to=address.value, subject=said.subject, body=body + "\n",
            key=f"{kind}:{ref}:{again}:{address.id}", domain=domain, now=now, team=team.slug, language=language,
            confidential=True, expires_at=expires,
        ).is_new  # fmt: skip
    return new


def send_marked(
    session: Session,
    *,
    team: Team,
    address: str,
    state: str,
    to: Sequence[str],
    domain: str,
    now: dt.datetime,
) -> None:
    """Queue to these addresses of a national team that a steward has taken one that it confirmed out of use."""
    here, language = office(), language_for(team.languages)
    with force_locale(language):
        said = _marked(team, address, state, f"{here.url}/teams/{team.slug}")
    for value in to:
        enqueue(
            session, kind="address_notice", to=value, subject=said.subject, body="\n\n".join(said.paragraphs) + "\n",
            key=f"address_notice:{team.slug}:{address}:{state}:{now:%Y%m%dT%H%M%S}:{value}", domain=domain, now=now,
            team=team.slug, language=language, confidential=True,
        )  # fmt: skip


def _marked(team: Team, address: str, state: str, link: str) -> Words:
    how = (
        _(
            "a steward of this directory has noted that mail to %(address)s, an address of %(team)s, comes back."
        )
        if state == "bouncing"
        else _("a steward of this directory has noted that %(address)s is no address of %(team)s any more.")
    )
    return Words(
        _("An address in your entry is out of use"),
        (
            _("Dear colleagues,"),
            how % {"address": address, "team": team.name}
            + " "
            + _("Reports go to the next address of the entry meanwhile; nothing else in it has changed."),
            _("If it is right, nothing is asked of you. If it is not, answer this letter, or say so here:")
            + f"\n{link}",
        ),
    )


def _end(link: str) -> tuple[str, str]:
    return (
        _("If it is right, nothing is asked of you. If it is not, this link calls the change off:")
        + f"\n{link}",
        _("Opening the link changes nothing. This letter goes to every address on record for the team."),
    )
