"""Webhooks: signed and queued with the fact, sent again and given up, and never to where they may not go."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from pocdir import cli
from pocdir.accounts import actions as accounts
from pocdir.accounts import queries
from pocdir.core.errors import Forbidden, Invalid
from pocdir.db import db, transaction
from pocdir.ledger.actions import append
from pocdir.ledger.models import UnreadEvent
from pocdir.mail.models import Mail
from pocdir.outreach import jobs as outreach
from pocdir.outreach.webhooks import heartbeat, jobs, rules, sending
from pocdir.outreach.webhooks.models import Webhook
from tests.accounts import made
from tests.conftest import Api
from tests.mail.relay import certificate
from tests.outreach.made import teams
from tests.outreach.receiver import Receiver, receiving, speaking

LOOPBACK = rules.networks("127.0.0.0/8")
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


def test_a_message_is_signed_as_the_specifications_example() -> None:
    now = dt.datetime.fromtimestamp(1614265330, dt.UTC)
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert rules.headers(secret, message, b'{"test": 2432232314}', now) == {
        "webhook-id": message,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.7", "192.88.99.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::1", "2001::1",
        "2001:db8::1", "100::1", "3fff::1", "5f00::1",
    ],
)  # fmt: skip
def test_no_address_inside_is_reached(address: str) -> None:
    assert not rules.may_reach(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111"])
def test_public_addresses_are(address: str) -> None:
    assert rules.may_reach(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/", "ftp://hooks.example.org/", "https://", "https:///x", "https://a b.example/",
        "https://user:pw@hooks.example.org/", "https://hooks.example.org/#x", "https://hooks.example.org:99999/",
        "https://hooks.example.org\\@10.0.0.1/", "https://hooks.example.org/\r\nX: y", "//hooks.example.org", "https://[::1",
        "https://münchen.example/", "https://hooks.example.org/" + "a" * 500,
    ],
)  # fmt: skip
def test_an_address_is_plain_https(url: str) -> None:
    with pytest.raises(Invalid, match=r"right|read"):
        rules.target_of(url, "https")
    with pytest.raises(Forbidden):
        rules.target_of("https://hooks.example.org/", "off")


def sent_to(port: int, *, seconds: float = 5.0, **more: object) -> int:
    target = rules.Target("http", "hooks.example", port, "/")
    more = {"inside": LOOPBACK, "resolve": answering("127.0.0.1")} | more
    return sending.post(target, b"{}", {}, seconds=seconds, **more)  # type: ignore[arg-type]


class answering:  # noqa: N801
    """A name server that says these addresses, one answer after the other."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, _host: str, port: int, **_: object) -> list[object]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answer.split()]


def test_a_name_is_resolved_once_and_all_that_it_says_must_be_public() -> None:
    with receiving() as one:
        port = int(one.url.split(":")[2].split("/")[0])
        rebinding = answering("127.0.0.1", "127.0.0.2")
        assert sent_to(port, resolve=rebinding) == 204
        assert (rebinding.asked, len(one.taken)) == (1, 1)
        assert one.taken[0][0]["host"] == f"hooks.example:{port}"
        for hostile in ("10.0.0.1", "127.0.0.1 10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"):
            with pytest.raises(sending.NotSentError, match="not public"):
                sent_to(port, resolve=answering(hostile))
        for name in ("localhost", "127.1", "2130706433", "0x7f000001"):
            with pytest.raises(sending.NotSentError, match=r"not public|not known"):
                sending.post(rules.Target("http", name, port, "/"), b"{}", {})
        assert len(one.taken) == 1


def test_a_redirect_is_not_followed() -> None:
    with receiving() as other, receiving(status=307, headers={"Location": other.url}) as one:
        assert sent_to(int(one.url.split(":")[2].split("/")[0])) == 307
        assert (len(one.taken), other.taken) == (1, [])


def test_a_slow_an_endless_and_a_wrong_answer_end() -> None:
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not done.wait(0.05):
            connection.sendall(b"X-Slow: y\r\n")

    with speaking(drip) as port:
        with pytest.raises(sending.NotSentError):
            sent_to(port, seconds=0.5)
        done.set()
    with speaking(
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 1_000_000)
    ) as port:
        assert sent_to(port) == 200
    for wrong in (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000, b"SSH-2.0-x\r\n\r\n"):
        speaker = speaking(lambda to, said=wrong: to.sendall(said))
        with speaker as port, pytest.raises(sending.NotSentError):
            sent_to(port)


def test_a_name_server_that_does_not_answer_ends_with_the_time_of_all() -> None:
    done = threading.Event()
    with pytest.raises(sending.NotSentError, match="not found in time"):
        sent_to(9, seconds=0.2, resolve=lambda *_, **__: done.wait(10))
    done.set()


def test_a_certificate_has_to_be_good(tmp_path: Path) -> None:
    context, file = certificate(tmp_path)
    with receiving(context) as one:
        target = rules.target_of(one.url, "https")
        with pytest.raises(sending.NotSentError, match="secure"):
            sending.post(target, b"{}", {}, inside=LOOPBACK)
        trusting = ssl.create_default_context(cafile=str(file))
        assert sending.post(target, b"{}", {}, inside=LOOPBACK, context=trusting) == 204


@pytest.fixture
def on(app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """Webhooks are switched on, also to this machine."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    settings = dataclasses.replace(
        app.extensions["pocdir"],
        webhooks="http",
        webhook_networks="127.0.0.0/8",
        mail_from="pocdir@example.org",
    )
    monkeypatch.setitem(app.extensions, "pocdir", settings)
    with time_machine.travel(now, tick=False) as travel:
        teams(now)
        yield travel


def went(now: dt.datetime) -> int:
    jobs.queue(now)
    return jobs.deliver(now)


def test_a_fact_is_told_once_signed_and_without_what_is_sealed(api: Api, on, now) -> None:
    with receiving() as one:
        made_one = api.post(
            "/api/v1/webhooks", {"url": one.url, "types": ["ack.given", "notification.logged"]}
        )
        assert made_one.status_code == 201
        secret = made_one.get_json()["secret"]
        assert secret not in api.get(made_one.headers["Location"]).text
        told = api.post("/api/v1/notifications", {"team": "isp", "subject": "not to be told"}).get_json()[
            "ref"
        ]
        on.shift(1)
        fact = {"type": "ack.given", "payload": {"ticket": "INC-7", "via": "phone"}}
        event = api.post(f"/api/v1/notifications/{told}/events", fact).get_json()["id"]
        on.shift(1)
        red = api.post("/api/v1/notifications", {"team": "cert-at", "tlp": "TLP:RED"}).get_json()["ref"]
        assert (went(now), went(now)) == (3, 0)
        bodies = [json.loads(body) for _, body in one.taken]
        assert [body["type"] for body in bodies] == [
            "notification.logged",
            "ack.given",
            "notification.logged",
        ]
        about = bodies[1]["data"]
        assert (about["notification"], about["team"], about["payload"]) == (told, "isp", {"via": "phone"})
        assert (bodies[2]["data"]["notification"], bodies[2]["data"]["team"]) == (red, None)
        headers, body = one.taken[1]
        assert headers["webhook-id"] == f"msg_{event}"
        signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        whole = b"".join(body for _, body in one.taken)
        assert not [word for word in (b"INC-7", b"not to be told", b"/r/") if word in whole]
        assert db.session.scalars(db.select(UnreadEvent)).all() == []


def is_told(one: Receiver) -> bool:
    """Whether something comes within five seconds."""
    for _ in range(500):
        if one.taken:
            return True
        time.sleep(0.01)
    return False


def test_a_slow_receiver_holds_up_no_other(api: Api, on, now) -> None:
    told_meanwhile = []
    with receiving() as other:

        def slow(connection: socket.socket) -> None:
            told_meanwhile.append(is_told(other))
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        with speaking(slow) as port:
            for url in (f"http://127.0.0.1:{port}/", other.url):
                api.post("/api/v1/webhooks", {"url": url})
            api.post("/api/v1/incidents", {"title": "first"})
            api.post("/api/v1/incidents", {"title": "second"})
            jobs.queue(now)
            assert jobs.deliver(now, most=2) == 2
    assert told_meanwhile == [True]


def test_what_was_not_committed_is_not_told_and_nobody_elses_is(app: Flask, api: Api, on, now) -> None:
    with receiving() as one:
        api.post("/api/v1/webhooks", {"url": one.url})
        with pytest.raises(RuntimeError), transaction() as session:
            append(session, type="ack.given", notification=None, incident=made.unknown_ref(now), now=now,
                   actor="service", claimed_by="sender")  # fmt: skip
            raise RuntimeError
        with transaction() as session:
            rivals = accounts.create_workspace(session, name="rivals", now=now, actor="operator")
            text = accounts.create_token(session, workspace_id=rivals.id, now=now, actor="operator")[1]
        theirs = Api(app, text)
        theirs.post("/api/v1/incidents", {"title": "theirs"})
        assert (went(now), one.taken) == (0, [])
        ref = api.get("/api/v1/webhooks").get_json()["items"][0]["ref"]
        assert theirs.get("/api/v1/webhooks").get_json()["items"] == []
        for path in ("", "/deliveries"):
            assert theirs.get(f"/api/v1/webhooks/{ref}{path}").get_json()["code"] == "webhook_unknown"
        assert theirs.post(f"/api/v1/webhooks/{ref}/secret").status_code == 404


def test_a_failure_is_tried_again_later_and_after_five_days_the_owners_are_told(
    app: Flask, api: Api, on, now
) -> None:
    made.person("anna@example.org", now=now, workspace="lab", role="owner")
    with receiving(status=500) as one:
        ref = api.post("/api/v1/webhooks", {"url": one.url}).get_json()["ref"]
        api.post("/api/v1/incidents", {"title": "first"})
        assert (went(now), went(now)) == (0, 0)
        assert len(one.taken) == 1
        on.shift(MINUTE)
        one.status = 200
        assert went(now + MINUTE) == 1
        assert one.taken[0][0]["webhook-id"] == one.taken[1][0]["webhook-id"]

        one.status = 503
        api.post("/api/v1/incidents", {"title": "second"})
        for _ in range(7):
            went(now)
            on.shift(DAY)
        items = api.get(f"/api/v1/webhooks/{ref}/deliveries").get_json()["items"]
        assert [(item["state"], item["status"]) for item in items] == [("dead", 503), ("sent", 200)]
        kept = api.get(f"/api/v1/webhooks/{ref}").get_json()
        assert (kept["enabled"], kept["disabled_because"]) == (False, "failing")
        (letter,) = db.session.scalars(db.select(Mail)).all()
        assert (letter.to, letter.kind) == ("anna@example.org", "webhook_disabled")
        assert one.url in (letter.body or "")

        one.status = 204
        assert api.patch(f"/api/v1/webhooks/{ref}", {"enabled": True}).get_json()["enabled"] is True
        assert api.post(f"/api/v1/webhooks/{ref}/retry").get_json() == {"queued": 1}
        assert went(now) == 1
        one.status = 410
        assert api.post(f"/api/v1/webhooks/{ref}/test").status_code == 201
        assert went(now) == 0
        assert api.get(f"/api/v1/webhooks/{ref}").get_json()["disabled_because"] == "gone"


def test_owners_make_and_remove_them_on_the_page_and_by_command(app: Flask, on, now, capsys) -> None:
    anna = made.browser(app, made.person(now=now, workspace="lab", role="owner"), now=now)
    ben = made.person("ben@example.org", now=now, workspace="lab", role="researcher")
    assert made.browser(app, ben, now=now).get("/workspace/webhooks").status_code == 403
    with receiving() as one:
        shown = anna.post("/workspace/webhooks", data={"url": one.url, "types": ["ack.given"]}).text
        assert "whsec_" in shown
        assert "whsec_" not in anna.get("/workspace/webhooks").text
        ref = made.one(Webhook).ref
        assert anna.post(f"/workspace/webhooks/{ref}/test").status_code == 302
        assert went(now) == 1
        assert json.loads(one.taken[0][1])["type"] == "webhook.test"
        page = anna.get("/workspace/webhooks").text
        assert "webhook.test" in page and 'value="escalation.step_due"' in page
        assert "http:// as this service is set" in page
        assert anna.post(f"/workspace/webhooks/{ref}/nonsense").status_code == 404
        assert anna.post("/workspace/webhooks", data={"url": "https://a b/"}).status_code == 422
        assert anna.post(f"/workspace/webhooks/{ref}/remove").status_code == 302
    assert cli.run(["webhook", "add", "https://hooks.example.org/", "--workspace", "lab"]) == 0
    assert capsys.readouterr().out.startswith("whsec_")
    ref = made.one(Webhook).ref
    assert cli.run(["webhook", "change", "disable", ref, "--workspace", "lab"]) == 0
    assert cli.run(["webhook", "list", "--workspace", "lab", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (listed["ref"], listed["enabled"]) == (ref, False)


def test_switched_off_by_the_operator_nothing_is_made(api: Api) -> None:
    refused = api.post("/api/v1/webhooks", {"url": "https://hooks.example.org/"})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "webhooks_off")
    assert cli.run(["webhook", "add", "https://hooks.example.org/", "--workspace", "lab"]) == 1
    assert queries.find_workspace(db.session(), "lab") is not None


def test_a_monitor_hears_of_the_worker_while_it_goes_round_and_nothing_is_past_due(
    app: Flask, api: Api, now: dt.datetime
) -> None:
    with time_machine.travel(now, tick=False) as moved, receiving() as monitor:
        teams(now)
        settings = app.extensions["pocdir"]
        assert heartbeat.beat(now) == 0  # no address was named
        app.extensions["pocdir"] = dataclasses.replace(settings, heartbeat_url=monitor.url)
        assert heartbeat.beat(now) == 0  # the worker has never gone round
        outreach.beat(now)
        assert (heartbeat.beat(now), [body for _headers, body in monitor.taken]) == (1, [b"{}"])
        api.post("/api/v1/notifications", {"team": "cert-at"})
        moved.shift(3 * DAY)
        assert heartbeat.beat(now + 3 * DAY) == 0
        outreach.beat(now + 3 * DAY)
        assert heartbeat.beat(now + 3 * DAY) == 0  # it goes round and has written nothing down
        outreach.record_lapses(now + 3 * DAY)
        assert heartbeat.beat(now + 3 * DAY) == 1
        monitor.status = 500
        assert heartbeat.beat(now + 3 * DAY) == 0
    assert heartbeat.beat(now + 3 * DAY) == 0  # nobody listens any more
