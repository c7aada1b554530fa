"""Classic codes have DotNetOpenAuth's layout, and damage shows."""

from __future__ import annotations

import base64
import re
import struct
from random import Random

import pytest

from ormco_trios.sandbox.world import codes

KEY = bytes(range(32))


def fresh(seed: int = 1) -> tuple[str, str, bytes]:
    rng = Random(seed)
    handle = codes.new_handle(rng)
    code, content = codes.seal(handle, KEY, rng)
    return handle, code, content


@pytest.mark.parametrize("seed", range(50))
def test_layout(seed: int) -> None:
    handle, code, content = fresh(seed)
    assert re.fullmatch(r"[A-Za-z0-9_-]{4}!IAAAA[A-Za-z0-9_-]+", code)
    tail = code.partition("!")[2]
    payload = base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4))
    (size,) = struct.unpack("<i", payload[36:40])
    assert payload[:4] == b"\x20\0\0\0"
    assert size == len(payload) - 40
    assert (size - 17) % 16 == 0
    assert payload[40] == 1
    assert codes.unseal(code, handle, KEY) == content


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        pytest.param(lambda c: c.replace("!", "%21"), codes.NoHandle, id="still encoded"),
        pytest.param(lambda c: c.replace("!", ""), codes.NoHandle, id="no mark"),
        pytest.param(lambda c: c[1:], codes.NoHandle, id="first letter missing"),
        pytest.param(lambda c: c[:40] + "*" + c[41:], codes.NotBase64, id="not base64"),
        pytest.param(lambda c: c + " ", codes.NotBase64, id="blank at the end"),
        pytest.param(lambda c: c[:5], codes.NotBase64, id="nothing after the mark"),
        pytest.param(lambda c: c[:-4], codes.Tampered, id="end missing"),
        pytest.param(lambda c: c[:20] + "AAAA" + c[24:], codes.Tampered, id="signature changed"),
        pytest.param(lambda c: "AAAA" + c[4:], codes.Tampered, id="another key"),
        pytest.param(lambda c: c[:9], codes.Tampered, id="almost nothing"),
    ],
)
def test_damage(damage, error) -> None:
    handle, code, _ = fresh()
    with pytest.raises(error):
        codes.unseal(damage(code), handle, KEY)


@pytest.mark.parametrize(("layers", "mark"), [(0, "!"), (1, "%21"), (2, "%2521"), (3, "%252521")])
def test_layers(layers: int, mark: str) -> None:
    _, code, _ = fresh()
    assert codes.wrap(code, layers) == code.replace("!", mark)
