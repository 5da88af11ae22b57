"""A team's rules for reports: each is checked by a machine, and a report is told which it does not meet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pocdir.directory.rules.record import INTAKE
from pocdir.outreach.rules.intake import Report, not_met

FIT = Report(
    kind="report", channel="form", language="de", assets=[{"value": "192.0.2.1"}],
    body="It called at 2026-11-20 12:04 UTC.", answer_asked=False, encrypted=True,
)  # fmt: skip


def test_a_report_as_it_was_asked_for_meets_every_rule() -> None:
    assert not_met(INTAKE, FIT, languages=["en", "de-AT"]) == []


@pytest.mark.parametrize(
    ("rule", "report"),
    [
        ("one-address", replace(FIT, assets=[{"value": "192.0.2.1"}, {"value": "192.0.2.2"}])),
        ("one-address", replace(FIT, rows=1)),
        ("timestamps-with-zone", replace(FIT, body="It called at 12:04.")),
        ("language", replace(FIT, language="fr")),
        ("encryption", replace(FIT, channel="email", encrypted=None)),
        ("encryption", replace(FIT, channel="email", encrypted=False)),
        ("web-form-only", replace(FIT, channel="email")),
        ("feeds", replace(FIT, answer_asked=True)),
        ("evidence", replace(FIT, body=None)),
    ],
)
def test_what_is_not_met_is_named_and_only_where_it_is_asked_for(rule: str, report: Report) -> None:
    assert rule in not_met(INTAKE, report, languages=["de"])
    assert not_met([rule], report, languages=["de"]) == [rule]
    assert not_met([each for each in INTAKE if each != rule], report, languages=["de"]) == [
        each for each in not_met(INTAKE, report, languages=["de"]) if each != rule
    ]
    assert not_met(INTAKE, replace(report, kind="ping"), languages=["de"]) == []


@pytest.mark.parametrize(
    "time", ["12:04Z", "12:04:05 UTC", "12:04:05.25+02:00", "12:04 GMT", "2026-11-20T12:04:05-0300"]
)
def test_a_time_has_a_zone_in_each_of_its_spellings(time: str) -> None:
    assert (
        not_met(["timestamps-with-zone"], replace(FIT, body=f"Seen at {time}, and later."), languages=[])
        == []
    )


@pytest.mark.parametrize(
    "asset", [{"first_seen": "2026-11-20T12:00:00Z"}, {"last_seen": "2026-11-20T12:00:00Z"}]
)
def test_an_asset_with_its_time_says_when_and_what(asset: dict[str, str]) -> None:
    report = replace(FIT, body=None, assets=[{"value": "192.0.2.1"} | asset])
    assert not_met(INTAKE, report, languages=[]) == []


def test_words_that_their_sender_keeps_are_not_doubted() -> None:
    assert not_met(INTAKE, replace(FIT, body=None, is_kept=True), languages=["de"]) == []
