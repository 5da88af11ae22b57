"""Pages of people: signing in, the own account, the workspace and who is in it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _

from pocdir.accounts import actions, queries, rules, schemas, sign_in
from pocdir.accounts.guards import SIGN_IN, guard
from pocdir.accounts.models import User
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.db import db, transaction
from pocdir.web import limits
from pocdir.web.forms import Form, form

blueprint = Blueprint("accounts", __name__)


@blueprint.get("/login")
@guard("account.enter")
def login() -> str:
    return _login(Form())


@blueprint.post("/login")
@guard("account.enter")
def enter() -> Any:
    typed = form(schemas.SignIn(), request.form)
    if typed.valid:
        try:
            sign_in.sign_in(**typed.data, now=clock.now())
            return redirect(rules.safe_next(request.form.get("next"), "/"))
        except Refusal as refusal:
            return _refused(typed, refusal, _login)
    return _login(typed), 422


@blueprint.post("/logout")
@guard("account.own")
def logout() -> Any:
    sign_in.leave(user_id=g.principal.user_id, now=clock.now())
    flash(_("You are signed out."), "success")
    away = redirect("/")
    away.headers["Clear-Site-Data"] = '"cache"'  # nobody comes back to what was shown here
    return away


@blueprint.get("/welcome/<token>")
@guard("account.enter")
def welcome(token: str) -> str:
    return _welcome(token, Form())


@blueprint.post("/welcome/<token>")
@guard("account.enter")
def choose_password(token: str) -> Any:
    now = clock.now()
    _count_link(now)
    email = sign_in.welcomed(db.session(), token, now).email
    typed = form(schemas.NewPassword(), request.form)
    if not typed.valid:
        return _welcome(token, typed), 422
    try:
        hashed = sign_in.new_hash(typed.data["password"], email)
    except Refusal as refusal:
        return _refused(typed, refusal, lambda typed: _welcome(token, typed))
    with transaction() as written:
        user = sign_in.welcomed(written, token, now, lock=True)
        actions.set_password(written, user=user, password_hash=hashed, now=now, actor=f"user:{user.ref}")
        user_id = user.id
    sign_in.enter(user_id, now=now)
    flash(_("Your password is set and you are signed in."), "success")
    return redirect("/")


@blueprint.get("/join/<token>")
@guard("account.enter")
def join(token: str) -> str:
    return _join(token, Form())


@blueprint.post("/join/<token>")
@guard("account.enter")
def accept(token: str) -> Any:
    now = clock.now()
    _count_link(now)
    invitation = sign_in.invited(db.session(), token, now)
    if g.principal.kind == "user":
        with transaction() as written:
            user = written.get_one(User, g.principal.user_id)
            actions.accept_invitation(
                written, ref=sign_in.invited(written, token, now).ref, user=user, now=now
            )
        return redirect(url_for("accounts.workspace"))
    email, ref = invitation.email, invitation.ref
    typed = form(schemas.NewPassword(), request.form)
    if not typed.valid:
        return _join(token, typed), 422
    try:
        hashed = sign_in.new_hash(typed.data["password"], email)
        with transaction() as written:
            user_id = actions.join_as_new(written, ref=ref, email=email, password_hash=hashed, now=now).id
    except Refusal as refusal:
        return _refused(typed, refusal, lambda typed: _join(token, typed))
    sign_in.enter(user_id, now=now)
    return redirect("/")


@blueprint.get("/account")
@guard("account.own")
def account() -> str:
    return _account(Form())


@blueprint.post("/account/password")
@guard("account.own")
def change_password() -> Any:
    now, principal = clock.now(), g.principal
    typed = form(schemas.ChangedPassword(), request.form)
    if not typed.valid:
        return _account(typed), 422
    limits.spend(sign_in.BY_ACCOUNT, principal.email, now)
    try:
        sign_in.require_password(principal.email, typed.data["present"])
        hashed = sign_in.new_hash(typed.data["password"], principal.email)
    except Refusal as refusal:
        return _refused(typed, refusal, _account)
    with transaction() as written:
        user = written.get_one(User, principal.user_id)
        actions.set_password(written, user=user, password_hash=hashed, now=now, actor=principal.actor)
    sign_in.enter(principal.user_id, now=now)
    flash(_("Your password is changed; every other session of yours has ended."), "success")
    return redirect(url_for("accounts.account"))


@blueprint.post("/account/sign-ins/<ref>/end")
@guard("account.own")
def end_sign_in(ref: str) -> Any:
    with transaction() as written:
        actions.end_sign_in(written, user_id=g.principal.user_id, ref=ref, now=clock.now())
    flash(_("That session has ended."), "success")
    return redirect(url_for("accounts.account"))


@blueprint.get("/workspace")
@guard("workspace.read")
def workspace() -> str:
    return _workspace()


@blueprint.post("/workspace/current")
@guard("account.own")
def switch_workspace() -> Any:
    typed = form(schemas.CurrentWorkspace(), request.form)
    slug = typed.data.get("workspace", "")
    with transaction() as written:
        actions.switch_workspace(written, sign_in=session[SIGN_IN], user_id=g.principal.user_id, slug=slug)
    return redirect(url_for("accounts.workspace"))


@blueprint.post("/workspace/name")
@guard("workspace.manage", fresh_from="accounts.workspace")
def rename_workspace() -> Any:
    principal, typed = g.principal, form(schemas.WorkspaceName(), request.form)
    if not typed.valid:
        return _workspace(name_form=typed), 422
    with transaction() as written:
        actions.rename_workspace(
            written,
            workspace_id=principal.workspace_id,
            **typed.data,
            now=clock.now(),
            actor=principal.actor,
        )
    flash(_("The workspace has its new name."), "success")
    return redirect(url_for("accounts.workspace"))


@blueprint.post("/workspace/invitations")
@guard("workspace.manage", fresh_from="accounts.workspace")
def invite() -> Any:
    now, principal = clock.now(), g.principal
    typed = form(schemas.NewInvitation(), request.form)
    if not typed.valid:
        return _workspace(invite_form=typed), 422
    try:
        with transaction() as written:
            invitation = actions.invite(
                written,
                workspace_id=principal.workspace_id,
                **typed.data,
                now=now,
                actor=principal.actor,
            )
            link = sign_in.invitation_link(invitation)
    except Refusal as refusal:
        return _refused(typed, refusal, lambda typed: _workspace(invite_form=typed))
    return _workspace(link=link, invited=typed.data["email"])


@blueprint.post("/workspace/invitations/<ref>/withdraw")
@guard("workspace.manage", fresh_from="accounts.workspace")
def withdraw_invitation(ref: str) -> Any:
    principal = g.principal
    with transaction() as written:
        actions.withdraw_invitation(
            written, ref=ref, workspace_id=principal.workspace_id, now=clock.now(), actor=principal.actor
        )
    flash(_("The invitation is withdrawn; its link stopped working."), "success")
    return redirect(url_for("accounts.workspace"))


@blueprint.post("/workspace/members/<ref>/role")
@guard("workspace.manage", fresh_from="accounts.workspace")
def set_member_role(ref: str) -> Any:
    principal, typed = g.principal, form(schemas.MemberRole(), request.form)
    if not typed.valid:
        return _workspace(), 422
    with transaction() as written:
        actions.set_member_role(
            written,
            workspace_id=principal.workspace_id,
            user_ref=ref,
            role=typed.data["role"],
            actor=principal.actor,
        )
    return redirect(url_for("accounts.workspace"))


@blueprint.post("/workspace/members/<ref>/remove")
@guard("workspace.manage", fresh_from="accounts.workspace")
def remove_member(ref: str) -> Any:
    principal = g.principal
    with transaction() as written:
        actions.remove_member(
            written, workspace_id=principal.workspace_id, user_ref=ref, actor=principal.actor
        )
    return redirect(url_for("accounts.workspace"))


@blueprint.post("/workspace/tokens")
@guard("token.manage", fresh_from="accounts.workspace")
def create_token() -> Any:
    principal = g.principal
    typed = form(schemas.NewToken(), request.form)
    if not typed.valid:
        return _workspace(token_form=typed), 422
    try:
        with transaction() as written:
            _kept, text = actions.create_token(
                written,
                workspace_id=principal.workspace_id,
                **typed.data,
                grantable=_grantable(),
                now=clock.now(),
                actor=principal.actor,
            )
    except Refusal as refusal:
        return _refused(typed, refusal, lambda typed: _workspace(token_form=typed))
    return _workspace(token=text)


@blueprint.post("/workspace/tokens/<ref>/revoke")
@guard("token.manage", fresh_from="accounts.workspace")
def revoke_token(ref: str) -> Any:
    principal = g.principal
    with transaction() as written:
        actions.revoke_token(
            written, ref=ref, workspace_id=principal.workspace_id, now=clock.now(), actor=principal.actor
        )
    flash(_("The token is revoked; it stopped working at once."), "success")
    return redirect(url_for("accounts.workspace"))


def _grantable() -> tuple[str, ...]:
    """The scopes that the viewer may give to a token."""
    return rules.SCOPES + (rules.STEWARD_SCOPES if "steward" in g.principal.site_roles else ())


def _refused(typed: Form, refusal: Refusal, show: Any) -> Any:
    """The form again, with the refusal beside its field, under the refusal's own status."""
    typed.refuse(refusal)
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
    return show(typed), refusal.status, headers


def _count_link(now: Any) -> None:
    limits.spend(sign_in.BY_LINK, limits.network(request.remote_addr), now)


def _login(typed: Form) -> str:
    target = rules.safe_next(request.values.get("next"), "")
    return render_template("accounts/login.html", form=typed, next=target)


def _welcome(token: str, typed: Form) -> str:
    user = sign_in.welcomed(db.session(), token, clock.now())
    return render_template("accounts/welcome.html", form=typed, token=token, email=user.email)


def _join(token: str, typed: Form) -> str:
    invitation = sign_in.invited(db.session(), token, clock.now())
    return render_template("accounts/join.html", form=typed, token=token, invitation=invitation)


def _account(typed: Form) -> str:
    principal, reader = g.principal, db.session()
    return render_template(
        "accounts/account.html",
        form=typed,
        email=principal.email,
        site_roles=sorted(principal.site_roles),
        memberships=queries.workspaces_of(reader, principal.user_id),
        sign_ins=queries.live_sign_ins(reader, principal.user_id, clock.now()),
        current=principal.workspace,
        current_sign_in=session[SIGN_IN],
    )


def _workspace(
    *,
    name_form: Form | None = None,
    invite_form: Form | None = None,
    token_form: Form | None = None,
    **once: str,
) -> str:
    """`once`: link and invited after inviting, token after creating one; shown this time only."""
    principal, reader, now = g.principal, db.session(), clock.now()
    workspace = queries.workspace_by_slug(reader, principal.workspace)
    return render_template(
        "accounts/workspace.html",
        workspace=workspace,
        members=queries.members(reader, principal.workspace_id),
        viewer_ref=principal.user_ref,
        may_manage=principal.may("workspace.manage"),
        invitations=queries.open_invitations(reader, principal.workspace_id, now),
        tokens=queries.api_tokens(reader, principal.workspace_id),
        scope_choices=[(scope, scope) for scope in _grantable()],
        name_form=name_form or Form({"name": workspace.name}),
        invite_form=invite_form or Form(),
        token_form=token_form or Form(),
        now=now,
        **once,
    )
