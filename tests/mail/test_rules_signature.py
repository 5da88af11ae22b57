"""A signed text: by a key that is known, or by nobody."""

from __future__ import annotations

import pysequoia
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.mail.rules.signature import MOST_BYTES, signer

TEXT = "I answer for cert-example.\n"


def key() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate("Desk <desk@cert.example>")


def signed(by: pysequoia.Tsk, text: str = TEXT) -> str:
    return pysequoia.sign(by.signer(), text.encode(), mode=pysequoia.SignatureMode.CLEAR).decode()


def public(of: pysequoia.Tsk) -> str:
    return str(of.extract_certificate())


@pytest.fixture(scope="module")
def desk() -> pysequoia.Tsk:
    return key()


def test_a_signed_text_names_its_key(desk: pysequoia.Tsk) -> None:
    fingerprint, text = signer(signed(desk), [public(key()), public(desk)])
    assert fingerprint == str(desk.extract_certificate().fingerprint).upper()
    assert text.strip() == TEXT.strip()


def test_line_ends_of_another_system_do_not_matter(desk: pysequoia.Tsk) -> None:
    assert signer(signed(desk).replace("\n", "\r\n"), [public(desk)])


def test_another_key_is_refused(desk: pysequoia.Tsk) -> None:
    with pytest.raises(Invalid) as refused:
        signer(signed(key()), [public(desk)])
    assert refused.value.code == "signature_invalid"
    assert "backtrace" not in refused.value.message


def test_a_changed_text_is_refused(desk: pysequoia.Tsk) -> None:
    with pytest.raises(Invalid):
        signer(signed(desk).replace("cert-example", "cert-other"), [public(desk)])


def test_what_is_too_long_or_empty_is_refused(desk: pysequoia.Tsk) -> None:
    for wrong in ("", "  ", "x" * (MOST_BYTES + 1)):
        with pytest.raises(Invalid):
            signer(wrong, [public(desk)])


@settings(deadline=None)
@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_refused_and_none_raises(text: str) -> None:
    with pytest.raises(Invalid):
        signer("-----BEGIN PGP SIGNED MESSAGE-----\n" + text, [])
