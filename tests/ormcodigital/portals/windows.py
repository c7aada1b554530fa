"""A single page over XML: drawn choices, a native dialog in a window of its own, a banner."""

from __future__ import annotations

import re

from tests.ormcodigital.portals.base import Asked, Portal, Refused, Said, go, page


def xml(body: str, status: int = 200) -> Said:
    return Said(f"<?xml version='1.0'?><r>{body}</r>", status, "text/xml")


HEAD = """<style>
.drawn { position: absolute; opacity: 0; width: 1px; height: 1px }
.drawn + label { border: 1px solid; padding: 4px }
nav ul { display: none } nav:hover ul { display: block }
</style><script>
async function send(path, body) {
  const answer = await fetch(path, {method: "POST", body: `<q>${body}</q>`,
    headers: {"content-type": "text/xml"}});
  return new DOMParser().parseFromString(await answer.text(), "text/xml");
}
</script>"""


class WindowsPortal(Portal):
    """The code is entered in a second window, and saved by *Update* in the first."""

    signs_in_with = "E-mail"
    truth = {"sign_in.by": "differs"}

    def handle(self, asked: Asked) -> Said:
        signed_in = asked.cookies.get("k") in self.sessions
        match asked.path:
            case "/start":
                return self.start()
            case "/svc/logon":
                found = dict(re.findall(r"<(\w)>([^<]*)</\1>", asked.body.decode()))
                unescaped = found["p"].replace("&amp;", "&")
                session = self.sign_in(found["n"], unescaped)
                if session and "expired password" in self.faults:
                    return xml("<m>Your password has expired.</m>")
                if session is None:
                    return xml("<m>We could not let you in.</m>")
                made = xml("<ok/>")
                made.headers["set-cookie"] = f"k={session}; Path=/"
                return made
            case _ if not signed_in:
                return go("/start")
            case "/profile":
                return self.profile()
            case "/code":
                return self.code()
            case "/svc/code":
                if "session ends" in self.faults:
                    self.sessions.clear()
                if "wrong code" in self.faults:
                    return xml("<m>That is no authorization code.</m>")
                self.draft = re.sub(r"<.?\w+>", "", asked.body.decode())
                return xml("<ok/>")
            case "/svc/profile":
                found = dict(re.findall(r"<(\w)>([^<]*)</\1>", asked.body.decode()))
                draft, self.draft = self.draft, None
                try:
                    self.save(found["s"], draft)
                except Refused as refused:
                    return xml(f"<m>{refused}</m>")
                return xml("<m>Thank you.</m>")
        return go("/profile")

    def start(self) -> Said:
        return page(
            "Start",
            HEAD + "<main><h1>Hello</h1><label>Email<br><input id=n></label>"
            "<label>Password<br><input id=p type=password></label><div id=m role=alert></div></main>"
            "<footer><button>Subscribe to news</button><button>Contact us</button></footer>"
            """<script>document.querySelector("#p").onkeydown = async (e) => {
              if (e.key !== "Enter") return;
              const text = (i) => document.querySelector(i).value.replace("&", "&amp;");
              const said = await send("/svc/logon", `<n>${text("#n")}</n><p>${text("#p")}</p>`);
              const m = said.querySelector("m");
              if (m) document.querySelector("#m").textContent = m.textContent;
              else location = "/home";
            }</script>""",
        )

    def profile(self) -> Said:
        trios, pvs = ("checked", "") if self.method != "PVS" else ("", "checked")
        up = "<a href=# class=up>Update</a>"
        return page(
            "Profile",
            HEAD + "<nav><a href=#>My Account</a><ul><li><a href=/profile>My Profile</a></ul></nav>"
            "<h1>All about you</h1><p><a href=#>Click</a> on a field to change it.</p>"
            "<div><b>Submission Method</b> <i>Source</i>"
            f"<input class=drawn type=radio name=s id=a {trios}><label for=a>Intraoral Scanner</label>"
            "<select id=d style='display:none'></select>"
            f"<button aria-haspopup=listbox id=box>{self.method if trios else 'Choose one'}</button>"
            f"<input class=drawn type=radio name=s id=b {pvs}><label for=b>PVS</label></div>"
            "<div id=opts></div><p><button id=con>Connect 3Shape to Insignia</button>"
            f"<button>Update Password</button> {up}"
            """<p id=m></p><script>
            box.onclick = () => { opts.innerHTML = "<ul role=listbox><li role=option>Other"
              + "<li role=option>3Shape Trios</ul>";
              for (const o of opts.querySelectorAll("li")) o.onclick = () => {
                box.textContent = o.textContent; opts.innerHTML = ""; }; };
            con.onclick = () => window.open("/code", "code", "width=500,height=400");
            for (const u of document.querySelectorAll(".up")) u.onclick = async (e) => {
              e.preventDefault();
              const s = a.checked ? box.textContent : "PVS";
              const said = await send("/svc/profile", `<s>${s}</s>`);
              m.textContent = said.querySelector("m").textContent;
            };</script>""",
        )

    def code(self) -> Said:
        return page(
            "Enter Authorization Code",
            HEAD + "<h1>Enter Authorization Code</h1><p>First click <u onclick=\"window.open('"
            f"{self.link()}')\">here</u> to generate it.</p><p>Enter Code : <span>"
            "<input id=c></span></p><p id=m class=error></p><button id=no>Cancel</button>"
            """<button id=ok>Ok</button><script>no.onclick = () => close();
            ok.onclick = async () => {
              const said = await send("/svc/code", c.value);
              const t = said.querySelector("m");
              if (t) m.textContent = t.textContent; else close();
            };</script>""",
        )
