"""What a shape can tell about a code without a request."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ormco_trios.oauth.shape import Block, CodeShape


def classic_code(handle: str = "Kq-3", blocks: int = 2, fill: bytes = b"\xa5") -> str:
    """An invented code with the layout of the classic sign-in."""
    message = b"\x01" + fill * 16 + fill * (16 * blocks)
    payload = b"\x20\0\0\0" + fill * 32 + len(message).to_bytes(4, "little") + message
    return f"{handle}!{urlsafe_b64encode(payload).decode().rstrip('=')}"


classic_codes = st.builds(
    classic_code,
    handle=st.text("ABCabc019-_", min_size=4, max_size=4),
    blocks=st.integers(0, 12),
    fill=st.binary(min_size=1, max_size=1),
)


@given(classic_codes)
def test_a_classic_code_is_whole(code: str) -> None:
    shape = CodeShape.classic()
    assert shape.matches(code)
    assert shape.complete(code) is True


@given(classic_codes, st.data())
def test_a_classic_code_without_its_end_is_not(code: str, data: st.DataObject) -> None:
    cut = code[: data.draw(st.integers(1, len(code) - 1))]
    shape = CodeShape.classic()
    assert shape.complete(cut) is False or shape.damaged(cut)


@given(classic_codes, st.data())
def test_nor_is_one_that_lost_a_character_before_its_end(code: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(code) - 1))
    cut = code[:position] + code[position + 1 :]
    shape = CodeShape.classic()
    assert shape.complete(cut) is False or shape.damaged(cut)


@pytest.mark.parametrize("extra", ["A", "AA", "AAAA", "thanks"])
def test_nor_is_one_with_something_stuck_to_it(extra: str) -> None:
    assert CodeShape.classic().complete(classic_code() + extra) is False


def test_the_version_and_the_contents_are_the_servers_business() -> None:
    """Only lengths are looked at, so a changed character inside passes."""
    code = classic_code()
    assert CodeShape.classic().complete(code[:-8] + "_" + code[-7:]) is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Kq-3",
        "Kq-3?IAAAA",
        "Kq-!IAAAA",
        "Kq-34!IAAAA",
        "Kq-3%21IAAAA",
        "Kq-3!IAAA+",
        "Kq-3!IAAA=",
        "Kq-3!IAAA\n",
    ],
)
def test_not_a_classic_code(text: str) -> None:
    assert not CodeShape.classic().matches(text)
    assert CodeShape.classic().complete(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "K",
        "Kq-3",
        "Kq-3%",
        "Kq-3%2",
        "q-3%21IAAAA5",  # the first character was not selected
        "521IAAAA5",  # the front was removed, and too much of it
        "Kq-321IAAAA5",  # "%25" was removed and not "25"
        "Kq-3%IAAAA5",
        "Code:Kq-3!IAAAA5",
    ],
)
def test_plainly_damaged(text: str) -> None:
    assert CodeShape.classic().damaged(text)


@pytest.mark.parametrize("text", ["", "hello", "4/0AbCdEf", "A" * 20 + "IAAAA", "AB%2Fcd", "ab%20"])
def test_not_plainly_damaged(text: str) -> None:
    assert not CodeShape.classic().damaged(text)


def test_an_opaque_code_says_nothing_about_itself() -> None:
    shape = CodeShape.opaque()
    code = os.urandom(32).hex().upper() + "-1"
    assert shape.matches(code)
    assert shape.complete(code) is None
    assert shape.complete(code[:9]) is None
    assert shape.lifetime is None
    assert CodeShape.opaque(lifetime=timedelta(minutes=5)).lifetime == timedelta(minutes=5)


@pytest.mark.parametrize("text", ["", "a b", "a+b", "a/b", "a%2Db", "a!b", "a=b"])
def test_not_an_opaque_code(text: str) -> None:
    assert not CodeShape.opaque().matches(text)


def test_another_provider_is_a_value() -> None:
    shape = CodeShape(
        name="example",
        pattern=r"ex_(?P<payload>[A-Za-z0-9_-]*)",
        blocks=(Block(3),),
        lifetime=timedelta(seconds=30),
    )
    whole = "ex_" + urlsafe_b64encode(b"\x03\0\0\0abc").decode().rstrip("=")
    assert shape.complete(whole) is True
    assert shape.complete(whole[:-1]) is False
    assert shape == CodeShape(shape.name, shape.pattern, None, shape.blocks, shape.lifetime)
    assert len({shape, CodeShape.classic(), CodeShape.classic()}) == 2


def test_a_shape_that_cannot_work_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="payload"):
        CodeShape(name="example", pattern=".*", blocks=(Block(3),))


@pytest.mark.parametrize(
    ("block", "sizes"),
    [(Block(32), {32}), (Block(17, step=16), {17, 33, 49}), (Block(50, step=1), {*range(50, 60)})],
)
def test_lengths_of_a_block(block: Block, sizes: set[int]) -> None:
    assert {size for size in range(-40, 60) if block.allows(size)} == sizes
