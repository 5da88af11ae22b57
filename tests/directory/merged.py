"""Two entries of one team: merged, split, and what the directory gives of them."""

from __future__ import annotations

import datetime as dt

from pocdir.db import transaction
from pocdir.directory.formats import pocdir_json
from pocdir.directory.merging import actions
from pocdir.directory.queries import exports
from pocdir.directory.rules.office import Office
from tests.directory import made

OFFICE = Office(b"secret", "https://pocdir.example", "pocdir.example")
HOUR = dt.timedelta(hours=1)
LATER = made.NOW + HOUR
OLD = made.team_json("old", name="Old CERT", kind="academic", channels=[made.channel("old@cert.example")],
                     responsibilities=[made.responsibility("asn", "64500")])  # fmt: skip
NEW = made.team_json(
    "whole", name="New CERT", kind="academic", responsibilities=[made.responsibility("asn", "64501")]
)


def done(act, *, now=LATER, actor="operator", **of):
    with transaction() as session:
        return act(session, reason="a call", now=now, actor=actor, office=OFFICE, **of)


def merge(slug="old", into="whole", **more):
    return done(actions.merge, slug=slug, into=into, **more)


def split(slug="old", **more):
    return done(actions.split, slug=slug, **more)


def apart(one="old", other="whole"):
    with transaction() as session:
        actions.say_apart(session, one=one, other=other, reason="two", now=LATER, actor="operator")


def everything(at=None):
    return pocdir_json.write(*exports.exported(at))
