"""Diagnoses of records as they come, in SQLite or PostgreSQL: each record once, whatever is delivered twice.

A record is one row of ``diagnoses``, or of ``errors`` with the reason, written in one transaction with everything that
later judgements need of it. The pair of machine and record is unique, and so is a machine's count of records: two
processes that follow the same machine cannot both write its next record.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toothwise.errors import InputError, missing

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData, Table

__all__ = ["Conflict", "Database", "Row", "open_database"]

SCHEMA = 1
_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_PATIENCE = 30  # seconds that SQLite waits for another writer
_LOOKS = 10  # at tables that others make


class Conflict(Exception):  # noqa: N818  # no error: the caller looks again
    """Another process has written this machine's next record meanwhile."""


@dataclass(frozen=True)
class Row:
    """What is kept of a record.

    Attributes:
        machine, record: that it is known by.
        position: how many records of the machine came before it.
        seen: for later judgements, see ``toothwise.diagnosis.history.RecordSummary``.
        about: further columns by name.
    """

    machine: str
    record: str
    position: int
    seen: dict[str, Any]
    about: dict[str, Any]


class Database:
    """The tables ``watches``, ``diagnoses`` and ``errors``; made by ``open_database``."""

    def __init__(self, engine: Engine, where: str) -> None:
        self.engine, self.where = engine, where
        self._tables = _tables()

    def _table(self, name: str) -> Table:
        return self._tables.tables[name]

    def prepare(self) -> None:
        """Make the tables where they are missing.

        Raises:
            InputError: tables of another version of toothwise.
        """
        from sqlalchemy import insert, select

        self._tables.create_all(self.engine)
        about = self._table("toothwise")
        with self.engine.begin() as connection:
            found = connection.execute(select(about.c.value).where(about.c.key == "schema")).scalar()
            if found is None:
                connection.execute(insert(about).values(key="schema", value=str(SCHEMA)))
            elif found != str(SCHEMA):
                raise InputError(f"{self.where}: tables of version {found}, but this toothwise writes {SCHEMA}")

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
        except OperationalError:  # it cannot be reached: whoever asks may wait and try again
            raise
        except (DatabaseError, ValueError, TypeError) as error:
            raise InputError(f"{self.where}: damaged ({_first_line(error)})") from None

    def known(self, machine: str, record: str) -> bool:
        """Whether the record has been diagnosed."""
        from sqlalchemy import select

        table = self._table("diagnoses")
        here = (table.c.machine == machine) & (table.c.record == record)
        with self._reading() as connection:
            return connection.execute(select(table.c.position).where(here)).first() is not None

    def watch(self, machine: str) -> dict[str, Any] | None:
        """What a machine's watch was begun with, None where there is none."""
        from sqlalchemy import select

        table = self._table("watches")
        with self._reading() as connection:
            return connection.execute(select(table.c.begun).where(table.c.machine == machine)).scalar()

    def seen(self, machine: str) -> list[dict[str, Any]]:
        """What is kept of all records of a machine, in their order."""
        from sqlalchemy import select

        table = self._table("diagnoses")
        wanted = select(table.c.seen).where(table.c.machine == machine).order_by(table.c.position)
        with self._reading() as connection:
            return list(connection.execute(wanted).scalars())

    def append(self, row: Row, begun: dict[str, Any]) -> bool:
        """Write a record; False where it is there already.

        Raises:
            Conflict: the machine has got another record in this place meanwhile.
        """
        from sqlalchemy import insert
        from sqlalchemy.exc import IntegrityError

        values = {
            "machine": row.machine,
            "record": row.record,
            "position": row.position,
            "seen": row.seen,
            "at": _now(),
        }
        try:
            with self.engine.begin() as connection:
                if row.position == 0:
                    connection.execute(
                        insert(self._table("watches")).values(machine=row.machine, begun=begun, at=_now())
                    )
                connection.execute(insert(self._table("diagnoses")).values(**values, **row.about))
        except IntegrityError:
            if self.known(row.machine, row.record):
                return False
            raise Conflict(f"{row.machine}: record {row.position} was written by another process") from None
        return True

    def refuse(self, machine: str, record: str, sha256: str, source: str, reason: str) -> bool:
        """Note a record that cannot be used, once for each content; False where that is there already."""
        from sqlalchemy import insert
        from sqlalchemy.exc import IntegrityError

        values = {
            "machine": machine,
            "record": record,
            "sha256": sha256,
            "source": source,
            "reason": reason,
            "at": _now(),
        }
        try:
            with self.engine.begin() as connection:
                connection.execute(insert(self._table("errors")).values(**values))
        except IntegrityError:
            return False
        return True

    def close(self) -> None:
        """End the connections."""
        self.engine.dispose()


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)


def _tables() -> MetaData:
    from sqlalchemy import JSON, Boolean, Column, DateTime, Float, Integer, MetaData, String, Table, UniqueConstraint

    found = MetaData()
    Table("toothwise", found, Column("key", String, primary_key=True), Column("value", String, nullable=False))
    at = DateTime(timezone=True)
    Table(
        "watches",
        found,
        Column("machine", String, primary_key=True),
        Column("begun", JSON, nullable=False),
        Column("at", at, nullable=False),
    )
    text = [Column(name, String) for name in ("time", "source", "sha256", "detector", "state", "pattern", "verdict")]
    Table(
        "diagnoses",
        found,
        Column("id", Integer, primary_key=True),
        Column("machine", String, nullable=False),
        Column("record", String, nullable=False),
        Column("position", Integer, nullable=False),
        Column("at", at, nullable=False),
        *text,
        Column("score", Float),
        Column("above", Boolean),
        Column("gear", String),
        Column("tooth", Integer),
        Column("contrast", Float),
        Column("diagnosis", JSON),
        Column("seen", JSON, nullable=False),
        UniqueConstraint("machine", "record"),
        UniqueConstraint("machine", "position"),
    )
    Table(
        "errors",
        found,
        Column("id", Integer, primary_key=True),
        *(Column(name, String, nullable=False) for name in ("machine", "record", "sha256", "source", "reason")),
        Column("at", at, nullable=False),
        UniqueConstraint("machine", "record", "sha256"),
    )
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
    try:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise missing("sqlalchemy", "a database") from None
    url, options = _url(where)
    try:
        engine = sqlalchemy.create_engine(url, **options)
        if url.startswith("sqlite"):
            sqlalchemy.event.listen(engine, "connect", _careful)
        database = Database(engine, where)
        _prepare(database)
    except ImportError as error:
        raise missing(error.name or "psycopg", where) from None
    except SQLAlchemyError as error:
        raise InputError(f"{where}: cannot be opened ({_first_line(error)})") from None
    return database


def _prepare(database: Database) -> None:
    """Make the tables; where another process makes them at this moment, look again."""
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    for left in range(_LOOKS, -1, -1):
        try:
            database.prepare()
            return
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if left == 0 or not any(words in str(error.orig) for words in ("already exists", "duplicate", "UNIQUE")):
                raise
            time.sleep(0.2)


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
