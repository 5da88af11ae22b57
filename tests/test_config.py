"""Settings: read once, refused by name."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pocdir import config
from pocdir.config import load, look
from pocdir.core.errors import Invalid


def test_without_settings_everything_has_a_place(tmp_path: Path) -> None:
    settings = load({"POCDIR_DATA": str(tmp_path / "data")})
    assert settings.sqlite_path == tmp_path / "data" / "pocdir.db"
    assert settings.external_url == "http://127.0.0.1:8000"
    assert not settings.https


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first, second = (load({"POCDIR_DATA": str(tmp_path / "data")}).secret_key for _ in range(2))
    assert first == second
    assert len(first) == 43
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600


def test_the_folder_is_made_too_where_the_secret_is_given(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    load({"POCDIR_DATA": str(data), "POCDIR_SECRET_KEY": "s" * 40})
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert not list(data.iterdir())


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s" * 40 + "\n")
    settings = load({"POCDIR_DATA": str(tmp_path), "POCDIR_SECRET_KEY_FILE": str(tmp_path / "key")})
    assert settings.secret_key == "s" * 40


@pytest.mark.parametrize("url", ["postgres://u@h/x", "postgresql://u@h/x", "postgresql+psycopg://u@h/x"])
def test_every_spelling_of_postgresql_means_its_one_driver(tmp_path: Path, url: str) -> None:
    settings = load({"POCDIR_DATA": str(tmp_path), "POCDIR_DATABASE_URL": url})
    assert settings.database_url == "postgresql+psycopg://u@h/x"
    assert settings.sqlite_path is None


@pytest.mark.parametrize(
    ("host", "base", "shown"),
    [
        ("0.0.0.0", "", "http://localhost:8000"),
        ("::1", "", "http://[::1]:8000"),
        ("127.0.0.1", "https://pocdir.example.org/", "https://pocdir.example.org"),
    ],
)
def test_the_external_address_can_be_opened(tmp_path: Path, host: str, base: str, shown: str) -> None:
    given = {"POCDIR_DATA": str(tmp_path), "POCDIR_HOST": host, "POCDIR_BASE_URL": base}
    assert load(given).external_url == shown


def test_what_only_tests_read_is_no_setting(tmp_path: Path) -> None:
    assert load({"POCDIR_DATA": str(tmp_path), "POCDIR_TEST_DATABASE_URL": "x"}).data == tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POCDIR_PROT", "80"),
        ("POCDIR_PORT", "eighty"),
        ("POCDIR_PORT", "65536"),
        ("POCDIR_TICK", "5"),
        ("POCDIR_LOG_LEVEL", "loud"),
        ("POCDIR_BASE_URL", "pocdir.example.org"),
        ("POCDIR_SMTP_URL", "http://mail.example.org"),
        ("POCDIR_SMTP_URL", "smtps://mail.example.org?ca=/nowhere.pem"),
        ("POCDIR_SMTP_URL", "smtp://u:p@mail.example.org?starttls=none"),
        ("POCDIR_MAIL_FROM", "nobody"),
        ("POCDIR_MAIL_FROM", "Us <us@example.org>"),
        ("POCDIR_MAIL_FROM", "wir-für-sie@example.org"),
        ("POCDIR_TRUSTED_PROXIES", "-1"),
        ("POCDIR_DEMO", "yes"),
        ("POCDIR_DATABASE_URL", "mysql://u@h/x"),
        ("POCDIR_SECRET_KEY_FILE", "/nowhere/at/all"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        load({"POCDIR_DATA": str(tmp_path), name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("POCDIR_SECRET_KEY", "hunter2"), ("POCDIR_SMTP_URL", "ftp://u:hunter2@h")],
)
def test_a_refused_secret_is_not_repeated(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(Invalid) as refusal:
        load({"POCDIR_DATA": str(tmp_path), name: value})
    assert name in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for data in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(Invalid, match=f"cannot keep data in {data}"):
            load({"POCDIR_DATA": str(data)})


def test_looking_makes_nothing(tmp_path: Path) -> None:
    settings = look({"POCDIR_DATA": str(tmp_path / "data")})
    assert settings.secret_key == ""
    assert not list(tmp_path.iterdir())
    kept = load({"POCDIR_DATA": str(tmp_path / "data")}).secret_key
    assert look({"POCDIR_DATA": str(tmp_path / "data")}).secret_key == kept


def test_a_command_beside_a_service_takes_the_address_that_was_served(tmp_path: Path) -> None:
    bare = {"POCDIR_DATA": str(tmp_path)}
    assert load(bare, beside=True).external_url == "http://127.0.0.1:8000"
    config.keep_served(load({**bare, "POCDIR_PORT": "8123"}))
    assert load(bare, beside=True).external_url == "http://127.0.0.1:8123"
    assert load(bare).external_url == "http://127.0.0.1:8000"
    config.keep_served(load({**bare, "POCDIR_BASE_URL": "https://pocdir.example.org"}))
    assert load(bare, beside=True).external_url == "https://pocdir.example.org"


@pytest.mark.parametrize("name", ["BASE_URL=http://localhost:9", "PORT=9", "HOST=::1"])
def test_what_the_environment_names_is_surer_than_what_was_served(tmp_path: Path, name: str) -> None:
    config.keep_served(load({"POCDIR_DATA": str(tmp_path), "POCDIR_PORT": "8123"}))
    variable, _, value = name.partition("=")
    environ = {"POCDIR_DATA": str(tmp_path), f"POCDIR_{variable}": value}
    assert load(environ, beside=True) == load(environ)


@pytest.mark.parametrize("text", [b"", b"nowhere", b"\xff"])
def test_a_damaged_note_of_what_was_served_counts_for_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / config.SERVED).write_bytes(text)
    environ = {"POCDIR_DATA": str(tmp_path)}
    assert load(environ, beside=True) == load(environ)
