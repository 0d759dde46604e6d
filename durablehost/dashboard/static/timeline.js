/** The timeline of an instance. Long idle gaps are compressed and marked. */
import { html } from "./html.js";
import { instanceLink } from "./route.js";
import { tasksOf } from "./tasks.js";
import { readable, short, span, timeOf } from "./words.js";

const ROW = 36; // pixels
const TOP = 24;
const MOST = 300; // tasks that are drawn
const LONG = 20; // times the usual gap
const SHORTEST_GAP = 100; // milliseconds
const APART = 12; // percent of the width between the lengths that are written above gaps

export function Timeline({ instance, events, inputs, isEnded }) {
  if (!events.length) return html`<p>Nothing has happened yet.</p>`;
  const tasks = tasksOf(events);
  const shown = tasks.slice(0, MOST);
  const first = timeOf(instance.created);
  const last = isEnded ? timeOf(instance.updated) : timeOf(events[events.length - 1].at);
  const times = [first, last, ...shown.flatMap(({ begin, end }) => [begin, end ?? last])];
  const scale = scaleOf(times);
  const height = TOP + (shown.length + 1) * ROW;
  const whole = { type: "instance", name: instance.name, begin: first, end: isEnded ? last : null };
  return html`
    <svg class="timeline" width="100%" height=${height} role="group"
      aria-label=${`Timeline of ${tasks.length} tasks in ${span(last - first)}`}>
      ${scale.gaps.map(
        ({ from, to, length }) => html`
          <g class="gap">
            <title>${span(length)} without an event</title>
            <rect x=${`${from}%`} y="0" width=${`${to - from}%`} height=${height} />
          </g>
        `,
      )}
      ${scale.gaps.map((gap) => gap.isNamed && html`<${GapLength} gap=${gap} />`)}
      ${[whole, ...shown].map(
        (task, row) => html`
          <${Bar} task=${task} y=${TOP + row * ROW} scale=${scale} last=${last}
            input=${inputs[task.position]} />
        `,
      )}
    </svg>
    ${tasks.length > MOST &&
    html`<p>${tasks.length - MOST} more tasks are in the history below.</p>`}
  `;
}

function GapLength({ gap: { from, to, length } }) {
  const middle = (from + to) / 2;
  const [x, anchor] =
    middle < APART / 2 ? [0, "start"] : middle > 100 - APART / 2 ? [100, "end"] : [middle, "middle"];
  return html`
    <text class="gap-length" x=${`${x}%`} y="14" text-anchor=${anchor}>${span(length)}</text>
  `;
}

function Bar({ task, y, scale, last, input }) {
  const { type, name, begin, end, attempt, failed, event } = task;
  const left = scale.place(begin);
  const right = scale.place(end ?? last);
  const words = [
    name,
    attempt > 1 && `attempt ${attempt}`,
    type === "event" ? "event" : end === null ? "open" : span(end - begin),
    input && short(readable(input), 80),
  ]
    .filter(Boolean)
    .join(" · ");
  const label = html`<text x="0" y=${y + 12}>${words}</text>`;
  const link = type === "child" && event.instance;
  const kinds = `bar ${type}${failed ? " failed" : ""}${end === null ? " open" : ""}`;
  return html`
    <g class=${kinds}>
      ${link ? html`<a href=${instanceLink(event.instance)}>${label}</a>` : label}
      ${type === "event"
        ? html`<circle cx=${`${left}%`} cy=${y + 23} r="5" />`
        : html`<rect x=${`${left}%`} y=${y + 18} rx="3" height="10"
            width=${`${Math.max(0.4, right - left)}%`} />`}
    </g>
  `;
}

/** Maps times to percents of the width, and says which gaps were compressed. */
export function scaleOf(times) {
  const sorted = [...new Set(times)].sort((one, other) => one - other);
  const lengths = sorted.slice(1).map((time, place) => time - sorted[place]);
  const usual = [...lengths].sort((one, other) => one - other)[Math.floor((lengths.length - 1) / 2)];
  const most = LONG * (usual ?? 0);
  const isLong = (length) => length > most && length >= SHORTEST_GAP;
  const widths = lengths.map((length) => (isLong(length) ? most : length));
  const total = widths.reduce((sum, width) => sum + width, 0) || 1;
  const places = [0];
  for (const width of widths) {
    places.push(places[places.length - 1] + (98 * width) / total);
  }
  const gaps = lengths.flatMap((length, place) =>
    isLong(length) ? [{ from: places[place], to: places[place + 1], length }] : [],
  );
  const known = new Map(sorted.map((time, place) => [time, 1 + places[place]]));
  let named = -APART;
  return {
    place: (time) => known.get(time) ?? 1,
    gaps: gaps.map(({ from, to, length }) => {
      const isNamed = (from + to) / 2 - named >= APART;
      if (isNamed) named = (from + to) / 2;
      return { from: from + 1, to: to + 1, length, isNamed };
    }),
  };
}
