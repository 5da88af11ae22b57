"""Spreadsheets that want to be misread: each is read or refused, no row is lost, no date is guessed."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.outreach.rules import delimited
from pocdir.outreach.rules.dates import read_date
from pocdir.outreach.rules.spreadsheet import Refused, Row
from tests.outreach.test_rules_spreadsheet import day, only, read

# Hostile files: each is read or refused, in time that grows with its size and no faster


@pytest.mark.parametrize(
    "line",
    [b'x","z\n', b'a,"b\n', b'"' + b"x" * 300 + b"\n", b'"x" "\r\n'],
    ids=["opens", "cell", "long", "mixed"],
)
def test_quotation_marks_that_open_on_every_line_are_read_once(line):
    rows = read(b"email,date\n" + line * min(100_000, 9_000_000 // len(line))).rows
    assert len(rows) > 10_000
    assert all(isinstance(row, Refused) for row in rows[-1000:])


def test_a_quoted_cell_reaches_no_further_than_200_lines():
    note = "\n".join(["line"] * 199)
    assert read(f'contact,date,note\na@b.example,2026-03-04,"{note}"\n').rows[0].note == note
    rows = read(f'contact,date,note\na@b.example,2026-03-04,"{note}\n\n"\nc@d.example,2026-03-05,\n').rows
    assert "quotation marks" in rows[0].reason
    assert rows[-1].contact == "c@d.example"


@pytest.mark.parametrize("sign", ['"', "'", "a", " ", "\\", "", "@", "é"])
def test_a_delimiter_that_is_none_is_refused(sign):
    with pytest.raises(Invalid, match="line 1 names a delimiter") as refused:
        read(f"sep={sign}\ncontact{sign}date\n")
    assert refused.value.code == "spreadsheet_invalid"


@pytest.mark.parametrize("first", ['"sep=;"', "SEP=;", "sep=;;;"])
def test_the_first_line_that_names_the_delimiter_may_be_quoted_or_filled_up(first):
    assert read(f"{first}\nTo;Sent\na@b.example;2026-03-04\n").rows[0].line == 3


def test_a_line_of_five_megabytes_and_100_000_columns_are_refused():
    assert "too long" in only("x" * 5_000_000).reason
    assert "more cells" in only("a@b.example,2026-03-04" + ",x" * 100_000).reason
    assert only("@".join("a" * 60_000)[:120_000] + ",2026-03-04,,").column == "contact"
    with pytest.raises(Invalid, match="1,000 columns"):
        read("contact,date" + ",x" * 100_000 + "\n")


def test_empty_columns_behind_the_last_do_not_count():
    commas = "," * 16_381
    assert isinstance(only(f"a@b.example,2026-03-04{commas}", f"contact,date{commas}"), Row)


def test_mixed_line_ends_and_separators_inside_quotes_are_one_table():
    sheet = read(
        b'contact;date;note\r\na@b.example;2026-03-04;"a;b\rc"\nc@d.example;2026-03-05;x\re@f.example;2026-03-06;\r\n'
    )
    assert [(row.contact, row.line) for row in sheet.rows] == [
        ("a@b.example", 2), ("c@d.example", 4), ("e@f.example", 5),
    ]  # fmt: skip


def test_a_formula_is_a_text_like_any_other():
    row = only('a@b.example,2026-03-04,"=HYPERLINK(""x"")"', "contact,date,note")
    assert row.note == '=HYPERLINK("x")'


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.text("ab@.,;\"' \t2026-03/4\u2028", max_size=12), min_size=1, max_size=4).filter(
            lambda cells: any(cell.strip() for cell in cells)
        ),
        max_size=12,
    )
)
def test_no_row_is_ever_lost(table):
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["contact", "date", "bounced", "note"])
    writer.writerows(table)
    sheet = read(file.getvalue())
    assert len(sheet.rows) == len(table)
    assert [row.line for row in sheet.rows] == list(range(2, len(table) + 2))


@settings(max_examples=100, deadline=None)
@given(
    st.text('a@.,;"\t\n\r 2026-03', max_size=200)
    | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))
)
def test_any_bytes_are_read_or_refused_and_each_line_is_accounted_for(text):
    data = b"contact,date\n" + text.encode()
    try:
        sheet = read(data)
    except Invalid as refused:
        assert refused.code == "spreadsheet_invalid"
    else:
        lines = len(list(io.StringIO(data.decode("utf-8-sig"), newline="")))
        assert len(sheet.rows) + sheet.blank <= lines
        assert all(2 <= row.line <= lines for row in sheet.rows)


# What is no such file


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PK\x03\x04\x14\x00", "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        ("contact,date\n".encode("utf-16"), "UTF-16"),
        ("contact,date\n".encode("utf-16-le"), "no text"),
        (b"contact,date\na@b.example,\0\n", "no text"),
        (b"\n <!DOCTYPE html><html>", "web page"),
        (b"<?xml version='1.0'?>", "web page"),
        (b"contact,date\n\x81\x8d\n", "encoding"),
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"a@b.example,2026-03-04\n", "no column for the contact"),
        (b"contact,when it was\na@b.example,2026-03-04\n", "no column for the date"),
        (b"sep=;\n", "no column for the contact"),
        (b'"contact,date\n', "no column for the contact"),
    ],
)
def test_what_is_no_such_table_is_refused_as_what_it_is(data, says):
    with pytest.raises(Invalid) as refused:
        read(data)
    assert refused.value.code == "spreadsheet_invalid"
    assert says in refused.value.message


@pytest.mark.parametrize(
    "data",
    [
        b"contact,date\n" + b" " * delimited.LARGEST,
        b"contact,date\n" + b"a,2026-03-04\n" * (delimited.MOST_ROWS + 1),
    ],
    ids=["bytes", "rows"],
)
def test_a_file_beyond_the_limits_is_refused(data):
    with pytest.raises(Invalid) as refused:
        read(data)
    assert refused.value.code == "spreadsheet_too_large"


# Dates


@pytest.mark.parametrize(
    ("text", "at", "precision"),
    [
        ("2026-03-04", day(2026, 3, 4), "day"),
        ("2026/3/4", day(2026, 3, 4), "day"),
        ("2026-03-04T10:15:30Z", day(2026, 3, 4, 10, 15, 30), "exact"),
        ("2026-03-04 10:15:30.123 +0200", day(2026, 3, 4, 8, 15, 30), "exact"),
        ("2026-03-04 10:15", day(2026, 3, 4, 10, 15), "minute"),
        ("2026-03-04T10:15-05:30", day(2026, 3, 4, 15, 45), "minute"),
        ("04.03.2026", day(2026, 3, 4), "day"),
        ("4. 3. 2026 10:15", day(2026, 3, 4, 10, 15), "minute"),
        ("25/12/2025", day(2025, 12, 25), "day"),
        ("12/25/2025 3:04 PM", day(2025, 12, 25, 15, 4), "minute"),
        ("12/25/2025 12:04 am", day(2025, 12, 25, 0, 4), "minute"),
        ("03/03/2026", day(2026, 3, 3), "day"),
        ("4 Mar 2026", day(2026, 3, 4), "day"),
        ("4-MAR-2026", day(2026, 3, 4), "day"),
        ("4th March, 2026", day(2026, 3, 4), "day"),
        ("March 4, 2026", day(2026, 3, 4), "day"),
        ("Wed, 04 Mar 2026 10:15:30 +0100", day(2026, 3, 4, 9, 15, 30), "exact"),
        ("Sept. 4 2026", day(2026, 9, 4), "day"),
        ("2024-02-29", day(2024, 2, 29), "day"),
    ],
)
def test_a_date_that_can_only_mean_one_day_is_read(text, at, precision):
    assert read_date(text) == (at, precision)


def test_the_day_comes_first_when_the_user_says_so():
    assert read_date("03/04/2026", day_first=True).at == day(2026, 4, 3)
    assert read_date("03/04/2026", day_first=False).at == day(2026, 3, 4)
    assert read_date("04.03.26", day_first=True).at == day(2026, 3, 4)
    assert read_date("03/04/26", day_first=False).at == day(2026, 3, 4)
    with pytest.raises(ValueError, match="no such day"):
        read_date("12/25/2026", day_first=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("03/04/2026", "two days"),
        ("3-4-2026", "two days"),
        ("03/04/26", "four digits"),
        ("04.03.26", "four digits"),
        ("46085", "own number"),
        ("2026-02-29", "no such day"),
        ("2026-13-01", "no such day"),
        ("32.01.2026", "no such day"),
        ("2026-03-04 25:00", "no such day or time"),
        ("2026-03-04 13:00 pm", "no such day or time"),
        ("2026-03-04 10:00 +99:00", "no such day or time"),
        ("0001-01-01 00:00 +12:00", "no such day or time"),
        ("2026-03-04 10:15 CET", "no date that is understood"),
        ("2026-03-04x", "no date that is understood"),
        ("٢٠٢٦-٠٣-٠٤", "no date that is understood"),
        ("yesterday", "no date that is understood"),
        ("", "no date that is understood"),
        ("9" * 10_000, "no date that is understood"),
    ],
)
def test_a_date_that_may_mean_another_day_is_refused(text, says):
    with pytest.raises(ValueError, match=says) as refused:
        read_date(text)
    assert len(str(refused.value)) < 150


@given(st.text("0123456789/-.: TZapm+JanFebMarchtsndw,", max_size=40), st.sampled_from([None, True, False]))
def test_any_text_is_a_moment_or_refused(text, day_first):
    try:
        written = read_date(text, day_first=day_first)
    except ValueError as refused:
        assert str(refused)
    else:
        assert written.at.tzinfo == dt.UTC
