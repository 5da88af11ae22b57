"""IntelMQ's own bot for tuency is a client without a change: the real one, from its own virtual environment."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

DONE = "installed"
ADDRESS, NAME = "203.0.113.10", "www.example.co.uk"
# Run by the other Python: events from standard input through the bot, what it makes of them to standard output.
PROGRAM = """
import json, sys
from intelmq.bots.experts.tuency.expert import BOT
from intelmq.lib.bot import BotLibSettings
url, *tokens = sys.argv[1:]
events = json.load(sys.stdin)
for token in tokens:
    bot = BOT("tuency", settings=BotLibSettings | {"url": url, "authentication_token": token})
    for event in events:
        print(json.dumps([dict(it) for it in bot.process_message(event)["output"]]))
"""
EVENT = {
    "__type": "Event",
    "classification.taxonomy": "malicious-code",
    "classification.type": "infected-system",
    "feed.provider": "Example",
    "feed.name": "Sinkhole",
}


@pytest.fixture(scope="session")
def intelmq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with IntelMQ installed, and nothing of ours: made once, also where several processes run the tests."""
    root = tmp_path_factory.getbasetemp()
    place = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "intelmq"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return place / "bin" / "python" if (place / DONE).exists() else _installed(place)


def _installed(place: Path) -> Path:
    python = place / "bin" / "python"
    with_pip = sys.executable if find_spec("pip") else Path(sys.base_prefix, "bin", "python3")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=60)
    pip = [with_pip, "-m", "pip", "--python", python, "install", "-q", "--no-compile"]
    wanted = ["intelmq>=3.3", "setuptools<81"]  # IntelMQ 3.5 needs pkg_resources
    done = subprocess.run([*pip, *wanted], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"IntelMQ cannot be installed here: {done.stderr[-300:]}")
    (place / DONE).touch()
    return python


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    """Where the application is served."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def processed(
    python: Path, url: str, tokens: list[str], folder: Path, *events: dict[str, Any]
) -> list[dict[str, Any]]:
    (folder / "etc").mkdir(exist_ok=True)
    (folder / "etc" / "runtime.yaml").write_text("global: {}\n")
    done = subprocess.run(
        [python, "-c", PROGRAM, url, *tokens],
        input=json.dumps([EVENT | event for event in events]),
        env=os.environ | {"INTELMQ_ROOT_DIR": str(folder), "PYTHONPATH": ""},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return [json.loads(line)[0] for line in lines]


@pytest.mark.usefixtures("cases")
def test_the_bot_fills_in_whom_to_tell(intelmq: Path, url: str, token: str, tmp_path: Path) -> None:
    by_address, by_name, both, nobody, *refused = processed(
        intelmq,
        url,
        [token, "no-token"],
        tmp_path,
        {"source.ip": ADDRESS},
        {"source.fqdn": NAME},
        {"source.ip": ADDRESS, "source.fqdn": NAME},
        {"source.ip": "10.0.0.1"},
    )
    assert by_address["source.abuse_contact"] == "abuse@isp.example,cert@at.example"
    assert by_name["source.abuse_contact"] == "example-uk@example-uk.example"
    assert both["source.abuse_contact"] == "abuse@isp.example,cert@at.example,example-uk@example-uk.example"
    assert both["extra.ttl"] == 0
    assert "extra.notify" not in both
    assert not nobody.get("source.abuse_contact")
    assert [event.get("source.abuse_contact") for event in refused] == [None] * 4
