"""What objects show in a notebook: links to click, and nothing that must not be saved."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.practices import Hands, clients, signed_in

from ormco_trios import NeedsAuthorization, NeedsPerson, Waiting
from ormco_trios.core.html import card, link, numbered
from ormco_trios.sandbox import Approval, Sandbox


def test_everything_is_escaped() -> None:
    shown = card("<b>", [("<i>", "<script>"), ("list", numbered(["<u>"])), ("empty", "")])
    assert "<script>" not in shown
    assert "<u>" not in shown
    assert "empty" not in shown
    assert shown.count("<b>") == 1


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example"])
def test_only_web_addresses_become_links(url: str) -> None:
    assert "href" not in link(url, "Open")


def test_a_link_can_be_clicked(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = clients(both, sandbox)
        needed = practice.onboarding.advance()
        assert isinstance(needed, NeedsAuthorization)
        shown = needed._repr_html_()
        (target,) = re.findall(r'href="([^"]+)"', shown)
        assert target.replace("&amp;", "&") == needed.url
        assert needed.purpose.explanation.split()[0] in shown


def test_waiting_says_when_to_look_again(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = signed_in(both, sandbox)
        waiting = practice.onboarding.advance()
        assert isinstance(waiting, Waiting)
        assert f"{waiting.until:%H:%M}" in waiting._repr_html_()


def test_a_client_says_whose_it_is_and_no_more(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = clients(both, sandbox)
        assert "not signed in yet" in practice.communicate._repr_html_()
        practice.oauth.sign_in_with_password(sandbox.practice.email, sandbox.practice.password)
        assert "not signed in yet" not in practice.communicate._repr_html_()


def test_a_model_shows_what_its_repr_shows(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = signed_in(both, sandbox)
        me = practice.communicate.users.me()
        assert sandbox.practice.email not in me._repr_html_()
        case = next(iter(practice.communicate.cases.list()))
        assert case.id not in case._repr_html_()


def test_a_task_is_shown_without_what_to_paste(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = signed_in(both, sandbox, by_hand=True)
        hands = Hands(sandbox)
        needed = practice.onboarding.advance()
        assert isinstance(needed, NeedsPerson)
        assert "Submission Method" in needed._repr_html_()
        practice.onboarding.finish_task(hands.do(needed))
        needed = practice.onboarding.advance()
        assert isinstance(needed, NeedsPerson)
        assert needed.task.text is not None
        secret = needed.task.text.get_secret_value()
        shown = needed._repr_html_()
        assert secret not in shown
        assert secret[10:30] not in shown
        assert "Update" in shown
