// Tells the recorder, in memory, what a person types; the last value of each field is what counts.
(() => {
  const tell = (field) => {
    if (!field || !/^(INPUT|TEXTAREA)$/.test(field.tagName) || !field.value) return;
    if (/^(hidden|radio|checkbox|submit|button|image|reset|file)$/.test(field.type)) return;
    if (!field.__told) field.__told = String(Math.random());
    window.BINDING({field: field.__told, secret: field.type === "password", value: field.value});
  };
  for (const kind of ["input", "change"])
    addEventListener(kind, (event) => tell(event.composedPath()[0]), true);
  // What a password manager fills in is typed by nobody.
  for (const kind of ["submit", "click", "keydown"])
    addEventListener(kind, () => document.querySelectorAll("input").forEach(tell), true);
})();
