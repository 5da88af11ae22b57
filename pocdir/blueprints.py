"""Every feature's pages and API, in one list each: what the application puts under its roof."""

from __future__ import annotations

from flask import Blueprint
from flask_smorest import Blueprint as SmorestBlueprint

from pocdir.accounts import pages as accounts_pages
from pocdir.directory.api import downloads
from pocdir.directory.api import teams as teams_api
from pocdir.directory.bringing import pages as bringing_pages
from pocdir.directory.checks import pages as checks_pages
from pocdir.directory.claims import pages as claims_pages
from pocdir.directory.keys import api as keys_api
from pocdir.directory.keys import pages as keys_pages
from pocdir.directory.merging import pages as merging_pages
from pocdir.directory.pages import teams as teams_pages
from pocdir.directory.proposals import api as proposals_api
from pocdir.directory.proposals import pages as proposals_pages
from pocdir.directory.quarantine import api as quarantine_api
from pocdir.directory.quarantine import pages as quarantine_pages
from pocdir.incidents import api as incidents_api
from pocdir.incidents import pages as incidents_pages
from pocdir.latency import api as latency_api
from pocdir.latency import pages as latency_pages
from pocdir.outreach import api as outreach_api
from pocdir.outreach.desk import api as desk_api
from pocdir.outreach.desk import pages as desk_pages
from pocdir.outreach.escalation import api as escalation_api
from pocdir.outreach.escalation import pages as escalation_pages
from pocdir.outreach.outcome import api as outcome_api
from pocdir.outreach.pages import (
    incident,
    notifications,
    parcels,
    recipient,
    sightings,
    spreadsheet,
    told,
    unanswered,
)
from pocdir.outreach.replies import api as replies_api
from pocdir.outreach.replies import pages as replies_pages
from pocdir.outreach.sending import api as sending_api
from pocdir.outreach.sending import pages as sending_pages
from pocdir.outreach.webhooks import api as webhooks_api
from pocdir.outreach.webhooks import pages as webhooks_pages
from pocdir.site.api import health, intelmq, people
from pocdir.site.api import lookup as lookup_api
from pocdir.site.api import route as route_api
from pocdir.site.api import workspace as workspace_api
from pocdir.site.pages import erasure, files, inbox, published, steward, team, workspace
from pocdir.site.pages import lookup as lookup_pages
from pocdir.site.pages import outbox as outbox_pages

SITE = (
    lookup_pages,
    files,
    published,
    team,
    steward,
    outbox_pages,
    inbox,
    workspace,
    erasure,
)  # one blueprint, a file for each subject
OUTREACH = (incident, notifications, parcels, recipient, sightings, spreadsheet, told, unanswered)
PAGES: tuple[Blueprint, ...] = (
    health.blueprint,
    SITE[0].blueprint,
    accounts_pages.blueprint,
    teams_pages.blueprint,
    merging_pages.blueprint,
    quarantine_pages.blueprint,
    bringing_pages.blueprint,
    proposals_pages.blueprint,
    claims_pages.blueprint,
    checks_pages.blueprint,
    keys_pages.blueprint,
    incidents_pages.blueprint,
    OUTREACH[0].blueprint,
    desk_pages.blueprint,
    escalation_pages.blueprint,
    sending_pages.blueprint,
    replies_pages.blueprint,
    webhooks_pages.blueprint,
    latency_pages.blueprint,
)
APIS: tuple[SmorestBlueprint, ...] = (
    teams_api.blueprint,
    quarantine_api.blueprint,
    downloads.blueprint,
    proposals_api.blueprint,
    keys_api.blueprint,
    incidents_api.blueprint,
    outreach_api.blueprint,
    desk_api.blueprint,
    escalation_api.blueprint,
    sending_api.blueprint,
    replies_api.blueprint,
    webhooks_api.blueprint,
    outcome_api.blueprint,
    latency_api.blueprint,
    lookup_api.blueprint,
    intelmq.blueprint,
    route_api.blueprint,
    workspace_api.blueprint,
    people.blueprint,
)
