"""Where records come from: a folder that is looked at again and again, or a topic of an MQTT broker."""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from toothwise.errors import InputError, need
from toothwise.fleet.decoding import IncomingRecord

_AHEAD = 16  # messages that the broker hands over before the first of them is written
_KEPT = 7 * 24 * 3600  # seconds that the broker keeps messages for a watch that is away
_LARGEST = 2**28 - 1  # bytes of a message, the most that MQTT knows
PASSWORD = "TOOTHWISE_MQTT_PASSWORD"  # noqa: S105  # the name of the variable


# records, each with what to call once it is written; None where there is nothing at the moment
Records = Iterator[tuple[IncomingRecord, Callable[[], None]] | None]


@dataclass(eq=False)
class Folder:
    """Files of a folder and of those below it: the folder that a file lies in is its machine, its name the record.

    A file is taken once its size and time have stayed the same from one look to the next, in the order of the names.
    Only regular files count: what cannot be looked at, is something else (a pipe, a device), or is a link out of the
    folder comes as a record with a problem, and hides no other.

    Attributes:
        path: The folder.
        suffixes: Suffixes of the files that are records.
        poll: Seconds between two looks.
    """

    path: Path
    suffixes: tuple[str, ...]
    poll: float = 1.0
    _taken: dict[Path, tuple[Any, ...]] = field(default_factory=dict)

    def records(self, stop: threading.Event) -> Records:
        """Files that have come or changed, each until it is written."""
        before: dict[Path, tuple[Any, ...]] = {}
        while not stop.is_set():
            now = self._look()
            for path in sorted(p for p, mark in now.items() if before.get(p) == mark and self._taken.get(p) != mark):
                if stop.is_set():
                    return
                mark = now[path]
                machine = path.parent.relative_to(self.path).as_posix()
                machine = self.path.name if machine == "." else machine
                arrived = IncomingRecord(machine, path.name, str(path), path, problem=mark[2])
                yield arrived, lambda path=path, mark=mark: self._taken.__setitem__(path, mark)  # type: ignore[misc]
            before = now
            yield None
            stop.wait(self.poll)

    def _look(self) -> dict[Path, tuple[Any, ...]]:
        """Every record with size, time, and what is wrong with it."""
        found: dict[Path, tuple[Any, ...]] = {}

        def unlisted(error: OSError) -> None:
            if (path := Path(error.filename)) != self.path and not isinstance(error, FileNotFoundError):
                found[path] = (0, 0, f"cannot be listed ({error.strerror or error})")

        root = os.path.realpath(self.path)
        for folder, inside, files in os.walk(self.path, onerror=unlisted):
            inside[:] = [name for name in inside if not name.startswith(".")]
            for name in files:
                if not name.startswith(".") and name.lower().endswith(self.suffixes):
                    with contextlib.suppress(FileNotFoundError):  # it has just gone; the next look shows
                        found[Path(folder) / name] = _mark(Path(folder) / name, root)
        return found


def _mark(path: Path, root: str) -> tuple[int, int, str | None]:
    """Size, time, and what is wrong with a file."""
    own = about = path.lstat()
    if stat.S_ISLNK(own.st_mode):
        try:
            about = path.stat()
        except OSError as error:
            return 0, own.st_mtime_ns, f"is a link that cannot be followed ({error.strerror or error})"
        if not Path(os.path.realpath(path)).is_relative_to(root):
            return 0, own.st_mtime_ns, "is a link out of the watched folder"
    wrong = None if stat.S_ISREG(about.st_mode) else "is not a regular file"
    return about.st_size, about.st_mtime_ns, wrong


@dataclass(eq=False)
class Mqtt:
    """Messages of a topic (MQTT 5, at least once): the topic of a message is its machine.

    A message is acknowledged once it is written, so that the broker hands it over again where this process died before.
    The user property ``id`` names the record, and ``time`` says when it was taken; without ``id``, the SHA-256 of
    the content names it.

    Attributes:
        host, port, topic, user, secure: Address of the broker; "+" and "#" in the topic match many topics.
        client: Name under which the broker keeps messages while this process is away.
    """

    host: str
    port: int
    topic: str
    client: str
    user: str | None = None
    secure: bool = False

    def records(self, stop: threading.Event) -> Records:
        """Messages, each of which is acknowledged once it is written.

        Raises:
            InputError: the broker cannot be reached at the start, or refuses.
        """
        arrived: queue.Queue[tuple[int, Any]] = queue.Queue()
        refused: list[str] = []
        connections = [0]
        client = self._client(arrived, refused, connections)
        try:
            client.connect(self.host, self.port, clean_start=False, properties=_properties())
        except (OSError, ValueError) as error:
            raise InputError(f"mqtt://{self.host}:{self.port}: cannot be reached ({error})") from None
        client.loop_start()
        try:
            while not stop.is_set():
                if refused:
                    raise InputError(f"mqtt://{self.host}:{self.port}: {refused[0]}")
                try:
                    connection, message = arrived.get(timeout=0.2)
                except queue.Empty:
                    yield None
                    continue

                def done(connection: int = connection, message: Any = message) -> None:
                    if connection == connections[0]:  # a new connection numbers its messages from the beginning
                        client.ack(message.mid, message.qos)

                yield _arrived(message), done
        finally:
            client.disconnect()
            client.loop_stop()

    def _client(self, arrived: queue.Queue[tuple[int, Any]], refused: list[str], connections: list[int]) -> Any:
        mqtt = need("paho.mqtt.client", "MQTT")
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=self.client, protocol=mqtt.MQTTv5, manual_ack=True
        )
        if self.user is not None:
            client.username_pw_set(self.user, os.environ.get(PASSWORD))
        if self.secure:
            client.tls_set()

        def connected(client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            connections[0] += 1
            if reason.is_failure:
                refused.append(f"refused: {reason}")
            else:
                client.subscribe(self.topic, qos=1)

        def subscribed(_client: Any, _data: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
            refused.extend(f"{self.topic}: {reason}" for reason in reasons if reason.is_failure)

        client.on_connect, client.on_subscribe = connected, subscribed
        client.on_message = lambda _client, _data, message: arrived.put((connections[0], message))
        return client


def _properties() -> Any:
    """What a connection asks of the broker."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = _KEPT
    properties.ReceiveMaximum = _AHEAD
    properties.MaximumPacketSize = _LARGEST
    return properties


def _arrived(message: Any) -> IncomingRecord:
    given = dict(getattr(message.properties, "UserProperty", None) or [])
    record = given.get("id") or hashlib.sha256(message.payload).hexdigest()
    when: str | float | None = given.get("time")
    if when is not None:
        with contextlib.suppress(ValueError):  # ISO 8601, or found to be no time where it is needed
            when = float(when)
    return IncomingRecord(message.topic, str(record), f"mqtt:{message.topic}", bytes(message.payload), when)


def open_source(source: str, *, suffixes: tuple[str, ...], poll: float, client: str) -> Folder | Mqtt:
    """A folder by its path, or ``mqtt://[user@]host[:port]/topic`` (``mqtts://`` with TLS).

    Args:
        suffixes: Suffixes of files that are records.
        poll: Seconds between two looks at a folder.
        client: See ``Mqtt``.

    Raises:
        InputError: no such folder, or an address without host or topic.
    """
    if source.startswith(("mqtt://", "mqtts://")):
        try:
            parts = urlsplit(source.replace("#", "%23"))
            port = parts.port
        except ValueError as error:
            raise InputError(f"{source}: not an address ({error})") from None
        topic = unquote(parts.path.lstrip("/"))
        if not parts.hostname or not topic:
            raise InputError(f"{source}: must be mqtt://host:port/topic, such as mqtt://localhost/plant/+/records")
        if parts.password is not None:
            raise InputError(f"a password does not belong into an address: set it in {PASSWORD}")
        secure = parts.scheme == "mqtts"
        return Mqtt(parts.hostname, port or (8883 if secure else 1883), topic, client, parts.username, secure)
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f"{source}: must be a folder or mqtt://host/topic, but there is no such folder")
    if not poll > 0:
        raise InputError(f"--poll must be above 0 seconds, but got {poll:g}")
    return Folder(folder.resolve(), suffixes, poll)
