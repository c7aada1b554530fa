"""Components with shadow roots over GraphQL; one signs in by e-mail, on two pages."""

from __future__ import annotations

from tests.ormcodigital.portals.base import Asked, Portal, Refused, Said, as_json, page

SCRIPT = """
async function gql(operationName, query, variables) {
  const answer = await fetch("/graphql", {method: "POST",
    headers: {"content-type": "application/json"},
    body: JSON.stringify({operationName, query, variables})});
  return await answer.json();
}
class Portal extends HTMLElement {
  connectedCallback() { this.attachShadow({mode: "open"}); this.first(); }
  draw(html) { this.shadowRoot.innerHTML = html; }
  $(what) { return this.shadowRoot.querySelector(what); }
  first() {
    this.draw(`<h1>Welcome</h1><form><label>E-mail address <input type=email></label>
      <button>Next</button></form>`);
    this.$("form").onsubmit = (e) => { e.preventDefault(); this.second(this.$("input").value); };
  }
  second(email, message) {
    this.draw(`<h1>Welcome back</h1><p>${email}</p><form><label>Password <input type=password></label>
      <button>Log in</button></form><p class=error>${message || ""}</p>`);
    this.$("form").onsubmit = async (e) => {
      e.preventDefault();
      const said = await gql("SignIn", "mutation SignIn($email: String!, $password: String!) " +
        "{ signIn(email: $email, password: $password) { ok } }",
        {email, password: this.$("input").value});
      if (said.errors) this.second(email, said.errors[0].message); else this.profile("");
    };
  }
  async profile(message) {
    const said = await gql("Me", "query Me { viewer { version submission { source scanner } } }", {});
    if (said.errors) { this.first(); return; }
    const me = said.data.viewer, trios = me.submission.source === "Intraoral Scanner";
    this.draw(`<style>.dd{border:1px solid;cursor:pointer;display:inline-block;width:10em}</style>
      <header><button class=acc>My Account</button><nav hidden><a href="#me">My Profile</a></nav></header>
      <h1>Practice profile</h1><section><h3>Submission Method</h3><div>Source
      <label><input type=radio name=s value=a ${trios ? "checked" : ""}>Intraoral Scanner</label>
      <div class=dd>${me.submission.scanner || "- choose -"}</div></div>
      <div><label><input type=radio name=s value=b ${trios ? "" : "checked"}>PVS</label></div>
      <button class=con>Connect 3 Shape To Insignia</button></section>
      <p>Need help? Ask us.</p><p class=note>${message}</p>
      <button class=up>Update</button><dialog></dialog>`);
    this.$(".acc").onclick = () => { this.$("nav").hidden = !this.$("nav").hidden; };
    this.$("nav a").onclick = (e) => { e.preventDefault(); this.profile(""); };
    this.$(".dd").onclick = () => {
      if (this.$(".opts")) return;
      const list = document.createElement("div");
      list.className = "opts";
      for (const each of ["iTero", "3Shape Trios"]) {
        const option = document.createElement("div");
        option.textContent = each;
        option.style.cursor = "pointer";
        option.onclick = () => { this.$(".dd").textContent = each; list.remove(); };
        list.append(option);
      }
      this.$("section").append(list);
    };
    this.$(".con").onclick = async () => {
      const dialog = this.$("dialog");
      const said = await gql("Link", "mutation Link { createScannerLink { url } }", {});
      dialog.innerHTML = `<h2>Enter Authorization Code</h2><p>First <button class=here>click here</button>
        to generate it.</p><label>Enter Code <input></label><p class=error></p>
        <button class=no>Cancel</button><button class=ok>Ok</button>`;
      dialog.showModal();
      this.$(".here").onclick = () => window.open(said.data.createScannerLink.url, "_blank", "width=600");
      this.$(".no").onclick = () => dialog.close();
      this.$(".ok").onclick = async () => {
        this.code = this.$("dialog input").value;
        const said = await gql("Check", "mutation Check($code: String!) { checkCode(code: $code) }",
          {code: this.code});
        if (said.errors) { this.$("dialog .error").textContent = said.errors[0].message; return; }
        dialog.close();
      };
    };
    this.$(".up").onclick = async () => {
      const source = this.$("[value=a]").checked ? "Intraoral Scanner" : "PVS";
      const scanner = this.$(".dd").textContent;
      const said = await gql("Save", "mutation Save($input: ProfileInput!) { save(input: $input) }",
        {input: {version: me.version, submission: {source, scanner}, authorizationCode: this.code}});
      this.code = null;
      this.profile(said.errors ? said.errors[0].message : "");
    };
  }
}
customElements.define("x-portal", Portal);
"""


class GraphqlPortal(Portal):
    signs_in_with = "E-mail"
    # Update sends the code again.
    truth = {"sign_in.by": "differs", "code.draft": "differs"}

    def handle(self, asked: Asked) -> Said:
        if asked.path != "/graphql":
            return page("Portal", f"<x-portal></x-portal><script>{SCRIPT}</script>")
        call, given = asked.json["operationName"], asked.json["variables"]
        if call == "SignIn":
            session = self.sign_in(given["email"], given["password"])
            if session is None:
                return self.errors("E-mail or password is wrong.")
            if "expired password" in self.faults:
                return self.errors("Your password has expired.")
            said = as_json({"data": {"signIn": {"ok": True}}})
            said.headers["set-cookie"] = f"__session={session}; Path=/; HttpOnly"
            return said
        if asked.cookies.get("__session") not in self.sessions:
            return self.errors("Unauthenticated")
        match call:
            case "Me":
                pvs = self.method == "PVS"
                submission = {
                    "source": "PVS" if pvs else "Intraoral Scanner",
                    "scanner": None if pvs else self.method,
                }
                return as_json(
                    {"data": {"viewer": {"version": self.version, "submission": submission}}}
                )
            case "Link":
                return as_json({"data": {"createScannerLink": {"url": self.link()}}})
            case "Check":
                if "session ends" in self.faults:
                    self.sessions.clear()
                if "wrong code" in self.faults:
                    return self.errors("That is no authorization code.")
                return as_json({"data": {"checkCode": True}})
            case "Save":
                wanted = given["input"]
                if wanted["version"] != self.version:
                    return self.errors("Stale version")
                pvs = wanted["submission"]["source"] == "PVS"
                method = "PVS" if pvs else wanted["submission"]["scanner"]
                try:
                    self.save(method, wanted.get("authorizationCode"))
                except Refused as refused:
                    return self.errors(str(refused))
                return as_json({"data": {"save": True}})
        return self.errors("Unknown operation")

    def errors(self, message: str) -> Said:
        return as_json({"data": None, "errors": [{"message": message}]})
