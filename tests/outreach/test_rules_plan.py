"""Assets and parcels grouped by the contact to write to."""

from __future__ import annotations

from typing import Any

from pocdir.core.errors import Invalid
from pocdir.directory.rules.record import Directory
from pocdir.incidents.rules.assets import AssetValue
from pocdir.outreach.rules.plan import Choices, Plan, WaitingParcel, asset_as_sent, drawn_up
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.resolver import Answer, resolve
from tests.routing.directories import TODAY, directory, national, prefix, team

KNOWN = Index.build(
    directory(
        team("isp", prefix("203.0.113.0/24"), opt_outs=("sample_request",)),
        team("carrier", prefix("198.51.100.0/24")),
        team("cert", national("AT"), prefix("198.51.100.0/24", role="cc")),
        team("gone", prefix("192.0.2.0/24"), state="bouncing"),
    ),
    None,
)


def waiting(slug: str, **more: Any) -> WaitingParcel:
    said = {"ref": None, "team": slug, "name": f"{slug}.csv", "rows": 1, "size": 9, "sha256": "0" * 64}
    return WaitingParcel(**said | {"basis": {"key": "country", "value": "AT"}} | more)


def plan(*assets: str, parcels: tuple[WaitingParcel, ...] = (), people_at_risk: bool = False) -> Plan:
    routed = [(AssetValue("ip", text), answer(text)) for text in assets]
    return drawn_up(KNOWN, routed, parcels, incident="ref", people_at_risk=people_at_risk)


def answer(text: str) -> Answer | None:
    try:
        return resolve(KNOWN, parse(text, KNOWN.names), on=TODAY)
    except Invalid:
        return None


def told(found: Plan) -> list[tuple[str, str, int, int]]:
    return [(it.slug, it.role, len(it.assets), it.copies) for it in found.contacts]


def test_assets_of_one_contact_are_one_parcel_and_copies_come_last() -> None:
    found = plan("198.51.100.7", "203.0.113.70", "203.0.113.71")
    assert told(found) == [("isp", "to", 2, 0), ("carrier", "to", 1, 0), ("cert", "cc", 1, 1)]
    assert [it.answer_asked for it in found.contacts] == [True, True, False]
    assert (found.directory_version, found.registry_version) == ("d1", None)


def test_who_is_written_to_for_one_asset_is_so_for_all_of_its_own_with_that_reason() -> None:
    for assets in (("198.51.100.7", "example.at"), ("example.at", "198.51.100.7")):
        found = plan(*assets)
        assert told(found) == [("cert", "to", 2, 1), ("carrier", "to", 1, 0)]
        assert found.contacts[0].basis == answer("example.at").contacts[0].basis  # type: ignore[union-attr]


def test_what_goes_to_nobody_stands_with_the_reason() -> None:
    found = plan("10.0.0.1", "192.0.2.1", "no address", parcels=(waiting("gone"), waiting("nobody")))
    assert not found.contacts
    assert [it.reason for it in found.unrouted] == [
        "not_routable", "no_contact", "not_an_address", "no_contact", "no_contact",
    ]  # fmt: skip


def test_a_waiting_parcel_has_its_team_written_to_by_itself_or_beside_its_assets() -> None:
    rows = waiting("isp", rows=7)
    alone = plan(parcels=(rows,)).contacts[0]
    assert (alone.slug, alone.role, alone.basis, alone.rows) == ("isp", "to", rows.basis, 7)
    beside = plan("198.51.100.7", parcels=(waiting("cert"), waiting("cert", rows=2)))
    assert told(beside) == [("cert", "to", 1, 1), ("carrier", "to", 1, 0)]
    assert beside.by_slug()["cert"].rows == 3


def test_the_parcel_of_an_entry_goes_to_the_team_that_it_is_part_of() -> None:
    one = Directory("d1", (team("whole"),), merged={"part": ("whole", ())})
    merged = Index.build(one, None)
    found = drawn_up(merged, [], [waiting("part")], incident="ref", people_at_risk=False)
    assert [(it.slug, it.parcels[0].team) for it in found.contacts] == [("whole", "part")]


def test_each_contact_is_held_where_people_may_be_at_risk() -> None:
    found = plan("203.0.113.70", parcels=(waiting("cert"),), people_at_risk=True)
    assert [it.held for it in found.contacts] == [True, True]


def test_a_choice_names_each_once_and_says_of_whom_an_answer_is_asked() -> None:
    to, copy = plan("198.51.100.7").contacts
    assert Choices(choose=["isp", "cert", "isp"]).slugs == ["isp", "cert"]
    asked = {said: Choices(choose=[], answer_asked=said) for said in ("true", "all", "false")}
    assert {said: (it.asks(to), it.asks(copy)) for said, it in asked.items()} == {
        "true": (True, False), "all": (True, True), "false": (False, False),
    }  # fmt: skip


def test_an_asset_without_a_port_is_sent_without_one() -> None:
    assert asset_as_sent(AssetValue("ip", "203.0.113.70")) == {
        "kind": "ip", "value": "203.0.113.70", "port": None,
    }  # fmt: skip
    assert asset_as_sent(AssetValue("ip", "203.0.113.70", 25))["port"] == 25
