"""Who asks, and whether they may: `@guard(action)` stands on every view."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

from flask import current_app, g, redirect, request, session, url_for
from sqlalchemy.exc import SQLAlchemyError

from pocdir.accounts import queries, rules
from pocdir.core import clock
from pocdir.core.errors import Forbidden, Unauthenticated
from pocdir.db import Line
from pocdir.web import limits
from pocdir.web.errors import MACHINE_PATHS

View = TypeVar("View", bound=Callable[..., Any])

SIGN_IN = "sign_in"  # the session's key for the reference of the sign-in
USES = "pocdir.token_uses"  # {token id: moment}, written by accounts.jobs.save_token_uses
UNCHANGING = ("GET", "HEAD", "OPTIONS")
BY_LINK = frozenset(
    {"recipient.answer", "entry.answer", "feed.read"}
)  # openings are counted against guessing
ASKING = frozenset({"lookup.ask"})  # posted, so that no log keeps the question; changes nothing

READS = limits.Limit("reads", most=600, seconds=60)
QUESTIONS = limits.Limit("questions", most=120, seconds=60)
LINKS = limits.Limit("links", most=60, seconds=60)  # of one link
GUESSES = limits.Limit("guesses", most=120, seconds=60)  # links of whatever token, from one address
WRITES = limits.Limit("writes", most=3000, seconds=300, lease=20)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, with the rights of the moment; `actor` is what the ledger writes down."""

    kind: str  # anonymous, user, token
    actor: str
    roles: tuple[str, ...] = ("anonymous",)
    workspace_id: int | None = None
    workspace: str | None = None  # slug
    role: str | None = None  # in that workspace: researcher, owner
    site_roles: frozenset[str] = frozenset()
    team_id: int | None = None
    team: Mapping[str, str] | None = None  # slug, name; of a person
    scopes: frozenset[str] = frozenset()
    user_id: int | None = None
    user_ref: str | None = None
    email: str | None = None
    workspaces: tuple[tuple[str, str], ...] = ()  # (slug, name) of all the person's workspaces
    signed_in_at: dt.datetime | None = None

    def may(self, action: str, relation: str = "own", label: str | None = None) -> bool:
        """Whether the matrix allows the action on a row in this relation and under this TLP label."""
        return rules.may(self.roles, action, relation, label, scopes=self.scopes)


ANONYMOUS = Principal(kind="anonymous", actor="anonymous")


def guard(action: str, *, fresh_from: str | None = None) -> Callable[[View], View]:
    """Let the view run only for somebody whom the matrix allows the action at all; sets `g.principal`.

    `fresh_from` (an endpoint): a person must have signed in within the hour, and comes back there.
    Raises Unauthenticated, Forbidden `forbidden` or `scope_missing`, TooMany; a page leads to the sign-in
    instead of raising Unauthenticated. Which row it may be is the query's part: it takes the principal's
    workspace or team.
    """
    if action not in rules.MATRIX:
        raise LookupError(f"{action!r} is not in the authorization matrix")
    for_all = rules.may_at_all(ANONYMOUS.roles, action)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            now = clock.now()
            principal = g.principal = identify(now)
            _count(action, principal, now)
            if not for_all and principal.kind == "anonymous":
                if _by_token():
                    raise Unauthenticated(
                        "unauthenticated", "send a token: `Authorization: Bearer pocdir_...`"
                    )
                return to_sign_in(request.full_path if request.method in UNCHANGING else None)
            if not for_all:
                _require(action, principal)
            if fresh_from and principal.signed_in_at and now - principal.signed_in_at > rules.FRESH_FOR:
                return to_sign_in(url_for(fresh_from))
            return view(*args, **kwargs)

        guarded.guarded_action = action  # type: ignore[attr-defined]
        return cast(View, guarded)

    return decorate


def current_principal() -> Principal:
    """Who asks, also where no guard has run (an error page); never raises."""
    if "principal" not in g:
        try:
            g.principal = identify(clock.now())
        except (Unauthenticated, SQLAlchemyError):  # the page that tells of it needs no name on it
            g.principal = ANONYMOUS
    return cast(Principal, g.principal)


def identify(now: dt.datetime) -> Principal:
    """By token where machines ask, else by session; raises Unauthenticated for a token not valid."""
    asked = request._get_current_object()  # type: ignore[attr-defined]
    if asked.path.startswith(MACHINE_PATHS):
        header = asked.environ.get("HTTP_AUTHORIZATION")
        return ANONYMOUS if header is None else _by_header(header, now)
    if SIGN_IN not in session:
        return ANONYMOUS
    rows = queries.person_rows(session[SIGN_IN], str(session.get("_user_id")), now)
    return _person(rows) if rows else ANONYMOUS


def to_sign_in(next_path: str | None = None) -> Any:
    """A redirect to the sign-in page that comes back afterwards."""
    path = next_path.rstrip("?") if next_path else None
    return redirect(url_for("accounts.login", next=None if path == "/" else path))


def _by_token() -> bool:
    return request.path.startswith(MACHINE_PATHS)


def _by_header(header: str, now: dt.datetime) -> Principal:
    scheme, _, text = header.partition(" ")
    prefix = rules.token_prefix(text.strip()) if scheme.lower() == "bearer" else None
    row = queries.token_row(prefix) if prefix else None
    kept = row.digest if row else ""
    if not rules.same_digest(rules.token_digest(text.strip()), kept) or row is None or row.revoked_at:
        raise Unauthenticated("unauthenticated", "this token is not one of ours, or was revoked")
    if row.expires_at <= now:
        raise Unauthenticated("unauthenticated", "this token has expired; create another one")
    current_app.extensions.setdefault(USES, {})[row.id] = now
    roles, scopes = rules.token_roles(
        workspace=row.workspace_id is not None,
        team=row.team_id is not None,
        scopes=row.scopes,
        by_steward=not {*row.scopes}.isdisjoint(rules.STEWARD_SCOPES) and _by_steward(row.created_by),
        by_operator=row.created_by == rules.OPERATOR,
    )
    return Principal(
        kind="token",
        actor=f"token:{row.prefix}",
        roles=roles,
        workspace_id=row.workspace_id,
        workspace=row.workspace,
        role="owner" if row.workspace_id else None,
        team_id=row.team_id,
        scopes=scopes,
    )


def _by_steward(created_by: str) -> bool:
    """Whether a token made by them may act for a steward: it ends together with the person's role."""
    return created_by == rules.OPERATOR or queries.is_steward(created_by.removeprefix("user:"))


def _person(rows: Sequence[Line]) -> Principal:
    first = rows[0]
    current = next((row for row in rows if row.workspace_id == first.current_id), first)
    site_roles = frozenset(row.site_role for row in rows if row.site_role)
    roles = ["anonymous", "signed_in"]
    roles += [current.role] if current.role else []
    roles += ["team_contact"] if first.team_id else []
    return Principal(
        kind="user",
        actor=f"user:{first.ref}",
        roles=(*roles, *site_roles),
        workspace_id=current.workspace_id,
        workspace=current.workspace,
        role=current.role,
        site_roles=site_roles,
        team_id=first.team_id,
        team={"slug": first.team_slug, "name": first.team_name} if first.team_id else None,
        user_id=first.id,
        user_ref=first.ref,
        email=first.email,
        workspaces=tuple({row.workspace: row.workspace_name for row in rows if row.workspace}.items()),
        signed_in_at=first.started_at,
    )


def _require(action: str, principal: Principal) -> None:
    if not rules.may_at_all(principal.roles, action):
        raise Forbidden("forbidden", "your account may not do this")
    if principal.scopes and action not in principal.scopes:
        raise Forbidden("scope_missing", f"this token lacks the scope {action!r}")


def _count(action: str, principal: Principal, now: dt.datetime) -> None:
    asked = request._get_current_object()  # type: ignore[attr-defined]
    if action in BY_LINK:
        _glance(GUESSES, asked.remote_addr, now)
        limits.spend(LINKS, asked.path, now)
    elif principal.kind == "anonymous":
        _glance(READS if asked.method in UNCHANGING else QUESTIONS, asked.remote_addr, now)
    elif (
        asked.method not in UNCHANGING and action not in ASKING
    ):  # who has signed in reads as much as they like
        limits.spend(WRITES, principal.actor, now)


def _glance(limit: limits.Limit, address: str | None, now: dt.datetime) -> None:
    # A whole site seen as one loopback address is a proxy in front, not one eager reader.
    if address not in ("127.0.0.1", "::1"):
        limits.glance(limit, limits.network(address), now)


def operator_for(workspace: str | None) -> Principal:
    """Who acts on the command line: the operator, for the named workspace or the only one.

    Raises NotFound `workspace_unknown`, Invalid `workspace_needed` where there are several (or none).
    """
    found = queries.workspace_or_only(workspace)
    return Principal(
        kind="operator",
        actor="operator",
        roles=("owner",),
        workspace_id=found.id,
        workspace=found.slug,
        role="owner",
    )
