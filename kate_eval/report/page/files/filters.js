// The controls above the results: which rows, and which groups of columns.

const GROUPS = {
  score: "scores", category: "categories", epochs: "pass@k", rate: "rates", cost: "cost", error: "errors",
  cause: "causes", part: "parts", provenance: "provenance",
};
const SHOWN = ["score", "cost", "error", "part"];
const UNFLAGGED = "(none)";
const CHOICES = {
  board: { label: "Benchmark", of: (row, table) => [table.board] },
  model: { label: "Model", of: (row) => [row.model] },
  solver: { label: "Solver", of: (row) => [row.solver] },
  flag: { label: "Notes", of: (row) => (row.flags.length ? row.flags.map((flag) => flag.code) : [UNFLAGGED]) },
};

/** Whether a row is to be shown. */
function passes(row, table, filters) {
  const chosen = Object.entries(CHOICES).every(([name, choice]) => !filters[name] || choice.of(row, table).includes(filters[name]));
  const words = filters.text.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [row.label, row.name, row.solver, row.model, ...settings(row), ...row.flags.map((flag) => flag.text)].join(" ").toLowerCase();
  return chosen && words.every((word) => text.includes(word));
}

/** Builds the controls; `change` is called after each change of the state. */
function filterControls(data, state, change) {
  const set = (name) => (event) => { state.filters[name] = event.target.value; change(); };
  const search = element("label", {}, "Search", element("input", {
    type: "search", name: "text", value: state.filters.text, placeholder: "model, solver, setting", "data-key": "filter text", on: { input: set("text") },
  }));
  const selects = Object.entries(CHOICES).map(([name, choice]) => selectElement(name, choice, data, state, set(name)));
  const reset = element("button", { type: "button", "data-key": "filter reset", on: { click: () => { clear(state); change(true); } } }, "Reset");
  return [search, ...selects, groupsElement(data, state, change), reset];
}

function selectElement(name, choice, data, state, set) {
  const values = new Set(data.tables.flatMap((table) => table.rows.flatMap((row) => choice.of(row, table))));
  // A choice of before the last refresh stays, though no row has it any more.
  if (state.filters[name]) values.add(state.filters[name]);
  const options = [...values].sort(collator.compare).map((value) => element("option", { value, selected: value === state.filters[name] }, value));
  return element("label", {}, choice.label, element("select", { name, "data-key": `filter ${name}`, on: { change: set } }, element("option", { value: "" }, "all"), ...options));
}

function groupsElement(data, state, change) {
  const there = new Set(data.tables.flatMap((table) => table.columns.map((column) => column.group)));
  const boxes = Object.entries(GROUPS).filter(([group]) => there.has(group)).map(([group, label]) => {
    const toggle = (event) => { if (event.target.checked) state.groups.add(group); else state.groups.delete(group); change(); };
    return element("label", {}, element("input", {
      type: "checkbox", name: group, checked: state.groups.has(group), "data-key": `group ${group}`, on: { change: toggle },
    }), label);
  });
  return element("fieldset", {}, element("legend", {}, "Columns"), ...boxes);
}

function clear(state) {
  state.filters = { text: "", board: "", model: "", solver: "", flag: "" };
  state.groups = new Set(SHOWN);
  state.sorts = {};
}
