"""Whose feed a link opens."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from pocdir.accounts.models import Membership, User, Workspace
from pocdir.core.errors import NotFound
from pocdir.db import Rows, db
from pocdir.outreach.rules.feed import feed_token, is_feed_token, named


@dataclass(frozen=True, slots=True)
class Reader:
    """The workspace whose list is read."""

    workspace_id: int | None
    ref: str
    name: str
    team_id: int | None = None


def feed_reader(token: str, *, secret: bytes) -> Reader:
    """Raises NotFound `feed_unknown`: no link of ours, its member has left, or chose another password since."""
    refs = named(token)
    row = db.session.execute(_members(*refs)).first() if refs else None
    if row is None or not is_feed_token(secret, token, row.fs_uniquifier):
        raise NotFound("feed_unknown", "no feed has this address; a member finds a new one beside the list")
    return Reader(row.id, row.ref, row.name)


def feed_of(user_ref: str, workspace_id: int, *, secret: bytes) -> str | None:
    """The token of a member's own feed; None for somebody who is no member."""
    found = select(Workspace.ref).where(Workspace.id == workspace_id).scalar_subquery()
    row = db.session.execute(_members(user_ref, found)).first()
    return feed_token(secret, user_ref, row.ref, row.fs_uniquifier) if row else None


def _members(user_ref: str, workspace_ref: object) -> Rows:
    return (
        select(Workspace.id, Workspace.ref, Workspace.name, User.fs_uniquifier)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .join(User, User.id == Membership.user_id)
        .where(User.ref == user_ref, User.active, Workspace.ref == workspace_ref)
    )
