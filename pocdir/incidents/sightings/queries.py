"""What was measured of an incident: its assets, its windows, and when it saw whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid
from pocdir.core.times import isoformat
from pocdir.db import Line, db, table_of
from pocdir.incidents.models import Asset, Incident, MeasuringWindow, Sighting
from pocdir.incidents.rules.quiet import Ints, Silences, Stretches, Windows, silences
from pocdir.incidents.rules.sightings import quiet_seconds
from pocdir.ledger.rules.vocabulary import METHODS

_A, _W, _S = (table_of(model).c for model in (Asset, MeasuringWindow, Sighting))
_AT_ONCE = 20_000
MOST_CHOSEN = 1_000  # assets that are asked for one by one; of more all are read
_COLUMNS = ("value", "seen_at", "last_seen", "count", "method", "window_from", "window_to", "port", "control")


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """An incident's assets in the order of their rows, when each was not seen, and its windows."""

    ids: Ints
    values: Sequence[tuple[str, int]]  # value, port (0: none)
    control: np.ndarray[Any, np.dtype[np.bool_]]
    windows: Sequence[Line]
    stretches: Stretches  # by place of the asset, and number of the window's method in METHODS
    window: Ints  # of each stretch, its row among `windows`
    silences: Silences
    quiet_after: int  # seconds

    @property
    def places(self) -> dict[str, list[int]]:
        """The places of the assets by value: one for each port."""
        found: dict[str, list[int]] = {}
        for place, (value, _port) in enumerate(self.values):
            found.setdefault(value, []).append(place)
        return found


def measured(
    incident: Incident, session: Session | None = None, *, values: Collection[str] | None = None
) -> Measured:
    """All that is known of when an incident's assets were seen; `values`: of these assets alone."""
    connection = (session or db.session()).connection()
    columns = (_A.id, _A.value, _A.port, _A.control, _A.added_at)
    mine = [_A.incident_id == incident.id]
    if values is not None and len(values) <= MOST_CHOSEN:
        mine.append(_A.value.in_(values))
    assets = connection.execute(select(*columns).where(*mine).order_by(_A.id)).all()
    windows = connection.execute(
        select(*table_of(MeasuringWindow).c).where(_W.incident_id == incident.id).order_by(_W.id)
    ).all()
    chosen = [it.id for it in assets] if len(mine) > 1 else None
    ids, rows = np.array([it.id for it in assets], dtype=np.int64), _stretches(incident, session, chosen)
    window = np.searchsorted(np.array([it.id for it in windows], dtype=np.int64), rows[:, 0])
    method = np.array([METHODS.index(it.method) for it in windows], dtype=np.int64)
    kept = Stretches(np.searchsorted(ids, rows[:, 1]), method[window], rows[:, 2], rows[:, 3])
    times = Windows(
        method,
        _seconds(it.begins_at for it in windows),
        _seconds(it.ends_at for it in windows),
        np.array([_exactly(it.posted_at) for it in windows], dtype=np.int64),
    )
    return Measured(
        ids=ids,
        values=[(it.value, it.port) for it in assets],
        control=np.array([it.control for it in assets], dtype=np.bool_),
        windows=windows,
        stretches=kept,
        window=window,
        silences=silences([_exactly(it.added_at) for it in assets], times, kept),
        quiet_after=quiet_seconds(incident.quiet_after),
    )


def _stretches(incident: Incident, session: Session | None, assets: Sequence[int] | None) -> Ints:
    """Rows of window, asset, first, last; of these assets, or of all."""
    chosen = (
        select(_S.window_id, _S.asset_id, _S.first, _S.last)
        .join(MeasuringWindow, _W.id == _S.window_id)
        .where(_W.incident_id == incident.id)
    )
    if assets is not None:
        chosen = chosen.where(_S.asset_id.in_(assets))
    found = (session or db.session()).connection().execute(chosen)
    # From the driver straight into a column of numbers: there may be millions, and none is looked at by itself.
    rows = cast(Iterable[tuple[int, ...]], found.cursor)
    values = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
    found.close()
    return values.reshape(-1, 4)


def _seconds(moments: Iterable[dt.datetime]) -> Ints:
    return np.array([int(each.timestamp()) for each in moments], dtype=np.int64)


def _exactly(moment: dt.datetime | None) -> int:
    return 0 if moment is None else round(moment.timestamp() * 1e6)


def asset_ids(incident: Incident, session: Session | None = None) -> dict[str, list[int]]:
    """The rows of the incident's assets by value: one for each port."""
    connection = (session or db.session()).connection()
    found: dict[str, list[int]] = {}
    for row in connection.execute(select(_A.id, _A.value).where(_A.incident_id == incident.id)):
        found.setdefault(row.value, []).append(row.id)
    return found


def window(ref: str, incident: Incident, session: Session | None = None) -> MeasuringWindow:
    """A measuring window of the incident."""
    chosen = select(MeasuringWindow).where(_W.ref == ref, _W.incident_id == incident.id)
    return (session or db.session()).scalars(chosen).one()


def window_like(values: Mapping[str, Any], session: Session) -> str | None:
    """The reference of the window that stands with these values already."""
    return session.scalar(select(MeasuringWindow.ref).filter_by(**values))


def windows(incident: Incident, *, limit: int, cursor: str | None = None) -> list[MeasuringWindow]:
    """`limit + 1` measuring windows after the cursor, oldest recorded first."""
    chosen = select(MeasuringWindow).where(_W.incident_id == incident.id).order_by(_W.id)
    if cursor is not None:
        chosen = chosen.where(_W.id > _row_of(cursor, incident))
    return list(db.session.scalars(chosen.limit(limit + 1)))


def sightings(incident: Incident, *, limit: int, cursor: str | None = None) -> list[dict[str, Any]]:
    """`limit + 1` stretches of sightings after the cursor (a window's ref, and how many of it), by window and asset."""
    chosen = _SHOWN.where(_W.incident_id == incident.id)
    skipped = 0
    if cursor is not None:
        ref, _, number = cursor.partition(":")
        skipped = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else 0
        chosen = chosen.where(_W.id >= _row_of(ref, incident)).offset(skipped)
    shown, place, last = [], skipped, None if cursor is None else cursor.partition(":")[0]
    for row in db.session.execute(chosen.limit(limit + 1)):
        place = place + 1 if row.ref == last or last is None else 1
        last = row.ref
        shown.append(_shown(row) | {"cursor": f"{row.ref}:{place}"})
    return shown


def sightings_csv(incident: Incident) -> Iterator[list[Any]]:
    """All of them as rows of a file, its head first: it can be read in again window by window."""
    yield list(_COLUMNS)
    chosen = _SHOWN.where(_W.incident_id == incident.id).execution_options(yield_per=_AT_ONCE)
    for row in db.session.execute(chosen):
        values = _shown(row)
        yield [
            isoformat(value) if isinstance(value, dt.datetime) else value
            for value in (values[name] for name in _COLUMNS)
        ]


_SHOWN = (
    select(
        _W.ref, _W.method, _W.begins_at, _W.ends_at, _A.value, _A.port, _A.control, _S.first, _S.last, _S.count
    )
    .select_from(Sighting)
    .join(MeasuringWindow, _W.id == _S.window_id)
    .join(Asset, _A.id == _S.asset_id)
    .order_by(_S.window_id, _S.asset_id, _S.first)
)  # fmt: skip


def _shown(row: Line) -> dict[str, Any]:
    return {
        "window": row.ref, "method": row.method, "window_from": row.begins_at, "window_to": row.ends_at,
        "value": row.value, "port": row.port or None, "control": row.control,
        "seen_at": dt.datetime.fromtimestamp(row.first, dt.UTC),
        "last_seen": dt.datetime.fromtimestamp(row.last, dt.UTC),
        "count": row.count,
    }  # fmt: skip


def _row_of(ref: str, incident: Incident) -> int:
    row: int | None = db.session.scalar(select(_W.id).where(_W.ref == ref, _W.incident_id == incident.id))
    if row is None:
        raise Invalid("cursor_unknown", "this cursor is not one of this list", where="cursor")
    return row
