// Improves pages that work without it: ranking by buttons, one press a form, focus on what is wrong.
"use strict";

document.querySelector("[data-problem]")?.focus();

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A second press of a button is ignored; coming back to the page makes the form ready again.
for (const form of document.querySelectorAll("form[data-once]")) {
  const button = form.querySelector("button:not([type])");
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    button?.setAttribute("aria-disabled", "true");
  });
  addEventListener("pageshow", () => {
    delete form.dataset.sent;
    button?.removeAttribute("aria-disabled");
  });
}

// A list that is carried out in parts goes on by itself.
document.querySelector("form[data-go-on]")?.requestSubmit();

// ------------------------------------------------------------------ another language: what is typed goes along

const KEPT = "typed";
const typedIn = () =>
  [...document.querySelectorAll("main form")].map((form) =>
    [...form.elements]
      .filter((field) => field.name && !["hidden", "password", "file", "submit"].includes(field.type))
      .map((field) => [field.name, field.value, field.checked ?? null]),
  );

// Before the ranking is built, which reads the selects.
try {
  const kept = JSON.parse(sessionStorage.getItem(KEPT));
  sessionStorage.removeItem(KEPT);
  if (kept?.path === location.pathname) {
    document.querySelectorAll("main form").forEach((form, at) => {
      const told = [...(kept.forms[at] ?? [])];
      for (const field of form.elements) {
        if (field.name !== told[0]?.[0]) continue;
        const [, value, checked] = told.shift();
        if (checked === null || !["checkbox", "radio"].includes(field.type)) field.value = value;
        else field.checked = checked;
      }
    });
  }
} catch {
  // No storage, or another page's: the form stays as the server sent it.
}

// A button of a language sends one form, which the server shows again; here every form goes along, and the page stays.
for (const link of document.querySelectorAll(".switch a, .switch button[data-href^='?'], .switch button[data-href^='/']")) {
  const there = new URL(link.href ?? link.dataset.href, location.href);
  link.addEventListener("click", (event) => {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ path: there.pathname, forms: typedIn() }));
    } catch {
      return; // As without scripts.
    }
    if (link.dataset.href) {
      event.preventDefault();
      location.assign(there);
    }
  });
}

// ------------------------------------------------------------------ ranking

const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

const arrow = (path) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  svg.firstChild.setAttribute("d", path);
  return svg;
};

const rank = (fieldset) => {
  const words = fieldset.dataset;
  const cards = fieldset.querySelector("[data-themes]");
  const selects = [...fieldset.querySelectorAll("select")];
  const list = make("ol", { class: "themes movable" });
  if (cards.lang) list.lang = cards.lang;
  list.append(...cards.children);
  cards.replaceWith(list);
  fieldset.querySelector("[data-choices]").hidden = true;

  const told = make("span");
  const keep = make("button", { type: "button", class: "button quiet" }, words.keep);
  const live = make("p", { role: "status", class: "unseen" });
  list.before(make("div", { class: "state" }, told, keep));
  list.after(live);

  const title = (row) => row.querySelector("h3").textContent;
  let ranked = false;
  let placed = 0; // rows on top that have a place, when others, such as a theme added later, have none

  // A theme may be open to some partner types only: those that are not open stay in the list, hidden, at its end.
  const kind = () => fieldset.form?.querySelector("[name=partner_type]:checked")?.value;
  const open = (row) => !row.dataset.for || !kind() || row.dataset.for.split(" ").includes(kind());
  const shown = () => [...list.children].filter((row) => !row.hidden);
  const sift = () => {
    for (const row of list.children) row.hidden = !open(row);
    list.append(...[...list.children].filter((row) => row.hidden));
  };

  const paint = () => {
    const rows = shown();
    for (const select of selects.slice(rows.length)) select.value = "";
    const places = ranked ? rows.length : Math.min(placed, rows.length);
    list.classList.toggle("ranked", ranked);
    told.textContent = ranked ? words.kept : places ? words.more : words.open;
    keep.hidden = ranked;
    rows.forEach((row, position) => {
      row.querySelector(".place").textContent = position < places ? position + 1 : "";
      row.querySelector("[data-by='-1']").setAttribute("aria-disabled", position === 0);
      row.querySelector("[data-by='1']").setAttribute("aria-disabled", position === rows.length - 1);
      selects[position].value = position < places ? row.dataset.theme : "";
    });
  };

  const settle = (row) => {
    ranked = true;
    paint();
    const place = shown().indexOf(row) + 1;
    live.textContent = words.now.replace("{}", title(row)).replace("[]", place).replace("()", shown().length);
  };

  const move = (row, by, button) => {
    const beyond = by < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (!beyond || beyond.hidden) {
      live.textContent = (by < 0 ? words.first : words.last).replace("{}", title(row));
      return;
    }
    if (by < 0) beyond.before(row);
    else beyond.after(row);
    settle(row);
    button.focus();
  };

  for (const row of list.children) {
    const moves = make("div", { class: "moves" });
    for (const [by, label, path] of [[-1, words.up, "M12 19V5M6 11l6-6 6 6"], [1, words.down, "M12 5v14M6 13l6 6 6-6"]]) {
      const name = label.replace("{}", title(row));
      const button = make("button", { type: "button", "aria-label": name, "data-by": by, lang: document.documentElement.lang }, arrow(path));
      button.addEventListener("click", () => move(row, by, button));
      moves.append(button);
    }
    row.prepend(make("span", { class: "place", "aria-hidden": "true" }));
    row.append(moves);

    // Dragging is an extra for the mouse; everything it does, the buttons do.
    row.draggable = true;
    row.addEventListener("dragstart", () => row.classList.add("dragged"));
    row.addEventListener("dragover", (event) => {
      const dragged = list.querySelector(".dragged");
      if (!dragged || dragged === row) return;
      event.preventDefault();
      const box = row.getBoundingClientRect();
      if (event.clientY < box.top + box.height / 2) row.before(dragged);
      else row.after(dragged);
    });
    row.addEventListener("drop", (event) => event.preventDefault());
    row.addEventListener("dragend", () => {
      row.classList.remove("dragged");
      settle(row);
    });
  }

  keep.addEventListener("click", () => {
    ranked = true;
    paint();
    live.textContent = words.kept;
    list.querySelector("button:not([aria-disabled=true])").focus();
  });

  // The list follows the selects: what a server sent back, and what a browser fills in again on the way back, which
  // it does only after this script has run.
  const byTheme = Object.fromEntries([...list.children].map((row) => [row.dataset.theme, row]));
  const follow = () => {
    const chosen = selects.map((select) => byTheme[select.value]).filter((row) => row && open(row));
    sift();
    placed = new Set(chosen).size;
    ranked = placed === shown().length;
    list.prepend(...new Set(chosen));
    paint();
  };
  follow();
  for (const radio of fieldset.form?.querySelectorAll("[name=partner_type]") ?? []) {
    radio.addEventListener("change", () => {
      sift();
      paint();
    });
  }
  addEventListener("pageshow", follow);
};

for (const fieldset of document.querySelectorAll("[data-ranking]")) rank(fieldset);

// ------------------------------------------------------------------ likely slips in an address: a hint, no barrier

const DOMAINS = ["gmail.com", "hotmail.com", "outlook.com", "yahoo.com", "icloud.com", "telenet.be", "skynet.be", "proximus.be"];

const distance = (one, other) => {
  let before = [...Array(other.length + 1).keys()];
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      row[j] = Math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1));
    }
    before = row;
  }
  return before[other.length];
};

for (const input of document.querySelectorAll("input[data-typo]")) {
  const hint = make("p", { class: "typo", role: "status" });
  input.after(hint);
  input.addEventListener("change", () => {
    hint.replaceChildren();
    const [, local, domain] = /^(.+)@(.+)$/.exec(input.value.trim().toLowerCase()) ?? [];
    const meant = domain && !DOMAINS.includes(domain) && DOMAINS.find((known) => distance(domain, known) <= 2);
    if (!meant) return;
    const address = `${local}@${meant}`;
    const button = make("button", { type: "button" }, input.dataset.typo.replace("{}", address));
    button.addEventListener("click", () => {
      input.value = address;
      hint.replaceChildren();
      input.focus();
    });
    hint.append(button);
  });
}

// A page that shows something under way loads itself again; without scripts a <meta> inside <noscript> does it.
const underWay = document.querySelector("[data-refresh]");
if (underWay) setTimeout(() => location.reload(), 1000 * Number(underWay.dataset.refresh));
