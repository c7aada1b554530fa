"""The pages a person sees.  Every value that goes into one is escaped here, in one place.

The wording is the sandbox's own.  Forms work without scripts; every input has a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


class JourneyFailed(RuntimeError):
    """The pages did not lead to the application's address.

    Attributes:
        status: HTTP status of the page where the journey ended.
        explain: The sandbox's explanation, if it gave one.
    """

    def __init__(self, status: int, explain: str) -> None:
        super().__init__(f"The journey ended on a page with status {status}. {explain}".strip())
        self.status = status
        self.explain = explain


_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem}"
    "label,input,button{display:block;font:inherit}input{width:100%;padding:.4rem;"
    "margin:.2rem 0 1rem;box-sizing:border-box}button{padding:.5rem 1.2rem;margin:.5rem 0}"
    ".note{background:#fff3cd;color:#664d03;padding:.5rem .8rem}"
    "[role=alert]{background:#f8d7da;color:#58151c;padding:.5rem .8rem}"
    "code{overflow-wrap:anywhere}"
)


def _page(title: str, *blocks: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        '<p class="note">Sandbox: nothing here is real.</p>'
        f"<h1>{escape(title)}</h1>{''.join(blocks)}</main></body></html>"
    )


def _form(action: str, csrf: str, *blocks: str) -> str:
    return (
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="csrf" value="{escape(csrf)}">{"".join(blocks)}</form>'
    )


def _input(name: str, label: str, kind: str, autocomplete: str, value: str = "") -> str:
    return (
        f'<label for="{name}">{escape(label)}</label><input id="{name}" name="{name}" '
        f'type="{kind}" value="{escape(value)}" autocomplete="{autocomplete}" required>'
    )


def sign_in(*, action: str, csrf: str, application: str, email: str = "", error: str = "") -> str:
    """3Shape's sign-in form on the way to the consent page."""
    return _page(
        "Sign in to 3Shape Communicate",
        f'<p role="alert">{escape(error)}</p>' if error else "",
        f"<p>Needed because <strong>{escape(application)}</strong> asks for access.</p>",
        _form(
            action,
            csrf,
            _input("email", "Email", "email", "username", email),
            _input("password", "Password", "password", "current-password"),
            '<button type="submit">Sign in</button>',
        ),
    )


def consent(
    *, action: str, csrf: str, application: str, email: str, scopes: Sequence[str] = ()
) -> str:
    """The question whether the application may have access."""
    items = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in scopes)
    return _page(
        "Authorize",
        f"<p>You are signed in as <strong>{escape(email)}</strong>.</p>",
        f"<p>The application <strong>{escape(application)}</strong> wants to read your cases on "
        "3Shape Communicate. Cases contain health data of your patients, and you answer for who "
        "gets to see it. You can withdraw the access later under Applications.</p>",
        f"<p>It asks for:</p><ul>{items}</ul>" if items else "",
        _form(
            action,
            csrf,
            '<button type="submit" name="decision" value="allow">Allow access</button>',
            '<button type="submit" name="decision" value="cancel">Cancel</button>',
        ),
    )


def landing(title: str) -> str:
    """Where the browser arrives after the consent page; the code is in its address bar."""
    return _page(
        title,
        "<p>You have been sent here by the authorization page. Copy the whole address of this "
        "page from the address bar and paste it where you came from. The code in it works once, "
        "within three minutes.</p>",
    )


def problem(status: int, message: str) -> str:
    """Something was refused or failed."""
    return _page(f"Error {status}", f'<p role="alert">{escape(message)}</p>')
