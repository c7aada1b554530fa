"""What a person has to do as a form of HTML, and their answer from what the form sends.

For pages that are not saved: a form shows the code that is to be pasted.  It needs no script, but
for the button that copies and for the time that is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from ormco_trios.ormcodigital.tasks import Address, Done, Failed, Reply, Task, TaskAnswer

STYLE = """\
.trios{max-width:42em;margin:0 auto;font:1.05rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
.trios h2{font-size:1.3rem;line-height:1.25;margin:0 0 .6em}
.trios ol{padding-left:1.4em}.trios li{margin:.5em 0}
.trios label{display:block;margin:.8em 0 .3em;font-weight:600}
.trios input,.trios textarea{box-sizing:border-box;width:100%;font:inherit;padding:.6em;
border:1px solid #767676;border-radius:.4em;background:Field;color:FieldText}
.trios textarea{min-height:5em}
.trios button,.trios .link{display:inline-block;box-sizing:border-box;font:inherit;font-weight:600;
min-height:2.9em;margin:.8em .6em 0 0;padding:.6em 1.2em;border:1px solid #1f5f8f;
border-radius:.4em;background:#1f5f8f;color:#fff;text-decoration:none;cursor:pointer}
.trios button.plain{background:none;color:inherit;border-color:#767676}
.trios [role=alert]{border-left:4px solid #c62828;padding:.3em .8em;margin:0 0 1em}
.trios .paste{border:2px solid #1f5f8f;border-radius:.5em;padding:.2em .9em .9em;margin:1em 0}
.trios .paste input{font-family:ui-monospace,monospace}
.trios a:not(.link){color:inherit}
.trios details{margin:1em 0}.trios summary{cursor:pointer;padding:.4em 0}
"""

SCRIPT = """\
document.addEventListener("click", event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  const done = () => { button.textContent = "Copied"; };
  const byHand = () => { field.focus(); field.select(); if (document.execCommand("copy")) done(); };
  if (navigator.clipboard) navigator.clipboard.writeText(field.value).then(done, byHand);
  else byHand();
});
const left = () => document.querySelectorAll("[data-until]").forEach(place => {
  const seconds = Math.floor((new Date(place.dataset.until) - Date.now()) / 1000);
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  place.textContent = seconds > 0 ? `It works for at most ${clock} more.` : place.dataset.late;
});
setInterval(left, 1000);
left();
"""

_LATE = (
    "It is probably too old now. If OrmcoDigital refuses it, say so below, and you get the first "
    "step again."
)
_ADDRESS = re.compile(r"https?://\S+[^\s.,;:)]")


def task_form(task: Task, action: str, hidden: Mapping[str, str]) -> str:
    """The task with what to paste, and a form for each answer that it takes."""
    fields = _hidden({"task": task.id, **hidden})
    parts = [f'<section class="trios"><h2>{escape(task.title)}</h2>', alert(task.problem)]
    parts.append(f"<ol>{''.join(f'<li>{_linked(step)}</li>' for step in task.steps)}</ol>")
    if task.text is not None:
        parts.append(_to_paste(task))
    if task.if_moved:
        moved = "".join(f"<p>{escape(line)}</p>" for line in task.if_moved)
        parts.append(f"<details><summary>If a page looks different</summary>{moved}</details>")
    opening = f'<form method="post" action="{escape(action)}">{fields}'
    if Reply.ADDRESS in task.replies:
        parts.append(
            f'{opening}<label for="address">{escape(task.question)}</label>'
            '<textarea id="address" name="address" required autocomplete="off" '
            'autocapitalize="off" autocorrect="off" spellcheck="false"></textarea>'
            f"{_which_account(task.account) if task.asks_account else ''}"
            '<button name="answer" value="address">Send the address</button></form>'
        )
    elif task.question:
        parts.append(f"<p><b>{escape(task.question)}</b></p>")
    if Reply.DONE in task.replies:
        # Beside an address, *done* is about a code that was entered already.
        asks = task.asks_account and Reply.ADDRESS not in task.replies
        which = _which_account(task.account) if asks else ""
        parts.append(f'{opening}{which}<button name="answer" value="done">Done</button></form>')
    if Reply.FAILED in task.replies:
        parts.append(
            f"<details><summary>It did not work</summary>{opening}"
            '<label for="words">What did the page say?</label>'
            '<input id="words" name="words" autocomplete="off" maxlength="500">'
            '<button class="plain" name="answer" value="failed">Send this</button>'
            "</form></details>"
        )
    return "".join((*parts, "</section>"))


def link_form(
    *,
    url: str,
    explanation: str,
    hint: str,
    problem: str | None,
    comes_back: bool,
    asks_account: bool,
    action: str,
    hidden: Mapping[str, str],
) -> str:
    """The link, and a form for the address that it leads to."""
    shown = url if url.startswith(("https://", "http://")) else ""
    paste = (
        f'<form method="post" action="{escape(action)}">{_hidden(hidden)}'
        '<label for="address">Copy the ENTIRE address of the page that you are sent to, even if it '
        "shows an error, and paste it here within three minutes</label>"
        '<textarea id="address" name="address" required autocomplete="off" autocapitalize="off" '
        'autocorrect="off" spellcheck="false"></textarea>'
        f"{_which_account(None) if asks_account else ''}"
        '<button name="answer" value="address">Send the address</button></form>'
    )
    if comes_back:
        paste = f"<details><summary>If you are not sent back here</summary>{paste}</details>"
    return (
        '<section class="trios"><h2>Sign in to 3Shape, and allow access</h2>'
        f"{alert(problem)}<p>{escape(explanation)}</p>"
        f'<p><a class="link" href="{escape(shown)}"{"" if comes_back else _NEW_TAB}>Open 3Shape</a>'
        f"</p><p>{escape(hint)}</p>{paste}</section>"
    )


_NEW_TAB = ' target="_blank" rel="noopener noreferrer"'


def alert(problem: str | None) -> str:
    """What was wrong with the last answer, if anything was."""
    return f'<p role="alert">{escape(problem)}</p>' if problem else ""


def read_answer(fields: Mapping[str, str]) -> TaskAnswer:
    """The answer in what a form of `NeedsPerson.form` or `NeedsAuthorization.form` has sent.

    Args:
        fields: The form's fields by name; `finish_task` takes ``fields["task"]`` as its ``id``.
    """
    match fields.get("answer"):
        case "done":
            return Done(fields.get("account_shown") or None)
        case "failed":
            return Failed(fields.get("words", ""))
        case _:
            return Address(fields.get("address", ""), fields.get("account_shown") or None)


def _to_paste(task: Task) -> str:
    assert task.text is not None
    left = ""
    if task.until is not None:
        left = (
            f'<p data-until="{task.until.isoformat()}" data-late="{escape(_LATE)}">'
            f"It works until {task.until:%H:%M:%S} UTC at most.</p>"
        )
    return (
        '<div class="paste"><label for="text">Paste this</label>'
        f'<input id="text" readonly value="{escape(task.text.get_secret_value())}">'
        f'<button type="button" data-copy="text">Copy</button>{left}</div>'
    )


def _which_account(expected: str | None) -> str:
    meant = f" It has to be {escape(expected)}." if expected else ""
    return (
        '<label for="account_shown">Which e-mail did 3Shape\'s page show? Leave it empty if it '
        f"showed none.{meant}</label>"
        # Not type="email", which refuses or rewrites addresses with letters of other alphabets.
        '<input id="account_shown" name="account_shown" inputmode="email" autocomplete="off" '
        'autocapitalize="off" autocorrect="off" spellcheck="false">'
    )


def _hidden(fields: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )


def _linked(step: str) -> str:
    """A step, the addresses in it as links."""
    return _ADDRESS.sub(lambda url: f'<a href="{url[0]}"{_NEW_TAB}>{url[0]}</a>', escape(step))
