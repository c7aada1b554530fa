"""Breaks the library's promises one by one, and looks whether a test notices.

Each *break* is a change to one file, made in a temporary copy of the tree, and the tests that are
there to fail then.  A break that they let pass is a promise that nobody holds.

``python tools/break_promises.py`` tries them all, prints a table, and fails if one of them passed
or does not fit the file any more; ``-k WORD`` tries those with the word in their name.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("src", "tests", "tools", "pyproject.toml")


@dataclass(frozen=True)
class Break:
    """A promise, how it is broken, and who has to notice.

    Attributes:
        file: Below ``src/ormco_trios``, unless it is at the root of the project.
        old: Is in it exactly once.
        tests: Below ``tests``; at least one has to fail.
    """

    name: str
    promise: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The file, below the root of the project."""
        inside = Path("src", "ormco_trios", self.file)
        return inside if (ROOT / inside).exists() else Path(self.file)

    def apply(self, root: Path) -> None:
        """Break it in a copy of the project.

        Raises:
            LookupError: The text to replace is not there, or more than once.
        """
        place = root / self.path
        text = place.read_text("utf-8")
        if text.count(self.old) != 1:
            raise LookupError(f"{self.path} has this {text.count(self.old)} times: {self.old!r}")
        place.write_text(text.replace(self.old, self.new), "utf-8")


SENTINELS = "trust/test_sentinels.py::test_nothing_comes_to_light"
BY_HAND = "onboarding/test_by_hand.py"

BREAKS = (
    # No secret and no patient comes to light.
    Break(
        "a model prints everything",
        "no person is in a repr",
        "core/model.py",
        "if name in self.printed:",
        "if name:",
        ("communicate/test_client.py::test_a_user_prints_no_person", SENTINELS),
    ),
    Break(
        "an error quotes the answer",
        "no message has a body in it",
        "core/answers.py",
        'status {answer.status}"',
        'status {answer.status} {answer.body!r}"',
        (SENTINELS,),
    ),
    Break(
        "the log has the address of a retry",
        "the log has the route's template alone",
        "core/channel.py",
        "                operation.route,\n                pause,",
        "                request.url,\n                pause,",
        (SENTINELS,),
    ),
    Break(
        "the log has the path that was sent",
        "the log has the route's template alone",
        "core/channel.py",
        "route=call.operation.route,",
        "route=call.operation.route.format_map(call.path),",
        ("trust/test_events.py::test_identifiers_only_for_who_asks", SENTINELS),
    ),
    Break(
        "httpx's log line comes through",
        "the log has the route's template alone",
        "core/log.py",
        "return not in_our_call.get()",
        "return True",
        ("trust/test_sentinels.py::test_over_real_sockets",),
    ),
    Break(
        "frames keep their variables",
        "a traceback's local variables hold no secret",
        "core/shield.py",
        "                frame.clear()",
        "                pass",
        (SENTINELS,),
    ),
    # Events.
    Break(
        "a hook that raises passes through",
        "a hook that fails breaks no call",
        "core/events.py",
        "except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on",
        "except ImportError as error:",
        ("trust/test_events.py::test_a_hook_that_raises_breaks_nothing",),
    ),
    Break(
        "an audit event prints identifiers",
        "identifiers are only for who asks",
        "core/events.py",
        "identifiers: Mapping[str, str] = field(repr=False)",
        "identifiers: Mapping[str, str] = field()",
        ("trust/test_events.py::test_identifiers_only_for_who_asks",),
    ),
    # Hosts.
    Break(
        "a trusted name may be anywhere",
        "a token goes to the environment's hosts alone",
        "core/environment.py",
        'host.endswith(rule) if rule.startswith(".") else host == rule',
        'rule.strip(".") in host',
        (
            "core/test_environment.py::test_untrusted",
            "trust/test_hosts.py::test_a_hostile_region_gets_nothing",
        ),
    ),
    Break(
        "http to an address out of an answer",
        "a token goes over https",
        "core/environment.py",
        'if scheme == "https" and port == 443 and suffix:',
        "if port in (80, 443) and suffix:",
        ("core/test_environment.py::test_untrusted",),
    ),
    Break(
        "http to a configured address",
        "a token goes over https",
        "core/environment.py",
        'if scheme != "https" or not host',
        "if not host",
        ("core/test_environment.py::test_only_https_or_this_machine",),
    ),
    Break(
        "redirects are followed, sync",
        "redirects are not followed",
        "core/_http/transport.py",
        "response = self._client.send(\n"
        "            outgoing(request), stream=True, auth=None, follow_redirects=False",
        "response = self._client.send(\n"
        "            outgoing(request), stream=True, auth=None, follow_redirects=True",
        ("trust/test_hosts.py::test_no_redirect_is_followed",),
    ),
    Break(
        "redirects are followed, async",
        "redirects are not followed",
        "core/_http/transport.py",
        "response = await self._client.send(\n"
        "            outgoing(request), stream=True, auth=None, follow_redirects=False",
        "response = await self._client.send(\n"
        "            outgoing(request), stream=True, auth=None, follow_redirects=True",
        ("trust/test_hosts.py::test_no_redirect_is_followed",),
    ),
    Break(
        "certificates are not verified",
        "certificates are verified",
        "core/_http/connection.py",
        "httpx.create_ssl_context()",
        "httpx.create_ssl_context(verify=False)",
        ("trust/test_tls.py::test_an_unknown_authority_is_refused",),
    ),
    Break(
        "a sandbox's token goes to a live host",
        "the sandbox's tokens stay on this machine",
        "core/auth.py",
        "if not environment.is_local and token",
        "if not environment.name and token",
        ("core/test_channel.py::test_a_sandbox_token_never_leaves_the_machine",),
    ),
    # Hostile answers.
    Break(
        "an answer may have any size",
        "an answer takes bounded memory",
        "core/_http/body.py",
        "if self._size > self._limit:",
        "if self._size < 0:",
        ("trust/test_hostile.py::test_too_large",),
    ),
    Break(
        "a packed answer is unpacked whole",
        "an answer takes bounded memory",
        "core/_http/body.py",
        "unpack.decompress(piece, most)",
        "unpack.decompress(piece)",
        ("trust/test_hostile.py::test_too_large",),
    ),
    Break(
        "a body may come for ever",
        "an answer takes bounded time",
        "core/_http/body.py",
        "if _now() > self._deadline:",
        "if _now() < 0:",
        ("trust/test_hostile.py::test_a_slow_body_ends_at_the_total_over_an_injected_client",),
    ),
    Break(
        "headers may come for ever, sync",
        "an answer takes bounded time",
        "core/_http/connection.py",
        "= pool._network_backend = PunctualBackend(pool._network_backend)",
        "= pool._network_backend",
        ("trust/test_hostile.py::test_headers_end_at_the_total",),
    ),
    Break(
        "headers may come for ever, async",
        "an answer takes bounded time",
        "core/_http/transport.py",
        "async with self._asyncio.timeout(request.timeout.total):",
        "async with self._asyncio.timeout(None):",
        ("trust/test_hostile.py::test_headers_end_at_the_total",),
    ),
    Break(
        "what follows a compressed body is read and not counted",
        "an answer takes bounded time",
        "core/_http/body.py",
        "            if not unpack.unused_data:",
        "            if piece:",
        ("trust/test_hostile.py::test_no_whole_answer",),
    ),
    Break(
        "a moment far away is waited for",
        "a delay has a limit",
        "core/answers.py",
        "return min(max(0.0, (moment - reference).total_seconds()), _LONGEST_DELAY)",
        "return max(0.0, (moment - reference).total_seconds())",
        ("trust/test_hostile.py::test_a_moment_far_away_is_as_far_as_the_longest_delay",),
    ),
    Break(
        "an error without the state is believed",
        "nobody else ends an authorization",
        "oauth/paste.py",
        "return _foreign_error() if wrong_issuer is not None else wrong_state or refusal",
        "return refusal",
        ("oauth/test_paste.py::test_an_error_without_the_state_is_not_believed",),
    ),
    Break(
        "the redirect listener keeps whatever comes",
        "nobody else ends an authorization",
        "oauth/_listener.py",
        "        return any(same) or not self._states",
        "        return any(same) or bool(parameters)",
        ("oauth/test_receiver.py::test_foreign_hits_do_not_push_the_true_answer_out",),
    ),
    Break(
        "a token of another kind is used",
        "a token is used as what it is",
        "oauth/operations.py",
        'if not isinstance(kind, str) or kind.strip().casefold() != "bearer":',
        "if kind is None:",
        ("oauth/test_client.py::test_a_token_of_another_kind_is_not_used",),
    ),
    # Nothing doubled, nothing lost.
    Break(
        "an odd lifetime wastes the token",
        "no token is lost",
        "oauth/operations.py",
        "    except (TypeError, ValueError, OverflowError):\n        return _DUE_SOON",
        "    except (TypeError, ValueError, OverflowError):\n        raise",
        ("oauth/test_client.py::test_an_odd_lifetime_wastes_no_token",),
    ),
    Break(
        "what a killed save has left stays",
        "a token that was deleted is gone",
        "oauth/stores.py",
        "        path.unlink(missing_ok=True)\n        remove_leftovers(path)",
        "        path.unlink(missing_ok=True)",
        ("oauth/test_stores.py::test_what_a_killed_save_has_left_is_swept",),
    ),
    Break(
        "a keyring's own failure hangs on ours",
        "a traceback's local variables hold no secret",
        "oauth/stores.py",
        "            failure = ConfigurationError(\n"
        '                f"The keyring failed ({type(error).__name__}).",',
        "            raise ConfigurationError(\n"
        '                f"The keyring failed ({type(error).__name__}).",',
        ("oauth/test_stores.py::test_a_keyring_that_fails_keeps_nothing",),
    ),
    Break(
        "another owner's token is used",
        "nobody goes on with another's sign-in",
        "oauth/application.py",
        "ours = token is not None and token.owner in (None, self.owner)",
        "ours = token is not None",
        ("oauth/test_client.py::test_a_token_is_its_owners",),
    ),
    Break(
        "a connection is requested without a look",
        "one connection request",
        "communicate/flows.py",
        "        return present\n    doubt: ",
        "        pass\n    doubt: ",
        ("communicate/test_client.py::test_a_request_is_made_once",),
    ),
    Break(
        "a write is repeated whatever became of it",
        "one connection request",
        "core/retry.py",
        "return safety in _REPEATABLE and not isinstance(failure, AnswerTooLarge)",
        "return not isinstance(failure, AnswerTooLarge)",
        ("core/test_channel.py::test_the_table_of_what_is_repeated",),
    ),
    Break(
        "a code is not marked as used",
        "no code is used twice",
        "oauth/code.py",
        "self._spent_for = purpose",
        "self._spent_for = None",
        ("oauth/test_code.py::test_a_second_use_names_the_first",),
    ),
    Break(
        "the process that has the lock refreshes",
        "one refresh, however many need it",
        "oauth/application.py",
        "            if self._serves(old, rejected):",
        "            if old is None:",
        ("trust/test_concurrency.py::test_who_gets_the_lock_looks_at_the_store_again",),
    ),
    Break(
        "nobody waits for a lock",
        "one refresh, however many need it",
        "oauth/application.py",
        "        if not (yield from Local(self.store.try_lock, (self.account,))):",
        "        if not ((yield from Local(self.store.try_lock, (self.account,))) or stored):",
        ("oauth/test_single_flight.py::test_ten_threads",),
    ),
    Break(
        "a token that could not be saved is forgotten",
        "no token is lost",
        "oauth/application.py",
        "self._unsaved = None if instead_of is None else (instead_of, token)",
        "self._unsaved = None",
        ("oauth/test_client.py",),
    ),
    Break(
        "a refreshed token is used and not saved",
        "no token is lost",
        "oauth/application.py",
        "        try:\n            yield from Local(self.store.save, (self.account, token))",
        "        try:\n            if instead_of is None:\n"
        "                yield from Local(self.store.save, (self.account, token))",
        ("oauth/test_uninterrupted.py::test_ctrl_c_waits_until_the_token_is_saved",),
    ),
    Break(
        "others can read the token file",
        "a token file is its owner's alone",
        "core/files.py",
        '        self._file = FileIO(handle, "wb")',
        '        self._file = FileIO(os.fchmod(handle, 0o644) or handle, "wb")',
        ("oauth/test_stores.py::test_its_owner_alone_can_read_it",),
    ),
    Break(
        "an account that is no lab is taken for one",
        "scans flow to Ormco's lab alone",
        "communicate/flows.py",
        "    if found.shows_roles and not found.is_lab:",
        "    if not found.id:",
        ("communicate/test_client.py::test_a_lab_without_the_role_is_not_found",),
    ),
    Break(
        "a connection with any account is requested",
        "scans flow to Ormco's lab alone",
        "communicate/flows.py",
        "    if not is_known_lab(lab):",
        "    if not lab.id:",
        ("communicate/test_client.py::test_nothing_is_requested_from_a_clinic",),
    ),
    Break(
        "another account's sign-in is used",
        "nothing is done with another account than the one that is meant",
        "onboarding/account.py",
        "    elif expected is None or same(expected, me.shown_email):",
        "    elif me.id:",
        ("onboarding/test_account.py::test_another_account_is_found_out_before_anything_is_done",),
    ),
    Break(
        "another account's code is handed over",
        "nothing is done with another account than the one that is meant",
        "onboarding/account.py",
        "    if meant is not None and not same(shown, meant):",
        "    if meant is not None and not shown:",
        ("onboarding/test_account.py::test_another_accounts_code_is_not_handed_over",),
    ),
    Break(
        "a server is asked for cases because an answer names it",
        "a token stays inside the environment",
        "communicate/home.py",
        "    if (base := _named(home, address)) is not None:",
        '    if (base := address and f"https://{address}"):',
        ("communicate/test_home.py::test_no_other_server_gets_a_token",),
    ),
    # The portal.
    Break(
        "the portal's password goes to whatever is there",
        "a password goes only to the API",
        "ormcodigital/session.py",
        "        if not self._known:",
        "        if self._token:",
        (
            "onboarding/test_portal_trouble.py::test_the_communicate_half_does_not_notice",
            "trust/test_portal_sockets.py",
        ),
    ),
    Break(
        "the portal's password goes where it was not taken",
        "a password goes only to the API",
        "ormcodigital/session.py",
        "        if self._refused is not None:",
        "        if self._token:",
        ("onboarding/test_portal_trouble.py::test_the_password_goes_once_where_it_is_not_taken",),
    ),
    Break(
        "it is forgotten that an address is no API",
        "a password goes only to the API",
        "ormcodigital/api.py",
        "        if isinstance(error, PortalDiffers) and error.operation == SIGN_IN.name:",
        "        if error is None:",
        ("onboarding/test_portal_trouble.py::test_the_password_goes_once_where_it_is_not_taken",),
    ),
    Break(
        "what tells codes apart is the code",
        "the portal's code is nowhere but in its process",
        "onboarding/account.py",
        'return hashlib.sha256(code.reveal("canonical").encode()).hexdigest()',
        'return code.reveal("canonical")',
        (f"{BY_HAND}::test_the_code_can_be_shown_again_where_it_is_and_nowhere_else",),
    ),
    Break(
        "a task takes its code along",
        "the portal's code is nowhere but in its process",
        "ormcodigital/tasks.py",
        "        if self.text is not None:\n            raise TypeError",
        "        if self.text is None and not self.id:\n            raise TypeError",
        (f"{BY_HAND}::test_a_task_with_a_code_is_not_pickled",),
    ),
    # Threads, tasks, processes.
    Break(
        "a client can be pickled",
        "no secret leaves in a pickle",
        "core/shield.py",
        "def __reduce_ex__(",
        "def _reduce_ex(",
        ("trust/test_concurrency.py::test_a_client_says_why_it_is_not_pickled",),
    ),
    Break(
        "a cancelled call keeps its place",
        "cancelling leaks nothing",
        "core/_http/pool.py",
        "            if stream is None:\n                await self._give_back(free, transport)",
        "            if stream is None and sys.exception() is None:\n"
        "                await self._give_back(free, transport)",
        ("trust/test_concurrency.py::test_a_cancelled_request_gives_its_connection_back",),
    ),
    Break(
        "a connection whose call was cancelled is used again",
        "cancelling breaks nothing",
        "core/_http/transport.py",
        "            if not whole:\n                await self._drop(key, connection)",
        "            pass",
        ("trust/test_cancellation.py::test_plain",),
    ),
    Break(
        "a socket that was being connected is left to nobody",
        "cancelling leaks nothing",
        "core/_http/connection.py",
        "        if self._backend is not None:\n            await self._backend.aclose()",
        "",
        ("trust/test_cancellation.py::test_over_tls",),
    ),
    Break(
        "a forked process uses its parent's connections, sync",
        "no process gets another's answers",
        "core/_http/pool.py",
        "        if self._process != os.getpid():\n            self._begin()",
        "",
        ("trust/test_processes.py::test_children_and_parent_each_get_their_own_answers",),
    ),
    Break(
        "a forked process uses its parent's connections, async",
        "no process gets another's answers",
        "core/_http/pool.py",
        "        if self._process != os.getpid():\n"
        "            self._process, self._pools = os.getpid(), {}",
        "",
        ("trust/test_processes.py::test_children_of_an_asynchronous_parent",),
    ),
    Break(
        "an event loop uses another one's connections",
        "a client may be used in several event loops",
        "core/_http/pool.py",
        "            pool = self._pools[loop] = AsyncHttpxPool()",
        "            pool = self._pools[loop] = next(iter(self._pools.values()), AsyncHttpxPool())",
        ("trust/test_processes.py::test_several_loops_at_once",),
    ),
    Break(
        "an answer about something else is believed",
        "no answer about something else is believed",
        "communicate/flows.py",
        "    if plain_id(found) != plain_id(asked):",
        "    if not plain_id(found):",
        ("communicate/test_ids.py",),
    ),
    Break(
        "a refresh is cut off with its caller",
        "no grant is lost by a cancel",
        "oauth/application.py",
        "yield from Uninterrupted(self._renew_unless_locked(rejected, held))",
        "yield from self._renew_unless_locked(rejected, held)",
        ("oauth/test_uninterrupted.py",),
    ),
    Break(
        "closing does not wait for a refresh",
        "no grant is lost by a cancel",
        "core/async_base_client.py",
        "            await finished_async(self.channel.unfinished, "
        "self.channel.options.timeout.total)",
        "            pass",
        ("oauth/test_uninterrupted.py::test_closing_waits_and_then_closes",),
    ),
    Break(
        "Ctrl-C cuts a refresh off",
        "no grant is lost by Ctrl-C",
        "core/_uninterrupted.py",
        "    signal.signal(signal.SIGINT, hold)",
        "    hold",
        ("oauth/test_uninterrupted.py::test_ctrl_c_waits_until_the_token_is_saved",),
    ),
    Break(
        "closing ends with who waits for it",
        "cancelling leaks nothing, and no grant is lost by a cancel",
        "core/_acompat.py",
        "return await asyncio.shield(kept(asyncio.create_task(function())))",
        "return await function()",
        (
            "trust/test_cancellation.py::test_cancelled_again_and_again",
            "trust/test_cancellation.py::test_closing_that_is_cancelled_closes",
        ),
    ),
    Break(
        "a refresh ends with who closes the client",
        "no grant is lost by a cancel",
        "core/async_base_client.py",
        "await call_apart_async(self._close)",
        "await self._close()",
        ("oauth/test_uninterrupted.py::test_a_cancelled_task_group_of_anyio_loses_no_grant",),
    ),
    Break(
        "a child waits for a thread that it does not have",
        "a process that is forked has connections of its own",
        "core/_http/pool.py",
        "    os.register_at_fork(after_in_child=_begin_unlocked)",
        "    pass",
        ("trust/test_processes.py::test_a_child_does_not_wait_for_a_client_that_was_being_made",),
    ),
    Break(
        "two threads forget the same loop",
        "a client may be used in several event loops",
        "core/_http/pool.py",
        "for each in list(self._pools) if each.is_closed()",
        "for each in self._pools if each.is_closed()",
        ("trust/test_processes.py::test_another_thread_forgets_ended_loops_at_the_same_time",),
    ),
    Break(
        "a client that is dropped unclosed says nothing",
        "a client that is dropped says so once",
        "core/_http/pool.py",
        "    if not sys.is_finalizing():",
        "    if pool is None:",
        ("core/test_connections.py::test_a_client_that_is_given_up_says_so_once",),
    ),
    Break(
        "aiohttp's own errors come through",
        "a broken answer is a clear error, and quotes nothing",
        "core/_http/messages.py",
        "return (httpx.RequestError, httpx.InvalidURL, *own)",
        "return (httpx.RequestError, httpx.InvalidURL, *own[:0])",
        ("trust/test_hostile.py::test_no_whole_answer_with_aiohttp",),
    ),
    Break(
        "a moment that no computer can hold ends the call",
        "a broken answer is a clear error",
        "core/answers.py",
        "except (KeyError, ValueError, TypeError, OverflowError):",
        "except (KeyError, ValueError, TypeError):",
        ("trust/test_hostile.py::test_a_moment_that_no_computer_can_hold_is_none",),
    ),
    Break(
        "an error holds the text that could not be sent",
        "no message, no error and no frame holds a secret",
        "core/operation.py",
        "    except UnicodeEncodeError:",
        "    except LookupError:",
        ("trust/test_sentinels.py::test_a_text_that_cannot_be_sent_is_not_shown",),
    ),
    Break(
        "another user's token file is read",
        "a folder in which others can replace a token is refused",
        "core/files.py",
        "        if not is_ours(about):",
        "        if about is None:",
        ("oauth/test_stores.py::test_what_another_user_owns_is_not_used",),
    ),
    Break(
        "a pipe is taken for a token file",
        "a damaged token file is one clear error",
        "core/files.py",
        "        if not stat.S_ISREG(about.st_mode):",
        "        if about is None:",
        ("oauth/test_stores.py::test_what_has_no_end_is_not_read",),
    ),
    Break(
        "a damaged entry of a keyring stays for ever",
        "a token that was deleted is gone",
        "oauth/stores.py",
        "        with contextlib.suppress(ConfigurationError):\n            return self._names",
        "        with contextlib.suppress(LookupError):\n            return self._names",
        ("oauth/test_stores.py::test_a_damaged_entry_can_be_replaced_and_deleted",),
    ),
    Break(
        "a 429 is planned after the deed",
        "a 429 proves that a request was not carried out",
        "sandbox/world/faults.py",
        'if self.status == 429 and self.when == "after":',
        'if self.status == 428 and self.when == "after":',
        ("sandbox/test_faults.py::test_nonsense_is_refused",),
    ),
    Break(
        "a request that was answered with 429 is not repeated",
        "a 429 proves that a request was not carried out",
        "core/retry.py",
        "            return (failure.retry_after or 0.0) <= self.retry_after_cap\n"
        "        if isinstance(failure, OutcomeUnknown):",
        "            return safety in _REPEATABLE\n        if isinstance(failure, OutcomeUnknown):",
        ("core/test_channel.py::test_the_table_of_what_is_repeated",),
    ),
    Break(
        "an issuer with a slash at its end is another one",
        "an issuer may end in a slash",
        "oauth/paste.py",
        'return one.rstrip("/") == other.rstrip("/")',
        "return one == other",
        ("oauth/test_discovery.py::test_an_issuer_may_end_in_a_slash",),
    ),
    # The sandbox.
    Break(
        "a form needs no token",
        "no foreign page can use the sandbox's forms",
        "sandbox/pages/sessions.py",
        "if session is None or not hmac.compare_digest(sent.encode(), session.csrf.encode()):",
        "if session is None:",
        ("sandbox/test_sign_in.py::test_forms_need_their_own_session",),
    ),
    Break(
        "any name may lead to the sandbox's server",
        "no foreign page can reach the sandbox's server",
        "sandbox/serve/asgi.py",
        "if self._hosts is not None and host.lower() not in self._hosts:",
        "if self._hosts is not None and not host:",
        ("sandbox/test_adapters.py::test_the_host_header_is_checked",),
    ),
    # Supply.
    Break(
        "an import asks for a name",
        "importing reaches no network",
        "core/log.py",
        "import logging\n",
        "import logging\nimport socket\n\nsocket.getaddrinfo('localhost', 443)\n",
        ("trust/test_supply.py::test_importing_reaches_no_network",),
    ),
    Break(
        "a dependency has no upper bound",
        "dependencies work at both bounds",
        "pyproject.toml",
        '"tenacity>=6.1,<10"',
        '"tenacity>=6.1"',
        ("trust/test_supply.py::test_every_dependency_has_both_bounds",),
    ),
    # A fleet.
    Break(
        "nothing is compared before a request",
        "a worker that was taken for dead sends nothing",
        "fleet/_fencing.py",
        'if request.method not in {"GET", "HEAD"}:',
        'if request.method == "NONE":',
        ("fleet/test_queue.py::test_a_worker_that_was_taken_for_dead_sends_nothing",),
    ),
    Break(
        "any claim will do",
        "a worker that was taken for dead sends nothing",
        "fleet/postgres.py",
        "if await self._claims(practice) != number:",
        "if await self._claims(practice) is None:",
        ("fleet/test_postgres.py::test_a_worker_taken_for_dead_sends_and_writes_nothing",),
    ),
    Break(
        "a late writer replaces what the other found",
        "a worker that was taken for dead writes nothing",
        "fleet/postgres.py",
        " and its.version = made.version and its.claim = made.claim\n",
        "\n",
        ("fleet/test_postgres.py",),
    ),
    Break(
        "a refresh goes on without its lock",
        "a lock that was taken over allows nothing",
        "oauth/application.py",
        "if still_locked is not None:",
        "if still_locked is None:",
        ("fleet/test_postgres.py::test_a_refresh_asks_for_its_lock_directly_before_it_is_sent",),
    ),
    Break(
        "keys that open nothing are good enough",
        "a process without the key does nothing",
        "fleet/postgres.py",
        'if not self.encryption.opens("canary", sealed.encode()):',
        'if sealed == "":',
        ("fleet/test_postgres.py::test_a_process_without_the_key_says_so_at_once",),
    ),
    Break(
        "one unreadable row hides the others",
        "a row that no key opens hides no other",
        "fleet/postgres.py",
        "with contextlib.suppress(ConfigurationError):\n                stored =",
        "with contextlib.suppress(LookupError):\n                stored =",
        ("fleet/test_postgres.py::test_a_row_that_cannot_be_opened_hides_no_other",),
    ),
    Break(
        "fencing numbers begin again",
        "no number comes twice, also of what was forgotten",
        "fleet/postgres.py",
        "set claim = greatest(claim + 1, {_NEVER_BEFORE}),",
        "set claim = claim + 1,",
        ("fleet/test_postgres.py::test_no_number_comes_twice",),
    ),
    Break(
        "a token is saved in one attempt",
        "a session that ends costs no sign-in",
        "fleet/postgres.py",
        "if _MACHINE.monotonic() + pause > over:",
        "if over:",
        ("fleet/test_postgres.py::test_a_database_that_ends_its_sessions",),
    ),
    Break(
        "a late refresh writes over what came meanwhile",
        "what comes too late is not kept",
        "fleet/postgres.py",
        "where its.sealed in (%s, %s)",
        "where its.sealed in (%s, %s) or true",
        ("fleet/test_postgres.py::test_what_a_refresh_brings_too_late_is_not_kept",),
    ),
    Break(
        "a forked process uses the other's database sessions",
        "a process that is forked has connections of its own",
        "fleet/postgres.py",
        "if self._process != os.getpid():",
        "if self._process == 0:",
        ("fleet/test_postgres.py::test_a_process_that_was_forked_opens_its_own",),
    ),
    Break(
        "only the first key has a canary",
        "a process without the key does nothing",
        "fleet/postgres.py",
        "        await self.check_keys()\n        await self.seal_canary()\n",
        "        await self.check_keys()\n",
        ("fleet/test_postgres.py::test_a_machine_that_the_new_key_was_not_appended_on",),
    ),
    Break(
        "each of a group has the same turn",
        "one rate for all workers",
        "fleet/postgres.py",
        "return [first + number * seconds for number in range(len(moments))]",
        "return [first for _ in moments]",
        ("fleet/test_postgres.py::test_turns_that_are_asked_for_together_are_as_far_apart",),
    ),
    Break(
        "a forgotten record stays in the file",
        "nothing is left of a practice that was forgotten",
        "fleet/records.py",
        '"pragma secure_delete = on"',
        '"pragma secure_delete = off"',
        ("fleet/test_forget.py::test_nothing_of_it_is_left_in_the_file",),
    ),
    Break(
        "an authorization makes the run read everything",
        "what an authorization costs does not grow with the fleet",
        "fleet/schedule.py",
        "for status in self._records.announced():",
        "for status in [*self._records.announced(), *self._records]:",
        ("fleet/test_schedule.py::test_one_authorization_is_no_more_work_in_a_large_fleet",),
    ),
    Break(
        "a run races through years",
        "a run sleeps until somebody acts or something is due",
        "fleet/_workers.py",
        "                        _MACHINE.sleep(_PATIENCE)",
        "                        pass",
        ("fleet/test_fleet.py::test_a_clock_that_does_not_wait_gives_people_time",),
    ),
    Break(
        "a run for people goes on without them",
        "a run ends when only people can act, if it is asked to",
        "fleet/schedule.py",
        "        if self._until_people:",
        "        if self._taken:",
        ("fleet/test_fleet.py::test_it_ends_when_only_people_can_act",),
    ),
    Break(
        "the code of the second task is kept",
        "a code is in the process that holds it and nowhere else",
        "fleet/async_round.py",
        "outcome = await onboarding.advance()\n        return",
        "outcome = await onboarding.advance()\n"
        "        status.progress.refused = (outcome.task.text.get_secret_value(),)\n        return",
        ("fleet/test_by_hand.py::test_two_tasks_and_no_password",),
    ),
)


def run_tests(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests in a copy of the project; pytest's exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-m", "", "-p", "no:cacheprovider"]
        + [f"tests/{test}" for test in tests],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def copy(to: Path) -> Path:
    """A copy of the project, as far as the tests need it."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to.mkdir(exist_ok=True)
            shutil.copy2(source, to)
    return to


def outcome(each: Break | None, tests: Sequence[str]) -> str:
    """An empty text if all is as it should be: tests fail with the break, and pass without."""
    with tempfile.TemporaryDirectory() as folder:
        root = copy(Path(folder, "copy"))
        if each is not None:
            try:
                each.apply(root)
            except LookupError as error:
                return f"DOES NOT FIT: {error}"
        code, printed = run_tests(root, tests)
    if each is None:
        return "" if code == 0 else printed
    # Only 1 says that tests ran and failed; with a syntax error, none runs.
    return {0: "SURVIVED", 1: ""}.get(code, f"NO TEST RAN: {printed[-800:]}")


def main() -> int:
    """Try them, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", dest="word", default="")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    chosen = [each for each in BREAKS if options.word in each.name]
    named = sorted({test for each in chosen for test in each.tests})
    with ThreadPoolExecutor(options.jobs) as threads:
        without = threads.submit(outcome, None, named)
        problems = threads.map(lambda each: outcome(each, each.tests), chosen)
        width = max(len(each.name) for each in chosen)
        survivors = 0
        for each, problem in zip(chosen, problems, strict=True):
            survivors += bool(problem)
            print(f"{each.name:{width}}  {problem or 'noticed'}  ({each.promise})", flush=True)
        if whole := without.result():
            print(f"Without any break, the same tests fail:\n{whole[-2000:]}")
            return 1
    print(f"{len(chosen) - survivors} of {len(chosen)} breaks were noticed.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
