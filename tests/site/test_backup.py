"""What is backed up comes back: on either database, verified, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from pocdir.core.errors import Refusal
from pocdir.db import db
from pocdir.site.actions.backup import opened
from pocdir.site.commands.backup import backup, restore
from pocdir.site.queries.ledger import verified
from tests.conftest import Api
from tests.postgres import database
from tests.site.made import record, tamper
from tests.site.service import environment, pocdir


def backed_up(folder: Path) -> Path:
    """A backup of the application in use."""
    db.session.remove()
    file = folder / "kept.tar.gz"
    done = CliRunner().invoke(backup, [str(file)])
    assert done.exit_code == 0, done.output
    assert verified().head in done.output
    return file


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


@pytest.fixture
def new_place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of an installation that does not exist yet."""
    if kind == "sqlite":
        yield environment(tmp_path / "restored")
    else:
        with database(request.getfixturevalue("postgresql_url"), "restored") as url:
            yield environment(tmp_path / "restored", url)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_restores_on_either_database(
    api: Api, now: object, tmp_path: Path, new_place: dict[str, str]
) -> None:
    record(api, now)
    file = backed_up(tmp_path)
    done = pocdir("restore", str(file), "--json", environ=new_place)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["head"], said["events"], said["faults"]) == (verified().head, verified().events, [])
    secret = (tmp_path / "restored" / "secret_key").read_text()
    assert secret == api.client.application.extensions["pocdir"].secret_key

    again = pocdir("backup", str(tmp_path / "again.tar.gz"), environ=new_place)
    assert again.returncode == 0, again.stderr
    first, second = members(file), members(tmp_path / "again.tar.gz")
    assert {name for name in first if first[name] != second[name]} == {"manifest.json"}

    made = pocdir("user", "create", "new@example.org", "--workspace", "lab-2", environ=new_place)
    assert made.returncode == 0, made.stderr  # row numbers go on where they were


def test_only_its_owner_may_read_a_backup_and_no_half_of_one_stays(
    api: Api, now: object, tmp_path: Path
) -> None:
    record(api, now)
    file = backed_up(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    manifest = json.loads(members(file)["manifest.json"])
    for name, member in manifest["members"].items():
        assert hashlib.sha256(members(file)[name]).hexdigest() == member["sha256"]
    assert list(members(file))[-1] == "manifest.json"
    kept = file.read_bytes()
    with pytest.raises(Refusal, match="--force"):
        CliRunner().invoke(backup, [str(file)], catch_exceptions=False)
    assert file.read_bytes() == kept
    assert CliRunner().invoke(backup, [str(file), "--force"]).exit_code == 0


def test_a_place_that_cannot_be_written_is_named(app: Flask, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot write"):
        CliRunner().invoke(backup, [str(tmp_path / "nowhere" / "x")], catch_exceptions=False)


def test_a_database_with_rows_is_not_restored_into(api: Api, now: object, tmp_path: Path) -> None:
    record(api, now)
    file = backed_up(tmp_path)
    before = verified()
    with pytest.raises(Refusal, match="POCDIR_DATA") as refusal:
        CliRunner().invoke(restore, [str(file)], catch_exceptions=False)
    assert refusal.value.code == "database_not_empty"
    assert verified() == before


def test_faults_in_the_ledger_are_backed_up_and_said(api: Api, now: object, tmp_path: Path) -> None:
    record(api, now)
    tamper("UPDATE notifications SET response = 'engaged'")
    done = CliRunner().invoke(backup, [str(tmp_path / "kept")])
    assert done.exit_code == 1
    assert "2 faults" in done.output
    assert (tmp_path / "kept").exists()


def cut_short(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def one_bit(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def without_manifest(data: bytes) -> bytes:
    return repacked(data, lambda kept: kept.pop("manifest.json"))


def another_row(data: bytes) -> bytes:
    return repacked(
        data, lambda kept: kept.update({"tables/teams.jsonl": kept["tables/teams.jsonl"] + b"{}\n"})
    )


def a_way_out(data: bytes) -> bytes:
    return repacked(data, lambda kept: kept.update({"../../outside": b"x"}))


def a_table_gone(data: bytes) -> bytes:
    return repacked(data, lambda kept: kept.pop("tables/teams.jsonl"))


def repacked(data: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        kept = {member.name: tar.extractfile(member).read() for member in tar}
    change(kept)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        for name, content in kept.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


@pytest.mark.parametrize(
    "spoil",
    [
        cut_short,
        one_bit,
        without_manifest,
        another_row,
        a_way_out,
        a_table_gone,
        lambda _: b"",
        gzip.compress,
    ],
)
def test_a_spoiled_backup_is_refused_before_anything_changes(
    app: Flask, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    file = backed_up(tmp_path)
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(Refusal) as refusal, opened(file):
        pass
    assert refusal.value.code in ("backup_damaged", "backup_unreadable")


def test_a_backup_of_a_newer_pocdir_is_refused(app: Flask, tmp_path: Path) -> None:
    file = backed_up(tmp_path)

    def newer(kept: dict[str, bytes]) -> None:
        kept["manifest.json"] = kept["manifest.json"].replace(b'"migration": "', b'"migration": "9')

    file.write_bytes(repacked(file.read_bytes(), newer))
    with pytest.raises(Refusal, match="newer than this pocdir"), opened(file):
        pass


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot read"), opened(tmp_path / "nothing"):
        pass
