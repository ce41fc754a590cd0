// One table of the report: a header of buttons that sort, a row for each run.

/** Columns that every table has beside its own: key, label, what a row sorts by, and its cell. */
function leading(table) {
  const columns = [
    {
      key: "@solver", label: "Solver", header: true, help: "The name of its cell in a grid; solver, and the settings that differ from the defaults.",
      value: (row) => [row.name, row.solver, ...settings(row)].filter(Boolean).join(" "), cell: solverCell,
    },
    { key: "@model", label: "Model", value: (row) => row.model, cell: (row) => [row.model] },
  ];
  if (table.rows.some((row) => row.part !== null)) {
    columns.push({ key: "@part", label: "Part", value: (row) => row.part, cell: (row) => [row.part ?? NONE] });
  }
  return columns;
}

function noted(table) {
  const columns = [];
  if (table.rows.some((row) => row.logs.length)) {
    columns.push({ key: "@logs", label: "Log", help: "In inspect view; sorts by date.", value: (row) => row.logs[0]?.created ?? null, cell: logsCell });
  }
  if (table.rows.some((row) => row.flags.length)) {
    columns.push({
      key: "@flags", label: "Notes", help: "What makes the row not like for like.",
      value: (row) => row.flags.map((flag) => flag.text).join("; ") || null, cell: flagsCell,
    });
  }
  return columns;
}

function counted(table) {
  const value = (row) => row.cells[table.headline]?.n ?? null;
  return { key: "@n", label: "n", help: "Samples (or scenarios) that the first score is of.", numeric: true, value, cell: (row) => [value(row) === null ? NONE : fixed(value(row), 0)] };
}

function own(column) {
  return {
    key: column.key, label: column.label, help: column.help, numeric: column.unit !== "text",
    value: (row) => sortable(row.cells[column.key]), cell: (row) => valueCell(row.cells[column.key], column),
  };
}

const DIFFERENCE = {
  key: "@paired", label: "vs baseline", numeric: true,
  help: "Difference in points to the baseline on the entries that both have, with its 95% interval, and "
    + "the p-value, corrected by Holm for all comparisons of the table.",
  value: (row) => row.paired?.difference ?? null, cell: pairedCell,
};

/** The columns to show, in order: the headline and the difference come first. */
function columnsOf(table, groups) {
  const headline = table.columns.filter((column) => column.key === table.headline);
  const others = table.columns.filter((column) => column.key !== table.headline && groups.has(column.group));
  const scores = others.filter((column) => column.group === "score");
  const rest = others.filter((column) => column.group !== "score");
  const count = headline.length && table.rows.some((row) => isEstimate(row.cells[table.headline] ?? null)) ? [counted(table)] : [];
  const paired = table.rows.some((row) => row.paired) ? [DIFFERENCE] : [];
  return [...leading(table), ...headline.map(own), ...count, ...paired, ...scores.map(own), ...noted(table), ...rest.map(own)];
}

function settings(row) {
  return Object.entries(row.settings).map(([name, value]) => `${name}=${value}`);
}

function solverCell(row) {
  const told = settings(row);
  const more = [...(row.name ? [row.solver] : []), ...told].join(", ");
  return [row.name || row.solver, more ? element("span", { class: "more" }, more) : null];
}

function valueCell(value, column) {
  if (!isEstimate(value)) return [written(value, column)];
  const { low, high, n } = value;
  const interval = low === null || high === null ? null : `[${written(low, column)}, ${written(high, column)}]`;
  return [
    written(value.value, column),
    interval && element("span", { class: "more", title: n === null ? null : `95% interval, n = ${n}` }, interval),
  ];
}

function pairedCell(row) {
  const paired = row.paired;
  if (!paired) return [NONE];
  const { low, high, p, p_holm: holm, n, detectable } = paired;
  const interval = low === null || high === null ? null : `[${signed(low)}, ${signed(high)}]`;
  const alone = p === null ? "" : `; unadjusted ${probability(p)}`;
  const title = `${n} entries in both${alone}` + (detectable === null ? "" : `; a difference of ${fixed(100 * detectable, 1)} points would have shown with 80% power`);
  const lines = interval === null && p === null ? ["no spread"] : [interval, probability(holm)].filter(Boolean);
  return [signed(paired.difference), ...lines.map((line) => element("span", { class: "more", title }, line))];
}

function flagsCell(row) {
  if (!row.flags.length) return [NONE];
  return [element("ul", { class: "flags" }, ...row.flags.map((flag) => element("li", { "data-code": flag.code }, flag.text)))];
}

function logsCell(row) {
  if (!row.logs.length) return [NONE];
  return row.logs.map((log, number) => element(
    "a", { href: address(log), target: "_blank", rel: "noopener", title: `${log.folder}/${log.path}` },
    row.logs.length > 1 ? `log ${number + 1} ` : "log",
    element("span", { class: "unseen" }, ` of ${row.label}`),
  ));
}

/** A log in the viewer that is bundled with the page, or in an `inspect view` on this machine. */
function address(log) {
  const path = log.path.split("/").map(encodeURIComponent).join("/");
  return `${page.data.viewers[log.folder] ?? page.data.viewer}#/logs/${path}`;
}

/** The table in a region that scrolls sideways and can be focused for it. */
function tableElement(table, rows, state) {
  const columns = columnsOf(table, state.groups);
  const body = element("tbody");
  const heads = columns.map((column) => headElement(table, column, state, () => refresh()));
  function refresh() {
    const sort = state.sorts[table.id];
    columns.forEach((column, number) => {
      const direction = sort?.key === column.key ? (sort.down ? "descending" : "ascending") : "none";
      heads[number].setAttribute("aria-sort", direction);
    });
    body.replaceChildren(...sorted(rows, columns, sort).map((row) => rowElement(row, columns)));
  }
  refresh();
  const caption = element("caption", { id: `caption-${table.id}` }, table.title);
  const made = element("table", { id: table.id }, caption, element("thead", {}, element("tr", {}, ...heads)), body);
  const region = { class: "region", role: "region", tabindex: 0, "aria-labelledby": `caption-${table.id}`, "data-key": `region ${table.id}` };
  return element("div", region, made);
}

function headElement(table, column, state, refresh) {
  const press = () => {
    const sort = state.sorts[table.id];
    // Numbers start with the largest; the third press brings back the order of the report.
    const first = { key: column.key, down: Boolean(column.numeric) };
    if (sort?.key !== column.key) state.sorts[table.id] = first;
    else if (sort.down === first.down) state.sorts[table.id] = { key: column.key, down: !first.down };
    else delete state.sorts[table.id];
    refresh();
  };
  const button = element(
    "button", { type: "button", title: column.help || null, "data-key": `${table.id} ${column.key}`, on: { click: press } }, column.label,
  );
  return element("th", { scope: "col", class: column.numeric ? "number" : null, "aria-sort": "none" }, button);
}

function sorted(rows, columns, sort) {
  const column = columns.find((candidate) => candidate.key === sort?.key);
  if (!column) return rows;
  return [...rows].sort((a, b) => compared(column.value(a), column.value(b), sort.down));
}

function rowElement(row, columns) {
  const cells = columns.map((column) => element(
    column.header ? "th" : "td",
    { scope: column.header ? "row" : null, class: column.numeric ? "number" : null },
    ...column.cell(row),
  ));
  return element("tr", { "data-row": row.id }, ...cells);
}
