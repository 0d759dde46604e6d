/** The history as a table. Only the rows in sight are in the page, so length does not matter. */
import { useMemo, useState } from "preact/hooks";
import { html } from "./html.js";
import { isFailure, namesOf } from "./tasks.js";
import { Value } from "./value.js";
import { readable, short, shownTime } from "./words.js";

const ROW = 32; // pixels, as in style.css
const IN_SIGHT = 40;
const QUIET = new Set(["OrchestratorStarted", "OrchestratorCompleted"]);

export function History({ events, inputs }) {
  const [top, setTop] = useState(0);
  const [withQuiet, setWithQuiet] = useState(false);
  const [filter, setFilter] = useState("");
  const [chosen, setChosen] = useState(null);
  const all = useMemo(() => rowsOf(events, inputs), [events, inputs]);
  const rows = useMemo(() => {
    const wanted = filter.toLowerCase();
    return all
      .filter((row) => withQuiet || !QUIET.has(row.kind))
      .filter((row) => !wanted || textOf(row).includes(wanted));
  }, [all, withQuiet, filter]);
  const first = Math.max(0, Math.min(top, rows.length - IN_SIGHT));
  const shown = rows.slice(first, first + IN_SIGHT);
  const follow = (event) => setTop(Math.max(0, Math.floor(event.target.scrollTop / ROW) - 8));
  return html`
    <div class="actions">
      <label>Filter <input type="search" value=${filter}
        onInput=${(event) => setFilter(event.target.value)} /></label>
      <label><input type="checkbox" checked=${withQuiet}
        onChange=${() => setWithQuiet(!withQuiet)} /> episodes</label>
      <span>${rows.length.toLocaleString("en")} events</span>
    </div>
    <div class="scrolled history" tabindex="0" role="region" aria-label="History"
      onScroll=${follow}>
      <table aria-rowcount=${rows.length}>
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">Time (UTC)</th>
            <th scope="col">Event</th>
            <th scope="col">Name</th>
            <th scope="col">Input</th>
            <th scope="col">Result</th>
          </tr>
        </thead>
        <tbody>
          <tr class="space" style=${{ height: `${first * ROW}px` }} aria-hidden="true"></tr>
          ${shown.map(
            (row) => html`
              <tr key=${row.position} class=${isFailure(row) ? "failed" : ""}
                aria-rowindex=${row.position + 1}>
                <td>
                  <button type="button" class="link" aria-label=${`Event ${row.position}`}
                    onClick=${() => setChosen(row.position)}>${row.position}</button>
                </td>
                <td class="time">${shownTime(row.at)}</td>
                <td>${row.kind}</td>
                <td>${row.name}</td>
                <td class="value">${short(readable(row.input))}</td>
                <td class="value">${short(readable(row.reason ?? row.result ?? row.status))}</td>
              </tr>
            `,
          )}
          <tr class="space" aria-hidden="true"
            style=${{ height: `${Math.max(0, rows.length - first - IN_SIGHT) * ROW}px` }}></tr>
        </tbody>
      </table>
    </div>
    ${chosen !== null &&
    html`<${Details} event=${events[chosen]} input=${events[chosen]?.input ?? inputs[chosen]} />`}
  `;
}

function rowsOf(events, inputs) {
  const names = namesOf(events);
  return events.map((event, position) => ({
    ...event,
    position,
    name: names.get(event) ?? event.name ?? event.fireAt ?? event.instance,
    input: event.input ?? inputs[position],
  }));
}

function textOf(row) {
  return [row.kind, row.name, row.instance, row.input, row.result, row.reason]
    .join(" ")
    .toLowerCase();
}

function Details({ event, input }) {
  if (!event) return null;
  const values = { Input: input, Result: event.result, Reason: event.reason };
  return html`
    <section class="details" aria-label="Chosen event">
      <h3>${event.kind} ${event.name}</h3>
      ${Object.entries(values).map(
        ([name, value]) =>
          value !== undefined && html`<h4>${name}</h4><${Value} text=${value} />`,
      )}
    </section>
  `;
}
