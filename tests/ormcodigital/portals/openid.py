"""Signs in elsewhere, in two pages that bring a code of their own; one list for both choices."""

from __future__ import annotations

import secrets

from tests.ormcodigital.portals.base import PATIENT, Asked, Portal, Refused, Said, go, page


class OpenIdPortal(Portal):
    """The code has a window of its own, and *here* leads that window away."""

    signs_in_with = "E-mail"
    truth = {"sign_in.by": "differs"}
    unsaid = frozenset({"shipping_address", "source"})

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.tickets: dict[str, str] = {}

    def handle(self, asked: Asked) -> Said:
        match asked.method, asked.path:
            case "GET", "/id/authorize":
                return self.ask(
                    "<label for=i>Email address</label><br><input id=i name=identifier type=email>"
                    "<p><label><input type=checkbox name=stay> Keep me signed in</label>"
                    "<p><button>Next</button>"
                )
            case "POST", "/id/authorize":
                return go("/id/password", **{"set-cookie": f"who={asked.form['identifier']}"})
            case "GET", "/id/password":
                return self.ask_password(asked, "")
            case "POST", "/id/password":
                return self.answer_password(asked)
            case "GET", "/callback":
                session = self.tickets.pop(asked.query["code"])
                return go("/home", **{"set-cookie": f"s={session}; Path=/; HttpOnly"})
        if asked.cookies.get("s") not in self.sessions:
            query = "client_id=portal&response_type=code&redirect_uri=%2Fcallback&state=x1"
            return go(f"/id/authorize?{query}")
        match asked.path:
            case "/account":
                return self.portal("My account", "<a href=/account/profile>My profile</a>")
            case "/account/profile":
                return self.profile(asked)
            case "/account/3shape":
                return self.code(asked)
        return self.portal("Cases", f"<ul><li>{PATIENT}</ul>")

    def ask(self, form: str, title: str = "Sign in") -> Said:
        return page("Ormco ID", f"<main><h1>{title}</h1><form method=post>{form}</form></main>")

    def ask_password(self, asked: Asked, words: str) -> Said:
        return self.ask(
            f"<p>{asked.cookies.get('who', '')}<p role=alert>{words}</p><label for=p>Password</label>"
            "<br><input id=p type=password name=pw><p><button>Sign in</button>"
        )

    def answer_password(self, asked: Asked) -> Said:
        session = self.sign_in(asked.cookies.get("who", ""), asked.form["pw"])
        if session is None:
            return self.ask_password(asked, "Your account or password is wrong.")
        if "expired password" in self.faults:
            fields = "<label>Password <input type=password></label>" * 2
            return self.ask(f"{fields}<button>Update</button>", "Your password has expired")
        ticket = secrets.token_urlsafe(12)
        self.tickets[ticket] = session
        return go(f"/callback?code={ticket}&state=x1")

    def portal(self, title: str, body: str) -> Said:
        menu = "<header><a href=/home>Start</a> <a href=/account>My account</a></header>"
        return page("Portal", f"{menu}<h1>{title}</h1>{body}")

    def profile(self, asked: Asked) -> Said:
        words = ""
        if asked.method == "POST":
            method = {"t": "3Shape Trios", "p": "PVS"}.get(asked.form["m"], "other")
            draft, self.draft = self.draft, None
            try:
                self.save(method, draft)
            except Refused as refused:
                words = str(refused)
            else:
                return go("/account/profile")
        trios = " selected" if self.method != "PVS" else ""
        return self.portal(
            "My profile",
            f"<p role=alert>{words}</p><form method=post><dl><dt>Submission Method<dd><select name=m>"
            "<optgroup label=Impression><option value=p>PVS</optgroup>"
            "<optgroup label='Intraoral Scanner'><option value=o>Other"
            f"<option value=t{trios}>3Shape Trios</optgroup></select>"
            "<dt>News<dd><select name=n><option>Daily<option>Weekly</select></dl>"
            "<p><a href=/account/3shape target=code>Connect 3Shape to Insignia</a></p>"
            "<p><button>Update</button></form>",
        )

    def code(self, asked: Asked) -> Said:
        words = ""
        if asked.method == "POST":
            if "session ends" in self.faults:
                self.sessions.clear()
                return go("/id/authorize?client_id=portal")
            if "wrong code" not in self.faults:
                self.draft = asked.form["c"]
                return page("Done", "<p>You can close this window.</p><script>close()</script>")
            words = "That is no authorization code."
        return page(
            "Code",
            f"<h1>Enter Authorization Code</h1><p>First click <a href='{self.link()}'>here</a>."
            f"<p role=alert>{words}</p><form method=post><p>Enter Code :<br>"
            "<textarea name=c></textarea></p><button type=button onclick=close()>Cancel</button>"
            "<button>Ok</button></form>",
        )
