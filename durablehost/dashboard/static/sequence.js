/** The sequence diagram of an instance, drawn and as Mermaid text. */
import { CopyButton } from "./copying.js";
import { html } from "./html.js";
import { tasksOf } from "./tasks.js";
import { short } from "./words.js";

const COLUMN = 170; // pixels
const ROW = 30;
const TOP = 40;
const MOST = 200; // messages that are drawn

export function Sequence({ instance, events }) {
  const { participants, messages } = diagramOf(instance, events);
  const shown = messages.slice(0, MOST);
  const width = participants.length * COLUMN;
  const height = TOP + (shown.length + 1) * ROW;
  const middle = (name) => participants.indexOf(name) * COLUMN + COLUMN / 2;
  return html`
    <div class="scrolled" tabindex="0" role="region" aria-label="Sequence diagram">
      <svg class="sequence" width=${width} height=${height} role="img"
        aria-label=${`Sequence of ${messages.length} messages`}>
        ${participants.map(
          (name) => html`
            <line x1=${middle(name)} x2=${middle(name)} y1="28" y2=${height} />
            <text x=${middle(name)} y="18" text-anchor="middle">${short(name, 22)}</text>
          `,
        )}
        ${shown.map(
          (message, row) => html`
            <${Arrow} message=${message} y=${TOP + row * ROW + 18} middle=${middle} />
          `,
        )}
      </svg>
    </div>
    <${CopyButton} name="Copy as Mermaid" write=${() => mermaid(participants, messages)} />
  `;
}

function Arrow({ message, y, middle }) {
  const { from, to, words, isReply, failed } = message;
  const [begin, end] = [middle(from), middle(to)];
  const tip = end > begin ? end - 7 : end + 7;
  const kinds = `arrow${isReply ? " reply" : ""}${failed ? " failed" : ""}`;
  if (begin === end) return html`<text x=${begin + 6} y=${y}>${short(words, 24)}</text>`;
  return html`
    <g class=${kinds}>
      <line x1=${begin} x2=${end} y1=${y} y2=${y} />
      <path d=${`M ${end} ${y} L ${tip} ${y - 4} L ${tip} ${y + 4} Z`} />
      <text x=${(begin + end) / 2} y=${y - 5} text-anchor="middle">${short(words, 22)}</text>
    </g>
  `;
}

/** Calls of one function that are made at once become one message. */
export function diagramOf(instance, events) {
  const own = instance.name;
  const participants = [own];
  const join = (name) => {
    if (!participants.includes(name)) participants.push(name);
    return name;
  };
  const messages = [];
  const add = (at, message) => {
    const last = messages[messages.length - 1];
    const isSame = last && ["from", "to", "what", "isReply", "failed"].every(
      (key) => last[key] === message[key],
    );
    if (isSame) last.count += 1;
    else messages.push({ ...message, at, count: 1 });
  };
  const moments = tasksOf(events).flatMap((task) => {
    const begin = { at: task.begin, task, isReply: false };
    const ends = task.end !== null && task.type !== "event" && task.endEvent;
    return ends ? [begin, { at: task.end, task, isReply: true }] : [begin];
  });
  moments.sort((one, other) => one.at - other.at);
  for (const { at, task, isReply } of moments) {
    if (task.type === "timer") {
      const what = isReply ? "timer fires" : "sets a timer";
      add(at, { from: own, to: own, what, isReply, failed: false });
    } else if (task.type === "event") {
      add(at, { from: join("outside"), to: own, what: task.name, isReply: false, failed: false });
    } else {
      const other = join(task.type === "entity" ? task.event.instance : task.name);
      const failed = isReply && Boolean(task.failed);
      const what = isReply ? (failed ? "fails" : "returns") : callOf(task);
      const [from, to] = isReply ? [other, own] : [own, other];
      add(at, { from, to, what, isReply, failed });
    }
  }
  for (const message of messages) {
    message.words = message.count > 1 ? `${message.what} × ${message.count}` : message.what;
  }
  return { participants, messages };
}

function callOf(task) {
  if (task.type === "entity") return task.name.split(" ").pop();
  return task.attempt > 1 ? `calls, attempt ${task.attempt}` : "calls";
}

export function mermaid(participants, messages) {
  const named = new Map(participants.map((name, place) => [name, `p${place}`]));
  const safe = (text) => text.replace(/[;#\n]/g, " ");
  return [
    "sequenceDiagram",
    ...participants.map((name) => `    participant ${named.get(name)} as ${safe(name)}`),
    ...messages.map(({ from, to, words, isReply, failed }) => {
      const arrow = failed ? "--x" : isReply && from !== to ? "-->>" : "->>";
      return `    ${named.get(from)}${arrow}${named.get(to)}: ${safe(words)}`;
    }),
    "",
  ].join("\n");
}
