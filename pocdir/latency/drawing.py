"""The curves as a picture in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import format_decimal, format_percent, ngettext
from flask_babel import gettext as _
from markupsafe import Markup

from pocdir.latency import queries
from pocdir.latency.queries import Case
from pocdir.latency.rules import DAY, UNDATED, Curve, time_answered
from pocdir.web.charts import HOUR, MOST_LINES, Line, Words, survival_chart
from pocdir.web.i18n import country_name

MONTH = 30 * DAY


def chart(found: Sequence[Case], by: str | None, level: str) -> Markup:
    """Curves of the groups with most notifications (six can be told apart), in the order of their keys."""
    groups = queries.grouped(found, by)
    most = sorted(groups, key=lambda key: (-len(groups[key][1]), key))[:MOST_LINES]
    curves = {key: queries.curve(groups[key][1]) for key in sorted(most)}
    undated = {key: any(each.end == UNDATED for each in groups[key][1]) for key in curves}
    lines = [_line(_label(key, groups[key][0], by), curve, undated[key]) for key, curve in curves.items()]
    longest = max(float(curve.t[-1]) for curve in curves.values())
    return survival_chart(
        lines, _words(lines, level), until=min(MONTH, longest) or None, percent=format_percent, number=_number
    )


def _line(label: str, curve: Curve, undated: bool) -> Line:
    median = time_answered(curve, 0.5)
    if median is None and undated:
        return Line(label, curve, None, _("half answered within: not known"))
    if median is None:
        return Line(label, curve, None, _("fewer than half answered so far"))
    return Line(label, curve, median, _("half within %(time)s", time=_length(median)))


def _label(key: str, label: str, by: str | None) -> str:
    if by == "country":
        return country_name(key) if key else _("no country")
    return _("all") if by is None else label


def _words(lines: Sequence[Line], level: str) -> Words:
    said = "; ".join(f"{line.label}: {line.note}" for line in lines)
    return Words(
        title=_("Still open, by time since sending"),
        desc=said,
        still_open=_("Still open"),
        hours=_("hours since sending"),
        days=_("days since sending"),
        still_waiting=_("Still followed"),
    )


def _length(seconds: float) -> str:
    if seconds < 2 * DAY:
        hours = max(1, round(seconds / HOUR))
        return str(ngettext("%(num)s hour", "%(num)s hours", hours))
    return str(_("%(n)s days", n=format_decimal(round(seconds / DAY, 1))))


def _number(count: float) -> str:
    return str(format_decimal(count))
