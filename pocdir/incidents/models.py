"""Incidents and the assets they concern."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
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
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    closed_at: Mapped[dt.datetime | None]
    revision: Mapped[int] = mapped_column(default=1)

    assets: Mapped[list[Asset]] = relationship(back_populates="incident", order_by="Asset.id")

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

    incident: Mapped[Incident] = relationship(back_populates="assets")

    __table_args__ = (UniqueConstraint("incident_id", "kind", "value", "port"),)
