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
from psycopg.conninfo import conninfo_to_dict

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
    server = _Server([server_program, "-D", str(data), *arguments], folder, user)
    try:
        server.start()
        _SERVERS[str(folder)] = server
        yield server.conninfo
    finally:
        _SERVERS.pop(str(folder), None)
        server.stop()
        shutil.rmtree(folder)


class _Server:
    """A server that can be started again."""

    def __init__(self, command: list[str], folder: Path, user: str | None) -> None:
        self.conninfo = f"host={folder} port={PORT} user=fleet dbname=postgres"
        self._command, self._folder, self._user = command, folder, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self._folder / "log"
        with log.open("ab") as told:
            self._process = subprocess.Popen(
                self._command,
                user=self._user,
                stdout=subprocess.DEVNULL,
                stderr=told,
                cwd=self._folder,
            )
        for _ in range(600):
            try:
                psycopg.connect(self.conninfo).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL ended: {log.read_text()}") from None
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"PostgreSQL does not answer: {log.read_text()}")

    def stop(self) -> None:
        """At once, whatever is connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)


_SERVERS: dict[str, _Server] = {}


def restart(conninfo: str) -> None:
    """Stop the server of a database, whatever is connected, and start it again."""
    server = _SERVERS[str(conninfo_to_dict(conninfo)["host"])]
    server.stop()
    server.start()


def new_database(conninfo: str, name: str) -> str:
    """An empty database in that server; gives how to connect to it."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return conninfo.replace("dbname=postgres", f"dbname={name}")
