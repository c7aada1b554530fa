"""Written on the server, with forms: a session in a cookie, a CSRF token, a hidden version."""

from __future__ import annotations

import secrets

from tests.ormcodigital.portals.base import PATIENT, Asked, Portal, Refused, Said, go, page


class FormsPortal(Portal):
    delay = 0.2
    unsaid = frozenset()
    csrf = ""
    notice = ""
    open_dialog = False

    def handle(self, asked: Asked) -> Said:
        if asked.path == "/login":
            return self.login_page(asked)
        if asked.cookies.get("sid") not in self.sessions:
            return go("/login")
        if asked.method == "POST" and asked.form.get("_csrf") != self.csrf:
            return page("Error", "<h1>Your session is not valid any more</h1>", status=403)
        match asked.path:
            case "/":
                return page(
                    "Home",
                    self.nav() + f"<h1>Welcome</h1><table><tr><th>Patient<tr><td>{PATIENT}</table>",
                )
            case "/account":
                return page(
                    "Account", f"{self.nav()}<h1>Account</h1><a href=/account/me>My Profile</a>"
                )
            case "/account/me" if asked.method == "POST":
                return self.update(asked)
            case "/account/me":
                return self.profile()
            case "/account/me/code" if asked.method == "POST":
                return self.code(asked)
            case "/account/me/code":
                self.open_dialog = True
                return go("/account/me")
        return page("Not found", "<h1>There is no such page</h1>", status=404)

    def login_page(self, asked: Asked) -> Said:
        error = ""
        if asked.method == "POST":
            session = self.sign_in(asked.form["uid"], asked.form["pw"])
            if session and "expired password" in self.faults:
                return page(
                    "Renew",
                    "<h1>Your password has expired</h1><form method=post action=/renew>"
                    "<label>New password <input type=password name=n></label>"
                    "<button>Update Password</button></form>",
                )
            if session:
                self.csrf = secrets.token_hex(12)
                return go("/", **{"set-cookie": f"sid={session}; Path=/; HttpOnly"})
            error = "<p class=error>We do not know this user name or password.</p>"
        return page(
            "Log in",
            f"<h1>Practice portal</h1>{error}<form method=post>"
            "<p><label for=u>Username</label> <input id=u name=uid>"
            "<p><label for=p>Password:</label> <input id=p name=pw type=password>"
            "<button type=button>Show</button><button>Log me in</button></form>"
            "<form action=/search><input name=q><button>Search</button></form>",
        )

    def nav(self) -> str:
        return "<nav><a href=/>Home</a> <a href=/account>My Account</a> <a href=#>Help</a></nav>"

    def profile(self) -> Said:
        trios, pvs = ("checked", "") if self.method != "PVS" else ("", "checked")
        notice, self.notice = self.notice, ""
        dialog = ""
        if self.open_dialog:
            self.open_dialog = False
            dialog = (
                "<section><h2>Enter Authorization Code</h2><p>First click "
                f"<a href='{self.link()}' target=_blank rel=noopener>here</a> to generate the "
                "authorization code.</p><form method=post action=/account/me/code>"
                f"<input type=hidden name=_csrf value={self.csrf}>"
                "<label>Enter Code : <input name=c></label>"
                "<button name=b value=no>Cancel</button> <button name=b value=ok>Ok</button>"
                "</form></section>"
            )
        return page(
            "Profile",
            f"{self.nav()}<h1>My details</h1>{notice}{dialog}"
            f"<form method=post><input type=hidden name=_csrf value={self.csrf}>"
            f"<input type=hidden name=rev value={self.version}>"
            "<fieldset><legend>Default Shipping Address</legend><label>Country <select name=l>"
            "<option>Germany<option>Norway</select></label></fieldset>"
            "<fieldset><legend>Submission Method</legend>Source "
            f"<label><input type=radio name=s value=IOS {trios}> Intraoral Scanner</label>"
            "<select name=m><option>Choose<option"
            f"{' selected' if trios else ''}>3Shape Trios<option>Other</select>"
            f"<label><input type=radio name=s value=PVS {pvs}> PVS</label> "
            "<a href=/account/me/code>Connect 3 Shape to Insignia</a></fieldset>"
            f"<button>Update</button></form>",
        )

    def code(self, asked: Asked) -> Said:
        if asked.form["b"] == "ok":
            if "wrong code" in self.faults:
                self.open_dialog = True
                self.notice = "<p role=alert>That is no authorization code.</p>"
            else:
                self.draft = asked.form["c"]
        if "session ends" in self.faults:
            self.sessions.clear()
        return go("/account/me")

    def update(self, asked: Asked) -> Said:
        form = asked.form
        if form["rev"] != str(self.version):
            return page("Changed", "<h1>Somebody else has changed this profile</h1>", status=409)
        draft, self.draft = self.draft, None
        try:
            self.save(form["m"] if form["s"] == "IOS" else "PVS", draft)
        except Refused as refused:
            self.notice = f"<p>{refused}</p>"
        else:
            self.notice = "<p>Your profile was saved.</p>"
        return go("/account/me")
