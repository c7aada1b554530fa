"""Tables, frames and windows: a dialog in an iframe, fields beside words, a session in addresses."""

from __future__ import annotations

from tests.ormcodigital.portals.base import PATIENT, Asked, Portal, Refused, Said, go, page


class FramesPortal(Portal):
    """What *here* leads to is a redirect, in the same tab as the portal."""

    delay = 1.5

    def handle(self, asked: Asked) -> Said:
        sid = asked.query.get("S") or asked.form.get("S") or ""
        if asked.path in {"/", "/logon.aspx"}:
            return self.logon(asked)
        if sid not in self.sessions:
            return self.logon(asked, "Your session has ended. Log on again.")
        self.sid = sid
        match asked.path:
            case "/main.aspx":
                return page(
                    "Main",
                    f"<h2>Main menu</h2><table><tr><th>Patient</th></tr><tr><td>{PATIENT}</td></tr>"
                    f"</table><table><tr><td><a href='/acc.aspx?S={sid}'>My Account</a></table>",
                )
            case "/acc.aspx":
                return page("Account", f"<h2>Account</h2>{self.menu()}")
            case "/prof.aspx" if asked.method == "POST":
                return self.update(asked)
            case "/prof.aspx":
                return self.profile()
            case "/dlg.aspx" if asked.method == "POST":
                if "wrong code" in self.faults:
                    return self.dialog("That is no authorization code.")
                self.draft = asked.form["txt1"]
                if "session ends" in self.faults:
                    self.sessions.clear()
                return page("", "<script>parent.document.getElementById('dlg').remove()</script>")
            case "/dlg.aspx":
                return self.dialog()
            case "/go3s.aspx":
                return go(self.link())
        return page("?", "<h2>?</h2>", status=404)

    def menu(self) -> str:
        return (
            f"<table><tr><td><span onclick=\"location='/prof.aspx?S={self.sid}'\">My Profile</span>"
            "<td>My Orders</table>"
        )

    def logon(self, asked: Asked, message: str = "") -> Said:
        if asked.method == "POST" and "F1" in asked.form:
            session = self.sign_in(asked.form["F1"], asked.form["F2"])
            if session and "expired password" in self.faults:
                return page("Expired", "<h2>Password expired</h2><p>Call us to get a new one.</p>")
            if session:
                return go(f"/main.aspx?S={session}")
            message = "Logon failed."
        return page(
            "Logon",
            f"<h2>Logon</h2><form method=post action=/logon.aspx><table><tr><td>Username :<td>"
            "<input name=F1><tr><td>Password :<td><input name=F2 type=password></table>"
            f"<input type=image alt=Go width=40 height=20></form><font color=red>{message}</font>",
        )

    def profile(self, message: str = "") -> Said:
        trios, pvs = ("checked", "") if self.method != "PVS" else ("", "checked")
        return page(
            "Profile",
            f"{self.menu()}<h2>Profile</h2><form method=post action=/prof.aspx>"
            f"<input type=hidden name=S value={self.sid}><input type=hidden name=VER value={self.version}>"
            "<table><tr><td>Submission Method<td>Source<td>"
            f"<input type=radio name=R id=r1 value=1 {trios}><label for=r1>Intraoral Scanner</label>"
            f"<select name=D><option value=0><option value=3{' selected' if trios else ''}>3SHAPE TRIOS"
            "<option value=4>Other</select>"
            f"<br><input type=radio name=R id=r2 value=2 {pvs}><label for=r2>PVS</label>"
            "<td><input type=button value='Connect 3Shape to Insignia' onclick=\"var f=document."
            f"createElement('iframe');f.id='dlg';f.src='/dlg.aspx?S={self.sid}';"
            "f.style='position:absolute;top:60px;left:60px;width:500px;height:300px;background:#fff';"
            'document.body.append(f)"></table>'
            f"<input type=submit value=Update></form><b>{message}</b>",
        )

    def dialog(self, message: str = "") -> Said:
        return page(
            "Dialog",
            "<b>Enter Authorization Code</b><p>First click <a target=_top "
            f"href='/go3s.aspx?S={self.sid}'>here</a> to generate it.<form method=post "
            f"action=/dlg.aspx><input type=hidden name=S value={self.sid}><table><tr><td>"
            "<div>Enter Code :</div><input name=txt1></table><input type=button value=Cancel "
            "onclick=\"parent.document.getElementById('dlg').remove()\"><input type=submit value=Ok>"
            f"</form><b>{message}</b>",
        )

    def update(self, asked: Asked) -> Said:
        form = asked.form
        if form["VER"] != str(self.version):
            return self.profile("Somebody else has changed it.")
        draft, self.draft = self.draft, None
        method = "PVS" if form["R"] == "2" else "3Shape Trios" if form["D"] == "3" else "Other"
        try:
            self.save(method, draft)
        except Refused as refused:
            return page(
                "Profile", f"{self.menu()}<script>alert('{refused}')</script><h2>Not saved</h2>"
            )
        return self.profile()
