// What a person sees in one frame: what can be pressed, filled in or chosen, and the words around it.
// Evaluated in the page; changes nothing there.  Returns {elements, seen}: element i is thing i.
() => {
  const elements = [], things = [], words = [];
  const ids = new Map();
  const id = (node) => { if (!ids.has(node)) ids.set(node, ids.size); return ids.get(node); };
  const clean = (text) => (text || "").replace(/\s+/g, " ").trim();
  const up = (el) => el.assignedSlot || el.parentElement || (el.getRootNode() || {}).host || null;
  // Whether some of it can be scrolled to: it is not beside the page, and no box cuts it off.
  const reachable = (el) => {
    let box = el.getBoundingClientRect(), position = getComputedStyle(el).position;
    for (let at = up(el); at && position !== "fixed"; at = up(at)) {
      const style = getComputedStyle(at);
      if (position === "absolute" && style.position === "static") continue;
      position = style.position;
      if (style.display === "contents" || at === document.body || at === document.documentElement)
        continue;
      const around = at.getBoundingClientRect(), flow = `${style.overflowX} ${style.overflowY}`;
      if (/auto|scroll/.test(flow)) box = around;
      else if (/hidden|clip/.test(flow) && (box.right <= around.left || box.left >= around.right
        || box.bottom <= around.top || box.top >= around.bottom
        || around.width <= 1 || around.height <= 1)) return false;
    }
    if (position === "fixed")
      return box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
    return box.right + scrollX > 0 && box.bottom + scrollY > 0;
  };
  const visible = (el) => {
    if (!el.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) return false;
    const box = el.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && reachable(el);
  };
  // What is written in it, with what is put into its slots.
  const textOf = (el) => {
    const slots = [...el.querySelectorAll("slot")];
    if (!slots.length) return clean(el.innerText);
    const put = slots.flatMap((slot) => slot.assignedNodes({flatten: true}));
    return clean([el.innerText, ...put.map((n) => n.innerText ?? n.textContent)].join(" "));
  };
  // A choice without a label is called by the words that follow it.
  const following = (el) => {
    for (let at = el; at && !clean(at.textContent); at = at.parentElement)
      for (let next = at.nextSibling; next; next = next.nextSibling) {
        if (next.nodeType === 1
          && (next.matches("input, select, textarea, button, a")
            || next.querySelector("input, select, textarea, button"))) return "";
        if (clean(next.textContent)) return clean(next.textContent);
      }
    return "";
  };
  // What is pressed or chosen is called by what can be read on it, whatever else it says it is;
  // the letters of an icon font are no words.
  const readable = (el) => {
    const icons = [...el.querySelectorAll("*")].filter((each) => !each.children.length
      && /icon|symbol|awesome|glyph/i.test(getComputedStyle(each).fontFamily));
    return icons.reduce((text, icon) => clean(text.replace(clean(icon.innerText), " ")), textOf(el));
  };
  const nameOf = (el, role) => {
    if (!/^(field|list|select)$/.test(role) && readable(el)) return readable(el);
    const by = el.getAttribute("aria-labelledby");
    if (by) {
      const named = clean(by.split(/\s+/).map((i) =>
        (el.getRootNode().getElementById(i) || {}).textContent).join(" "));
      if (named) return named;
    }
    const aria = clean(el.getAttribute("aria-label"));
    if (aria) return aria;
    if (el.labels && el.labels.length) {
      const own = [...el.labels].map((label) => {
        const copy = label.cloneNode(true);
        copy.querySelectorAll("input, select, textarea, button").forEach((e) => e.remove());
        return copy.textContent;
      });
      if (clean(own.join(" "))) return clean(own.join(" "));
    }
    if (el.tagName === "INPUT" && /^(submit|button|reset)$/.test(el.type)) return clean(el.value);
    if (el.tagName === "INPUT" && el.type === "image") return clean(el.alt);
    if (!/^(field|list|select)$/.test(role)) {
      const images = [...el.querySelectorAll("img[alt]")].map((img) => img.alt).join(" ");
      return clean(images) || clean(el.title)
        || (/^(radio|checkbox)$/.test(role) ? following(el) : "");
    }
    return clean(el.placeholder) || clean(el.title);
  };
  const roleOf = (el) => {
    const aria = el.getAttribute("role");
    if (/^(button|link|menuitem|tab|option|radio|checkbox)$/.test(aria)) return aria;
    if (/^(menuitemradio|menuitemcheckbox|switch)$/.test(aria)) return "radio";
    if (/^(combobox|listbox)$/.test(aria) && el.tagName !== "SELECT") return "list";
    if (/^(textbox|searchbox)$/.test(aria)) return "field";
    const popup = el.getAttribute("aria-haspopup");
    switch (el.tagName) {
      case "A": return el.hasAttribute("href") || el.onclick ? "link" : null;
      case "BUTTON": return popup === "listbox" ? "list" : "button";
      case "SUMMARY": return "button";
      case "SELECT": return "select";
      case "TEXTAREA": return "field";
      case "INPUT":
        if (/^(submit|button|reset|image)$/.test(el.type)) return "button";
        if (/^(radio|checkbox)$/.test(el.type)) return el.type;
        return el.type === "hidden" ? null : "field";
    }
    if (popup === "listbox") return "list";
    return el.isContentEditable && !(up(el) || {}).isContentEditable ? "field" : null;
  };
  // Where the words are, which is not as wide as their paragraph.
  const written = (el) => {
    const range = document.createRange(), walk = document.createTreeWalker(el, NodeFilter.SHOW_TEXT);
    let first, last;
    while (walk.nextNode()) if (clean(walk.currentNode.data)) {
      first = first || walk.currentNode;
      last = walk.currentNode;
    }
    if (!first) return el.getBoundingClientRect();
    range.setStart(first, 0);
    range.setEnd(last, last.length);
    return range.getBoundingClientRect();
  };
  // While a dialog is open that says it is modal, what is outside of it is not to be touched.
  const all = (root) => [...root.querySelectorAll("*")].flatMap((el) =>
    el.shadowRoot ? [el, ...all(el.shadowRoot)] : [el]);
  const modals = all(document).filter((el) =>
    el.matches("dialog:modal, [aria-modal=true]") && visible(el));
  const behind = (el) => {
    if (!modals.length) return false;
    for (let at = el; at; at = up(at))
      if (at === modals[modals.length - 1] || /^(listbox|menu)$/.test(at.getAttribute("role")))
        return false;
    return true;
  };
  // Tables and lists of data about others, such as patients' names.
  const data = (el) => {
    const table = el.closest("table, [role=grid], [role=table]"), list = el.closest("ul, ol");
    return Boolean((table && table.querySelector("th, thead, [role=row]"))
      || (list && list.children.length > 5) || el.closest("[role=listbox]"));
  };
  const add = (el, shown, role, name, more) => {
    const box = role === "text" ? written(shown) : shown.getBoundingClientRect();
    const path = [];
    for (let at = el; at; at = up(at)) path.push(id(at));
    elements.push(shown);
    things.push({
      role, name, path, box: [box.x, box.y, box.width, box.height], behind: behind(el),
      enabled: !el.matches(":disabled, [aria-disabled=true]"), ...more,
    });
  };
  let heading = "";
  const visit = (root) => {
    for (const el of root.querySelectorAll("*")) {
      if (el.shadowRoot) visit(el.shadowRoot);
      if (/^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|HEAD|OPTION)$/.test(el.tagName)) continue;
      if (el.closest("[inert]")) continue;
      const role = roleOf(el);
      let shown = el;
      if (!visible(el)) {
        // A choice that is drawn by its label.
        shown = /^(radio|checkbox)$/.test(el.type) ? [...(el.labels || [])].find(visible) : null;
        if (!shown) continue;
      }
      if (role) {
        const checked = "checked" in el && /radio|checkbox/.test(el.type) ? el.checked
          : [el.getAttribute("aria-checked"), el.getAttribute("aria-selected"),
             el.getAttribute("aria-pressed")].includes("true");
        const form = el.form || el.closest("form");
        const value = role === "select"
          ? clean((el.selectedOptions[0] || {}).textContent)
          : role === "list" ? clean(el.value || el.innerText) : "";
        add(el, shown, role, nameOf(el, role), {
          checked, value,
          options: role === "select" ? [...el.options].filter((o) => !o.disabled)
            .map((o) => clean(o.textContent)) : [],
          secret: el.type === "password", editable: !el.readOnly,
          form: form ? id(form) : null,
          sends_to: form && (el.hasAttribute("formaction") ? el.formAction : form.action) || "",
          submits: Boolean(form) && (el.type === "submit" || el.type === "image"),
          text: textOf(el),
        });
        continue;
      }
      if ((el.textContent || "").length > 400) continue;
      const text = clean(el.innerText);
      if (!text) continue;
      const clickable = getComputedStyle(el).cursor === "pointer" || el.tabIndex >= 0
        || Boolean(el.onclick);
      // A form may be a table too.
      const row = el.closest("tr, [role=row], li");
      const form = row && (row.querySelector("input, select, textarea, button, th"));
      if (text.length <= 80 && (clickable || form || !data(el)))
        add(el, el, "text", text, {clickable});
    }
    const first = [...root.querySelectorAll("h1, h2, [role=heading]")].find(visible);
    heading = (first && textOf(first)) || heading;
    // The lines that a person reads, without tables and lists of data about others.
    for (const el of root.querySelectorAll("*")) {
      if (/^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|OPTION|TEXTAREA)$/.test(el.tagName)) continue;
      const own = clean([...el.childNodes].filter((n) => n.nodeType === 3)
        .map((n) => n.textContent).join(" "));
      if (!own || !visible(el)) continue;
      const loud = Boolean(el.closest("[role=alert], [role=status], [aria-live], [class*=error i], "
        + "[class*=alert i], [class*=warn i], [class*=message i], [class*=notice i], [class*=toast i]"));
      if (data(el) && !loud) continue;
      const line = el.closest("p, h1, h2, h3, h4, li, td, label, button, a, div");
      const full = line && line.innerText.length <= 300 ? clean(line.innerText) : own;
      if (!words.some((each) => each[0] === full)) words.push([full, loud]);
    }
  };
  visit(document);
  return {elements, seen: {
    url: location.href, title: document.title, heading,
    ready: document.readyState === "complete", things, words,
  }};
}
