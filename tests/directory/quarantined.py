"""Imports that are held: made, marked, accepted and refused."""

from __future__ import annotations

import datetime as dt

from pocdir.db import db, transaction
from pocdir.directory.actions import marking
from pocdir.directory.formats import pocdir_json
from pocdir.directory.quarantine.actions import decide
from pocdir.directory.quarantine.queries import waiting
from pocdir.directory.queries import exports, versions
from tests.directory import made

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
EVIL = {"kind": "provider", "channels": [made.channel("evil@other.example")]}


def exported():
    return pocdir_json.write(*exports.exported())


def team_of(slug="cert-example"):
    db.session.rollback()
    return next(team for team in versions.snapshot().teams if team.slug == slug)


def values_of(slug="cert-example"):
    return {channel.value for channel in team_of(slug).channels}


def mark(value="cert@cert.example", state="verified", **more):
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value=value, state=state, evidence="the team confirmed it", now=made.NOW,
            actor="operator", **more,
        )  # fmt: skip


def accept(*refs, actor="operator", now=made.NOW + DAY, note=None, **more):
    with transaction() as session:
        return decide.accept(
            session, refs=refs, note=note, mail_domain="pocdir.example", now=now, actor=actor, **more
        )


def refuse(*refs, actor="operator", now=made.NOW + DAY, note=None):
    with transaction() as session:
        return decide.refuse(session, refs=refs, note=note, now=now, actor=actor)


def held(**more):
    db.session.rollback()  # a request in between has its own connection
    return waiting.items(**more)


def other(**more):
    return made.team_json(
        "other", **{"name": "Other CSIRT", "channels": [made.channel("o@other.example")]} | more
    )


def base(**more):
    """Two teams, the first with an address that it confirmed."""
    made.imported(made.file(made.team_json(kind="provider", **more), other()))
    mark()


def poisoned(**more):
    return made.imported(made.file(made.team_json(**EVIL), other()), **more)
