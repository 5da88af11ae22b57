"""Flask-Security and Flask-Login made to fit: our cookies, our clock, our transaction, nothing eager."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import flask_security
from flask import Flask, current_app, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_login.utils import _user_context_processor
from flask_principal import identity_changed
from flask_security import SQLAlchemySessionUserDatastore
from flask_wtf.csrf import CSRFError
from sqlalchemy import inspect

from pocdir.accounts import guards, rules
from pocdir.accounts.models import Role, User, WebAuthn
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Forbidden, Invalid
from pocdir.db import db, transaction
from pocdir.web import limits
from pocdir.web.errors import MACHINE_PATHS
from pocdir.web.secret_links import SESSIONLESS_PATHS

# No session there that a foreign page could use; a lookup is a question, which needs no cookie to be answered.
NO_FORMS = (*MACHINE_PATHS, *SESSIONLESS_PATHS, "/lookup")


class Datastore(SQLAlchemySessionUserDatastore):
    """Flask-Security's store, which commits by itself otherwise."""

    def __init__(self) -> None:
        super().__init__(db.session, User, Role, WebAuthn)

    def commit(self) -> None:
        """Carry what Flask-Security changed so far over into a transaction of its own.

        Its views change objects that were read by a read-only transaction; ours writes from its first moment.
        """
        reader = db.session()
        new, gone = list(reader.new), list(reader.deleted)
        changed = [(row, _changes(row)) for row in reader.dirty if reader.is_modified(row)]
        if not (new or gone or changed):
            return
        with transaction() as session:  # ends the reading one: new rows are detached, changes are dropped
            session.add_all(new)
            for row, values in changed:
                for name, value in values.items():
                    setattr(row, name, value)
            for row in gone:
                session.delete(row)


def _changes(row: object) -> dict[str, Any]:
    changed = {}
    for attribute in inspect(row).attrs:
        if attribute.history.has_changes():
            value = attribute.value
            changed[attribute.key] = list(value) if isinstance(value, list) else value
    return changed


class PageSessions(SecureCookieSessionInterface):
    """Sessions for pages only: where machines ask, the cookie is not even looked at."""

    _serializer: Any = None

    def open_session(self, app: Flask, request: Any) -> SecureCookieSession | None:
        if request.path.startswith(MACHINE_PATHS) or self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        if (session.accessed or session.modified) and not request.path.startswith(MACHINE_PATHS):
            super().save_session(app, session, response)

    def get_signing_serializer(self, app: Flask) -> Any:
        """Made once: making it costs more than signing."""
        if self._serializer is None:
            self._serializer = super().get_signing_serializer(app)
        return self._serializer


def init_app(app: Flask) -> None:
    """Put accounts in place; after CSRFProtect, before the views."""
    settings: Settings = app.extensions["pocdir"]
    app.config.update(_config(settings))
    app.session_interface = PageSessions()
    limits.init_app(app)
    security = flask_security.Security(app, Datastore(), register_blueprint=False)
    _remove_eager_hooks(app, security)
    app.login_manager.user_loader(_user_of_session)  # type: ignore[attr-defined]
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined]
    app.before_request(_check_form)
    app.context_processor(_viewer)


def _config(settings: Settings) -> dict[str, Any]:
    return {
        "SESSION_COOKIE_NAME": "__Host-pocdir" if settings.https else "pocdir",
        "SESSION_COOKIE_SECURE": settings.https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "WTF_CSRF_CHECK_DEFAULT": False,  # _check_form does, by path
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session: a letter may take longer than an hour
        "WTF_CSRF_SSL_STRICT": False,  # it wants the Referer that our no-referrer policy withholds
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SCHEMES": ["argon2"],
        # No second secret mixed in: a new POCDIR_SECRET_KEY ends sessions and links, not passwords.
        "SECURITY_PASSWORD_SINGLE_HASH": {"argon2"},
        "SECURITY_PASSWORD_LENGTH_MIN": rules.PASSWORD_LENGTH[0],
        "SECURITY_PASSWORD_NORMALIZE_FORM": "NFKC",
        "SECURITY_DATETIME_FACTORY": clock.now,
        "SECURITY_FRESHNESS": rules.FRESH_FOR,
        "SECURITY_DEFAULT_REMEMBER_ME": False,
        "SECURITY_CLI_USERS_NAME": None,
        "SECURITY_CLI_ROLES_NAME": None,
        "SECURITY_API_ENABLED_METHODS": ["session"],
        "SECURITY_USER_IDENTITY_ATTRIBUTES": [{"email": {"mapper": rules.address_key}}],
    }


def _remove_eager_hooks(app: Flask, security: Any) -> None:
    """What would read the session or the database on every request, asked for or not."""
    app.before_request_funcs[None].remove(security.principal._on_before_request)
    identity_changed.disconnect(security.principal._on_identity_changed, app)
    app.after_request_funcs[None].remove(security.login_manager._update_remember_cookie)
    app.template_context_processors[None].remove(_user_context_processor)


def _check_form() -> None:
    if request.method in guards.UNCHANGING or request.path.startswith(NO_FORMS):
        return
    if _is_foreign(current_app.extensions["pocdir"]):
        raise Forbidden("cross_site", "another site sent this form; open the page here and send it again")
    if current_app.config["WTF_CSRF_ENABLED"]:
        try:
            current_app.extensions["csrf"].protect()
        except CSRFError:
            raise Invalid("form_expired", "this form is from another session; load the page again") from None


def _is_foreign(settings: Settings) -> bool:
    """Whether the browser says that another site's page sent this: a second line, behind the form's token."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return True
    origin = request.headers.get("Origin", "null")
    if origin == "null":  # what our own forms send, under our no-referrer policy
        return False
    ours = (request.host, urlsplit(settings.external_url).netloc)
    return origin.partition("://")[2].lower() not in [host.lower() for host in ours]


def _user_of_session(_uniquifier: str) -> User | None:
    """Flask-Login's current_user, for Flask-Security's own pages: nobody whose sign-in has ended."""
    principal = guards.current_principal()
    if principal.user_id is None:
        return None
    g.fs_authn_via, g.fs_paa = "session", session.get("fs_paa", 0)
    return db.session.get(User, principal.user_id)


def _viewer() -> dict[str, Any]:
    principal = guards.current_principal()
    if principal.kind != "user":
        return {"viewer": None, "principal": principal}
    name = dict(principal.workspaces).get(principal.workspace or "")
    viewer = {
        "email": principal.email,
        "workspace": name,
        "steward": "steward" in principal.site_roles,
        "team": principal.team,
    }
    return {"viewer": viewer, "principal": principal}
