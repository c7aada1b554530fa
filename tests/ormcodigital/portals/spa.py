"""One page that draws itself: JSON, a token in memory, a list of its own, a dialog, a spinner."""

from __future__ import annotations

from tests.ormcodigital.portals.base import PATIENT, Asked, Portal, Refused, Said, as_json, page

SCRIPT = """
const $ = (html) => { document.querySelector("#app").innerHTML = html; };
const busy = (on) => { document.querySelector("#veil").hidden = !on; };
let token, me;
async function ask(method, path, body) {
  busy(true);
  const answer = await fetch("/bff/" + path, {method, headers: {
    "content-type": "application/json", ...(token ? {authorization: "Bearer " + token} : {}),
    ...(me ? {"x-revision": String(me.revision)} : {})},
    body: body ? JSON.stringify(body) : undefined});
  const said = await answer.json();
  // Hidden a moment later, as animations do.
  setTimeout(() => busy(false), 300);
  if (answer.status === 401 && token) { token = null; login("Your session has ended."); throw 0; }
  return [answer.ok, said];
}
function login(message) {
  $(`<h1>Sign in to continue</h1><div class=card><div>
    <input aria-label="Username" class=u></div><div><input aria-label=Password type=password class=p>
    <button type=button aria-label="Show password" class=eye></button></div>
    <button type=button class=go>Continue</button><p class=message>${message || ""}</p></div>`);
  document.querySelector(".go").onclick = async () => {
    const [ok, said] = await ask("POST", "auth", {user: document.querySelector(".u").value,
      secret: document.querySelector(".p").value});
    if (!ok) { document.querySelector(".message").textContent = said.why; return; }
    token = said.jwt; home();
  };
}
const bar = `<div role=menubar><span role=menuitem tabindex=0 class=acc>MY ACCOUNT &#9662;</span>
  <div class=menu hidden><span role=menuitem tabindex=0 class=prof>My  Profile</span></div></div>`;
function wire() {
  document.querySelector(".acc").onclick = () => {
    const menu = document.querySelector(".menu"); menu.hidden = !menu.hidden; };
  document.querySelector(".prof").onclick = profile;
}
async function home() {
  const [, said] = await ask("GET", "cases");
  $(bar + "<h1>Cases</h1><ul>" + said.cases.map((c) => `<li>${c.patient}</li>`).join("") + "</ul>");
  wire();
}
async function profile() {
  [, me] = await ask("GET", "me");
  draw("");
}
function draw(message) {
  const scan = me.submission.kind === "SCAN";
  $(bar + `<h1>Profile</h1><h2>Submission method</h2>
    <div role=radiogroup><div role=radio tabindex=0 class=scan aria-checked=${scan}>Intraoral Scanner</div>
    <div role=combobox tabindex=0 class=box aria-expanded=false>${me.submission.device || "Select"}</div>
    <div role=radio tabindex=0 class=pvs aria-checked=${!scan}>PVS</div></div>
    <button type=button class=con>Connect 3Shape to Insignia</button>
    <h2>Default shipping address</h2><div role=combobox tabindex=0>Norway</div>
    <button type=button class=save ${scan ? "" : "disabled"}>Update</button>
    <div class=toast role=status>${message}</div><div class=pop></div>`);
  wire();
  document.querySelector(".scan").onclick = () => { me.submission.kind = "SCAN"; draw(""); };
  document.querySelector(".pvs").onclick = () => { me.submission = {kind: "PVS"}; draw(""); };
  document.querySelector(".box").onclick = async () => {
    const [, said] = await ask("GET", "devices");
    document.querySelector(".pop").innerHTML = "<div role=listbox>" + said.map((d) =>
      `<div role=option tabindex=0>${d}</div>`).join("") + "</div>";
    document.querySelectorAll("[role=option]").forEach((o) => o.onclick = () => {
      me.submission.device = o.textContent; draw(""); });
  };
  document.querySelector(".con").onclick = dialog;
  document.querySelector(".save").onclick = async () => {
    const [ok, said] = await ask("PUT", "me", {submission: me.submission});
    if (ok) { me = said; draw("Saved."); } else draw(said.why);
  };
}
async function dialog() {
  const [, said] = await ask("POST", "scanner-links");
  document.querySelector(".pop").innerHTML = `<div role=dialog aria-modal=true
    style="position:fixed;inset:20%;background:#ddd"><h2>Enter authorization code</h2>
    <p>First click <a href="${said.href}" target=_blank>here</a> to generate the code.</p>
    <label for=cc>Enter code:</label> <input id=cc>
    <p class=alert></p><button type=button class=no>Cancel</button>
    <button type=button class=ok>OK</button></div>`;
  document.querySelector(".no").onclick = () => { document.querySelector(".pop").innerHTML = ""; };
  document.querySelector(".ok").onclick = async () => {
    const [ok, said] = await ask("POST", "scanner-links/token", {value: document.querySelector("#cc").value});
    if (!ok) { document.querySelector(".alert").textContent = said.why; return; }
    document.querySelector(".pop").innerHTML = "";
  };
}
login("");
"""


class SpaPortal(Portal):
    delay = 0.4
    truth = {"session.carrier": "holds"}
    unsaid = frozenset({"source"})

    def handle(self, asked: Asked) -> Said:
        if asked.path == "/":
            return page(
                "Portal",
                "<style>#veil{position:fixed;inset:0;background:#fff8}#veil[hidden]{display:none}"
                "</style><div id=app></div><div id=veil hidden></div><script>"
                f"{SCRIPT}</script>",
            )
        what = (asked.method, asked.path.removeprefix("/bff/"))
        if what == ("POST", "auth"):
            session = self.sign_in(asked.json["user"], asked.json["secret"])
            if session is None:
                return as_json({"why": "User name and password do not go together."}, 401)
            if "expired password" in self.faults:
                return as_json({"why": "Your password has expired. Choose a new one."}, 403)
            return as_json({"jwt": session})
        if asked.headers.get("authorization", "")[7:] not in self.sessions:
            return as_json({"why": "no"}, 401)
        match what:
            case ("GET", "cases"):
                return as_json({"cases": [{"patient": PATIENT}]})
            case ("GET", "me"):
                return as_json(self.me())
            case ("GET", "devices"):
                return as_json(["iTero", "3Shape Trios", "Other"])
            case ("POST", "scanner-links"):
                return as_json({"href": self.link()})
            case ("POST", "scanner-links/token"):
                if "wrong code" in self.faults:
                    return as_json({"why": "That is no authorization code."}, 422)
                self.draft = asked.json["value"]
                if "session ends" in self.faults:
                    self.sessions.clear()
                return as_json({"kept": True})
            case ("PUT", "me"):
                if asked.headers.get("x-revision") != str(self.version):
                    return as_json({"why": "Somebody else was faster."}, 409)
                wanted = asked.json["submission"]
                draft, self.draft = self.draft, None
                try:
                    self.save(wanted.get("device") or "PVS", draft)
                except Refused as refused:
                    return as_json({"why": str(refused)}, 422)
                return as_json(self.me())
        return as_json({"why": "nothing here"}, 404)

    def me(self) -> dict[str, object]:
        pvs = self.method == "PVS"
        submission = {"kind": "PVS"} if pvs else {"kind": "SCAN", "device": self.method}
        return {"revision": self.version, "submission": submission}
