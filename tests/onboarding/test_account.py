"""Whose account it is: the one that is meant, or nothing is asked for, handed over or repaired."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.practices import Clients, clients, signed_in

import ormco_trios
from ormco_trios import Address, Connected, Done, NeedsAuthorization, NeedsPerson, Progress, errors
from ormco_trios.communicate.models import User
from ormco_trios.onboarding.account import PinnedAccount, email_of, pin, wrong_account
from ormco_trios.onboarding.checklist import OverallState, StepName, StepState
from ormco_trios.onboarding.outcomes import Purpose, Repair
from ormco_trios.sandbox import Approval, Practice, Sandbox

PAGE = "https://users.example/User/Applications"


def me(id: str = "A", email: str | None = "anna@praxis.example") -> User:
    return User(id=id, email=email)


PINNED = PinnedAccount("A", "anna@praxis.example", "anna@praxis.example")


@pytest.mark.parametrize(
    ("account", "expected", "pinned", "is_wrong"),
    [
        (me(), None, None, False),
        (me(), "anna@praxis.example", None, False),
        (me(), " ANNA@praxis.example", None, False),
        (me("B", "ben@praxis.example"), "anna@praxis.example", None, True),
        (me("B", None), "anna@praxis.example", None, True),
        (me("B", "anna@praxis.example.evil.example"), "anna@praxis.example", None, True),
        # It is compared once; then the id counts, since an e-mail can change.
        (me("a", "anna.new@praxis.example"), "anna@praxis.example", PINNED, False),
        (me("A", None), "anna@praxis.example", PINNED, False),
        (me("B"), "anna@praxis.example", PINNED, True),
        (me("B", "ben@praxis.example"), None, PINNED, True),
        (me("B", "ben@praxis.example"), None, PinnedAccount("A"), True),
        (me("B", None), None, PINNED, True),
        # What is expected was changed: it is compared again.
        (me("B", "ben@praxis.example"), "ben@praxis.example", PINNED, False),
        (me("A"), "ben@praxis.example", PINNED, True),
        (me("A"), "anna@praxis.example", PinnedAccount("A", "anna@praxis.example"), False),
        (me("A"), "ben@praxis.example", PinnedAccount("A", "anna@praxis.example"), True),
    ],
)
def test_which_account_it_is(
    account: User, expected: str | None, pinned: PinnedAccount | None, is_wrong: bool
) -> None:
    error = wrong_account(account, expected=expected, pinned=pinned, page=PAGE)
    assert (error is not None) is is_wrong
    if error is None:
        after = pin(account, expected=expected, pinned=pinned)
        assert after.id.casefold() == account.id.casefold()
        later = me(account.id, "new.name@praxis.example")
        assert wrong_account(later, expected=expected, pinned=after, page=PAGE) is None
        assert wrong_account(me("C"), expected=expected, pinned=after, page=PAGE) is not None
        assert email_of(expected, after) == (account.email or email_of(expected, pinned))


@pytest.mark.parametrize(
    ("found", "expected", "named"),
    [
        ("ben@other.example", "anna@praxis.example", ("be…n@other.example", "an…a@praxis.example")),
        ("anita@praxis.example", "anna@praxis.example", ("ani…a@", "ann…a@")),
        ("anna@praxis.example", "Anna@praxis.example", ("anna@praxis", "same e-mail")),
        (None, "anna@praxis.example", ("no e-mail", "an…a@praxis.example")),
    ],
)
def test_both_are_named_and_what_to_do(
    found: str | None, expected: str, named: tuple[str, ...]
) -> None:
    pinned = PinnedAccount("A", expected, expected)
    error = wrong_account(me("B", found), expected=expected, pinned=pinned, page=PAGE)
    assert error is not None
    for text in (*named, PAGE, "private window", "if the page has moved", "has now allowed"):
        assert text in str(error)
    if found is not None and found.casefold() != expected.casefold():
        assert found not in str(error)
        assert expected not in str(error)


# --- our own sign-in -----------------------------------------------------------------------------


@pytest.fixture
def sandbox() -> Any:
    with Sandbox(approval=Approval.immediately()) as made:
        yield made


@pytest.fixture
def other(sandbox: Sandbox) -> Practice:
    """The practice whose browser answers."""
    (practice,) = sandbox.practices(1)
    return practice


def writes(sandbox: Sandbox) -> list[str]:
    """What was changed at the services, apart from signing in."""
    signing = {"oauth.sign_in", "oauth.consent", "oauth.token", "session.create"}
    return [e.operation for e in sandbox.journal if e.wrote and e.operation not in signing]


@pytest.mark.parametrize("account_dialect", [False, True], ids=["classic", "account"])
def test_another_account_is_found_out_before_anything_is_done(
    both: Any, sandbox: Sandbox, other: Practice, account_dialect: bool
) -> None:
    expected = sandbox.practice.email.upper()
    practice = clients(both, sandbox, account_dialect=account_dialect, account=expected)
    onboarding = practice.onboarding
    needed = onboarding.advance()
    assert needed.account == expected
    onboarding.finish_authorization(sandbox.authorize(needed.url, email=other.email))

    checklist = onboarding.check()
    step = checklist[StepName.SIGN_IN]
    assert checklist.state is OverallState.NEEDS_AUTHORIZATION
    assert step.state is StepState.BROKEN
    assert practice.oauth.token() is not None, "looking changes nothing"
    for method in (onboarding.advance, onboarding.run, onboarding.repair):
        with pytest.raises(errors.WrongAccount, match="has now allowed this program") as caught:
            method()
        assert caught.value.expected != caught.value.found
        assert practice.oauth.token() is None
        assert isinstance(onboarding.advance(), NeedsAuthorization)
        needed = onboarding.advance()
        onboarding.finish_authorization(sandbox.authorize(needed.url, email=other.email))
    assert writes(sandbox) == []
    assert onboarding.progress.account is None


def test_the_account_that_answers_first_is_the_practices(
    both: Any, sandbox: Sandbox, other: Practice
) -> None:
    first = clients(both, sandbox)
    first.run()
    saved = first.onboarding.progress.to_json()
    assert Progress.from_json(saved).account == first.onboarding.progress.account
    assert sandbox.practice.email not in repr(first.onboarding.progress)

    second = clients(both, sandbox, progress=Progress.from_json(saved))
    second.oauth.sign_in_with_password(other.email, other.password)
    with pytest.raises(errors.WrongAccount):
        second.onboarding.advance()

    second.onboarding.forget_account()
    second.oauth.sign_in_with_password(other.email, other.password)
    second.onboarding.advance()
    assert second.onboarding.progress.account.id == other.user_id


def test_an_email_can_change(both: Any, sandbox: Sandbox) -> None:
    email = sandbox.practice.email
    practice = signed_in(both, sandbox, account=email)
    practice.run()
    sandbox.world.user(email).email = "new.name@clinic.example"
    assert isinstance(practice.onboarding.advance(), Connected)
    assert "ne…e@clinic.example" in practice.onboarding.check()[StepName.SIGN_IN].evidence


def test_the_checklist_says_which_account_was_asked(both: Any, sandbox: Sandbox) -> None:
    step = signed_in(both, sandbox).onboarding.check()[StepName.SIGN_IN]
    assert "pr…u@clinic.example" in step.evidence


def test_a_person_is_asked_again_and_told_why(both: Any, sandbox: Sandbox, other: Practice) -> None:
    practice = clients(both, sandbox, account=sandbox.practice.email)
    shown: list[NeedsAuthorization] = []

    def authorize(needed: NeedsAuthorization) -> Any:
        shown.append(needed)
        mistaken = len([n for n in shown if n.purpose is needed.purpose]) < 3
        email = other.email if mistaken else sandbox.practice.email
        return Address(sandbox.authorize(needed.url, email=email), account_shown=email)

    connected = practice.onboarding.run(authorize=both.callback(authorize))
    assert connected.account_checked
    assert [n.purpose for n in shown] == [Purpose.SIGN_IN] * 3 + [Purpose.ORMCO] * 3
    for needed in (shown[1], shown[2], shown[4], shown[5]):
        granted = "this program" if needed.purpose is Purpose.SIGN_IN else "Ormco"
        assert f"delete {granted} there" in str(needed.problem)
    (connection,) = sandbox.world.connections()
    assert connection.inviter == sandbox.practice.user_id


def test_three_wrong_answers_are_enough(both: Any, sandbox: Sandbox, other: Practice) -> None:
    practice = clients(both, sandbox, who=other, account=sandbox.practice.email)
    asked = 0

    def authorize(needed: NeedsAuthorization) -> str:
        nonlocal asked
        asked += 1
        return sandbox.authorize(needed.url, email=other.email)

    with pytest.raises(errors.WrongAccount):
        practice.onboarding.run(authorize=both.callback(authorize))
    assert asked == 3
    assert writes(sandbox) == []


@pytest.mark.parametrize("extent", Repair)
def test_nothing_of_another_accounts_is_repaired_or_taken_away(
    both: Any, sandbox: Sandbox, other: Practice, extent: Repair
) -> None:
    clients(both, sandbox, who=other).run()
    practice = clients(both, sandbox, account=sandbox.practice.email)
    for method, options in (("repair", {"extent": extent}), ("disconnect", {})):
        practice.oauth.sign_in_with_password(other.email, other.password)
        sandbox.journal.clear()
        if method == "repair":
            with pytest.raises(errors.WrongAccount):
                practice.onboarding.repair(**options)
            assert writes(sandbox) == []
        else:
            done = practice.onboarding.disconnect(sign_out=True)
            assert not done.complete
            assert practice.oauth.token() is None
            assert "connections.remove" not in writes(sandbox)
            assert "applications.remove" not in writes(sandbox)
    assert len(sandbox.world.connections()) == 1


# --- the portal's authorization ------------------------------------------------------------------


def asks_for_ormco(both: Any, sandbox: Sandbox, **options: Any) -> tuple[Clients, Any]:
    practice = signed_in(both, sandbox, **options)
    needed = practice.onboarding.advance()
    assert needed.purpose is Purpose.ORMCO
    return practice, needed


def test_another_accounts_code_is_not_handed_over(
    both: Any, sandbox: Sandbox, other: Practice
) -> None:
    practice, needed = asks_for_ormco(both, sandbox)
    assert needed.account == sandbox.practice.email
    pasted = sandbox.authorize(needed.url, email=other.email)
    with pytest.raises(errors.WrongAccount, match="delete Ormco there"):
        practice.onboarding.finish_authorization(pasted, account_shown=other.email)
    # The form still holds the address, and only the other field is corrected.
    saved = Progress.from_json(practice.onboarding.progress.to_json())
    practice.onboarding.progress = saved
    with pytest.raises(errors.PasteError, match="another account when it was pasted before"):
        practice.onboarding.finish_authorization(pasted, account_shown=sandbox.practice.email)
    assert sandbox.journal.count("trios.submit_code") == 0

    again = practice.onboarding.advance()
    assert again.url == needed.url, "the link stays good"
    practice.onboarding.finish_authorization(
        sandbox.authorize(again.url), account_shown=sandbox.practice.email.title()
    )
    assert practice.onboarding.advance().account_checked


@pytest.mark.parametrize("said", ["{}.", "<{}>", "({})", ' "{}", '])
def test_what_stands_around_an_e_mail_is_no_part_of_it(
    both: Any, sandbox: Sandbox, said: str
) -> None:
    practice, needed = asks_for_ormco(both, sandbox)
    practice.onboarding.finish_authorization(
        sandbox.authorize(needed.url), account_shown=said.format(sandbox.practice.email)
    )
    assert practice.onboarding.advance().account_checked


def test_the_field_for_an_e_mail_takes_every_e_mail(both: Any, sandbox: Sandbox) -> None:
    _, needed = asks_for_ormco(both, sandbox)
    assert 'name="account_shown"' in needed.form("/answer")
    # A browser refuses letters of other alphabets there, or sends them in another form.
    assert 'type="email"' not in needed.form("/answer")


@pytest.mark.parametrize("said", [None, "", "  ", "."])
def test_where_nobody_said_it_is_not_checked(both: Any, sandbox: Sandbox, said: str | None) -> None:
    practice, needed = asks_for_ormco(both, sandbox)
    practice.onboarding.finish_authorization(sandbox.authorize(needed.url), account_shown=said)
    connected = practice.onboarding.advance()
    assert not connected.account_checked
    step = connected.checklist[StepName.AUTHORIZATION]
    assert (step.state, "account not checked" in step.evidence) == (StepState.DONE, True)


def test_what_is_no_email_is_asked_for_again(both: Any, sandbox: Sandbox) -> None:
    practice, needed = asks_for_ormco(both, sandbox)
    pasted = sandbox.authorize(needed.url)
    with pytest.raises(errors.PasteError, match="not an e-mail"):
        practice.onboarding.finish_authorization(pasted, account_shown="Dr. Anna")
    practice.onboarding.finish_authorization(pasted, account_shown=sandbox.practice.email)
    assert practice.onboarding.advance().account_checked


@pytest.fixture
def by_hand(both: Any, sandbox: Sandbox) -> Any:
    """An onboarding without any API of the portal, at its first task."""
    practice = signed_in(both, sandbox)
    onboarding = both.onboarding(communicate=practice.communicate, oauth=practice.oauth)
    assert isinstance(onboarding.advance(), NeedsPerson)
    return onboarding


def portals_link(both: Any, sandbox: Sandbox) -> str:
    """Where *here* leads, over there."""
    return str(clients(both, sandbox).ormco.trios.authorization_request().authorization_url)


def test_by_hand_another_accounts_code_is_not_shown(
    both: Any, sandbox: Sandbox, other: Practice, by_hand: Any
) -> None:
    asked = by_hand.advance().task
    assert asked.account == sandbox.practice.email
    assert sandbox.practice.email in " ".join(asked.steps)
    pasted = sandbox.authorize(portals_link(both, sandbox), email=other.email)
    with pytest.raises(errors.WrongAccount, match="delete Ormco there"):
        by_hand.finish_task(Address(pasted, account_shown=other.email))
    with pytest.raises(errors.PasteError, match="another account"):
        by_hand.finish_task(Address(pasted, account_shown=sandbox.practice.email))
    assert by_hand.advance().task.text is None, "there is no code to enter"


@pytest.mark.parametrize("says", [True, False])
def test_by_hand_it_is_said_whether_the_account_was_checked(
    both: Any, sandbox: Sandbox, by_hand: Any, says: bool
) -> None:
    email = sandbox.practice.email if says else None
    pasted = sandbox.authorize(portals_link(both, sandbox))
    by_hand.finish_task(Address(pasted, account_shown=email))
    assert by_hand.advance().task.text is not None
    by_hand.finish_task(Done())
    connected = by_hand.advance()
    assert connected.account_checked is says
    step = connected.checklist[StepName.AUTHORIZATION]
    assert ("account not checked" in step.evidence) is not says

    # What the person said of this code is not said of the next one.
    by_hand.disconnect()
    assert not by_hand.progress.account.confirmed


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["anna", "", "a@b@c", "Anna <anna@praxis.example>", "@x"])
def test_the_expected_account_is_an_email(both: Any, sandbox: Sandbox, account: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="not an e-mail"):
        clients(both, sandbox, account=account)
    assert len(sandbox.journal) == 0


@pytest.mark.parametrize("mixed", ["communicate", "oauth", "ormco"])
@pytest.mark.parametrize("name", ["Onboarding", "AsyncOnboarding"])
def test_clients_of_the_other_kind_are_named_at_once(
    sandbox: Sandbox, name: str, mixed: str
) -> None:
    def made(kind: str, part: str) -> Any:
        prefix = kind if part != mixed else ("" if kind else "Async")
        environment = sandbox.environment
        match part:
            case "communicate":
                return getattr(ormco_trios, f"{prefix}CommunicateClient")(environment, token="t")
            case "oauth":
                return getattr(ormco_trios, f"{prefix}OAuthClient")(
                    environment, client_id="c", redirect_uri="https://app.example"
                )
            case _:
                return getattr(ormco_trios, f"{prefix}OrmcoDigitalClient")(
                    environment, username="u", password="p"
                )

    kind = name.removesuffix("Onboarding")
    parts = {part: made(kind, part) for part in ("communicate", "oauth", "ormco")}
    with pytest.raises(errors.ConfigurationError, match=f"^Make all of them .*{name} needs"):
        getattr(ormco_trios, name)(**parts)


def test_the_account_dialect_is_given_a_hint(both: Any, sandbox: Sandbox) -> None:
    def query(needed: NeedsAuthorization) -> dict[str, list[str]]:
        return parse_qs(urlsplit(needed.url).query)

    email = sandbox.practice.email
    needed = clients(both, sandbox, account_dialect=True, account=email).onboarding.advance()
    assert query(needed)["login_hint"] == [email]
    assert query(needed)["prompt"] == ["login"]
    assert "private window" not in needed.hint
    for dialect, account in ((True, None), (False, email)):
        made = clients(both, sandbox, account_dialect=dialect, account=account)
        needed = made.onboarding.advance()
        assert not {"login_hint", "prompt"} & query(needed).keys()
    assert email in needed.hint
    assert "private window" in needed.hint
