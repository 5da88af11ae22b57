"""The command line as the tests of the directory use it."""

from __future__ import annotations

import pytest

from pocdir import cli


@pytest.fixture
def pocdir(app, capfdbinary):
    """Runs a command; returns exit code, stdout, stderr."""

    def run(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


@pytest.fixture
def file(tmp_path):
    def write(data, name="teams.json"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write
