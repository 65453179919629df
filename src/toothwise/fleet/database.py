"""Diagnoses of records as they come, in SQLite or PostgreSQL: each record once, whatever is delivered twice.

A record is one row of ``diagnoses``, or of ``errors`` with the reason, written in one transaction with everything that
later judgements need of it. The pair of machine and record is unique, and so is a machine's count of records: two
processes that follow the same machine cannot both write its next record.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toothwise.diagnosis.store import State
from toothwise.diagnosis.verdict import Diagnosis
from toothwise.errors import InputError, missing, need
from toothwise.files import finite

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData

SCHEMA = 2
_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_PATIENCE = 30  # seconds that SQLite waits for another writer
_SAID = ("colour", "pattern", "sentence", "gear", "tooth", "contrast")  # of a diagnosis
_LOOKS = 10  # at tables that others make


class Conflict(Exception):  # noqa: N818  # no error: the caller looks again
    """Another process has written this machine's next record meanwhile."""


class Database:
    """The tables ``watches``, ``diagnoses`` and ``errors``; made by ``open_database``."""

    def __init__(self, engine: Engine, where: str) -> None:
        self.engine, self.where = engine, where
        self._made = _tables()
        self._tables = self._made.tables

    def prepare(self) -> None:
        """Make the tables where they are missing; where another process makes them at this moment, look again.

        Raises:
            InputError: tables of another version of toothwise.
        """
        from sqlalchemy import insert, select
        from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

        about = self._tables["toothwise"]
        for left in range(_LOOKS, -1, -1):
            try:
                self._made.create_all(self.engine)
                with self.engine.begin() as connection:
                    found = connection.execute(select(about.c.value).where(about.c.key == "schema")).scalar()
                    if found is None:
                        connection.execute(insert(about).values(key="schema", value=str(SCHEMA)))
                break
            except (IntegrityError, OperationalError, ProgrammingError) as error:
                others = any(words in str(error.orig) for words in ("already exists", "duplicate", "UNIQUE"))
                if left == 0 or not others:
                    raise
                time.sleep(0.2)
        if found not in (None, str(SCHEMA)):
            raise InputError(
                f"{self.where}: tables of version {found}, but this toothwise writes {SCHEMA}: name a new database"
            )

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection to read by.

        Raises:
            InputError: tables that are damaged, or hold what toothwise never wrote.
        """
        from sqlalchemy.exc import DatabaseError, OperationalError

        try:
            with self.engine.connect() as connection:
                yield connection
        except (DatabaseError, ValueError, TypeError) as error:
            # it cannot be reached: whoever asks may wait and try again; not decoded is what SQLite says of other text
            if isinstance(error, OperationalError) and "Could not decode" not in str(error.orig):
                raise
            raise InputError(f"{self.where}: damaged ({_first_line(error)})") from None

    def known(self, machine: str, record: str) -> bool:
        """Whether the record has been diagnosed."""
        from sqlalchemy import select

        table = self._tables["diagnoses"]
        here = (table.c.machine == machine) & (table.c.record == record)
        with self._reading() as connection:
            return connection.execute(select(table.c.position).where(here)).first() is not None

    def state(self, machine: str) -> tuple[dict[str, Any] | None, int]:
        """The state of a machine as JSON types, with its records, and its version; None, 0 for an unknown machine."""
        from sqlalchemy import select

        watches, diagnoses = self._tables["watches"], self._tables["diagnoses"]
        with self._reading() as connection:
            wanted = select(watches.c.state, watches.c.version).where(watches.c.machine == machine)
            state, version = connection.execute(wanted).first() or (None, 0)
            if state is None:
                return None, 0
            kept = (diagnoses.c.machine == machine) & (diagnoses.c.position >= len(state["past"]["names"]))
            rows = connection.execute(select(diagnoses.c.seen).where(kept).order_by(diagnoses.c.position))
            return state | {"records": list(rows.scalars())}, version

    def append(
        self, machine: str, rows: Sequence[dict[str, Any]], version: int, state: dict[str, Any] | None = None
    ) -> None:
        """Write records of a machine, and its state where that has changed, in one transaction.

        Args:
            rows: Columns of the table ``diagnoses`` by name.
            version: Of the state that they were judged with.
            state: The new one, without its records.

        Raises:
            Conflict: Another process has written a record or a state of this machine meanwhile.
        """
        from sqlalchemy import insert, select, update
        from sqlalchemy.exc import IntegrityError

        watches = self._tables["watches"]
        here = watches.c.machine == machine
        try:
            with self.engine.begin() as connection:
                for row in rows:
                    connection.execute(insert(self._tables["diagnoses"]).values(machine=machine, at=_now(), **row))
                if version == 0:
                    values = {"machine": machine, "version": 1, "state": state, "at": _now()}
                    connection.execute(insert(watches).values(**values))
                elif state is not None:
                    written = update(watches).where(here & (watches.c.version == version))
                    if connection.execute(written.values(state=state, version=version + 1)).rowcount != 1:
                        raise Conflict(machine)
                elif connection.execute(select(watches.c.version).where(here)).scalar() != version:
                    raise Conflict(machine)
        except IntegrityError:
            raise Conflict(f"{machine}: its next record was written by another process") from None

    def refuse(self, **about: str) -> None:
        """Note a record that cannot be used, once for each content: columns of the table ``errors`` by name."""
        from sqlalchemy import insert
        from sqlalchemy.exc import IntegrityError

        with suppress(IntegrityError), self.engine.begin() as connection:  # else it has been noted before
            connection.execute(insert(self._tables["errors"]).values(at=_now(), **about))

    def close(self) -> None:
        """End the connections."""
        self.engine.dispose()


@dataclass(eq=False)
class DatabaseStore:
    """Keeps the state of one machine, as ``toothwise.diagnosis.store.Store``: each record with its diagnosis.

    Attributes:
        database, machine: Where, and of what.
        about: Further columns of the records to come, by name.
    """

    database: Database
    machine: str
    about: dict[str, Any] = field(default_factory=dict)
    _version: int = 0
    _count: int = 0
    _mark: tuple[int, ...] = ()

    @property
    def where(self) -> str:
        """What it is called in messages."""
        return f"{self.database.where}: the watch of {self.machine}"

    def load(self) -> State | None:
        """See ``Store``."""
        found, self._version = self.database.state(self.machine)
        state = None if found is None else State.from_json(found, self.where)
        self._count, self._mark = (0, ()) if state is None else (len(state), _mark(state))
        return state

    def save(self, state: State, diagnosis: Diagnosis | None) -> None:
        """See ``Store``.

        Raises:
            Conflict: Another process has written meanwhile.
        """
        new = len(state) - self._count
        rows: list[dict[str, Any]] = [
            {
                "record": record.name,
                "position": position,
                "time": None if record.time is None else str(record.time),
                "score": record.score,
                "above": record.above,
                "model": state.model,
                "seen": finite(record),
            }
            | self.about
            for position, record in enumerate(state.records[-new:] if new else (), start=self._count)
        ]
        if rows and diagnosis is not None:
            rows[-1] |= {name: getattr(diagnosis, name) for name in _SAID}
            rows[-1]["diagnosis"] = finite(diagnosis.as_json())  # PostgreSQL's JSON has no word for NaN
        data = state.as_json()
        del data["records"]
        changed = _mark(state) != self._mark
        self.database.append(self.machine, rows, self._version, data if changed else None)
        self._version += changed
        self._count, self._mark = len(state), _mark(state)


def _mark(state: State) -> tuple[int, ...]:
    """Changes where more changes than records are added."""
    return 1, len(state.past), len(state.resets), len(state.limits)


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)


def _tables() -> MetaData:
    from sqlalchemy import JSON, Boolean, Column, DateTime, Float, Integer, MetaData, String, Table, UniqueConstraint

    def columns(kind: Any, *names: str, nullable: bool = False) -> list[Column[Any]]:
        return [Column(name, kind, nullable=nullable) for name in names]

    found = MetaData()
    when = DateTime(timezone=True)
    Table("toothwise", found, Column("key", String, primary_key=True), *columns(String, "value"))
    state = [*columns(Integer, "version"), *columns(JSON, "state"), *columns(when, "at")]
    Table("watches", found, Column("machine", String, primary_key=True), *state)
    texts = ("time", "source", "sha256", "model", "colour", "pattern", "sentence", "gear")
    Table(
        "diagnoses",
        found,
        Column("id", Integer, primary_key=True),
        *columns(String, "machine", "record"),
        *columns(Integer, "position"),
        *columns(when, "at"),
        *columns(JSON, "seen"),
        *columns(String, *texts, nullable=True),
        *columns(Float, "score", "contrast", nullable=True),
        *columns(Boolean, "above", nullable=True),
        *columns(Integer, "tooth", nullable=True),
        *columns(JSON, "diagnosis", nullable=True),
        UniqueConstraint("machine", "record"),
        UniqueConstraint("machine", "position"),
    )
    why = columns(String, "machine", "record", "sha256", "source", "reason")
    once = UniqueConstraint("machine", "record", "sha256")
    Table("errors", found, Column("id", Integer, primary_key=True), *why, *columns(when, "at"), once)
    return found


def open_database(where: str) -> Database:
    """A database for diagnoses; its tables are made where they are missing.

    Args:
        where: file of SQLite (``.db``, ``.sqlite``), or ``postgresql://user@host/name``. A password comes from
            libpq's own places (``PGPASSWORD``, ``~/.pgpass``) rather than from here.

    Raises:
        MissingDependencyError: SQLAlchemy, or psycopg for PostgreSQL, is not installed.
        InputError: another kind of database, or one that cannot be opened.
    """
    sqlalchemy = need("sqlalchemy", "a database")
    from sqlalchemy.exc import SQLAlchemyError

    url, options = _url(where)
    try:
        engine = sqlalchemy.create_engine(url, **options)
        if url.startswith("sqlite"):
            sqlalchemy.event.listen(engine, "connect", _careful)
        database = Database(engine, where)
        database.prepare()
    except ImportError as error:
        raise missing(error.name or "psycopg", where) from None
    except SQLAlchemyError as error:
        raise InputError(f"{where}: cannot be opened ({_first_line(error)})") from None
    return database


def _first_line(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:300]


def _url(where: str) -> tuple[str, dict[str, Any]]:
    if where.startswith(("postgresql://", "postgres://")):
        return "postgresql+psycopg://" + where.partition("://")[2], {"pool_pre_ping": True}
    path = Path(where.removeprefix("sqlite:///"))
    if "://" in str(where).replace("sqlite:///", "") or path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{where}: must be a file ({', '.join(_SUFFIXES)}) or postgresql://user@host/name")
    if not path.parent.is_dir():
        raise InputError(f"{where}: no such folder {path.parent}")
    return f"sqlite:///{path}", {"connect_args": {"timeout": _PATIENCE}}


def _careful(connection: Any, _: Any) -> None:
    """Readers do not wait for the writer, and what is committed is on the disk."""
    cursor = connection.cursor()
    for words in ("journal_mode=WAL", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {words}")
    cursor.close()
