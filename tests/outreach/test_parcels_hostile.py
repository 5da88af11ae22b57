"""Archives of parcels as nobody's routing made them: each is refused with where and what, and nothing of it is kept."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import event, func, select
from werkzeug.test import TestResponse

from pocdir.accounts.models import Workspace
from pocdir.db import db
from pocdir.incidents.models import Asset
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.models import Parcel, ParcelPiece
from pocdir.outreach.rules import parcels as rules
from pocdir.site.commands.ledger import ledger
from tests.conftest import Api
from tests.outreach.made import teams
from tests.outreach.policies import chosen
from tests.outreach.test_parcels import AT, FILES, ISP, archive, attached, incident, manifest

HEADER = b"ip,note\r\n"


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    teams(now)
    with time_machine.travel(now, tick=False):
        yield


def kept() -> list[int]:
    """How many parcels, pieces of them and assets there are."""
    found = [
        db.session().scalars(select(func.count()).select_from(each)).one()
        for each in (Parcel, ParcelPiece, Asset)
    ]
    db.session.remove()
    return found


def told(parcel: int = 0, **more: Any) -> dict[str, Any]:
    """A manifest of which one parcel says something else."""
    found = manifest()
    found["parcels"][parcel] |= more
    return found


def written(told: Any, files: dict[str, bytes] = FILES, packing: int = zipfile.ZIP_STORED) -> bytes:
    """An archive with a manifest of any text."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packing) as archive:
        archive.writestr("manifest.json", told if isinstance(told, str) else json.dumps(told))
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def damaged(packing: int) -> bytes:
    """An archive whose rows do not unpack."""
    data = bytearray(written(manifest({"isp.csv": LARGE}), {"isp.csv": LARGE}, packing))
    at = data.rindex(b"isp.csv", 0, data.rindex(b"PK\x01\x02")) + 40
    data[at : at + 60] = random.Random(4).randbytes(60)
    return bytes(data)


LARGE = HEADER + b"".join(b"203.0.113.%d,%d\r\n" % (n % 250, n * n) for n in range(2000))
ISP_TWICE = manifest() | {"routed": 4, "parcels": [*manifest()["parcels"], manifest()["parcels"][1]]}
TWO_NAMES = {"isp.csv": ISP, "unrouted.csv": AT}
HOSTILE = {
    "an endless number": (written(json.dumps(manifest()).replace('"rows": 2', '"rows": 1e999')), "rows"),
    "Infinity": (
        written(json.dumps(manifest()).replace('"routed": 3', '"routed": Infinity')),
        "routed",
    ),
    "NaN": (written(json.dumps(manifest()).replace('"rows": 2', '"rows": NaN')), "rows"),
    "a number as text": (written(told(rows="2")), "rows"),
    "a truth": (written(told(1, rows=True)), "rows"),
    "too many rows": (written(told(rows=9) | {"routed": 10}), "cert-at.csv"),
    "too few rows": (written(told(rows=1) | {"routed": 2}), "cert-at.csv"),
    "no sum of its rows": (written(manifest() | {"routed": 2}), "routed"),
    "a parcel twice": (written(ISP_TWICE), "parcels.2.file"),
    "a team that nobody knows": (
        written(manifest({"nobody-here.csv": ISP}), {"nobody-here.csv": ISP}),
        "nobody",
    ),
    "another team's file": (written(told(team="isp")), "parcels.0.file"),
    "what goes to nobody": (written(manifest(TWO_NAMES), TWO_NAMES), "parcels.1.file"),
    "what goes to nobody, to a team": (written(told(file="unrouted.csv")), "parcels.0.file"),
    "a NUL": (written(told(basis={"key": "country", "value": "A\0"})), "basis"),
    "half a sign": (written(told(basis={"key": "\ud800", "value": "AT"})), "basis"),
    "a nest": (written("[" * 100_000), "manifest.json"),
    "a list": (written("[]"), "manifest"),
    "no text": (written("\udcff".encode("utf-8", "surrogateescape").decode("latin-1")), "manifest.json"),
    "deflate": (damaged(zipfile.ZIP_DEFLATED), "isp.csv"),
    "bzip2": (damaged(zipfile.ZIP_BZIP2), "manifest.json"),
    "lzma": (damaged(zipfile.ZIP_LZMA), "manifest.json"),
    "no manifest": (archive().replace(b"manifest.json", b"manifest.jsom"), "manifest.json"),
}


@pytest.mark.parametrize(("data", "where"), HOSTILE.values(), ids=list(HOSTILE))
def test_what_is_wrong_is_said_with_its_place_and_nothing_is_kept(api: Api, data: bytes, where: str) -> None:
    refused = attached(api, incident(api), data)

    assert (refused.status_code, refused.json["code"]) == (422, "parcels_invalid"), refused.text
    assert where in refused.text
    assert len(refused.text) < 1000
    assert kept() == [0, 0, 0]


def test_so_many_parcels_and_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_PARCELS", 1)
    ref = incident(api)
    refused = attached(api, ref)

    assert (refused.status_code, refused.json["code"]) == (422, "parcels_too_many")
    assert attached(api, ref, archive({"isp.csv": ISP})).status_code == 201
    refused = attached(api, ref, archive({"cert-at.csv": AT}))
    assert (refused.status_code, refused.json["code"]) == (422, "parcels_too_many"), "one waits already"
    assert kept() == [1, 1, 1]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Those that SQLAlchemy runs meanwhile; what goes to the driver at once for many rows is none of them."""
    said = list[str]()

    def note(*arguments: Any) -> None:
        said.append(arguments[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_parcels_and_who_is_told_are_written_in_few_statements_however_many(
    api: Api, lab: Workspace, now: dt.datetime
) -> None:
    chosen(lab, now, {})
    first, second = incident(api), incident(api)
    api.post(f"/api/v1/incidents/{first}/plan")  # makes the index
    with statements() as for_one:
        attached(api, first, archive({"isp.csv": ISP}))
        assert once(api, first, ["isp"]).status_code == 201
    with statements() as for_two:
        attached(api, second)
        told = once(api, second, ["isp", "cert-at"])
    assert kept()[0] == 3
    assert len(for_two) == len(for_one)
    asked = ["escalation.set", "expectation.set", "notification.logged", "parcel.attached"]
    for ref in told.json["items"]:
        assert sorted(each.type for each in events_of_notification(ref)) == asked
    assert CliRunner().invoke(ledger, ["verify"]).exit_code == 0
    assert once(api, second, ["isp", "cert-at"]).json == told.json, "although their parcels wait no more"
    others = [
        once(api, second, ["isp", "cert-at"], message="another text"),
        once(api, second, ["isp"]),
        once(api, first, ["isp"], key=second),
    ]
    assert {(each.status_code, each.json["code"]) for each in others} == {(422, "idempotency_mismatch")}


def once(api: Api, ref: str, slugs: list[str], *, key: str = "", **more: str) -> TestResponse:
    path = f"/api/v1/incidents/{ref}/notifications"
    return api.post(path, {"choose": slugs} | more, **{"Idempotency-Key": key or ref})


def test_a_mutated_archive_is_refused_or_whole(api: Api, app: Flask) -> None:
    """Some hundred archives with a few bytes changed, cut, doubled or put elsewhere."""
    dice = random.Random(20261123)
    plain, packed = archive(), written(manifest(), packing=zipfile.ZIP_DEFLATED)
    ref = incident(api)
    seen = set()
    for _ in range(300 if app.extensions["pocdir"].database_url.startswith("sqlite") else 30):
        answer = attached(api, ref, mutated(dice.choice((plain, packed)), dice))
        seen.add(answer.status_code)
        assert answer.status_code in (201, 422), answer.text
        if answer.status_code == 422:
            assert answer.json["code"] in ("parcels_invalid", "parcels_too_large"), answer.text
            assert kept() in ([0, 0, 0], [2, 2, 3])
    assert seen == {201, 422}


def mutated(data: bytes, dice: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at, size = dice.randrange(len(found)), dice.randint(1, 8)
        what = dice.randrange(5)
        if what == 0:
            found[at] ^= 1 << dice.randrange(8)
        elif what == 1:
            found[at : at + size] = dice.randbytes(size)
        elif what == 2:
            del found[at : at + size * dice.choice((1, 1, 20))]
        elif what == 3:
            found[at:at] = found[at : at + size]
        else:
            digits = [place for place, byte in enumerate(found) if chr(byte).isdecimal()]
            found[dice.choice(digits)] = ord(dice.choice('0123456789-.eE"[]{}N'))
        if not found:
            return b"PK"
    return bytes(found)
