"""A PostgreSQL of the test session's own, from Debian's package: no network, no traces."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

PORT = 54_329
"""Of its sockets; by default nothing listens on the network."""


def program(name: str) -> str | None:
    """Where a program of PostgreSQL is: Debian keeps them apart, by version."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(debian[-1]) if debian else shutil.which(name)


@contextmanager
def postgres(network: str = "") -> Iterator[str]:
    """A server on a socket in a folder of its own; gives how to connect to it.

    Args:
        network: Who may connect over TCP as well, such as ``10.77.0.0/24``; the port is `PORT`.
    """
    initdb, server_program = program("initdb"), program("postgres")
    if initdb is None or server_program is None:
        raise RuntimeError("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = None
    if os.geteuid() == 0:  # which PostgreSQL refuses to run as
        user = next(n for n in ("postgres", "nobody") if n in {u.pw_name for u in pwd.getpwall()})
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", str(data), "-A", "trust", "-U", "fleet", "-E", "UTF8", "--no-sync"],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        cwd=folder,
    )
    if network:
        with (data / "pg_hba.conf").open("a") as allowed:
            allowed.write(f"host all all {network} trust\n")
    options = {
        "listen_addresses": "*" if network else "",
        "port": str(PORT),
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "max_connections": "120",
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [server_program, "-D", str(data), *arguments],
            user=user,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=folder,
        )
    try:
        conninfo = f"host={folder} port={PORT} user=fleet dbname=postgres"
        for _ in range(200):
            try:
                psycopg.connect(conninfo).close()
                break
            except psycopg.OperationalError:
                if server.poll() is not None:
                    break
                time.sleep(0.05)
        else:
            raise RuntimeError(f"PostgreSQL does not answer: {(folder / 'log').read_text()}")
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended: {(folder / 'log').read_text()}")
        yield conninfo
    finally:
        server.send_signal(signal.SIGINT)  # at once, whatever is connected
        server.wait(30)
        shutil.rmtree(folder)


def new_database(conninfo: str, name: str) -> str:
    """An empty database in that server; gives how to connect to it."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return conninfo.replace("dbname=postgres", f"dbname={name}")
