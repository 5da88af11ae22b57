"""The application: every feature's pages and API under one roof."""

from __future__ import annotations

from flask import Blueprint, Flask
from flask_smorest import Blueprint as SmorestBlueprint
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from pocdir import config, db
from pocdir.accounts import pages as accounts_pages
from pocdir.accounts import security
from pocdir.config import Settings
from pocdir.directory import api as directory_api
from pocdir.directory import downloads
from pocdir.directory import pages as directory_pages
from pocdir.directory.checks import pages as checks_pages
from pocdir.directory.claims import pages as claims_pages
from pocdir.directory.keys import api as keys_api
from pocdir.directory.keys import pages as keys_pages
from pocdir.directory.merging import pages as merging_pages
from pocdir.directory.proposals import api as proposals_api
from pocdir.directory.proposals import pages as proposals_pages
from pocdir.directory.quarantine import api as quarantine_api
from pocdir.directory.quarantine import pages as quarantine_pages
from pocdir.incidents import api as incidents_api
from pocdir.incidents import pages as incidents_pages
from pocdir.latency import api as latency_api
from pocdir.latency import pages as latency_pages
from pocdir.outreach import api as outreach_api
from pocdir.outreach.pages import incident, notifications, recipient, spreadsheet
from pocdir.site.api import health
from pocdir.site.api import lookup as lookup_api
from pocdir.site.pages import lookup as lookup_pages
from pocdir.site.pages import outbox as outbox_pages
from pocdir.site.pages import published, steward, team
from pocdir.web import api, errors, headers, i18n, logs

MEGABYTE = 1024 * 1024
SITE = (lookup_pages, published, team, steward, outbox_pages)  # one blueprint, a file for each subject
OUTREACH = (incident, notifications, recipient, spreadsheet)
PAGES: tuple[Blueprint, ...] = (
    health.blueprint,
    SITE[0].blueprint,
    accounts_pages.blueprint,
    directory_pages.blueprint,
    merging_pages.blueprint,
    quarantine_pages.blueprint,
    proposals_pages.blueprint,
    claims_pages.blueprint,
    checks_pages.blueprint,
    keys_pages.blueprint,
    incidents_pages.blueprint,
    OUTREACH[0].blueprint,
    latency_pages.blueprint,
)
APIS: tuple[SmorestBlueprint, ...] = (
    directory_api.blueprint,
    quarantine_api.blueprint,
    downloads.blueprint,
    proposals_api.blueprint,
    keys_api.blueprint,
    incidents_api.blueprint,
    outreach_api.blueprint,
    latency_api.blueprint,
    lookup_api.blueprint,
)


def create_app(settings: Settings | None = None) -> Flask:
    """A WSGI application for these settings (default: those of the environment)."""
    settings = settings or config.load()
    logs.init(settings.log_level)
    app = Flask("pocdir", template_folder=str(config.folder("templates")), static_folder="web/static")
    app.extensions["pocdir"] = settings
    # A redirect by the routing would name whatever Host was sent; `//` in a path is a path that is not there.
    app.url_map.merge_slashes = False
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
    csrf = CSRFProtect(app)
    security.init_app(app)
    smorest = api.init_app(app)
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    for blueprint in APIS:
        csrf.exempt(blueprint)
        smorest.register_blueprint(blueprint)
    return app
