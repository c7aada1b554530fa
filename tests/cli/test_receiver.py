"""Where the application's redirect address is on this machine, nobody has to paste."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from ormco_trios import Clock
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.socket


def links(said: IO[str]) -> Iterator[str]:
    for line in said:
        if line.strip().startswith("http"):
            yield line.strip()


@pytest.mark.skipif(os.name == "nt", reason="the paste is read from the console")
@pytest.mark.parametrize("over_ssh", [False, True])
def test_the_browser_comes_back_by_itself(tmp_path: Path, over_ssh: bool) -> None:
    with Sandbox(server=True, clock=Clock(), approval=Approval.immediately()) as sandbox:
        environ = {
            "ENVIRONMENT": "sandbox",
            "SANDBOX_URL": sandbox.base_url,
            "DIALECT": "account",
            "CLIENT_ID": sandbox.account_client_id,
            "REDIRECT_URI": "http://127.0.0.1/callback",
            "PORTAL_USERNAME": sandbox.practice.portal_username,
            "PORTAL_PASSWORD": sandbox.practice.portal_password,
            "TOKEN_FOLDER": str(tmp_path),
        }
        command = [sys.executable, "-c", "from ormco_trios.cli import main; main()", "connect"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # no terminal of ours to read the paste from
            env={
                **{name: value for name, value in os.environ.items() if "SSH" not in name},
                **{f"ORMCO_TRIOS_{name}": value for name, value in environ.items()},
                **({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"} if over_ssh else {}),
            },
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            asked = links(process.stderr)
            address = sandbox.authorize(next(asked))
            assert address.startswith("http://127.0.0.1")
            if over_ssh:
                process.stdin.write(f"{address}\n")
                process.stdin.flush()
            else:
                with urllib.request.urlopen(address) as page:
                    assert b"close this window" in page.read()
            # Ormco's own redirect address is elsewhere: this one is pasted.
            process.stdin.write(f"{sandbox.authorize(next(asked))}\n")
            process.stdin.flush()
            out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert out.rstrip().endswith(": Connected (the portal says; consent seen)")
