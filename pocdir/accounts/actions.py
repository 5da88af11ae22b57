"""Every change to people, workspaces, sign-ins and tokens; each leaves a line in the log, without secrets."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence

import structlog
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pocdir.accounts import queries, rules
from pocdir.accounts.models import (
    ApiToken,
    Invitation,
    Membership,
    Role,
    SignIn,
    TeamContact,
    User,
    Workspace,
)
from pocdir.core.errors import Conflict, Forbidden, Invalid, NotFound
from pocdir.core.refs import new_ref
from pocdir.ledger.actions import append

FIRST_ADMIN = "admin@localhost"

_log = structlog.get_logger("pocdir.accounts")


def create_workspace(session: Session, *, name: str, now: dt.datetime, actor: str) -> Workspace:
    """Raises Invalid `workspace_invalid`, Conflict `workspace_exists`."""
    slug = rules.workspace_slug(name)
    if queries.find_workspace(session, slug):
        raise Conflict("workspace_exists", f"there is a workspace {slug!r} already", where="workspace")
    workspace = Workspace(ref=new_ref(now), slug=slug, name=name.strip()[:200], created_at=now)
    session.add(workspace)
    session.flush()
    _log.info("workspace created", workspace=slug, actor=actor)
    return workspace


def rename_workspace(
    session: Session, *, workspace_id: int, name: str, now: dt.datetime, actor: str
) -> Workspace:
    """Call it otherwise from now on; its slug, by which programs and commands know it, stays.

    What recipients read changes too, so both names stand in the ledger.
    """
    workspace = session.get_one(Workspace, workspace_id, with_for_update=True)
    before, workspace.name = workspace.name, name
    if before != name:
        payload = {"workspace": workspace.ref, "old_name": before, "new_name": name}
        append(session, type="workspace.renamed", now=now, actor=actor, claimed_by="sender", payload=payload)
        _log.info("workspace renamed", workspace=workspace.slug, actor=actor)
    return workspace


def create_user(session: Session, *, email: str, now: dt.datetime, actor: str) -> User:
    """An account without a password; its one-time link lets its person choose one.

    Raises Invalid `email_invalid`, Conflict `user_exists`.
    """
    return _create_user(session, address=_address(email), now=now, actor=actor)


def _address(email: str) -> str:
    try:
        return rules.address_key(validate_email(email, check_deliverability=False).normalized)
    except EmailNotValidError:
        raise Invalid(
            "email_invalid", "an address such as name@example.org is right", where="email"
        ) from None


def _create_user(session: Session, *, address: str, now: dt.datetime, actor: str) -> User:
    if queries.user_by_email(session, address):
        raise Conflict("user_exists", "there is an account with this address already", where="email")
    user = User(
        ref=new_ref(now),
        email=address,
        active=True,
        fs_uniquifier=secrets.token_hex(16),
        fs_webauthn_user_handle=secrets.token_hex(16),
        create_datetime=now,
    )
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError:  # another one was quicker
        raise Conflict(
            "user_exists", "there is an account with this address already", where="email"
        ) from None
    _log.info("user created", user=user.ref, actor=actor)
    return user


def ensure_first_admin(session: Session, *, now: dt.datetime) -> User:
    """The one account of the first start: admin and steward, owner of the workspace `main`."""
    user = queries.user_by_email(session, FIRST_ADMIN)
    if user is None:
        user = _create_user(session, address=FIRST_ADMIN, now=now, actor="service")
        for role in ("admin", "steward"):
            set_site_role(session, user=user, role=role, actor="service")
        workspace = queries.find_workspace(session, "main") or create_workspace(
            session, name="Main", now=now, actor="service"
        )
        add_member(session, user=user, workspace=workspace, role="owner", now=now, actor="service")
    return user


def add_member(
    session: Session, *, user: User, workspace: Workspace, role: str, now: dt.datetime, actor: str
) -> Membership:
    """Raises Conflict `member_already`."""
    if queries.membership(session, user_id=user.id, workspace_id=workspace.id):
        raise Conflict("member_already", "this account is a member of the workspace already")
    member = Membership(user_id=user.id, workspace_id=workspace.id, role=role, created_at=now)
    session.add(member)
    session.flush()
    _log.info("member added", user=user.ref, workspace=workspace.slug, role=role, actor=actor)
    return member


def remove_member(session: Session, *, workspace_id: int, user_ref: str, actor: str) -> None:
    """Raises NotFound `member_unknown`, Conflict `last_owner`."""
    member = _member(session, workspace_id, user_ref)
    _keep_an_owner(session, member)
    session.delete(member)
    _log.info("member removed", user=user_ref, workspace=workspace_id, actor=actor)


def set_member_role(session: Session, *, workspace_id: int, user_ref: str, role: str, actor: str) -> None:
    """Make a member an owner or a researcher; raises NotFound `member_unknown`, Conflict `last_owner`."""
    member = _member(session, workspace_id, user_ref)
    if role != "owner":
        _keep_an_owner(session, member)
    member.role = role
    _log.info("member changed", user=user_ref, workspace=workspace_id, role=role, actor=actor)


def _member(session: Session, workspace_id: int, user_ref: str) -> Membership:
    user = queries.user_by_ref(session, user_ref)
    member = queries.membership(session, user_id=user.id, workspace_id=workspace_id) if user else None
    if member is None:
        raise NotFound("member_unknown", "there is no such member")
    return member


def _keep_an_owner(session: Session, member: Membership) -> None:
    if member.role == "owner" and queries.owners(session, member.workspace_id) == 1:
        raise Conflict("last_owner", "a workspace keeps one owner; make somebody else an owner first")


def leave_in_order(session: Session, *, user_id: int) -> None:
    """Whoever goes leaves nobody behind without an owner, nor the service without an admin and a steward.

    Raises Conflict `last_owner`, `last_admin`, `last_steward`.
    """
    if queries.is_last(session, user_id, "admin"):
        raise Conflict("last_admin", "the service keeps one admin; make somebody else an admin first")
    mine = select(Membership).where(Membership.user_id == user_id)
    for member in session.scalars(mine):
        shared = select(Membership.user_id).where(
            Membership.workspace_id == member.workspace_id, Membership.user_id != user_id
        )
        if session.scalar(shared.limit(1)) is not None:
            _keep_an_owner(session, member)
    if queries.is_last(session, user_id, "steward"):
        message = (
            "the directory keeps one steward; first make another: pocdir user create EMAIL --role steward"
        )
        raise Conflict("last_steward", message)


def set_site_role(session: Session, *, user: User, role: str, actor: str) -> None:
    """Give the person a role for the whole service; nothing happens where they have it."""
    if role not in rules.SITE_ROLES:
        raise Invalid("role_unknown", f"one of {', '.join(rules.SITE_ROLES)} is right", where="role")
    kept = session.scalar(select(Role).where(Role.name == role)) or Role(name=role)
    if kept not in user.roles:
        user.roles.append(kept)
        session.flush()
        _log.info("role given", user=user.ref, role=role, actor=actor)


def add_team_contact(session: Session, *, user: User, team_id: int, now: dt.datetime, actor: str) -> None:
    """Let the person answer for a team; raises Conflict `contact_already` (one team a person)."""
    if session.get(TeamContact, user.id):
        raise Conflict("contact_already", "this account is the contact of a team already", where="team")
    session.add(TeamContact(user_id=user.id, team_id=team_id, created_at=now))
    session.flush()
    _log.info("team contact added", user=user.ref, team=team_id, actor=actor)


def set_password(session: Session, *, user: User, password_hash: str, now: dt.datetime, actor: str) -> None:
    """Keep the hash; every sign-in and every one-time link of before ends."""
    user.password = password_hash
    user.fs_uniquifier = secrets.token_hex(16)
    session.execute(
        update(SignIn).where(SignIn.user_id == user.id, SignIn.ended_at.is_(None)).values(ended_at=now)
    )
    session.flush()
    _log.info("password set", user=user.ref, actor=actor)


def start_sign_in(session: Session, *, user: User, browser: str | None, now: dt.datetime) -> SignIn:
    """A new session of a browser, for seven days at most."""
    sign_in = SignIn(
        ref=new_ref(now),
        user_id=user.id,
        browser=browser[:200] if browser else None,
        started_at=now,
        expires_at=now + rules.SIGN_IN_LASTS,
    )
    session.add(sign_in)
    session.flush()
    _log.info("signed in", user=user.ref)
    return sign_in


def end_sign_in(session: Session, *, user_id: int, ref: str, now: dt.datetime) -> None:
    """End one of the person's own sessions; raises NotFound `sign_in_unknown`."""
    sign_in = session.scalar(select(SignIn).where(SignIn.ref == ref, SignIn.user_id == user_id))
    if sign_in is None:
        raise NotFound("sign_in_unknown", "there is no such session")
    sign_in.ended_at = sign_in.ended_at or now


def switch_workspace(session: Session, *, sign_in: str, user_id: int, slug: str) -> None:
    """Make another workspace of the person's own the current one; raises NotFound `workspace_unknown`."""
    workspace = queries.workspace_by_slug(session, slug)
    if queries.membership(session, user_id=user_id, workspace_id=workspace.id) is None:
        raise NotFound("workspace_unknown", f"there is no workspace {slug!r}", where="workspace")
    session.execute(
        update(SignIn)
        .where(SignIn.ref == sign_in, SignIn.user_id == user_id)
        .values(workspace_id=workspace.id)
    )


def create_token(
    session: Session,
    *,
    workspace_id: int | None,
    team_id: int | None = None,
    scopes: Sequence[str] = (),
    name: str = "",
    grantable: Sequence[str] = rules.ALL_SCOPES,
    lasts: dt.timedelta = rules.TOKEN_LASTS,
    now: dt.datetime,
    actor: str,
) -> tuple[ApiToken, str]:
    """A token and its text, which is shown once.

    `grantable`: the scopes that whoever makes it may give. Raises Invalid `scope_unknown`, `name_invalid` or
    `token_ownerless`, Forbidden `forbidden` for a steward's scope from somebody who is none.
    """
    for scope in scopes:
        if scope not in rules.ALL_SCOPES:
            raise Invalid(
                "scope_unknown",
                f"{scope[:40]!r} is no scope; the scopes are {', '.join(grantable)}",
                where="scopes",
            )
        if scope not in grantable:
            raise Forbidden(
                "forbidden", f"only a steward, or the operator, may give the scope {scope!r}", where="scopes"
            )
    if len(name) > 100 or not name.isprintable():
        raise Invalid("name_invalid", "a name of at most 100 printable characters is right", where="name")
    if workspace_id is None and team_id is None:
        raise Invalid("token_ownerless", "a token is of a workspace or of a team", where="workspace")
    made = rules.new_token()
    token = ApiToken(
        ref=new_ref(now),
        prefix=made.prefix,
        digest=made.digest,
        name=name,
        workspace_id=workspace_id,
        team_id=team_id,
        scopes=sorted(set(scopes)),
        created_by=actor,
        created_at=now,
        expires_at=now + min(lasts, rules.TOKEN_LASTS_AT_MOST),
    )
    session.add(token)
    session.flush()
    _log.info("token created", token=made.prefix, workspace=workspace_id, team=team_id, actor=actor)
    return token, made.text


def revoke_token(
    session: Session, *, ref: str, workspace_id: int | None = None, now: dt.datetime, actor: str
) -> ApiToken:
    """End a token at once; one of another workspace than the given is unknown (NotFound `token_unknown`)."""
    statement = select(ApiToken).where(ApiToken.ref == ref)
    if workspace_id is not None:
        statement = statement.where(ApiToken.workspace_id == workspace_id)
    token = session.scalar(statement)
    if token is None:
        raise NotFound("token_unknown", "there is no such token")
    if token.revoked_at is None:
        token.revoked_at = now
        _log.info("token revoked", token=token.prefix, actor=actor)
    return token


def invite(
    session: Session, *, workspace_id: int, email: str, role: str, now: dt.datetime, actor: str
) -> Invitation:
    """A one-time way into the workspace for whoever the link is handed to.

    No account is made or touched before the link is used: an address alone proves nothing about who holds it.
    """
    invitation = Invitation(
        ref=new_ref(now),
        workspace_id=workspace_id,
        email=_address(email),
        role=role,
        created_by=actor,
        created_at=now,
        expires_at=now + rules.LINK_LASTS,
    )
    session.add(invitation)
    session.flush()
    _log.info("member invited", workspace=workspace_id, role=role, actor=actor)
    return invitation


def withdraw_invitation(
    session: Session, *, ref: str, workspace_id: int, now: dt.datetime, actor: str
) -> None:
    """The link stops working; raises NotFound `invitation_unknown`, also for one of another workspace."""
    invitation = queries.invitation_by_ref(session, ref)
    if invitation is None or invitation.workspace_id != workspace_id:
        raise NotFound("invitation_unknown", "there is no such invitation")
    invitation.expires_at = min(invitation.expires_at, now)
    _log.info("invitation withdrawn", workspace=workspace_id, actor=actor)


def join_as_new(session: Session, *, ref: str, email: str, password_hash: str, now: dt.datetime) -> User:
    """Whoever holds the link joins with a new account; raises what `create_user` and `accept_invitation` raise."""
    lock_invitation(session, ref=ref, now=now)  # before anything is made: of two at once one joins
    user = create_user(session, email=email, now=now, actor=f"invitation:{ref}")
    set_password(session, user=user, password_hash=password_hash, now=now, actor=f"user:{user.ref}")
    accept_invitation(session, ref=ref, user=user, now=now)
    return user


def lock_invitation(session: Session, *, ref: str, now: dt.datetime) -> Invitation:
    """The invitation as it stands now, for this transaction alone: a link works once. Raises Gone `link_used`."""
    chosen = select(Invitation).where(Invitation.ref == ref).with_for_update(of=Invitation)
    invitation = session.scalar(chosen.execution_options(populate_existing=True))
    if invitation is None or invitation.accepted_at or invitation.expires_at <= now:
        raise rules.link_used()
    return invitation


def accept_invitation(session: Session, *, ref: str, user: User, now: dt.datetime) -> Workspace:
    """The person joins; raises Gone `link_used`, Conflict `member_already`."""
    invitation = lock_invitation(session, ref=ref, now=now)
    invitation.accepted_at, invitation.accepted_by = now, user.id
    workspace = invitation.workspace
    add_member(
        session, user=user, workspace=workspace, role=invitation.role, now=now, actor=f"user:{user.ref}"
    )
    return workspace


def save_uses(session: Session, *, uses: Sequence[tuple[int, dt.datetime]]) -> int:
    """Write when tokens were last used: (id, moment); returns how many were written.

    Several processes serve: none takes back what another has seen later.
    """
    for token_id, moment in uses:
        later = ApiToken.last_used_at.is_(None) | (ApiToken.last_used_at < moment)
        session.execute(update(ApiToken).where(ApiToken.id == token_id, later).values(last_used_at=moment))
    return len(uses)


def forget_what_ended(session: Session, *, now: dt.datetime) -> int:
    """Drop sign-ins, invitations and what is kept of tokens whose time is over; how many.

    A token's row stays without its hash: the record names it as an actor.
    """
    ended = session.execute(delete(SignIn).where((SignIn.expires_at <= now) | SignIn.ended_at.is_not(None)))
    unused = session.execute(
        delete(Invitation).where((Invitation.expires_at <= now) | Invitation.accepted_at.is_not(None))
    )
    over = (ApiToken.expires_at <= now) | ApiToken.revoked_at.is_not(None)
    tokens = session.execute(update(ApiToken).where(over, ApiToken.digest != "").values(digest=""))
    return sum(done.rowcount for done in (ended, unused, tokens))  # type: ignore[attr-defined]
