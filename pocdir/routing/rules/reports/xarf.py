"""XARF, the abuse report as JSON: version 4 (xarf.org), version 3 (Abusix) and its older form."""

from __future__ import annotations

from typing import Any

from pocdir.routing.rules.reports.layout import Row
from pocdir.routing.rules.reports.rows import Record, compact, joined, placed, rows_of, text

_OWN = frozenset({"_internal", "InternalProcessing"})  # a sender's notes: the format keeps them off the wire


def is_xarf(record: dict[str, Any]) -> bool:
    """Whether a JSON object is a report of either version."""
    return "xarf_version" in record or (
        "Version" in record and ("Report" in record or "ReporterInfo" in record or len(record) == 1)
    )


def rows(record: dict[str, Any], number: int) -> tuple[Row, ...]:
    """The one row of a report: the source is whom it concerns, in version 4 `source_identifier`."""
    record = {key: value for key, value in record.items() if key not in _OWN}
    if "xarf_version" in record:
        place = placed(
            record.get("source_identifier"),
            record.get("url"),
            record.get("infringing_url"),
            record.get("domain"),
        )
        kinds = (text(record.get("category")), text(record.get("type")))
        meant = Record(
            id=text(record.get("report_id")) or str(number),
            timestamp=text(record.get("timestamp")),
            classification="/".join(filter(None, kinds)),
            labels=joined(record.get("tags")),
            whole=compact(record),
        )
        return rows_of(meant, [place])
    said = record.get("Report")
    report: dict[str, Any] = said if isinstance(said, dict) else {}
    meant = Record(
        id=text(report.get("ReporterCaseID")) or str(number),
        timestamp=text(report.get("Date")),
        classification="/".join(
            filter(None, (text(report.get("ReportClass")), text(report.get("ReportType"))))
        ),
        labels=text(report.get("ReportSubType")),
        whole=compact(record),
    )
    return rows_of(meant, [_version_3(report)])


def _version_3(report: dict[str, Any]) -> dict[str, str]:
    """The source; of an account that may be taken over, the machine where it is kept."""
    source = report.get("Source")
    older: dict[str, Any] = source if isinstance(source, dict) else {}
    found = placed(
        report.get("SourceIp"), report.get("SourceUrl"), report.get("SourceDomain"), report.get("Url"),
        older.get("IP"), older.get("URL"), older.get("Domain"),
    )  # fmt: skip
    kept_at = "Account" in report or "account" in text(report.get("ReportType")).lower()
    return found or (placed(report.get("DestinationIp"), report.get("DestinationUrl")) if kept_at else {})
