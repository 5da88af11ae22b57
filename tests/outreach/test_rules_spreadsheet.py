"""The old spreadsheet: every line becomes a row or a refusal that says where and why."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.outreach.rules import delimited, spreadsheet
from pocdir.outreach.rules.dates import read_date
from pocdir.outreach.rules.spreadsheet import Refused, Row, read_spreadsheet

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


def day(year, month, day, hour=0, minute=0, second=0):
    return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)


def read(text, **how):
    return read_spreadsheet(text if isinstance(text, bytes) else text.encode(), **({"now": NOW} | how))


def only(cells, header="contact,date,bounced,answered", **how):
    (row,) = read(f"{header}\n{cells}\n", **how).rows
    return row


def test_the_spreadsheet_of_a_researcher_is_read():
    sheet = read(
        "Email;Date sent;Bounced;Answered;Subject;Comment;Country;Team\n"
        "incident@cert.example;2026-03-04 10:15;no;2026-03-05;Sinkhole hits;wrote twice;AT;cert-at\n"
        "abuse@isp.example;04.03.2026;yes;;;;;\n"
    )
    assert sheet.rows == (
        Row(
            2, "incident@cert.example", day(2026, 3, 4, 10, 15), "minute", False, day(2026, 3, 5),
            "Sinkhole hits", "wrote twice", "AT", "cert-at",
        ),
        Row(3, "abuse@isp.example", day(2026, 3, 4), "day", True, None),
    )  # fmt: skip
    assert (sheet.delimiter, sheet.encoding, sheet.unread, sheet.blank) == (";", "utf-8-sig", (), 0)
    assert sheet.columns["contact"] == ("Email",)


# How the file is written


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiter_line_ends_and_mark_are_found_out(delimiter, end, mark):
    lines = [
        delimiter.join(cells) for cells in (("contact", "date", "note"), ("a@b.example", "2026-03-04", "x"))
    ]
    sheet = read(mark + end.join(lines))
    assert sheet.delimiter == delimiter
    assert sheet.rows == (Row(2, "a@b.example", day(2026, 3, 4), "day", note="x"),)


def test_excels_own_first_line_names_the_delimiter():
    assert read("sep=;\nTo;Sent\na@b.example;2026-03-04\n").rows[0].line == 3


def test_a_quoted_cell_may_hold_delimiters_and_lines():
    sheet = read(
        'contact,date,note\na@b.example,2026-03-04,"one, ""two""\r\nthree"\nc@d.example,2026-03-04,\n'
    )
    assert [(row.line, row.note) for row in sheet.rows] == [(2, 'one, "two"\nthree'), (4, None)]


def test_what_excel_writes_in_europe_is_read():
    sheet = read("contact;date;note\na@b.example;2026-03-04;Österreich – ja\n".encode("cp1252"))
    assert (sheet.encoding, sheet.rows[0].note) == ("cp1252", "Österreich – ja")


def test_lines_without_anything_are_counted_apart():
    sheet = read("\n\ncontact,date\n\na@b.example,2026-03-04\n , \n,\n")
    assert (len(sheet.rows), sheet.blank, sheet.rows[0].line) == (1, 3, 5)


@pytest.mark.parametrize("header", spreadsheet.COLUMNS["contact"])
def test_each_name_for_the_contact_is_known(header):
    assert only("a@b.example,2026-03-04", f"{header.upper()} ,Date").contact == "a@b.example"


@pytest.mark.parametrize("header", spreadsheet.COLUMNS["date"])
def test_each_name_for_the_date_is_known(header):
    assert only("a@b.example,2026-03-04", f"contact,{header.replace(' ', '_')}").sent_at == day(2026, 3, 4)


@pytest.mark.parametrize("header", spreadsheet.COLUMNS["answered"])
def test_each_name_for_the_answer_is_known(header):
    assert only("a@b.example,2026-03-04,yes", f"contact,date,{header}").answered is True


def test_the_more_telling_of_two_columns_counts():
    header = "contact,e-mail,date,answered,answered at"
    row = only("CERT Example,a@b.example,2026-03-04,yes,2026-03-06", header)
    assert (row.contact, row.answered) == ("a@b.example", day(2026, 3, 6))
    row = only("CERT Example,,2026-03-04,yes,", header)
    assert (row.contact, row.answered) == ("CERT Example", True)


def test_headers_that_mean_nothing_here_are_named():
    assert read("contact,date,Favourite colour,\na@b.example,2026-03-04,blue,\n").unread == (
        "Favourite colour",
    )


@pytest.mark.parametrize("header", [header for names in spreadsheet.COLUMNS.values() for header in names])
def test_no_header_means_two_things(header):
    assert sum(header in names for names in spreadsheet.COLUMNS.values()) == 1


@pytest.mark.parametrize("header", ["Answered?", "Answered (date)", "* answered:", "ANSWERED_AT"])
def test_a_header_may_be_adorned(header):
    assert only("a@b.example,2026-03-04,yes", f"contact,date,{header}").answered is True


def test_a_german_spreadsheet_is_read():
    (row,) = read(
        "Empfänger;Datum;Unzustellbar;Antwort;Betreff;Bemerkung\r\n"
        "incident@cert.example;04.03.2026;nein;05.03.2026 14:30;Botnetz;nachgehakt\r\n".encode("cp1252")
    ).rows
    assert (row.sent_at, row.bounced, row.answered) == (day(2026, 3, 4), False, day(2026, 3, 5, 14, 30))
    assert (row.title, row.note) == ("Botnetz", "nachgehakt")


# What the cells say


def test_other_dates_of_the_file_show_how_an_ambiguous_one_is_meant():
    sheet = read("contact,date\na@b.example,03/04/2026\nc@d.example,25/04/2026\n")
    assert (sheet.rows[0].sent_at, sheet.day_first) == (day(2026, 4, 3), True)
    sheet = read("contact,date,answered\na@b.example,03/04/2026,04/25/2026\n")
    assert (sheet.rows[0].sent_at, sheet.day_first) == (day(2026, 3, 4), False)


def test_dates_that_contradict_each_other_show_nothing():
    sheet = read("contact,date\na@b.example,03/04/2026\nc@d.example,25/04/2026\ne@f.example,04/25/2026\n")
    assert [type(row) for row in sheet.rows] == [Refused, Row, Row]


@pytest.mark.parametrize(
    ("contact", "kind"),
    [
        ("incident@cert.example", "email"),
        ("+43 1 5056416-78", "phone"),
        ("tel:+4315056416", "phone"),
        ("(01) 505 64 16", "phone"),
        ("https://cert.example/report?to=a@b.example", "other"),
        ("@cert@social.example", "other"),
        ("@cert:matrix.example", "other"),
        ("root@localhost", "other"),
        ("CERT Example", "other"),
        ("203.0.113.70", "other"),
        ("64500", "other"),
        ("conference", "other"),
    ],
)
def test_only_a_plain_address_is_mail_and_only_a_number_a_phone(contact, kind):
    assert spreadsheet.channel_kind(contact) == kind


def test_a_day_that_is_not_over_everywhere_keeps_what_was_written():
    row = only("a@b.example,2026-11-23,,", now=day(2026, 11, 22, 12))
    assert (row.sent_at, row.written_at) == (day(2026, 11, 22, 12), day(2026, 11, 23))
    assert only("a@b.example,2026-11-22,,").written_at is None


def test_yes_may_stand_before_the_date():
    assert only('a@b.example,2026-03-04,,"yes, 2026-03-05"').answered == day(2026, 3, 5)


@pytest.mark.parametrize(
    "word", ["yes", "Yes.", "Y", "TRUE", "1", "x", "✓", "ja", "oui", "sí", "да", "نعم", "是"]
)
def test_yes_in_any_shipped_language(word):
    assert only(f"a@b.example,2026-03-04,{word},").bounced is True


@pytest.mark.parametrize("word", ["no", "N", "false", "0", "nein", "non", "нет", "لا", "否"])
def test_no_in_any_shipped_language(word):
    assert only(f"a@b.example,2026-03-04,,{word}").answered is False


@pytest.mark.parametrize("word", ["", "?", "-", "n/a", "unknown"])
def test_nothing_said_is_neither(word):
    assert only(f"a@b.example,2026-03-04,,{word}").answered is None


def test_an_answer_of_the_same_day_is_taken_after_the_sending():
    row = only("a@b.example,2026-03-04T10:15:00Z,2026-03-04T10:16:01Z,2026-03-04")
    assert (row.answered, row.answered_precision) == (day(2026, 3, 4, 10, 15), "day")
    assert (row.bounced, row.bounced_precision) == (day(2026, 3, 4, 10, 16, 1), "exact")


def test_a_day_that_has_begun_somewhere_on_earth_is_not_in_the_future():
    assert only("a@b.example,2026-11-23,,", now=day(2026, 11, 22, 12)).sent_at == day(2026, 11, 22, 12)
    east = dt.timezone(dt.timedelta(hours=9))
    assert only("a@b.example,2026-03-04 10:00,,", zone=east).sent_at == day(2026, 3, 4, 1)


@pytest.mark.parametrize(
    ("cell", "contact"),
    [
        ("CERT Example <incident@cert.example>", "incident@cert.example"),
        ("mailto:incident@cert.example", "incident@cert.example"),
        (" incident@cert.example ", "incident@cert.example"),
        ("cert-example", "cert-example"),
        ("+43 1 234", "+43 1 234"),
        ("https://cert.example/report?to=a@b.example", "https://cert.example/report?to=a@b.example"),
    ],
)
def test_the_address_is_found_in_its_cell(cell, contact):
    assert only(f"{cell},2026-03-04,,").contact == contact


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        (",2026-03-04,,", "contact", "missing"),
        ('"a@b.example, c@d.example",2026-03-04,,', "contact", "a line for each"),
        ('"two\nlines",2026-03-04,,', "contact", "no contact"),
        ("x" * 400 + ",2026-03-04,,", "contact", "no contact"),
        ("a@b.example,,,", "date", "missing"),
        ("a@b.example,soon,,", "date", "write 2026-11-22"),
        ("a@b.example,03/04/2026,,", "date", "whether the day comes first"),
        ("a@b.example,2026-12-01,,", "date", "future"),
        ("a@b.example,2026-11-22T12:06Z,,", "date", "future"),
        ("a@b.example,2026-03-04,maybe,", "bounced", "write yes, no or a date"),
        ("a@b.example,2026-03-04,,03/04/2026", "answered", "whether the day comes first"),
        ("a@b.example,2026-03-04,,2026-03-03", "answered", "before the date of sending"),
        ("a@b.example,2026-03-04,,2027-03-03", "answered", "future"),
        ("a@b.example,2026-03-04,,,stray", None, "more cells"),
        ('a@b.example,2026-03-04,,"yes', None, "quotation marks"),
        ('a@b.example,2026-03-04,,"ye"s', None, "quotation marks"),
        ("a" * 200_000 + ",2026-03-04,,", None, "too long"),
    ],
)
def test_a_line_that_cannot_be_logged_says_where_and_why(cells, column, reason):
    refused = only(cells)
    assert isinstance(refused, Refused)
    assert (refused.line, refused.column) == (2, column)
    assert reason in refused.reason
    assert len(refused.reason) < 200


@pytest.mark.parametrize(
    ("header", "cell"),
    [("note", "x" * 2_001), ("note", "a\x1b[2Jb"), ("title", "x" * 301), ("team", "x" * 201),
     ("title", "Botnet\x1b[31m"), ("team", "a\x07b"), ("country", "A\x07T")],
)  # fmt: skip
def test_a_text_that_does_not_fit_is_refused(header, cell):
    assert only(f"a@b.example,2026-03-04,{cell}", f"contact,date,{header}").column == header


def test_an_open_quotation_mark_swallows_no_other_line():
    rows = read(
        'contact,date\n"a@b.example,2026-03-04\nc@d.example,2026-03-04\ne@f.example,2026-03-04\n'
    ).rows
    assert [(row.line, type(row)) for row in rows] == [(2, Refused), (3, Row), (4, Row)]


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


@settings(max_examples=300, deadline=None)
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


@settings(max_examples=300, deadline=None)
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
