"""Draws everything again and again, so what was seen is gone when it is pressed; slots, bare words."""

from __future__ import annotations

from tests.ormcodigital.portals.base import Asked, Portal, Refused, Said, as_json, page

SCRIPT = """
customElements.define("r-button", class extends HTMLElement { connectedCallback() {
  this.attachShadow({mode: "open"}).innerHTML = "<button><slot></slot></button>"; } });
let at = "wait", me = {}, code = "", changed = false, dialog = false, words = "";
const kept = {};
const ask = async (what, body) => {
  const answer = await fetch("/rpc/" + what, {method: "POST", body: JSON.stringify(body || {})});
  const said = await answer.json();
  if (answer.status === 401) { at = "in"; words = said.words; draw(); throw words; }
  return said;
};
const opens = async () => { me = await ask("read"); at = "profile"; words = ""; draw(); };
const pages = {
  wait: () => "<p>One moment</p>",
  in: () => `<h1>Portal</h1><p role=alert>${words}</p><p><input id=u placeholder=Username>
    <p><input id=p type=password placeholder=Password><p><r-button id=go>Continue</r-button>`,
  old: () => "<h1>Your password has expired</h1><input type=password placeholder='New password'>",
  home: () => "<h1>Welcome</h1><r-button id=acc>My Account</r-button>",
  menu: () => "<h1>Welcome</h1><r-button id=pro>My Profile</r-button><r-button>Log out</r-button>",
  profile: () => `<r-button id=pro>My Profile</r-button><h1>Profile</h1><p role=alert>${words}</p>
    <table><tr><td>Submission Method<td>Source<tr>
    <td><input type=radio name=s id=a ${me.method === "PVS" ? "" : "checked"}><td>Intraoral Scanner
    <td><select id=d><option>-<option ${me.method === "PVS" ? "" : "selected"}>3Shape TRIOS</select>
    <td><r-button id=con>Connect 3 Shape to Insignia</r-button><tr>
    <td><input type=radio name=s id=b ${me.method === "PVS" ? "checked" : ""}><td>PVS</table>
    <button id=up ${changed ? "" : "disabled"}>Update</button> <button>Update Password</button>
    ${dialog ? `<div><h2>Enter Authorization Code</h2><p>First click <a href=# id=here>here</a>
    <p><input id=code placeholder="Enter Code :"><r-button id=no>Cancel</r-button>
    <r-button id=ok>Ok</r-button></div>` : ""}`,
};
const does = {
  go: async () => { const said = await ask("enter", {u: kept.u, p: kept.p});
    if (said.expired) at = "old"; else { at = said.ok ? "home" : "in"; words = said.words || ""; } },
  acc: () => setTimeout(() => { at = "menu"; draw(); }, 300),
  pro: opens,
  con: () => { dialog = true; },
  here: () => window.open(me.link),
  no: () => { dialog = false; },
  ok: async () => { const said = await ask("code", {code: kept.code});
    words = said.words || ""; dialog = !said.ok; changed = true; },
  up: async () => { const said = await ask("save", {method: me.method});
    words = said.words; changed = false; },
};
function draw() {
  document.body.innerHTML = pages[at]();
  for (const each of document.querySelectorAll("[id]")) {
    if (/^(u|p|code)$/.test(each.id)) {
      each.value = kept[each.id] || "";
      each.oninput = () => { kept[each.id] = each.value; };
    } else if (/^(a|b|d)$/.test(each.id)) each.onchange = () => {
      const own = document.querySelector("#a").checked && document.querySelector("#d").value;
      me.method = own && own !== "-" ? own : document.querySelector("#b").checked ? "PVS" : me.method;
      changed = true;
    };
    else if (each.id) each.onclick = async (e) => { e.preventDefault(); await does[each.id](); draw(); };
  }
}
// Not while somebody types, and not where that would take back what is being chosen.
setInterval(() => {
  const typing = /^(u|p|code)$/.test(document.activeElement.id);
  if (!typing && (at !== "profile" || dialog || !changed)) draw();
}, 600);
setTimeout(async () => { at = (await ask("who")).in ? "home" : "in"; draw(); }, 800);
"""


class RestlessPortal(Portal):
    """What a person does is kept, however often the page is drawn."""

    truth = {"code.field": "holds"}

    def handle(self, asked: Asked) -> Said:
        what = asked.path.removeprefix("/rpc/")
        given = asked.json if asked.body else {}
        if asked.path == "/":
            return page("Portal", f"<body></body><script>{SCRIPT}</script>")
        signed_in = asked.cookies.get("r") in self.sessions
        if what == "who":
            return as_json({"in": signed_in})
        if what == "enter":
            return self.enter(given)
        if what == "code" and "session ends" in self.faults:
            self.sessions.clear()
            signed_in = False
        if not signed_in:
            return as_json({"words": "Your session has ended."}, 401)
        match what:
            case "code":
                if "wrong code" in self.faults:
                    return as_json({"words": "That is no authorization code."})
                self.draft = given["code"]
                return as_json({"ok": True})
            case "save":
                draft, self.draft = self.draft, None
                try:
                    self.save(given["method"], draft)
                except Refused as refused:
                    return as_json({"words": str(refused)})
                return as_json({"words": "Saved"})
        return as_json({"method": self.method, "link": self.link()})

    def enter(self, given: dict[str, str]) -> Said:
        session = self.sign_in(given["u"], given["p"])
        if session is None:
            return as_json({"words": "We do not know this user name or password."})
        if "expired password" in self.faults:
            return as_json({"expired": True})
        said = as_json({"ok": True})
        said.headers["set-cookie"] = f"r={session}; Path=/; HttpOnly"
        return said
