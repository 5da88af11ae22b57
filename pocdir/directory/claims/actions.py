"""Letting a team's own staff in: a link to an address on record, and the person who comes by it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import delete
from sqlalchemy.orm import Session

from pocdir.accounts.actions import add_team_contact
from pocdir.accounts.models import TeamContact, User
from pocdir.accounts.queries import user_by_ref
from pocdir.accounts.rules import link_used
from pocdir.core.errors import Invalid, NotFound
from pocdir.core.refs import new_ref
from pocdir.directory.actions import marking
from pocdir.directory.actions.rows import lock_directory
from pocdir.directory.claims import letter, queries
from pocdir.directory.claims.models import Claim
from pocdir.directory.claims.rules import (
    CHALLENGE_LASTS,
    KEY,
    LINK_LASTS,
    MAIL,
    ONE_A_DAY,
    check_link,
    choice_of,
    claimed_ref,
    link_token,
    link_unknown,
)
from pocdir.directory.models import Address, Team
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import EVERYBODY
from pocdir.directory.rules.office import Office, language_for
from pocdir.directory.rules.record import DEAD_STATES
from pocdir.ledger.actions import append
from pocdir.mail.actions import enqueue, withdraw_unsent

SERVICE = "service"
_PROVES = frozenset({"unverified", "due", "in-check", "unresponsive"})  # who uses the link reads the address


def is_new(session: Session, *, slug: str, choice: str, office: Office, now: dt.datetime) -> bool:
    """Whether `ask` would send a letter now; raises as it does."""
    address = _chosen(session, slug, choice, office)
    return queries.asked_since(address.id, now - ONE_A_DAY, session) is None


def ask(session: Session, *, slug: str, choice: str, office: Office, now: dt.datetime) -> bool:
    """Send a link to the address on record that `choice` stands for; False when one went there today already.

    One open link an address and day, whoever asks for whichever team. Raises NotFound `team_unknown`, Invalid
    `address_unknown`.
    """
    lock_directory(session, now=now)
    team, address = entries.team_by_slug(slug, session), _chosen(session, slug, choice, office, lock=True)
    if queries.asked_since(address.id, now - ONE_A_DAY, session):
        return False
    claim = Claim(
        ref=new_ref(now), team_id=team.id, team=team, method=MAIL, address_id=address.id, address=address,
        asked_at=now, expires_at=now + LINK_LASTS,
    )  # fmt: skip
    session.add(claim)
    session.flush()
    language = language_for(team.languages)
    with force_locale(language):
        text = letter.link(
            team=team.name,
            url=f"{office.url}/teams/{slug}",
            link=link_of(claim, office),
            expires=claim.expires_at,
            _=_,
        )
    enqueue(
        session, kind="claim", to=address.value, subject=text.subject, body=text.body, key=_letter_key(claim),
        domain=office.mail_domain, now=now, team=slug, language=language, confidential=True,
        expires_at=claim.expires_at,
    )  # fmt: skip
    append(
        session, type="contact.claim_asked", now=now, actor=SERVICE, claimed_by=SERVICE, team=slug,
        payload={"address": address.value},
    )  # fmt: skip
    return True


def ask_by_key(
    session: Session, *, slug: str, fingerprint: str, nonce: str, office: Office, now: dt.datetime
) -> str:
    """A claim proven by a signature of the pinned key; returns the address of the page that lets one person in.

    Raises NotFound `team_unknown`, Gone `link_used` for a line that was signed and brought before.
    """
    lock_directory(session, now=now)
    team = entries.team_by_slug(slug, session)
    if queries.claim(nonce, session) is not None:
        raise link_used()
    claim = Claim(
        ref=nonce, team_id=team.id, team=team, method=KEY, fingerprint=fingerprint, asked_at=now,
        expires_at=now + CHALLENGE_LASTS,
    )  # fmt: skip
    session.add(claim)
    session.flush()
    return link_of(claim, office)


def _letter_key(claim: Claim) -> str:
    return f"claim:{claim.ref}"


def link_of(claim: Claim, office: Office) -> str:
    """The address of the page that lets one person in."""
    token = link_token(office.secret, claim.ref, claim.expires_at, _bound(claim))
    return f"{office.url}/claim/{token}"


def claimed(
    session: Session | None, token: str, *, office: Office, now: dt.datetime, lock: bool = False
) -> Claim:
    """The claim of a link that still works.

    Raises NotFound `link_unknown` (forged, or its address or key has left the entry), Gone `link_expired`, `link_used`.
    """
    claim = queries.claim(claimed_ref(token), session, lock=lock)
    if claim is None:
        raise link_unknown()
    check_link(office.secret, token, bound=_bound(claim), expires=claim.expires_at, now=now)
    if claim.proven_at is not None:
        raise link_used()
    if not _stands(claim, now):
        raise link_unknown()
    return claim


def require_proven(claim: Claim, email: str) -> None:
    """A new account bears an address of which the link shows that its holder reads it, and nobody else's.

    Raises Invalid `address_unproven`.
    """
    if email.strip().lower() not in queries.proven_addresses(claim):
        raise Invalid("address_unproven", "the account bears the address to which the link went")


def prove(session: Session, *, token: str, user: User, office: Office, now: dt.datetime) -> Team:
    """The person who holds the link becomes the team's contact, once.

    Where somebody else was let in before, the addresses of both are told. Raises what `claimed` does, Conflict
    `contact_already` for a person who is the contact of a team already.
    """
    lock_directory(session, now=now)
    claim = claimed(session, token, office=office, now=now, lock=True)
    team, before = claim.team, queries.proven(claim.team_id, session)
    actor = f"user:{user.ref}"
    add_team_contact(session, user=user, team_id=team.id, now=now, actor=actor)
    claim.proven_at, claim.user_id = now, user.id
    payload: dict[str, Any] = {"proof": claim.method, "again": bool(before)}
    if claim.address is not None:
        payload["address"] = claim.address.value
    if claim.fingerprint is not None:
        payload["fingerprint"] = claim.fingerprint
    append(
        session,
        type="contact.claimed",
        now=now,
        actor=actor,
        claimed_by="team",
        team=team.slug,
        payload=payload,
    )
    if claim.address is not None and claim.address.state in _PROVES:
        marking.mark_address(
            session, kind=claim.address.kind, value=claim.address.value, state="verified",
            evidence="a link that was sent there was used by the team's staff", now=now, actor=actor,
            claimed_by="team",
        )  # fmt: skip
    if before:
        _send_notices(session, claim, before, office, now)
    withdraw_unsent(session, key=_letter_key(claim), now=now, actor=SERVICE, reason="its link was used")
    session.flush()
    return team


def release(
    session: Session,
    *,
    slug: str,
    user_ref: str,
    note: str | None,
    claimed_by: str,
    now: dt.datetime,
    actor: str,
) -> None:
    """A person no longer answers for a team; raises NotFound `team_unknown`, `contact_unknown`."""
    team = entries.team_by_slug(slug, session)
    user = user_by_ref(session, user_ref)
    gone = 0
    if user is not None:
        this = (TeamContact.user_id == user.id) & (TeamContact.team_id == team.id)
        gone = session.execute(delete(TeamContact).where(this)).rowcount  # type: ignore[attr-defined]
    if not gone:
        raise NotFound("contact_unknown", "there is no such contact of this team")
    payload = {"note": note} if note else {}
    append(
        session,
        type="contact.released",
        now=now,
        actor=actor,
        claimed_by=claimed_by,
        team=slug,
        payload=payload,
    )


def _chosen(session: Session, slug: str, choice: str, office: Office, *, lock: bool = False) -> Address:
    """The address on record that `choice` stands for; raises Invalid `address_unknown`."""
    offered = (it["value"] for it in queries.claimable(slug))
    value = next((it for it in offered if choice_of(office.secret, slug, it) == choice), None)
    address = queries.address(value, session, lock=lock) if value else None
    if address is None:
        raise Invalid("address_unknown", "choose one of the addresses on record", where="address")
    return address


def _bound(claim: Claim) -> Sequence[Any]:
    if claim.address is not None:
        return (claim.address.kind, claim.address.value, claim.address.version)
    return (KEY, claim.fingerprint)


def _stands(claim: Claim, now: dt.datetime) -> bool:
    """Whether what the claim rests on is still in the entry."""
    if claim.address is None:
        return claim.fingerprint in queries.pinned(claim.team.slug, now)
    channels = entries.entry(claim.team.slug, audiences=EVERYBODY).channels
    live = {it.value for it in channels if it.kind == "email" and it.state not in DEAD_STATES}
    return claim.address.value in live


def _send_notices(
    session: Session, claim: Claim, before: Sequence[Claim], office: Office, now: dt.datetime
) -> None:
    team = claim.team
    addresses = [each.address for each in (*before, claim) if each.address is not None]
    language = language_for(team.languages)
    with force_locale(language):
        text = letter.again(team=team.name, url=f"{office.url}/teams/{team.slug}", when=now, _=_)
    for address in _living(addresses):
        enqueue(
            session, kind="claim_again", to=address.value, subject=text.subject, body=text.body,
            key=f"claim-again:{claim.ref}:{address.id}", domain=office.mail_domain, now=now, team=team.slug,
            language=language,
        )  # fmt: skip


def _living(addresses: Sequence[Address]) -> list[Address]:
    found = {it.id: it for it in addresses if it.state not in DEAD_STATES}
    return list(found.values())
