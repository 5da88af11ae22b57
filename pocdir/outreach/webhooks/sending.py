"""The one client that goes out: it resolves once, connects to that address, and follows nothing."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from pocdir.outreach.webhooks.rules import Network, Target, may_reach

SECONDS = 15.0  # from looking up the name to the last byte that is read
MOST_READ = 16 * 1024  # bytes of an answer; nothing of it is kept
MOST_LOOKUPS = 16  # of names at once, with those that nobody waits for any more
_lookups = threading.BoundedSemaphore(MOST_LOOKUPS)
Resolve = Callable[..., Sequence[Any]]


class NotSentError(Exception):
    """Why there is no answer, in words that name no address that was found."""


class _Guarded(http.client.HTTPConnection):
    """A connection to an address that was checked, under the name that was asked for."""

    def __init__(self, target: Target, addresses: Sequence[str], context: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=SECONDS)
        self._addresses, self._context = addresses, context
        self.ended = False

    def connect(self) -> None:
        sock = socket.create_connection((self._addresses[0], self.port), self.timeout)
        self.sock = sock
        if self._context is not None:
            self.sock = self._context.wrap_socket(sock, server_hostname=self.host)

    def end(self) -> None:
        """End the connection, from another thread: whoever reads or writes stops."""
        self.ended = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    *,
    inside: Sequence[Network] = (),
    context: ssl.SSLContext | None = None,
    resolve: Resolve = socket.getaddrinfo,
    seconds: float = SECONDS,
) -> int:
    """POST the body and give the status of the answer; raises NotSentError.

    Every address that the name has must be one that may be reached: with one that may not, nothing goes anywhere.
    """
    ends = time.monotonic() + seconds
    addresses = _resolved(target, inside, resolve, seconds)
    seconds = max(ends - time.monotonic(), 0.1)
    secure = (context or ssl.create_default_context()) if target.scheme == "https" else None
    connection = _Guarded(target, addresses, secure)
    connection.timeout = seconds
    alarm = threading.Timer(seconds, connection.end)
    alarm.daemon = True
    alarm.start()
    try:
        sent = {
            "Content-Type": "application/json",
            "User-Agent": "pocdir-webhooks",
            "Connection": "close",
            **headers,
        }
        connection.request("POST", target.path, body, sent)
        response = connection.getresponse()
        response.read(MOST_READ)
        if connection.ended:  # an answer that is cut off while its headers come looks whole
            raise TimeoutError
        return response.status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSentError(_said(TimeoutError() if connection.ended else error)) from None
    finally:
        alarm.cancel()
        connection.close()


def _resolved(target: Target, inside: Sequence[Network], resolve: Resolve, seconds: float) -> list[str]:
    addresses = [str(each[4][0]) for each in _looked_up(target, resolve, seconds)]
    if not addresses or not all(may_reach(address, inside) for address in addresses):
        raise NotSentError("its name leads to an address that is not public")
    return addresses


def _looked_up(target: Target, resolve: Resolve, seconds: float) -> Sequence[Any]:
    """What the name server says, asked in a thread of its own: nothing ends a lookup, so one that lasts is left."""
    if not _lookups.acquire(blocking=False):
        raise NotSentError("too many names are being looked up")
    heard = SimpleQueue[Sequence[Any] | Exception]()

    def ask() -> None:
        try:
            heard.put(resolve(target.host, target.port, type=socket.SOCK_STREAM))
        except Exception as error:  # raised where it is waited for
            heard.put(error)
        finally:
            _lookups.release()

    threading.Thread(target=ask, name="pocdir-lookup", daemon=True).start()
    try:
        answer = heard.get(timeout=seconds)
    except Empty:
        raise NotSentError("its name was not found in time") from None
    if isinstance(answer, OSError | UnicodeError):
        raise NotSentError("its name is not known") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "no secure connection could be made"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "the connection failed or ended early" if isinstance(error, OSError) else "no answer that is HTTP"
