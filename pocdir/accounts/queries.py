"""Who is there: people, workspaces, tokens and sign-ins, read only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, column, func, select, table
from sqlalchemy import true as sql_true
from sqlalchemy.orm import Session

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
from pocdir.core.errors import Invalid, NotFound
from pocdir.db import Base, Line, db
from pocdir.driver import rows_apart

_users, _sign_ins, _workspaces = User.__table__, SignIn.__table__, Workspace.__table__
_members, _contacts, _tokens = Membership.__table__, TeamContact.__table__, ApiToken.__table__
_roles, _roles_users = Role.__table__, Base.metadata.tables["roles_users"]
# The directory's table: it stands right of this room.
_teams = table("teams", column("id"), column("slug"), column("name"), column("merged_into_id"))
_entry, _team = _teams.alias("entry"), _teams.alias("team")


def _answers_for(team_id: Any) -> Any:
    """The team that a contact's or a token's entry is read as, also after it was merged into another."""
    whole = select(func.coalesce(_teams.c.merged_into_id, _teams.c.id)).where(_teams.c.id == team_id)
    return whole.scalar_subquery().label("team_id")


# Built once: these two run before every view that asks who is there.
_TOKEN = (
    select(
        _tokens.c.id,
        _tokens.c.prefix,
        _tokens.c.digest,
        _tokens.c.workspace_id,
        _answers_for(_tokens.c.team_id),
        _tokens.c.scopes,
        _tokens.c.expires_at,
        _tokens.c.revoked_at,
        _tokens.c.created_by,
        _workspaces.c.slug.label("workspace"),
    )
    .select_from(_tokens.outerjoin(_workspaces, _workspaces.c.id == _tokens.c.workspace_id))
    .where(_tokens.c.prefix == bindparam("prefix"))
)
_PERSON = (
    select(
        _users.c.id,
        _users.c.ref,
        _users.c.email,
        _sign_ins.c.started_at,
        _sign_ins.c.workspace_id.label("current_id"),
        _members.c.workspace_id,
        _members.c.role,
        _workspaces.c.slug.label("workspace"),
        _workspaces.c.name.label("workspace_name"),
        _team.c.id.label("team_id"),
        _team.c.slug.label("team_slug"),
        _team.c.name.label("team_name"),
        _roles.c.name.label("site_role"),
    )
    .select_from(
        _sign_ins.join(_users, _users.c.id == _sign_ins.c.user_id)
        .outerjoin(_members, _members.c.user_id == _users.c.id)
        .outerjoin(_workspaces, _workspaces.c.id == _members.c.workspace_id)
        .outerjoin(_contacts, _contacts.c.user_id == _users.c.id)
        .outerjoin(_entry, _entry.c.id == _contacts.c.team_id)
        .outerjoin(_team, _team.c.id == func.coalesce(_entry.c.merged_into_id, _entry.c.id))
        .outerjoin(_roles_users, _roles_users.c.user_id == _users.c.id)
        .outerjoin(_roles, _roles.c.id == _roles_users.c.role_id)
    )
    .where(
        _sign_ins.c.ref == bindparam("sign_in"),
        _sign_ins.c.ended_at.is_(None),
        _sign_ins.c.expires_at > bindparam("now", type_=_sign_ins.c.expires_at.type),
        _users.c.fs_uniquifier == bindparam("uniquifier"),
        _users.c.active == sql_true(),
    )
    .order_by(_members.c.created_at, _members.c.workspace_id)
)
_STEWARD = (
    select(_users.c.id)
    .join(_roles_users, _roles_users.c.user_id == _users.c.id)
    .join(_roles, _roles.c.id == _roles_users.c.role_id)
    .where(_users.c.ref == bindparam("ref"), _users.c.active == sql_true(), _roles.c.name == "steward")
)
_CREDENTIALS = select(_users.c.id, _users.c.ref, _users.c.password, _users.c.active).where(
    _users.c.email == bindparam("email")
)


def token_row(prefix: str) -> Line | None:
    """The kept half of a token with its workspace's slug, whether or not it still counts."""
    return next(iter(rows_apart(_TOKEN, {"prefix": prefix})), None)


def is_steward(user_ref: str) -> bool:
    """Whether this person is a steward now."""
    return bool(rows_apart(_STEWARD, {"ref": user_ref}))


def person_rows(sign_in: str, uniquifier: str, now: dt.datetime) -> Sequence[Line]:
    """The person of a live sign-in, a row for each of their workspaces and site roles; none: nobody."""
    return rows_apart(_PERSON, {"sign_in": sign_in, "uniquifier": uniquifier, "now": now})


def credentials(email: str) -> Line | None:
    """id, ref, password (hash) and active of the account with this address; its read has ended."""
    return next(iter(rows_apart(_CREDENTIALS, {"email": email})), None)


def user_by_email(session: Session, email: str) -> User | None:
    return session.scalar(select(User).where(User.email == email))


def user_by_ref(session: Session, ref: str, *, lock: bool = False) -> User | None:
    """`lock`: as they stand now, for this transaction alone."""
    statement = select(User).where(User.ref == ref)
    if lock:
        statement = statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalar(statement)


def find_workspace(session: Session, slug: str) -> Workspace | None:
    return session.scalar(select(Workspace).where(Workspace.slug == slug))


def workspace_by_slug(session: Session, slug: str) -> Workspace:
    """Raises NotFound `workspace_unknown`."""
    workspace = find_workspace(session, slug)
    if workspace is None:
        raise NotFound("workspace_unknown", f"there is no workspace {slug!r}", where="workspace")
    return workspace


def team_id_of(session: Session, slug: str) -> int:
    """Raises NotFound `team_unknown`."""
    team_id = session.scalar(select(_teams.c.id).where(_teams.c.slug == slug))
    if team_id is None:
        raise NotFound("team_unknown", f"there is no team {slug!r}", where="team")
    return int(team_id)


def team_slugs(session: Session, ids: set[int]) -> dict[int, str]:
    """The slugs of these teams by their ids."""
    found = session.execute(select(_teams.c.id, _teams.c.slug).where(_teams.c.id.in_(ids))) if ids else ()
    return {row.id: row.slug for row in found}


def membership(session: Session, *, user_id: int, workspace_id: int) -> Membership | None:
    return session.get(Membership, (user_id, workspace_id))


def members(session: Session, workspace_id: int) -> Sequence[Membership]:
    """The people of a workspace, owners first, then by address."""
    statement = (
        select(Membership)
        .join(Membership.user)
        .where(Membership.workspace_id == workspace_id)
        .order_by(Membership.role, User.email)
    )
    return session.scalars(statement).all()


def workspaces_of(session: Session, user_id: int) -> Sequence[Membership]:
    """The workspaces of a person, oldest membership first."""
    statement = (
        select(Membership)
        .where(Membership.user_id == user_id)
        .order_by(Membership.created_at, Membership.workspace_id)
    )
    return session.scalars(statement).all()


def live_sign_ins(session: Session, user_id: int, now: dt.datetime) -> Sequence[SignIn]:
    """Where a person is signed in, newest first."""
    statement = (
        select(SignIn)
        .where(SignIn.user_id == user_id, SignIn.ended_at.is_(None), SignIn.expires_at > now)
        .order_by(SignIn.id.desc())
    )
    return session.scalars(statement).all()


def api_tokens(session: Session, workspace_id: int | None, team_id: int | None = None) -> Sequence[ApiToken]:
    """The tokens of a workspace, of a team, or of both, also those that no longer count, newest first."""
    statement = select(ApiToken).order_by(ApiToken.id.desc())
    if workspace_id is not None:
        statement = statement.where(ApiToken.workspace_id == workspace_id)
    if team_id is not None:
        statement = statement.where(ApiToken.team_id == team_id)
    return session.scalars(statement).all()


def open_invitations(session: Session, workspace_id: int, now: dt.datetime) -> Sequence[Invitation]:
    """Invitations that nobody has used yet, newest first."""
    statement = (
        select(Invitation)
        .where(
            Invitation.workspace_id == workspace_id,
            Invitation.accepted_at.is_(None),
            Invitation.expires_at > now,
        )
        .order_by(Invitation.id.desc())
    )
    return session.scalars(statement).all()


def invitation_by_ref(session: Session, ref: str) -> Invitation | None:
    return session.scalar(select(Invitation).where(Invitation.ref == ref))


def owners(session: Session, workspace_id: int) -> int:
    """How many owners a workspace has."""
    statement = select(func.count()).where(
        Membership.workspace_id == workspace_id, Membership.role == "owner"
    )
    return session.scalar(statement) or 0


def admin_is_in(session: Session) -> bool:
    """Whether any admin has chosen a password."""
    return session.scalar(_can_sign_in("admin").limit(1)) is not None


def is_last(session: Session, user_id: int, role: str) -> bool:
    """Whether this is the only one of a role for the whole service who can sign in."""
    return session.scalars(_can_sign_in(role).limit(2)).all() == [user_id]


def _can_sign_in(role: str) -> Select[int]:
    return select(User.id).join(User.roles).where(Role.name == role, User.password.is_not(None), User.active)


def workspace_or_only(slug: str | None) -> Workspace:
    """The named workspace, or the only one; NotFound `workspace_unknown`, Invalid `workspace_needed`."""
    session = db.session()
    if slug is not None:
        return workspace_by_slug(session, slug)
    found = session.scalars(select(Workspace).order_by(Workspace.slug).limit(20)).all()
    if len(found) != 1:
        known = ", ".join(each.slug for each in found) or "none yet: pocdir user create EMAIL --workspace W"
        raise Invalid("workspace_needed", f"say which with --workspace ({known})")
    return found[0]


def steward_refs(session: Session) -> frozenset[str]:
    """The people who are stewards now and can sign in."""
    statement = (
        select(User.ref)
        .join(User.roles)
        .where(Role.name == "steward", User.active, User.password.is_not(None))
    )
    return frozenset(session.scalars(statement))


def person_behind(session: Session, actor: str) -> str | None:
    """The ref of the person who acts as `user:<ref>`, or who made the `token:<prefix>`; None: the operator's."""
    if actor.startswith("token:"):
        made_by = session.scalar(
            select(ApiToken.created_by).where(ApiToken.prefix == actor.removeprefix("token:"))
        )
        actor = made_by or ""
    return actor.removeprefix("user:") if actor.startswith("user:") else None


def team_contacts(session: Session, team_id: int) -> Sequence[User]:
    """The people who answer for a team, the first one first."""
    statement = (
        select(User)
        .join(TeamContact, TeamContact.user_id == User.id)
        .where(TeamContact.team_id == team_id)
        .order_by(TeamContact.created_at, User.id)
    )
    return session.scalars(statement).all()
