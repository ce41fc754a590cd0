// The page: its state, what it shows of the data, and on a live page newer data.

const POLL_MS = 2000;
const page = { data: JSON.parse(document.getElementById("data").textContent) };
const state = { open: new Set() };
clear(state);

function show() {
  const focused = document.activeElement?.dataset?.key;
  const scrolled = new Map([...document.querySelectorAll(".region[data-key]")].map((region) => [region.dataset.key, region.scrollLeft]));
  const blocks = blocksOf(page.data).map((block, number) => [block, number, blockElement(block, number, state, currentTheme)]).filter(([, , made]) => made);
  const notes = page.data.notes.map((note) => element("p", { class: "alert" }, note.text));
  const none = blocks.length || notes.length ? [] : [element("p", { class: "alert" }, "No row has what the filters ask for.")];
  document.getElementById("report").replaceChildren(...notes, ...none, ...(blocks.length > 1 ? [contents(blocks)] : []), ...blocks.map(([, , made]) => made));
  count(blocks);
  for (const region of document.querySelectorAll(".region[data-key]")) region.scrollLeft = scrolled.get(region.dataset.key) ?? 0;
  for (const place of document.querySelectorAll(".chart")) place.draw();
  if (focused) [...document.querySelectorAll("[data-key]")].find((candidate) => candidate.dataset.key === focused)?.focus({ preventScroll: true });
}

function count(blocks) {
  const rows = document.querySelectorAll(".block .region[data-key] tbody tr").length;
  const all = page.data.tables.reduce((sum, table) => sum + table.rows.length, 0);
  document.getElementById("found").textContent = `${rows} of ${all} rows in ${blocks.length} blocks.`;
}

function controls() {
  const focused = document.activeElement?.dataset?.key;
  const form = document.getElementById("filters");
  form.replaceChildren(...filterControls(page.data, state, (all = false) => { if (all) controls(); show(); }));
  if (focused) form.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function about() {
  const versions = Object.entries(page.data.tool_versions).map(([name, version]) => `${name} ${version}`);
  const when = new Date(page.data.generated).toISOString().replace("T", " ").slice(0, 16);
  document.getElementById("about").textContent = `From ${page.data.folders.join(", ") || "logs"}, ${when} UTC, ${versions.join(", ")}.`;
}

/** Asks the page's server for newer data; sorting and filters stay. */
async function refresh() {
  const status = document.getElementById("live");
  try {
    const answer = await fetch("data.json", { cache: "no-store", headers: refresh.tag ? { "If-None-Match": refresh.tag } : {} });
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const first = refresh.tag === undefined;
      refresh.tag = answer.headers.get("ETag");
      const data = await answer.json();
      if (!first || data.generated !== page.data.generated) { page.data = data; all(); }
    }
    status.textContent = `Live: data of ${new Date(page.data.generated).toLocaleTimeString()}.`;
  } catch (error) {
    status.textContent = "The server of this page does not answer: these are its last numbers.";
  }
  setTimeout(refresh, POLL_MS);
}

function all() {
  about();
  controls();
  show();
}

document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
themeButton(document.getElementById("theme"), show);
all();
if (document.documentElement.dataset.live === "true") {
  document.getElementById("live").hidden = false;
  refresh();
}
