"""Incidents and the assets they concern."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.db import Base


class Incident(Base):
    """The researcher's case; it belongs to a workspace and names no actor."""

    __tablename__ = "incidents"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    title: Mapped[str] = mapped_column(String(200))
    rsit_class: Mapped[str | None] = mapped_column(String(40))
    rsit_type: Mapped[str | None] = mapped_column(String(40))
    tlp: Mapped[str] = mapped_column(String(16))
    description: Mapped[str | None] = mapped_column(Text)
    detected_from: Mapped[dt.datetime | None]
    detected_to: Mapped[dt.datetime | None]
    source_ref: Mapped[str | None] = mapped_column(String(200))
    people_at_risk: Mapped[bool] = mapped_column(default=False)
    quiet_after: Mapped[str | None] = mapped_column(String(40))  # ISO 8601; None: rules.quiet.QUIET_AFTER
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    closed_at: Mapped[dt.datetime | None]
    revision: Mapped[int] = mapped_column(default=1)

    assets: Mapped[list[Asset]] = relationship(back_populates="incident", order_by="Asset.id")

    @property
    def kind_of_report(self) -> str | None:
        """What reports of it are about: class/type of the taxonomy, or the class alone."""
        class_, type_ = self.rsit_class, self.rsit_type
        return f"{class_}/{type_}" if class_ and type_ else class_

    __table_args__ = (Index("ix_incidents_workspace_id", "workspace_id", "id"),)


class Asset(Base):
    """An address or name concerned; a control is watched and not notified."""

    __tablename__ = "assets"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"))
    kind: Mapped[str] = mapped_column(String(6))  # ip, domain, url, hash
    value: Mapped[str] = mapped_column(String(2000))
    port: Mapped[int] = mapped_column(default=0)  # 0: none
    control: Mapped[bool] = mapped_column(default=False)
    first_seen: Mapped[dt.datetime | None]
    last_seen: Mapped[dt.datetime | None]
    added_at: Mapped[dt.datetime | None]  # None: before anybody noted it

    incident: Mapped[Incident] = relationship(back_populates="assets")

    __table_args__ = (UniqueConstraint("incident_id", "kind", "value", "port"),)


class MeasuringWindow(Base):
    """A time in which a method measured an incident's assets: who has no sighting in it was not seen."""

    __tablename__ = "measuring_windows"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"))
    method: Mapped[str] = mapped_column(String(20))
    begins_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    sightings: Mapped[int]  # of assets of the incident
    seen: Mapped[int]  # assets
    strangers: Mapped[int]  # sightings of values that are no asset: counted, not kept
    digest: Mapped[str] = mapped_column(String(64))  # of what was kept
    posted_at: Mapped[dt.datetime]
    posted_by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (
        UniqueConstraint(
            "incident_id", "method", "begins_at", "ends_at", "digest", name="uq_measuring_windows_same"
        ),
    )


class Sighting(Base):
    """A stretch of time within a window in which an asset was seen again and again; seconds since 1970."""

    __tablename__ = "sightings"

    window_id: Mapped[int] = mapped_column(ForeignKey("measuring_windows.id"), primary_key=True)
    asset_id: Mapped[int] = mapped_column(ForeignKey("assets.id"), primary_key=True)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int]

    __table_args__ = ({"sqlite_with_rowid": False},)
