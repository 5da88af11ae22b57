"""The old spreadsheet: every line becomes a row or a refusal that says where and why."""

from __future__ import annotations

import datetime as dt

import pytest

from pocdir.outreach.rules import spreadsheet
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
