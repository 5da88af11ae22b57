"""Charts: the picture shows the numbers it was given, in any language, and lets nothing else in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest
from babel import Locale
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from pocdir.web import charts, tilemap
from pocdir.web.svg import shortened

DAY = charts.DAY
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\"'&<svg onload=x>\x00\x0b\ud800"
WORDS = charts.Words(
    title="Time to acknowledgement",
    desc="Half of 4 had answered after 2 days.",
    still_open="still open",
    hours="hours since it was sent",
    days="days since it was sent",
    still_waiting="still waiting",
)
PLOT_LEFT, PLOT_TOP, PLOT_BOTTOM = 54, 30, 250


@dataclass(frozen=True)
class Columns:
    """A step curve as the statistics hand it over."""

    t: list[float]
    s: list[float]
    lo: list[float]
    hi: list[float]
    at_risk: list[int]


FOUR = Columns(
    t=[0, 1 * DAY, 2 * DAY, 8 * DAY, 10 * DAY],
    s=[1, 0.75, 0.5, 0.25, 0.25],
    lo=[1, 0.6, 0.4, 0.1, 0.1],
    hi=[1, 0.9, 0.7, 0.5, 0.5],
    at_risk=[4, 4, 3, 2, 1],
)
NOTHING = Columns([], [], [], [], [])


def line(label="All", curve=FOUR, median=2 * DAY, note="median 2 d"):
    return charts.Line(label, curve, median, note)


def crowded(n, rate=0.5, seed=1):
    """n answers at n different times: the most steps that a curve can have."""
    t = np.sort(np.random.default_rng(seed).random(n)) * 40 * DAY
    s = 1 - np.arange(1, n + 1) / n * rate
    return Columns([0, *t], [1, *s], [1, *(s * 0.9)], [1, *(1 - (1 - s) * 0.9)], [n, *range(n, 0, -1)])


def parsed(svg):
    return ElementTree.fromstring(str(svg))


def texts(svg, kind):
    return [text.text for text in parsed(svg).iter(f"{SVG}text") if text.get("class", "").split()[0] == kind]


def steps(svg, kind="line"):
    """The path of a class as (x, y) of each step, in the picture's units."""
    path = next(p.get("d") for p in parsed(svg).iter(f"{SVG}path") if p.get("class") == kind)
    return [(float(x), float(y)) for x, y in re.findall(r"H([\d.]+)V([\d.]+)", path)]


def test_curve_steps_down_where_and_as_far_as_given():
    drawn = steps(charts.survival_chart([line()], WORDS))
    width = 464 - PLOT_LEFT
    days = [(x - PLOT_LEFT) / width * 10 for x, _ in drawn]
    shares = [(PLOT_BOTTOM - y) / (PLOT_BOTTOM - PLOT_TOP) for _, y in drawn]
    assert days == pytest.approx([1, 2, 8, 10], abs=0.02)
    assert shares == pytest.approx([0.75, 0.5, 0.25, 0.25], abs=0.001)


def test_numbers_still_waiting_stand_under_their_ticks():
    chart = charts.survival_chart([line()], WORDS)
    ticks = texts(chart, "tick")
    assert ticks[:5] == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    assert ticks[5:] == [str(day) for day in range(11)]
    assert texts(chart, "risk") == ["4", "4", "3", "2", "2", "2", "2", "2", "2", "1", "1"]


def test_nobody_waits_beyond_the_longest_following():
    assert texts(charts.survival_chart([line()], WORDS, until=20 * DAY), "risk")[-1] == "0"


def test_median_is_marked_on_the_half_line_and_named():
    chart = charts.survival_chart([line()], WORDS)
    dot = next(parsed(chart).iter(f"{SVG}circle"))
    assert float(dot.get("cx")) == pytest.approx(PLOT_LEFT + (464 - PLOT_LEFT) * 0.2, abs=0.1)
    assert float(dot.get("cy")) == (PLOT_TOP + PLOT_BOTTOM) / 2
    assert texts(chart, "medt") == ["median 2 d"]


def test_median_that_is_not_reached_has_its_words_and_no_mark():
    chart = charts.survival_chart([line(median=None, note="fewer than half answered so far")], WORDS)
    assert list(parsed(chart).iter(f"{SVG}circle")) == []
    assert texts(chart, "medt") == ["fewer than half answered so far"]
    (note,) = (text for text in parsed(chart).iter(f"{SVG}text") if text.get("class") == "medt")
    assert float(note.get("y")) < PLOT_TOP
    assert (note.get("x"), note.get("text-anchor")) == ("464.0", "end")


def test_nothing_is_shaded_where_there_is_no_band():
    none = float("nan")
    curve = Columns([0, DAY, 2 * DAY], [1, 0.5, 0], [none, 0.1, none], [none, 0.9, none], [2, 2, 1])
    chart = charts.survival_chart([line(curve=curve)], WORDS)
    assert "nan" not in str(chart)
    band = next(p.get("d") for p in parsed(chart).iter(f"{SVG}path") if p.get("class") == "band")
    assert band.startswith("M54 30H259V52H464V250") and band.endswith("V250H464V228H259V30Z")


def test_short_times_are_counted_in_hours():
    curve = Columns([0, 3600, 7200], [1, 0.5, 0], [1, 0.1, 0], [1, 0.9, 0], [2, 2, 1])
    chart = charts.survival_chart([line(curve=curve)], WORDS)
    assert "hours since it was sent" in texts(chart, "axis")
    assert texts(chart, "tick")[5:] == ["0", "1", "2"]


def test_time_axis_can_end_early():
    chart = charts.survival_chart([line()], WORDS, until=5 * DAY)
    assert texts(chart, "tick")[-1] == "5"
    assert [round((PLOT_BOTTOM - y) / 220, 2) for _, y in steps(chart)] == [0.75, 0.5]


def test_six_groups_differ_without_colour_and_carry_their_names():
    chart = charts.survival_chart([line(f"Group {i}") for i in range(6)], WORDS)
    dashes = [p.get("stroke-dasharray") for p in parsed(chart).iter(f"{SVG}path") if p.get("class") == "line"]
    assert len(set(dashes)) == 6
    assert sorted(texts(chart, "lab")) == sorted(2 * [f"Group {i}" for i in range(6)])
    assert len(texts(chart, "risk")) % 6 == 0


def test_names_at_the_ends_of_equal_curves_do_not_cover_each_other():
    chart = charts.survival_chart([line(f"Group {i}") for i in range(6)], WORDS)
    labels = [t for t in parsed(chart).iter(f"{SVG}text") if t.get("class", "").startswith("lab")]
    heights = sorted(float(label.get("y")) for label in labels)
    assert min(np.diff(heights)) >= 16


def test_seventh_line_is_refused():
    with pytest.raises(ValueError, match="at most 6"):
        charts.survival_chart([line()] * 7, WORDS)


@pytest.mark.parametrize(
    "lines", [[], [line(curve=NOTHING, median=None, note="")], [line(curve=NOTHING)] * 2]
)
def test_without_anything_to_show_the_axes_stand_alone(lines):
    assert parsed(charts.survival_chart(lines, WORDS)).tag == f"{SVG}svg"


def test_answers_after_no_time_at_all_are_drawn():
    curve = Columns([0], [0], [0], [0], [3])
    assert steps(charts.survival_chart([line(curve=curve, median=0)], WORDS)) == [(PLOT_LEFT, PLOT_BOTTOM)]


def test_reader_of_a_screen_gets_title_and_description():
    root = parsed(charts.survival_chart([line()], WORDS, ident="resp"))
    named = {e.get("id"): e.text for e in root if e.get("id")}
    assert root.get("role") == "img"
    assert [named[i] for i in root.get("aria-labelledby").split()] == [WORDS.title, WORDS.desc]


def test_numbers_are_spoken_as_the_reader_writes_them():
    locale = Locale("fr")
    chart = charts.survival_chart(
        [line(curve=crowded(2000))], WORDS, percent=lambda x: f"{x:.0%} {locale}", number=lambda n: f"<{n:g}>"
    )
    assert "50% fr" in texts(chart, "tick")
    assert texts(chart, "risk")[0] == "<2000>"


@pytest.mark.parametrize("lines", [1, 2, 6])
@pytest.mark.parametrize("n", [200, 20_000])
def test_picture_stays_below_50_kb(lines, n):
    rows = [line("W" * 13, crowded(n, rate=1, seed=seed), note="median 20,0 d") for seed in range(lines)]
    assert len(charts.survival_chart(rows, WORDS).encode()) <= 50_000


@given(st.integers(1, 3000), st.floats(0.05, 1), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_thinning_moves_no_step_visibly(n, rate, seed):
    curve = crowded(n, rate, seed)
    drawn = steps(charts.survival_chart([line(curve=curve)], WORDS))
    x = PLOT_LEFT + np.array(curve.t) / curve.t[-1] * (464 - PLOT_LEFT)
    y = PLOT_BOTTOM - np.array(curve.s) * 220
    xs, ys = np.array([(PLOT_LEFT, PLOT_TOP), *drawn]).T
    for at in np.linspace(PLOT_LEFT, 464, 97):
        seen = ys[np.searchsorted(xs, at, side="right") - 1]
        before, after = (y[max(np.searchsorted(x, at + off, side="right") - 1, 0)] for off in (-0.7, 0.7))
        assert before - 0.7 <= seen <= after + 0.7
    assert ys[-1] == pytest.approx(y[-1], abs=0.06)


def test_hostile_words_stay_words():
    said = charts.Words(*[HOSTILE] * 6)
    chart = charts.survival_chart(
        [line(HOSTILE, note=HOSTILE), line(HOSTILE)],
        said,
        percent=lambda _: HOSTILE,
        number=lambda _: HOSTILE,
    )
    world = tilemap.tile_map({"AT": 1}, {"AT": HOSTILE}, title=HOSTILE, desc=HOSTILE)
    for svg in (chart, world):
        assert isinstance(svg, Markup)
        tags = {element.tag.removeprefix(SVG) for element in parsed(svg).iter()}
        assert "script" not in tags
        assert not [
            name for element in parsed(svg).iter() for name in element.attrib if name.startswith("on")
        ]
        assert "alert(1)</script>" in parsed(svg).find(f"{SVG}title").text


def test_pictures_carry_no_style_of_their_own():
    chart = charts.survival_chart([line(), line("B")], WORDS)
    world = tilemap.tile_map({"AT": 1}, {}, title="t", desc="d")
    for svg in (chart, world):
        for element in parsed(svg).iter():
            assert element.tag != f"{SVG}style"
            assert "style" not in element.attrib
            assert element.get("fill", "none") in ("none", "url(#world-h)")
            assert element.get("stroke") is None


def test_name_is_cut_to_its_room_and_wide_letters_take_two():
    assert shortened("National team", 13) == "National team"
    assert shortened("National teams", 13) == "National tea…"
    assert shortened("国家计算机网络", 13) == "国家计算机网…"
    assert shortened("", 13) == ""


# Codes that CLDR names beside ISO 3166-1, XK and EU.
NOT_COUNTRIES = {"AC", "CP", "CQ", "DG", "EA", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}


def test_every_code_has_one_place_of_its_own():
    names = Locale("en").territories
    assert set(tilemap.PLACES) == {c for c in names if len(c) == 2 and c.isalpha()} - NOT_COUNTRIES
    assert len(set(tilemap.PLACES.values())) == len(tilemap.PLACES) == 251


def tiles(svg):
    groups = [g for g in parsed(svg).iter(f"{SVG}g") if g.get("class")]
    return {g.find(f"{SVG}text").text: (g.get("class"), g.find(f"{SVG}title").text) for g in groups}


def test_tile_says_its_figure_and_stands_in_its_class():
    shown = tiles(tilemap.tile_map({"AT": 4, "DE": None}, {"AT": "Austria: 58 %"}, title="t", desc="d"))
    assert shown["AT"] == ("q4", "Austria: 58 %")
    assert shown["DE"] == ("na", "DE")
    assert shown["EU"] == ("na", "EU")
    assert len(shown) == 251


def test_tile_without_data_is_hatched_and_a_tile_with_data_is_not():
    svg = tilemap.tile_map(dict.fromkeys(tilemap.PLACES, 0) | {"FJ": None}, {}, title="t", desc="d")
    hatched = [use for use in parsed(svg).iter(f"{SVG}use") if use.get("fill") == "url(#world-h)"]
    assert len(hatched) == 1


def test_level_shows_without_colour():
    root = parsed(tilemap.tile_map({"AT": 0, "DE": 4}, {}, title="t", desc="d"))
    bars = {
        p.get("class"): p.get("d") for p in root.iter(f"{SVG}path") if p.get("class", "").startswith("foot")
    }
    assert bars["foot b0"].endswith("h3")
    assert bars["foot b4"].endswith("h14")
    assert bars["foot b2"] == ""


def test_permuted_codes_permute_the_map_and_change_nothing_else():
    there = tiles(tilemap.tile_map({"AT": 3, "FJ": 1}, {"AT": "x", "FJ": "y"}, title="t", desc="d"))
    back = tiles(tilemap.tile_map({"FJ": 3, "AT": 1}, {"FJ": "x", "AT": "y"}, title="t", desc="d"))
    assert (there["AT"], there["FJ"]) == (back["FJ"], back["AT"])


@pytest.mark.parametrize("level", [-1, 5])
def test_level_outside_the_scale_is_refused(level):
    with pytest.raises(ValueError, match="levels"):
        tilemap.tile_map({"AT": level}, {}, title="t", desc="d")


def test_map_with_long_names_stays_below_50_kb():
    levels = {code: place % 5 for place, code in enumerate(tilemap.PLACES)}
    name = "Объединённые Арабские Эмираты: 58 %"
    assert len(tilemap.tile_map(levels, dict.fromkeys(levels, name), title="t", desc="d").encode()) <= 50_000
