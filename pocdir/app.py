"""The application: every feature's pages and API under one roof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from pocdir import config, db
from pocdir.accounts import security
from pocdir.config import Settings
from pocdir.core.loading import nothing_thrown_away
from pocdir.web import api, errors, files, headers, i18n, logs, paths

Function = TypeVar("Function", bound=Callable[..., Any])
MEGABYTE = 1024 * 1024


class Service(Flask):
    """Flask, which would ask of every function before every call whether it is a coroutine: here none is."""

    def ensure_sync(self, func: Function) -> Function:
        return func


@nothing_thrown_away()
def create_app(settings: Settings | None = None) -> Flask:
    """A WSGI application for these settings (default: those of the environment)."""
    from pocdir.blueprints import APIS, PAGES

    settings = settings or config.load()
    logs.init(settings.log_level)
    app = Service("pocdir", template_folder=str(config.folder("templates")), static_folder="web/static")
    app.extensions["pocdir"] = settings
    # A redirect by the routing would name whatever Host was sent; `//` in a path is a path that is not there.
    app.url_map.merge_slashes = False
    paths.init_app(app)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=16 * MEGABYTE,
        MAX_FORM_MEMORY_SIZE=2 * MEGABYTE,
        MAX_FORM_PARTS=2000,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    db.init_app(app, settings.database_url)
    errors.init_app(app)
    i18n.init_app(app)
    headers.init_app(app, https=settings.https)
    files.init_app(app)
    csrf = CSRFProtect(app)
    security.init_app(app)
    smorest = api.init_app(app)
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    for blueprint in APIS:
        csrf.exempt(blueprint)
        smorest.register_blueprint(blueprint)
    return app
