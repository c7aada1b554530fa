"""The fleet's tables in PostgreSQL, and how they change while workers run.

A step only adds: a table, a column with a default.  So workers of the version before go on while
the database is ahead of them, and a rolling restart needs no order but *migrate first*.  A step
that would take something away waits until no supported version uses it, and raises `OLDEST` with
it; a worker that is too old for its database says so and stops.
"""

from __future__ import annotations

from typing import LiteralString

STEPS: tuple[LiteralString, ...] = (
    """
    create table ormco_trios_practice_status (
        practice text primary key,
        stage text not null,
        since timestamptz not null,
        due timestamptz,
        rounds integer not null,
        problem text,
        progress bytea not null,
        version integer not null default 0,
        priority integer not null default 0,
        claim bigint not null default 0,
        claimed_until timestamptz
    );
    create index ormco_trios_practice_status_due on ormco_trios_practice_status
        (priority desc, due) where due is not null;
    create table ormco_trios_practice (practice text primary key, sealed bytea not null);
    create table ormco_trios_token (account text primary key, sealed bytea not null);
    create table ormco_trios_lock (
        name text primary key,
        claim bigint not null default 1,
        claimed_until timestamptz not null
    );
    create table ormco_trios_turn (host text primary key, turn double precision not null);
    create table ormco_trios_setting (name text primary key, value text not null);
    """,
)
"""Step ``n`` leads to version ``n + 1``; a step that has been released is never edited.

``claim`` is a fencing number: it grows each time a worker takes the practice, or the lock, and
who holds an older one may not send anything any more.  ``claimed_until`` is by the database's
clock; ``due`` and ``since`` are by the fleet's.
"""

OLDEST = 1
"""The oldest version of these tables that a process may know and still work with them."""

VERSION_TABLE: LiteralString = """
    create table if not exists ormco_trios_schema (
        only_one boolean primary key default true check (only_one),
        version integer not null,
        oldest integer not null
    )
"""
