/** Times, spans and values as people read them. */

export function timeOf(stamp) {
  return Date.parse(stamp.replace(/(\.\d{3})\d*/, "$1"));
}

export function shownTime(stamp) {
  if (!stamp) return "";
  const iso = new Date(timeOf(stamp)).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}`;
}

/** A span of milliseconds, such as `3 d 4 h` or `12 ms`. */
export function span(milliseconds) {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${Math.round(seconds * 10) / 10} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const parts = [];
  let left = Math.round(seconds);
  for (const [name, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) parts.push(`${count} ${name}`);
  }
  return parts.slice(0, 2).join(" ");
}

/** The text itself, or the JSON text in it: the SDK's client wraps one in the other. */
export function readable(text) {
  if (!text?.startsWith?.('"')) return text;
  try {
    const inner = JSON.parse(text);
    JSON.parse(inner);
    return inner;
  } catch {
    return text;
  }
}

/** Keeps numbers as they are written: those of browsers have 53 bits. Old browsers cannot. */
export function exact(key, value, context) {
  const isNumber = typeof value === "number" && context && JSON.rawJSON;
  return isNumber ? JSON.rawJSON(context.source) : value;
}

/** JSON text with indents; other text as it is. */
export function pretty(text) {
  if (text === undefined || text === null) return "";
  try {
    return JSON.stringify(JSON.parse(readable(text), exact), null, 2);
  } catch {
    return String(text);
  }
}

export function short(text, most = 120) {
  if (!text) return "";
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
