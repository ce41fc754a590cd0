// The plots, drawn by Vega with its interpreter of expressions, so that the page may forbid evaluation.

const NARROW = 600;
const TALL = 330;

const drawn = new Map();

/** The figure of a plot's visible points, or null if there are none; drawn again only if something changed. */
function figureOf(plot, visible, theme) {
  const values = plot.spec.data.values.filter((value) => !value.row || visible(value.row));
  if (!values.length) return null;
  const key = JSON.stringify([plot, values, theme()]);
  if (drawn.get(plot.id)?.key !== key) drawn.set(plot.id, { key, figure: figureElement(plot, values, theme) });
  return drawn.get(plot.id).figure;
}

/** A figure with its chart, buttons that save it, and its numbers as a table. */
function figureElement(plot, values, theme) {
  const place = element("div", { class: "chart", "data-plot": plot.id });
  const figure = element(
    "figure", { id: `plot-${plot.id}`, class: plot.spec.height > TALL ? "wide" : null }, element("h3", {}, plot.title), place,
    element("figcaption", {}, plot.note, saveButtons(place, plot)), numbersElement(plot, values),
  );
  // Drawn when it is in the document: the chart takes the width that it finds there.
  place.draw = () => { place.draw = () => {}; draw(place, plot, values, theme()); };
  return figure;
}

async function draw(place, plot, values, theme) {
  const narrow = place.clientWidth < NARROW;
  const names = new Set(values.map((value) => value.series));
  const spec = structuredClone(plot.spec);
  spec.data = { values };
  spec.width = "container";
  if (narrow && spec.title) spec.title.limit = place.clientWidth;
  spec.encoding.color.scale.domain = spec.encoding.color.scale.domain.filter((name) => names.has(name));
  const look = structuredClone(page.data.themes[theme]);
  look.background = "transparent";
  look.legend.labelLimit = narrow ? 250 : look.legend.labelLimit;
  if (narrow) look.axisY = { labelLimit: 110 };
  const embedded = await window.vegaEmbed(place, spec, {
    ast: true, renderer: "svg", actions: false, defaultStyle: false, config: look, tooltip: { disableDefaultStyle: true },
  });
  place.picture = (kind) => embedded.view.toImageURL(kind, 3);
}

function saveButtons(place, plot) {
  const save = (kind) => async () => {
    const link = element("a", { href: await place.picture(kind), download: `${plot.id}.${kind}` });
    link.click();
  };
  const button = (kind) => element("button", { type: "button", class: "quiet", "data-key": `save ${plot.id} ${kind}`, on: { click: save(kind) } }, kind.toUpperCase(), element("span", { class: "unseen" }, ` of ${plot.title}`));
  return element("span", { class: "save" }, " Save as ", button("svg"), " ", button("png"));
}

/** The plot for those who don't see it, or want its numbers. */
function numbersElement(plot, values) {
  const names = { x: plot.x.label || "Name", y: plot.y.label, low: "95%, low", high: "95%, high", n: "n" };
  const keys = Object.keys(names).filter((key) => values.some((value) => value[key] !== undefined));
  const text = (value, key) => {
    if (value === undefined) return NONE;
    if (typeof value === "string") return value;
    const axis = key === "x" ? plot.x : key === "n" ? { unit: "count" } : plot.y;
    return axis.unit === "count" ? fixed(value, 0) : written(value, { unit: axis.unit, digits: axis.unit === "share" ? 1 : 2 });
  };
  const head = element("tr", {}, element("th", { scope: "col" }, "Series"), ...keys.map((key) => element("th", { scope: "col" }, names[key])));
  const rows = values.map((value) => element("tr", {}, element("th", { scope: "row" }, value.series), ...keys.map((key) => element("td", {}, text(value[key], key)))));
  const table = element("table", {}, element("caption", { class: "unseen" }, plot.title), element("thead", {}, head), element("tbody", {}, ...rows));
  return element("details", {}, element("summary", {}, "The numbers"), element("div", { class: "region", role: "region", tabindex: 0, "aria-label": `Numbers of ${plot.title}` }, table));
}
