// Blocks of results: what is measured, simulated and published never shares one.

const KINDS = {
  measured: { title: "measured", note: "" },
  simulated: {
    title: "SIMULATED",
    note: "Simulated: a stochastic policy that knows the answers and errs at set rates. These numbers show that the machinery works, not how good a model is.",
  },
  floor: { title: "floor, asks no model", note: "What the training half alone gives away: no model was asked." },
  published: { title: "published elsewhere", note: "Published: taken from the paper, not measured here." },
};

const LEADING = ["leaderboard", "overview", "published"];

/** Board and kind -> its tables and plots, in the order of the report. */
function blocksOf(data) {
  const blocks = new Map();
  const block = (part) => {
    const key = `${part.board}\n${part.kind}`;
    if (!blocks.has(key)) blocks.set(key, { board: part.board, kind: part.kind, tables: [], plots: [] });
    return blocks.get(key);
  };
  data.tables.forEach((table) => block(table).tables.push(table));
  data.plots.forEach((plot) => block(plot).plots.push(plot));
  return [...blocks.values()];
}

/** One block, or null where the filters leave nothing of it. */
function blockElement(block, number, state, theme) {
  const shown = block.tables.map((table) => [table, table.rows.filter((row) => passes(row, table, state.filters))]).filter(([, rows]) => rows.length);
  if (block.tables.length && !shown.length) return null;
  const ids = new Set(shown.flatMap(([, rows]) => rows.map((row) => row.id)));
  const kind = KINDS[block.kind];
  const leading = shown.filter(([table]) => LEADING.includes(table.role));
  const further = shown.filter(([table]) => !LEADING.includes(table.role));
  const figures = block.plots.map((plot) => figureOf(plot, (id) => ids.has(id), theme)).filter(Boolean);
  return element(
    "section", { class: `block ${block.kind}`, id: `block-${number}`, "aria-labelledby": `title-${number}` },
    element("h2", { id: `title-${number}` }, block.board, " ", element("span", { class: "badge" }, kind.title)),
    kind.note ? element("p", { class: "kind" }, kind.note) : null,
    ...leading.flatMap(([table, rows]) => tableAndNote(table, rows, state)),
    figures.length ? element("div", { class: "figures" }, ...figures) : null,
    ...further.map(([table, rows]) => furtherElement(table, rows, state)),
  );
}

function tableAndNote(table, rows, state) {
  return [tableElement(table, rows, state), table.note ? element("p", { class: "note" }, table.note) : null];
}

/** A table that is looked at second: closed until it is asked for. */
function furtherElement(table, rows, state) {
  const toggle = (event) => { if (event.target.open) state.open.add(table.id); else state.open.delete(table.id); };
  return element(
    "details", { class: "further", open: state.open.has(table.id), on: { toggle } },
    element("summary", { "data-key": `open ${table.id}` }, `${table.title} (${rows.length} rows)`), ...tableAndNote(table, rows, state),
  );
}

function contents(blocks) {
  const links = blocks.map(([block, number]) => element("li", {}, element("a", { href: `#block-${number}` }, `${block.board}: ${KINDS[block.kind].title}`)));
  return element("nav", { "aria-label": "Blocks" }, element("ul", {}, ...links));
}
