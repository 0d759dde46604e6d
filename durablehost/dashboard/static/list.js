/** The list of instances: filters, counts, pages, and actions on many at once. */
import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { useNotice } from "./notice.js";
import { instanceLink, listLink } from "./route.js";
import { hub, useAnswer } from "./server.js";
import { ENDED, STATUSES, Status } from "./status.js";
import { readable, short, shownTime, span, timeOf } from "./words.js";

const FILTERS = ["name", "status", "prefix", "from", "to", "text", "before"];
const AT_ONCE = 8; // requests
const ACTIONS = [
  ["Terminate", (id) => hub.terminate(id, "Terminated in the dashboard")],
  ["Suspend", (id) => hub.suspend(id, "Suspended in the dashboard")],
  ["Resume", (id) => hub.resume(id, "Resumed in the dashboard")],
  ["Restart", (id) => hub.restart(id)],
  ["Purge", (id) => hub.purge(id)],
];

export function List({ query, about }) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const [answer] = useAnswer(`instances?${new URLSearchParams(filters)}`);
  const [counts, setCounts] = useState({});
  const [chosen, setChosen] = useState(new Set());
  const go = (changes) => {
    location.hash = listLink({ ...filters, before: "", ...changes });
  };
  useEffect(() => {
    if (answer && !filters.before) setCounts(answer.counts);
  }, [answer]);
  useEffect(() => setChosen(new Set()), [query.toString()]);

  const shown = answer?.instances ?? [];
  return html`
    <h1>Instances</h1>
    ${answer?.longCalls?.map((line) => html`<p class="alert" role="alert">${line}</p>`)}
    <${Filters} filters=${filters} names=${about.orchestrators} go=${go} />
    <${Counts} counts=${counts} chosen=${filters.status} go=${go} />
    ${!about.readOnly &&
    html`<${Bulk} chosen=${chosen} shown=${shown} clear=${() => setChosen(new Set())} />`}
    <${Table} shown=${shown} chosen=${chosen} setChosen=${setChosen} about=${about} />
    ${answer && !shown.length && html`<${Nothing} filters=${filters} />`}
    <nav class="pages" aria-label="Older and newer">
      ${filters.before && html`<a href=${listLink({ ...filters, before: "" })}>Newest</a>`}
      ${answer?.next &&
      html`<a href=${listLink({ ...filters, before: String(answer.next) })}>Older</a>`}
    </nav>
  `;
}

function Filters({ filters, names, go }) {
  const change = (name) => (event) => go({ [name]: event.target.value });
  const field = (name, label, type = "search") => html`
    <${Field} type=${type} label=${label} value=${filters[name]} commit=${change(name)} />
  `;
  return html`
    <form class="filters" role="search" aria-label="Filters"
      onSubmit=${(event) => event.preventDefault()}>
      <label>Function
        <select name="name" value=${filters.name} onChange=${change("name")}>
          <option value="">all</option>
          ${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
        </select>
      </label>
      ${field("prefix", "Id begins with")} ${field("text", "Contains")}
      ${field("from", "Created from (UTC)", "datetime-local")}
      ${field("to", "until (UTC)", "datetime-local")}
      <a class="button" href="#/instances">Clear</a>
    </form>
  `;
}

/** Keeps what is typed while the list is updated; Enter, or leaving the field, filters by it. */
function Field({ type, label, value, commit }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return html`
    <label>${label}
      <input type=${type} value=${text} onChange=${commit}
        onInput=${(event) => setText(event.target.value)} />
    </label>
  `;
}

function Counts({ counts, chosen, go }) {
  const statuses = new Set(chosen ? chosen.split(",") : []);
  const toggle = (status) => {
    const next = new Set(statuses);
    if (!next.delete(status)) next.add(status);
    go({ status: [...next].join(",") });
  };
  return html`
    <div class="counts" role="group" aria-label="Filter by status">
      ${STATUSES.filter((status) => !counts || counts[status] || statuses.has(status)).map(
        (status) => html`
          <button key=${status} type="button" aria-pressed=${statuses.has(status)}
            onClick=${() => toggle(status)}>
            <${Status} status=${status} />
            ${counts && ` ${(counts[status] ?? 0).toLocaleString("en")}`}
          </button>
        `,
      )}
    </div>
  `;
}

/** Buttons without a choice stay in the tab order: whoever has pressed one does not lose the place. */
function Bulk({ chosen, clear }) {
  const [run, notice] = useNotice();
  const act = (name, action) =>
    run(`${name}: ${chosen.size} ${chosen.size === 1 ? "instance" : "instances"}.`, async () => {
      const left = [...chosen];
      const failures = [];
      const work = async () => {
        for (let id = left.pop(); id !== undefined; id = left.pop()) {
          await action(id).catch((error) => failures.push(`${id}: ${error.message}`));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      clear();
      if (failures.length) {
        throw new Error(`${failures.length} of ${chosen.size} refused. ${failures[0]}`);
      }
    });
  return html`
    <div class="actions" role="group" aria-label="Actions on the chosen instances">
      ${ACTIONS.map(
        ([name, action]) => html`
          <button key=${name} type="button" aria-disabled=${!chosen.size}
            onClick=${() => chosen.size && act(name, action)}>${name}</button>
        `,
      )}
      <span>${chosen.size} chosen</span>
    </div>
    ${notice}
  `;
}

function Table({ shown, chosen, setChosen, about }) {
  const choose = (id) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const all = shown.length > 0 && shown.every(({ id }) => chosen.has(id));
  const chooseAll = () => setChosen(new Set(all ? [] : shown.map(({ id }) => id)));
  return html`
    <div class="scrolled" tabindex="0" role="region" aria-label="List of instances">
      <table>
        <thead>
          <tr>
            ${!about.readOnly &&
            html`<th scope="col">
              <input type="checkbox" aria-label="Choose all" checked=${all} onChange=${chooseAll} />
            </th>`}
            <th scope="col">Status</th>
            <th scope="col">Instance</th>
            <th scope="col">Function</th>
            <th scope="col">Created (UTC)</th>
            <th scope="col">Took</th>
            <th scope="col">Input and output</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            (one) => html`
              <tr key=${one.id}>
                ${!about.readOnly &&
                html`<td>
                  <input type="checkbox" aria-label=${`Choose ${one.id}`}
                    checked=${chosen.has(one.id)} onChange=${() => choose(one.id)} />
                </td>`}
                <td><${Status} status=${one.status} /></td>
                <td class="id">
                  <a href=${instanceLink(one.id)}>${one.id}</a>
                  ${one.isChild && html` <small>child</small>`}
                </td>
                <td>${one.name}</td>
                <td class="time">${shownTime(one.created)}</td>
                <td class="time">${took(one)}</td>
                <td class="value">${summary(one)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

function took({ status, created, updated }) {
  return ENDED.has(status) ? span(timeOf(updated) - timeOf(created)) : "";
}

function summary({ input, output, customStatus }) {
  const last = output || customStatus;
  return [short(readable(input), 60), last && `→ ${short(readable(last), 60)}`].filter(Boolean).join(" ");
}

function Nothing({ filters }) {
  const isFiltered = Object.values(filters).some(Boolean);
  return isFiltered
    ? html`<p>No instance fits these filters. <a href="#/instances">Show all</a></p>`
    : html`<p>No instance was started yet. <a href="#/functions">Call a function</a></p>`;
}
