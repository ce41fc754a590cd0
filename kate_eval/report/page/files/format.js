// How values are written and compared, and how elements are made: text always becomes a text node.

const NONE = "-";

/** An element with attributes and children; children are elements or text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// As in the other formats: the number that is stored is rounded, not its shortest decimal; true ties go to the even digit.
function fixed(value, digits) {
  const scaled = Math.abs(value) * 10 ** digits;
  const tie = Number.isInteger(scaled * 2) && !Number.isInteger(scaled) && Number.isInteger(value * 2 ** (digits + 1));
  const exact = tie ? (2 * Math.round(scaled / 2) * Math.sign(value)) / 10 ** digits : value;
  return Number(exact.toFixed(digits)).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A number in its column's unit; shares in percent, rounded to four digits first as AppWorld's engine does. */
function written(value, column) {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "string") return value;
  const digits = column.unit === "count" ? 0 : column.digits;
  if (column.unit === "share") return fixed(100 * (Math.round(value * 1e4) / 1e4), digits) + (digits ? "" : "%");
  if (column.unit === "dollars") return String(Number(value.toPrecision(4)));
  return fixed(value, digits);
}

function isEstimate(value) {
  return value !== null && typeof value === "object";
}

/** What a cell is sorted by; null for what is not known, which comes last. */
function sortable(value) {
  if (value === null || value === undefined) return null;
  return isEstimate(value) ? value.value : value;
}

function signed(share) {
  return (share < 0 ? "-" : "+") + fixed(Math.abs(100 * share), 1);
}

function probability(p) {
  return p === null ? "" : p < 0.001 ? "p<0.001" : `p=${fixed(p, 3)}`;
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Order of two sortable values, in either direction with the unknown last. */
function compared(first, second, down) {
  if (first === null || second === null) return (first === null) - (second === null);
  const order = typeof first === "number" && typeof second === "number"
    ? first - second
    : collator.compare(String(first), String(second));
  return down ? -order : order;
}
