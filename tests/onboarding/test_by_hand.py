"""The portal's half by hand: what a person is told, and what becomes of their answers."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from typing import Any

import pytest
from tests.practices import Hands, clients, signed_in

from ormco_trios import (
    Address,
    Connected,
    Done,
    Failed,
    ManualPortal,
    MemoryTokenStore,
    NeedsAuthorization,
    NeedsPerson,
    Progress,
    Repair,
    Reply,
    Source,
    TaskKind,
    Waiting,
    errors,
)
from ormco_trios.onboarding.account import PinnedAccount
from ormco_trios.onboarding.checklist import OverallState, StepName, StepState
from ormco_trios.sandbox import Approval, Sandbox

AT_THE_PORTAL = (StepName.PORTAL_SIGN_IN, StepName.SUBMISSION_METHOD, StepName.AUTHORIZATION)


def to_the_portal(both: Any, sandbox: Sandbox, **options: Any) -> Any:
    """A practice that Ormco has approved, and whose portal's turn it is."""
    sandbox.world.set_approval(Approval.immediately(), practice=sandbox.practice.email)
    practice = signed_in(both, sandbox, by_hand=True, **options)
    return practice.onboarding


def shown(needed: Any) -> str:
    """The text to paste."""
    assert isinstance(needed, NeedsPerson)
    assert needed.task.kind is TaskKind.ENTER_CODE
    assert needed.task.text is not None
    return needed.task.text.get_secret_value()


@pytest.mark.parametrize("account_dialect", [False, True], ids=["classic", "account"])
def test_from_nothing_to_connected(both: Any, account_dialect: bool) -> None:
    with Sandbox(approval=Approval.after(6 * 3600)) as sandbox:
        practice = clients(both, sandbox, by_hand=True, account_dialect=account_dialect)
        hands = Hands(sandbox)
        connected = practice.run(person=both.callback(hands.do))

        assert hands.tasks == [TaskKind.GET_ADDRESS, TaskKind.ENTER_CODE]
        assert hands.state() == "connected"
        assert connected.source is Source.PRACTICE
        assert connected.consent_seen
        assert connected.account_checked
        assert str(connected.checklist).endswith(": Connected (the practice says; consent seen)")
        for name in AT_THE_PORTAL:
            step = connected.checklist[name]
            assert (step.state, step.source) == (StepState.DONE, Source.PRACTICE)
            assert step.said_at == sandbox.clock.now()
            assert "(the practice says, 2026-01-01 " in str(connected.checklist)
        for name in (StepName.SIGN_IN, StepName.CONNECTION, StepName.APPROVAL):
            assert connected.checklist[name].source is Source.COMMUNICATE


def test_what_was_given_can_be_left_out(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox, by_hand=True)
        practice.onboarding = both.onboarding(
            communicate=practice.communicate, ormco=both.make("ManualPortal")
        )
        assert practice.run(person=both.callback(Hands(sandbox).do)).source is Source.PRACTICE
    assert ManualPortal().channels == {}


def test_the_words_are_the_guides(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox, account=sandbox.practice.email)
        needed = onboarding.advance()
        assert needed.task.kind is TaskKind.GET_ADDRESS
        assert needed.task.replies == (Reply.ADDRESS, Reply.FAILED)
        assert needed.task.account == sandbox.practice.email
        words = " ".join(needed.task.steps)
        guide = (
            "Username and Password",
            "My Account > My Profile",
            "Submission Method",
            "Intraoral Scanner",
            "3Shape Trios",
            "Connect 3Shape to Insignia",
            "here",
            "which e-mail",
            sandbox.practice.email,
            "Allow access",
            "ENTIRE address",
        )
        places = [words.index(word) for word in guide]
        assert places == sorted(places)
        assert "Enter Authorization Code" in " ".join(needed.task.if_moved)

        onboarding.finish_task(Address(Hands(sandbox).press_here()))
        needed = onboarding.advance()
        words = " ".join(needed.task.steps)
        places = [words.index(word) for word in ("Enter Code", "Ok", "Update")]
        assert places == sorted(places)
        assert shown(needed)[4:7] == "%21", "what the portal's field wants"
        assert needed.task.until is not None
        assert (needed.task.until - sandbox.clock.now()).total_seconds() == 180


def test_nothing_is_sent_to_the_portal(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        hands = Hands(sandbox)
        address = hands.press_here()
        sandbox.journal.clear()
        needed = onboarding.advance()
        onboarding.finish_task(Address(address))
        onboarding.advance()
        onboarding.finish_task(Done())
        assert isinstance(onboarding.advance(), Connected)
        onboarding.check()
        onboarding.doctor()
        onboarding.repair(person=both.callback(hands.do))
        assert needed.task.text is None
        by_hands = {"session.create", "trios.authorization", "trios.submit_code"}
        ours = [e for e in sandbox.journal if e.route.startswith("/ormcodigital")]
        assert {e.operation for e in ours if e.wrote} <= {*by_hands, "profile.update"}
        # What the hands themselves did in the repair, and no more.
        assert [e.operation for e in ours if e.operation == "trios.submit_code"] == [
            "trios.submit_code"
        ]


def test_without_a_person_to_ask(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        with pytest.raises(errors.PersonNeeded, match=r"^Pass person="):
            onboarding.run()
        assert onboarding.progress.task.kind is TaskKind.GET_ADDRESS


# --- the code -------------------------------------------------------------------------------


def test_the_code_can_be_shown_again_where_it_is_and_nowhere_else(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        first = onboarding.advance()
        onboarding.finish_task(Address(Hands(sandbox).press_here()), id=first.task.id)
        text = shown(onboarding.advance())
        assert shown(onboarding.advance()) == text
        saved = onboarding.progress.to_json()
        forms = (text, text.replace("%21", "!"), text[:4] + text[7:], text[7:40])
        assert not [form for form in forms if form in saved]
        assert text[7:20] not in repr(onboarding.advance())
        document = json.dumps(onboarding.advance().task.to_dict())
        assert text[7:20] not in document
        assert json.loads(document)["id"] == first.task.id

        # Another process, with all that was remembered.
        other = to_the_portal(both, sandbox, progress=Progress.from_json(saved))
        needed = other.advance()
        assert needed.task.kind is TaskKind.GET_ADDRESS
        assert needed.task.text is None
        assert "gone from here" in needed.problem
        assert needed.task.id == first.task.id
        # It may have been entered before that process ended.
        assert Reply.DONE in needed.task.replies
        other.finish_task(Done(), id=first.task.id)
        assert other.advance().source is Source.PRACTICE

        # Nor is it kept here, once it was used.
        onboarding.finish_task(Done(), id=first.task.id)
        assert isinstance(onboarding.advance(), Connected)
        used = onboarding.progress.to_json()
        assert not [form for form in forms if form in used]


def test_a_task_with_a_code_is_not_pickled(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        needed = onboarding.advance()
        assert pickle.loads(pickle.dumps(needed)) == needed
        onboarding.finish_task(Hands(sandbox).press_here())
        needed = onboarding.advance()
        shown(needed)
        for task in (needed, needed.task):
            with pytest.raises(TypeError, match="shows a code"):
                pickle.dumps(task)
            with pytest.raises(TypeError, match="shows a code"):
                copy.deepcopy(task)


def test_what_is_no_answer_leaves_the_task(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        needed = onboarding.advance()
        for answer in (None, 5, b"?code=x", Address(None)):  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="a task is answered with"):
                onboarding.finish_task(answer, id=needed.task.id)
        with pytest.raises(TypeError, match="a task is answered with"):
            onboarding.run(person=both.callback(lambda needed: None))
        assert onboarding.advance().task.id == needed.task.id


def test_a_code_that_turns_out_to_be_another_accounts_is_not_shown_again(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox, account=sandbox.practice.email)
        onboarding.advance()
        address = Hands(sandbox).press_here()
        onboarding.finish_task(address)
        shown(onboarding.advance())
        with pytest.raises(errors.WrongAccount):
            onboarding.finish_task(Address(address, account_shown="ben@praxis.example"))
        needed = onboarding.advance()
        assert needed.task.kind is TaskKind.GET_ADDRESS
        with pytest.raises(errors.PasteError):
            onboarding.finish_task(Done(), id=needed.task.id)


def test_killed_between_any_two_tasks(both: Any) -> None:
    """A new process for each answer, with what the one before it remembered."""
    with Sandbox(approval=Approval.immediately()) as sandbox:
        hands = Hands(sandbox)
        store = MemoryTokenStore()
        progress = Progress()
        for answer in ("sign in", "address", "killed", "address again", "done"):
            onboarding = clients(
                both, sandbox, by_hand=True, store=store, progress=progress
            ).onboarding
            outcome = onboarding.advance()
            if isinstance(outcome, NeedsAuthorization):
                onboarding.finish_authorization(sandbox.authorize(outcome.url))
            elif answer in ("address", "address again"):
                onboarding.finish_task(hands.do(outcome))
                if answer == "address again":
                    onboarding.finish_task(hands.do(onboarding.advance()))
            elif answer == "killed":
                assert outcome.task.kind is TaskKind.GET_ADDRESS
            progress = Progress.from_json(onboarding.progress.to_json())
        assert isinstance(onboarding.advance(), Connected)
        assert hands.state() == "connected"
        assert len(hands.entered) == 1


def test_an_old_code_is_a_warning_and_no_refusal(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        hands = Hands(sandbox)
        onboarding.advance()
        onboarding.finish_task(Address(hands.press_here()))
        assert onboarding.advance().problem is None
        sandbox.clock.advance(181)
        needed = onboarding.advance()
        assert "too old" in needed.problem
        answer = hands.do(needed)
        assert answer == Failed("The code was not accepted.")
        onboarding.finish_task(answer)
        again = onboarding.advance()
        assert again.task.kind is TaskKind.GET_ADDRESS
        assert again.problem == "It did not work. The page said: The code was not accepted."
        onboarding.finish_task(hands.do(again))
        onboarding.finish_task(hands.do(onboarding.advance()))
        assert isinstance(onboarding.advance(), Connected)


def test_a_fresh_address_replaces_the_code(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        hands = Hands(sandbox)
        onboarding.advance()
        onboarding.finish_task(Address(hands.press_here()))
        old = shown(onboarding.advance())
        onboarding.finish_task(Address(hands.press_here()))
        new = shown(onboarding.advance())
        assert new != old
        hands.enter(new)
        onboarding.finish_task(Done())
        assert isinstance(onboarding.advance(), Connected)


def test_a_code_of_another_shape_is_shown_with_a_warning(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        onboarding.advance()
        with pytest.warns(UserWarning, match="does not look like"):
            onboarding.finish_task(Address("https://ormco.example/?code=0123456789ABCDEF-1"))
        needed = onboarding.advance()
        assert shown(needed) == "0123456789ABCDEF-1"
        assert "does not look like" in needed.problem


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paste", "error"),
    [
        ("", errors.NothingPasted),
        ("done", errors.PasteError),
        ("I pressed it", errors.NothingPasted),
        ("https://ormco.com/", errors.NothingPasted),
        ("https://ormco.com/?code=KY-s%2521IAAA", errors.CodeIncomplete),
        ("https://ormco.com/?error=access_denied", errors.ConsentDenied),
        (
            "https://auth.3shapecommunicate.com/oauth/authorise?client_id=x&response_type=code",
            errors.NotTheRedirect,
        ),
    ],
)
def test_a_paste_that_is_no_address_leaves_the_task(
    both: Any, paste: str, error: type[Exception]
) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        id = onboarding.advance().task.id
        with pytest.raises(error):
            onboarding.finish_task(Address(paste), id=id)
        assert onboarding.advance().task.id == id
        onboarding.finish_task(Address(Hands(sandbox).press_here()), id=id)
        assert shown(onboarding.advance())


def test_an_error_that_a_stranger_can_have_written_repeats_the_task(both: Any) -> None:
    """The portal's link has no state, so nothing shows whose the answer is."""
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = signed_in(both, sandbox, by_hand=True)
        hands = Hands(sandbox)
        problems: list[str | None] = []

        def person(needed: NeedsPerson) -> Any:
            if needed.task.kind is TaskKind.GET_ADDRESS:
                problems.append(needed.problem)
                if len(problems) == 1:
                    return Address("https://ormco.com/?error=access_denied")
                if len(problems) == 2:
                    return Address("https://ormco.com/?error=server_error")
            return hands.do(needed)

        practice.run(person=both.callback(person))
        assert hands.state() == "connected"
        assert [problem is not None for problem in problems] == [False, True, True]


def test_one_that_comes_again_and_again_is_believed(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = signed_in(both, sandbox, by_hand=True)

        def person(needed: NeedsPerson) -> Any:
            return Address("https://ormco.com/?error=access_denied")

        with pytest.raises(errors.ConsentDenied):
            practice.run(person=both.callback(person))


def test_the_address_of_the_wrong_step(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = clients(both, sandbox, by_hand=True)
        needed = practice.onboarding.advance()
        at_sign_in = sandbox.authorize(needed.url)
        # Ormco's address for our own sign-in: its state is missing, or another one.
        with pytest.raises(errors.PasteError):
            practice.onboarding.finish_authorization(Hands(sandbox).press_here())
        practice.onboarding.finish_authorization(at_sign_in)
        assert practice.onboarding.advance().task.kind is TaskKind.GET_ADDRESS
        # And the other way round, as it is and inside another program's link.
        for paste in (at_sign_in, f"<{at_sign_in}>"):
            with pytest.raises(errors.NotTheRedirect, match='link "here"'):
                practice.onboarding.finish_task(Address(paste))
        assert sandbox.journal.count("oauth.token") == 1


def test_the_same_address_twice(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        hands = Hands(sandbox)
        onboarding.advance()
        address = hands.press_here()
        onboarding.finish_task(Address(address))
        text = shown(onboarding.advance())
        onboarding.finish_task(Address(address))
        assert shown(onboarding.advance()) == text, "not used yet, so it is the same code"
        onboarding.finish_task(Failed("Oops"))
        needed = onboarding.advance()
        with pytest.raises(errors.CodeSpent, match="brought before"):
            onboarding.finish_task(Address(address), id=needed.task.id)
        # An address of yesterday, in another process.
        sandbox.clock.advance(86_400)
        saved = Progress.from_json(onboarding.progress.to_json())
        other = to_the_portal(both, sandbox, progress=saved)
        other.advance()
        with pytest.raises(errors.CodeSpent, match="bring the address"):
            other.finish_task(Address(address))
        other.finish_task(Address(hands.press_here()))
        assert shown(other.advance()) != text


def test_an_answer_of_the_wrong_kind(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        with pytest.raises(errors.TaskOver):
            onboarding.finish_task(Done())
        needed = onboarding.advance()
        with pytest.raises(errors.NothingPasted, match="ENTIRE address"):
            onboarding.finish_task(Done(), id=needed.task.id)
        with pytest.raises(errors.TaskOver):
            onboarding.finish_task(Failed("x"), id="another")
        onboarding.finish_task(Failed("x"), id=needed.task.id)
        assert onboarding.advance().problem == "It did not work. The page said: x"


def test_the_answer_to_an_older_task_is_not_used(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        hands = Hands(sandbox)
        first = onboarding.advance().task.id
        onboarding.finish_task(Address(hands.press_here()), id=first)
        onboarding.finish_task(Failed(), id=first)
        second = onboarding.advance().task.id
        assert second != first
        with pytest.raises(errors.TaskOver, match="Look again"):
            onboarding.finish_task(Done(), id=first)


def test_of_two_answers_at_once_one_is_used() -> None:
    from tests.conftest import SyncOrAsync

    with Sandbox() as sandbox:
        both = SyncOrAsync("sync")
        onboarding = to_the_portal(both, sandbox)
        id = onboarding.advance().task.id
        addresses = [Hands(sandbox).press_here() for _ in range(8)]
        start = threading.Barrier(len(addresses))
        won: list[int] = []
        lost: list[int] = []

        def answer(number: int) -> None:
            start.wait()
            try:
                onboarding.finish_task(Address(addresses[number]), id=id)
            except errors.TaskOver:
                lost.append(number)
            else:
                won.append(number)

        threads = [threading.Thread(target=answer, args=(n,)) for n in range(len(addresses))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # One after the other is fine as well: then the later one replaces the code.
        assert won
        assert len(won) + len(lost) == len(addresses)
        assert onboarding.progress.task.kind is TaskKind.ENTER_CODE
        assert shown(onboarding.advance())
        both.close()


def test_done_without_update_is_no_more_than_the_practices_word(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        hands = Hands(sandbox)
        onboarding.advance()
        onboarding.finish_task(Address(hands.press_here()))
        onboarding.advance()
        onboarding.finish_task(Done())
        connected = onboarding.advance()
        assert hands.state() == "not_connected"
        assert connected.source is Source.PRACTICE
        assert "the practice says" in connected.checklist.summary
        step = connected.checklist[StepName.CONSENT]
        assert step.state is StepState.DONE
        assert "proves neither the code nor Update" in step.evidence


def test_what_the_page_said_is_made_harmless(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        address = Hands(sandbox).press_here()
        onboarding.advance()
        onboarding.finish_task(Address(address))
        text = shown(onboarding.advance())
        onboarding.finish_task(Failed(f"\x1b[31mNo: {text} {address}\n<b>" + "x " * 500))
        saved, needed = onboarding.progress.to_json(), onboarding.advance()
        for told in (saved, needed.problem, str(needed.checklist), repr(needed)):
            assert text not in told
            assert "\x1b" not in told
        assert len(needed.problem) < 300
        assert text not in repr(Failed(text))
        assert text not in repr(Address(text))


def test_another_account_on_the_consent_page(both: Any) -> None:
    with Sandbox() as sandbox:
        (other,) = sandbox.practices(1)
        onboarding = to_the_portal(both, sandbox)
        onboarding.advance()
        theirs = Hands(sandbox, other).press_here()
        with pytest.raises(errors.WrongAccount, match="has now allowed Ormco access"):
            onboarding.finish_task(Address(theirs, account_shown=other.email))
        assert onboarding.advance().task.kind is TaskKind.GET_ADDRESS
        with pytest.raises(errors.PasteError, match="came from another account"):
            onboarding.finish_task(Address(theirs))
        onboarding.finish_task(Address(Hands(sandbox).press_here()))
        onboarding.advance()
        onboarding.finish_task(Done())
        connected = onboarding.advance()
        assert not connected.account_checked
        assert "account not checked" in connected.checklist[StepName.AUTHORIZATION].evidence


# --- looking --------------------------------------------------------------------------------


def test_before_its_turn_nothing_is_asked_of_a_person(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        onboarding = signed_in(both, sandbox, by_hand=True).onboarding
        waiting = onboarding.advance()
        assert isinstance(waiting, Waiting)
        for name in AT_THE_PORTAL:
            step = waiting.checklist[name]
            assert step.state is StepState.UNKNOWN
            assert "part follows" in step.evidence
        sandbox.approve()
        assert onboarding.check().state is OverallState.NEEDS_PERSON
        step = onboarding.check()[StepName.AUTHORIZATION]
        assert step.state is StepState.MISSING
        assert "nobody has said so" in step.evidence


def test_a_case_that_arrives_is_seen_and_says_no_more_than_it_proves(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        who, lab = sandbox.practice.email, sandbox.practice.lab_email
        sandbox.clock.advance(60)
        hands = Hands(sandbox)
        onboarding.advance()
        sandbox.world.add_case(who, patient=("Jane", "Roe"), sent_to=lab)
        sandbox.clock.advance(60)
        onboarding.run(person=both.callback(hands.do))
        sandbox.clock.advance(60)
        step = onboarding.check()[StepName.CASE_ARRIVED]
        assert step.state is StepState.MISSING, "that one is older than the link's answer"
        assert onboarding.check().state is OverallState.CONNECTED

        sandbox.world.add_case(who, patient=("Jane", "Roe"))
        assert onboarding.check()[StepName.CASE_ARRIVED].state is StepState.MISSING
        sandbox.world.add_case(who, patient=("Jane", "Roe"), sent_to=lab)
        checklist = onboarding.check()
        step = checklist[StepName.CASE_ARRIVED]
        assert checklist.steps[-1] is step
        assert (step.state, step.source) == (StepState.DONE, Source.COMMUNICATE)
        assert "does not prove that the portal holds a code" in step.evidence
        assert "a case has arrived" in checklist.summary
        assert checklist.source is Source.PRACTICE, "no witness makes it more"
        for told in (str(checklist), checklist.model_dump_json(), checklist._repr_html_()):
            assert "Roe" not in told


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404},
        {"status": 403},
        {"status": 500},
        {"status": 200, "body": "<html>"},
        {"network": "reset"},
    ],
)
@pytest.mark.parametrize("witness", ["applications.list", "cases.list"])
def test_a_witness_that_says_nothing_stops_nothing(
    both: Any, witness: str, fault: dict[str, Any]
) -> None:
    with Sandbox() as sandbox:
        onboarding = to_the_portal(both, sandbox)
        sandbox.fault(witness, times=None, **fault)
        connected = onboarding.run(person=both.callback(Hands(sandbox).do))
        assert connected.source is Source.PRACTICE
        checklist = onboarding.check()
        assert checklist.state is OverallState.CONNECTED
        name = StepName.CONSENT if witness == "applications.list" else StepName.CASE_ARRIVED
        assert checklist[name].state is StepState.UNKNOWN


# --- repair and disconnect ------------------------------------------------------------------


def connected(both: Any, sandbox: Sandbox) -> Any:
    onboarding = to_the_portal(both, sandbox)
    onboarding.run(person=both.callback(Hands(sandbox).do))
    return onboarding


def test_a_repair_by_hand_begins_with_the_code(both: Any) -> None:
    """The guide's first step; nobody can look whether it would be needed."""
    with Sandbox() as sandbox:
        onboarding = connected(both, sandbox)
        hands = Hands(sandbox)
        sandbox.journal.clear()
        repaired = onboarding.repair(person=both.callback(hands.do))
        assert hands.tasks == [TaskKind.GET_ADDRESS, TaskKind.ENTER_CODE]
        assert repaired.extent is Repair.WHAT_IS_BROKEN
        assert sandbox.journal.count("applications.remove") == 0
        assert onboarding.progress.repair is None


def test_a_repair_by_hand_from_a_web_page(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = connected(both, sandbox)
        hands = Hands(sandbox)
        needed = onboarding.advance(repair=Repair.AUTHORIZE_AGAIN)
        assert needed.task.kind is TaskKind.BEGIN_REPAIR
        assert sandbox.journal.count("applications.remove") == 0
        onboarding.finish_task(Done(), id=needed.task.id)
        needed = onboarding.advance()
        assert sandbox.journal.count("applications.remove") == 1
        assert needed.task.kind is TaskKind.GET_ADDRESS
        onboarding.finish_task(hands.do(needed), id=needed.task.id)
        needed = onboarding.advance()
        onboarding.finish_task(hands.do(needed), id=needed.task.id)
        outcome = onboarding.advance()
        assert outcome.repaired is not None
        assert outcome.repaired.extent is Repair.AUTHORIZE_AGAIN
        assert outcome.repaired.interruption is not None
        assert onboarding.advance().repaired is None
        assert sandbox.journal.count("applications.remove") == 1


@pytest.mark.parametrize("extent", [Repair.AUTHORIZE_AGAIN, Repair.CONNECT_AGAIN])
def test_a_repair_that_is_not_begun_takes_nothing_away(both: Any, extent: Repair) -> None:
    with Sandbox() as sandbox:
        onboarding = connected(both, sandbox)
        onboarding.advance(repair=extent)
        onboarding.finish_task(Failed("not today"))
        assert isinstance(onboarding.advance(), Connected)
        with pytest.raises(errors.PersonNeeded):
            onboarding.repair(extent=extent)
        assert sandbox.journal.count("applications.remove") == 0
        assert sandbox.journal.count("connections.remove") == 0


def test_where_the_applications_page_is_all_there_is(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = connected(both, sandbox)
        sandbox.fault("applications.list", status=404, times=None)
        hands = Hands(sandbox)
        repaired = onboarding.repair(extent=Repair.AUTHORIZE_AGAIN, person=both.callback(hands.do))
        assert repaired.extent is Repair.AUTHORIZE_AGAIN
        assert hands.tasks == [
            TaskKind.REMOVE_ACCESS,
            TaskKind.GET_ADDRESS,
            TaskKind.ENTER_CODE,
        ]


def test_disconnecting_by_hand(both: Any) -> None:
    with Sandbox() as sandbox:
        onboarding = connected(both, sandbox)
        done = onboarding.disconnect()
        assert not done.complete
        assert [p.state.value for p in done.places] == ["removed", "needs a person", "removed"]
        task = done.places[1].task
        assert task.kind is TaskKind.DISCONNECT
        assert "My Account > My Profile" in str(done)
        assert onboarding.check()[StepName.AUTHORIZATION].state is not StepState.DONE

        hands = Hands(sandbox)
        done = onboarding.disconnect(person=both.callback(hands.do))
        assert done.complete
        assert [p.state.value for p in done.places][1] == "removed, the practice says"
        assert hands.state() == "not_connected"


def test_progress_of_an_earlier_version_is_read() -> None:
    old = '{"waiting_since": "2026-01-01T00:00:00+00:00", "purpose": null, "request": null}'
    progress = Progress.from_json(old)
    assert progress.task is None
    assert Progress.from_json(progress.to_json()) == progress


@pytest.mark.parametrize(
    "change",
    [
        {"account": {"id": 5}},
        {"account": {"id": ""}},
        {"account": {"id": "A", "email": 5}},
        {"account": {"id": "A", "expected": ["a@praxis.example"]}},
        {"linked_at": "2026-01-01T00:00:00"},
        {"linked_at": "9999-12-31T23:59:59-10:00"},
        {"waiting_since": "2026-01-01T00:00:00"},
        {"waiting_since": "0001-01-01T00:00:00+10:00"},
        {"portal": {"differs": "https://portal.example"}},
    ],
)
def test_a_damaged_progress_is_refused_when_it_is_read(change: dict[str, Any]) -> None:
    saved = json.loads(Progress().to_json()) | change
    with pytest.raises(errors.ConfigurationError, match="not a saved progress"):
        Progress.from_json(json.dumps(saved))


@pytest.mark.parametrize(
    "later",
    [
        {"account": {"id": "A", "confirmed": "perhaps", "more": 1}},
        {"task": {"kind": "sing", "id": "1"}},
        {"repair": {"extent": "everything twice"}},
        {"purpose": "another", "request": "{}"},
        {"purpose": "ormco", "request": "{}"},
        {"portal": {"connection": {"source": "heard", "at": "2026-01-01T00:00:00Z", "value": "x"}}},
        {
            "portal": {
                "signed_in": {
                    "source": "the practice says",
                    "at": "9999-12-31T23:59:59-10:00",
                    "value": True,
                }
            }
        },
        {"more": 1},
    ],
)
def test_progress_of_a_later_version_keeps_the_account(later: dict[str, Any]) -> None:
    known = Progress(account=PinnedAccount("A", "anna@praxis.example"), refused=("x",))
    saved = json.loads(known.to_json()) | later
    read = Progress.from_json(json.dumps(saved))
    assert read.account is not None
    assert (read.account.id, read.account.confirmed, read.refused) == ("A", False, ("x",))
    assert (read.pending, read.task, read.repair) == (None, None, None)
    assert (read.portal.connection, read.portal.signed_in) == (None, None)
