"""Coming in and going out: passwords checked, sessions begun and ended, one-time links made and read."""

from __future__ import annotations

import datetime as dt

import structlog
from flask import current_app, request, session
from flask_security.utils import hash_password, login_user, verify_password
from sqlalchemy.orm import Session

from pocdir import running
from pocdir.accounts import actions, queries, rules
from pocdir.accounts.guards import SIGN_IN
from pocdir.accounts.models import Invitation, User
from pocdir.core.errors import Invalid, Unauthenticated
from pocdir.db import db, transaction
from pocdir.web import limits

WELCOME, INVITATION = "welcome", "invitation"  # purposes of one-time links

BY_ADDRESS = limits.Limit("sign-in address", most=30, seconds=600)
BY_ACCOUNT = limits.Limit("sign-in account", most=15, seconds=900)
BY_LINK = limits.Limit("one-time links", most=30, seconds=600)

# Of nothing anybody typed, at the cost of a real one: whoever is unknown waits as long as whoever is known.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$zfIkUeszjq1+EeJ+QVInUQ$Dy64S4DBh6U68b6XOOeUtb1cxs6QrIo+pnx8HRIR7us"

_log = structlog.get_logger("pocdir.accounts")


def sign_in(*, email: str, password: str, now: dt.datetime) -> None:
    """Begin a session for whoever knows the password.

    Raises Unauthenticated `sign_in_refused`, the same and as slowly whether the address, the password or the
    account's state is wrong; TooMany after too many tries.
    """
    address = rules.address_key(email)
    limits.spend(BY_ADDRESS, limits.network(request.remote_addr), now)
    limits.spend(BY_ACCOUNT, address, now)
    kept = queries.credentials(address)
    right = verify_password(normal(password), kept.password if kept and kept.password else NOBODY)
    if not right or kept is None or not kept.active or not kept.password:
        _log.info("sign-in refused", user=kept.ref if kept else None)
        raise Unauthenticated("sign_in_refused", "this address and password do not belong together")
    enter(kept.id, now=now)


def enter(user_id: int, *, now: dt.datetime) -> None:
    """A new session for this person: nothing of the browser's old one is kept."""
    browser = request.user_agent.string or None
    with transaction() as written:
        user = written.get_one(User, user_id)
        started = actions.start_sign_in(written, user=user, browser=browser, now=now)
        ref = started.ref
    session.clear()
    login_user(user, authn_via=["password"])
    session[SIGN_IN] = ref


def leave(*, user_id: int, now: dt.datetime) -> None:
    """End this browser's session, here and in the database."""
    with transaction() as written:
        actions.end_sign_in(written, user_id=user_id, ref=session[SIGN_IN], now=now)
    session.clear()


def normal(password: str) -> str:
    """One spelling of what was typed: another keyboard's composed letters are the same password."""
    return str(current_app.extensions["security"].password_util.normalize(password))


def new_hash(password: str, email: str) -> str:
    """argon2 of a new password (slow: never inside a transaction); raises Invalid `password_weak`."""
    password = normal(password)
    rules.check_password(password, email)
    return str(hash_password(password))


def require_password(email: str, password: str) -> None:
    """Raises Invalid `password_wrong` unless this is the person's present password."""
    kept = queries.credentials(email)
    if not verify_password(normal(password), kept.password if kept and kept.password else NOBODY):
        raise Invalid("password_wrong", "this is not your present password", where="present")


def welcome_link(user: User, now: dt.datetime) -> str:
    """The address under which this person chooses a password, once."""
    token = rules.one_time_link(running.secret(), WELCOME, user.ref, now + rules.LINK_LASTS, _state(user))
    return f"{running.settings().external_url}/welcome/{token}"


def invitation_link(invitation: Invitation) -> str:
    """The address under which whoever holds it joins the workspace, once."""
    token = rules.one_time_link(running.secret(), INVITATION, invitation.ref, invitation.expires_at, "")
    return f"{running.settings().external_url}/join/{token}"


def welcomed(reader: Session, token: str, now: dt.datetime, *, lock: bool = False) -> User:
    """Whose welcome link this is, with `lock` for this transaction alone; raises Gone `link_used`."""
    user = queries.user_by_ref(reader, rules.linked_ref(token, now), lock=lock)
    if user is None or not user.active or not rules.is_link(running.secret(), WELCOME, token, _state(user)):
        raise rules.link_used()
    return user


def invited(reader: Session, token: str, now: dt.datetime) -> Invitation:
    """Which invitation this is; raises Gone `link_used`."""
    invitation = queries.invitation_by_ref(reader, rules.linked_ref(token, now))
    if invitation is None or not rules.is_link(running.secret(), INVITATION, token, ""):
        raise rules.link_used()
    if invitation.accepted_at or invitation.expires_at <= now:
        raise rules.link_used()
    return invitation


def first_admin_link(now: dt.datetime) -> str | None:
    """The one-time link of the first admin as long as no admin has chosen a password; then None."""
    if queries.admin_is_in(db.session()):
        return None
    with transaction() as written:
        return welcome_link(actions.ensure_first_admin(written, now=now), now)


def waiting_link(email: str, now: dt.datetime) -> str | None:
    """The one-time link of this account as long as it has no password; None when there is no such account."""
    user = queries.user_by_email(db.session(), email)
    return welcome_link(user, now) if user is not None and user.password is None else None


def _state(user: User) -> str:
    # A welcome link dies with the first password that is set after it was made.
    return f"{user.fs_uniquifier}|{user.password or ''}"
