"""Incidents and assets as JSON and as forms."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, post_load, validate

from pocdir.core import rsit, tlp
from pocdir.core.errors import Invalid
from pocdir.incidents.rules.assets import ASSET_KINDS
from pocdir.incidents.rules.quiet import QUIET_AFTER
from pocdir.incidents.rules.sightings import quiet_seconds
from pocdir.web.schemas import Duration, Flag, Moment, PageQuery, Schema, Text, page_of


class QuietAfter(Duration):
    """After so much measured time without a sighting an asset is quiet."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text = super()._deserialize(value, attr, data, **more)
        try:
            quiet_seconds(text)
        except Invalid as error:
            raise ma.ValidationError(error.message) from None
        return text

    def _serialize(self, value: Any, attr: str | None, obj: Any, **more: Any) -> str:
        return value or QUIET_AFTER


class IncidentSchema(Schema):
    """A researcher's case. There is no field for an actor, on purpose."""

    title = Text(min=1, max=200, required=True)
    rsit_class = fields.String(
        data_key="class", load_default=None, allow_none=True, validate=validate.OneOf(sorted(rsit.CLASSES))
    )
    rsit_type = fields.String(
        data_key="type",
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(sorted({kind for kinds in rsit.CLASSES.values() for kind in kinds})),
    )
    tlp = fields.String(load_default="TLP:AMBER", validate=validate.OneOf((*tlp.LABELS, "TLP:WHITE")))
    description = Text(max=10_000, lines=True, load_default=None, allow_none=True)
    detected_from = Moment(load_default=None, allow_none=True)
    detected_to = Moment(load_default=None, allow_none=True)
    source_ref = Text(max=200, load_default=None, allow_none=True)
    people_at_risk = Flag(load_default=False)
    quiet_after = QuietAfter(load_default=None, allow_none=True)


class IncidentOpening(IncidentSchema):
    """A case that is opened; one that was kept elsewhere until now says when it was."""

    opened_at = Moment(load_default=None, allow_none=True)


class IncidentAnswer(IncidentSchema):
    """An incident as it stands."""

    ref = fields.String(dump_only=True)
    workspace = fields.String(dump_only=True)
    created_at = Moment(dump_only=True)
    closed_at = Moment(dump_only=True, allow_none=True)


class IncidentChange(IncidentSchema):
    """What to change; `closed` closes or reopens the case."""

    closed = Flag()

    def __init__(self, **more: Any) -> None:
        super().__init__(**(more | {"partial": True}))

    @post_load
    def only_given(self, data: dict[str, Any], **_more: Any) -> dict[str, Any]:
        """An absent field stays as it is: no default may fill it."""
        return data


class IncidentForm(IncidentSchema):
    """The browser's form that changes a case, with the revision that it showed."""

    revision = fields.Integer(load_default=0)


class IncidentQuery(PageQuery):
    """Which incidents."""

    open = fields.Boolean(load_default=None)


class AssetSchema(Schema):
    """An address or name concerned; a control is watched and not notified."""

    kind = fields.String(required=True, validate=validate.OneOf(ASSET_KINDS))
    value = Text(min=1, max=2000, required=True)
    port = fields.Integer(load_default=None, allow_none=True, strict=True, validate=validate.Range(1, 65535))
    control = Flag(load_default=False)


class AssetsSchema(Schema):
    """Assets to add."""

    items = fields.List(
        fields.Nested(AssetSchema), required=True, validate=validate.Length(min=1, max=10_000)
    )


class AssetsAdded(Schema):
    """How many were new, and how many the incident has now."""

    added = fields.Integer(required=True)
    total = fields.Integer(required=True)


IncidentPage = page_of(IncidentAnswer)
AssetPage = page_of(AssetSchema)
