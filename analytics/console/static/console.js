"use strict";
// Pages work without it: it adds the reader's own time, filters rows, copies commands, and tells of
// the GPUs of a node beside the map.

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf()) && at.getTimezoneOffset() !== 0) {
    const own = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    const local = document.createElement("span");
    local.className = "soft own";
    local.textContent = ` (${own} here)`;
    time.append(local);
  }
}

// What takes seconds comes after the page: from the page that has it, the part of that name.
for (const place of document.querySelectorAll("[data-part]")) {
  const [path, name] = place.dataset.part.split("#");
  place.setAttribute("aria-busy", "true");
  fetch(path)
    .then((answer) => (answer.ok ? answer.text() : ""))
    .then((text) => new DOMParser().parseFromString(text, "text/html").getElementById(name))
    .then((part) => part && place.replaceChildren(...part.children))
    .finally(() => place.removeAttribute("aria-busy"));
}

for (const filter of document.querySelectorAll("[data-filter]")) {
  filter.hidden = false;
  const rows = document.querySelectorAll("[data-row]");
  const told = filter.querySelector("output");
  filter.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    told.textContent = words.length ? `${shown} of ${rows.length}` : "";
  });
}

for (const commands of document.querySelectorAll("pre[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(commands.textContent);
    button.textContent = "Copied";
  });
  commands.after(button);
}

const map = document.querySelector("[data-map]");
if (map) {
  const links = [...map.querySelectorAll("a")];
  const card = document.createElement("div");
  card.id = "card";
  card.hidden = true;
  card.setAttribute("role", "status");
  document.body.append(card);
  const told = new Map();
  let wanted = null;

  const details = (node) => {
    if (!told.has(node)) {
      const asked = fetch(`${map.dataset.map}?node=${encodeURIComponent(node)}`);
      told.set(node, asked.then((answer) => (answer.ok ? answer.json() : null), () => null));
    }
    return told.get(node);
  };

  const line = (texts, tag, on) => {
    const row = document.createElement("tr");
    row.className = on ? "on" : "";
    for (const text of texts) {
      const cell = document.createElement(tag);
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  };

  const tell = async (link, slot) => {
    const found = await details(decodeURIComponent(link.pathname.slice("/nodes/".length)));
    if (wanted !== link || !found) return;
    const table = document.createElement("table");
    table.append(line(found.columns, "th", false));
    found.rows.forEach((gpu, place) => table.append(line(gpu, "td", place === slot)));
    const title = document.createElement("strong");
    title.textContent = link.getAttribute("aria-label");
    card.replaceChildren(title, table);
    card.hidden = false;
  };

  // Whoever crosses the map asks for nothing; who stays on a node does.
  const over = (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    wanted = link;
    const slot = [...link.querySelectorAll("i")].indexOf(event.target);
    setTimeout(() => wanted === link && tell(link, slot), 80);
  };
  const away = () => {
    wanted = null;
    card.hidden = true;
  };
  map.addEventListener("mouseover", over);
  map.addEventListener("mouseleave", away);
  map.addEventListener("focusin", over);
  map.addEventListener("focusout", away);

  // One stop for Tab, and the arrow keys within the map.
  links.forEach((link, place) => (link.tabIndex = place ? -1 : 0));
  const go = (link) => {
    for (const other of links) if (other.tabIndex === 0) other.tabIndex = -1;
    link.tabIndex = 0;
    link.focus();
  };
  const beside = (link, step) => {
    const here = link.getBoundingClientRect();
    for (let place = links.indexOf(link) + step; links[place]; place += step) {
      const there = links[place].getBoundingClientRect();
      if (there.top !== here.top && (there.left - here.left) * step >= -4) return links[place];
    }
    return null;
  };
  const next = {
    ArrowRight: (link) => links[links.indexOf(link) + 1],
    ArrowLeft: (link) => links[links.indexOf(link) - 1],
    ArrowDown: (link) => beside(link, 1),
    ArrowUp: (link) => beside(link, -1),
    Home: () => links[0],
    End: () => links[links.length - 1],
  };
  map.addEventListener("keydown", (event) => {
    const link = event.target.closest("a");
    if (!link || !(event.key in next)) return;
    event.preventDefault();
    const to = next[event.key](link);
    if (to) go(to);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") away();
  });
}
