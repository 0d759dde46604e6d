/** The functions: what is loaded, what is not and why, and a form to call each. */
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { useNotice } from "./notice.js";
import { instanceLink, listLink } from "./route.js";
import { hub, send, useAnswer } from "./server.js";
import { Value } from "./value.js";

const KINDS = {
  http: "HTTP",
  orchestration: "Orchestrators",
  activity: "Activities",
  entity: "Entities",
  timer: "Timers",
  queue: "Queues",
  blob: "Blobs",
  other: "Other triggers",
};
const RUNNABLE = new Set(["timer", "queue", "blob", "other"]);

export function Functions({ about }) {
  const [answer] = useAnswer("functions", { live: false });
  const { functions = [], leftOut = [], warnings = [] } = answer ?? {};
  return html`
    <h1>Functions</h1>
    ${leftOut.length > 0 &&
    html`
      <section aria-label="Left out">
        <h2>Left out, as on Azure</h2>
        ${leftOut.map(
          (one) => html`
            <div class="alert" key=${one.name}>
              <strong>${one.name}</strong> <code>${one.place}</code>
              <p>${one.says}</p>
              <p>${one.advice}</p>
            </div>
          `,
        )}
      </section>
    `}
    ${warnings.map((words) => html`<p class="alert" key=${words}>${words}</p>`)}
    ${Object.entries(KINDS).map(([kind, title]) => {
      const ofKind = functions.filter((one) => one.kind === kind);
      return (
        ofKind.length > 0 &&
        html`
          <section key=${kind} aria-label=${title}>
            <h2>${title}</h2>
            ${ofKind.map((one) => html`<${One} key=${one.name} one=${one} about=${about} />`)}
          </section>
        `
      );
    })}
  `;
}

function One({ one, about }) {
  const form = about.readOnly ? null : formFor(one);
  return html`
    <details class="card">
      <summary>
        <strong>${one.name}</strong> ${one.route && html`<code>${one.route}</code>`}
        ${one.isDisabled && " (disabled)"} <small>${one.place}</small>
      </summary>
      ${form ?? html`<p>${one.trigger}</p>`}
      ${one.kind === "orchestration" &&
      html`<p><a href=${listLink({ name: one.durableName })}>Its instances</a></p>`}
    </details>
  `;
}

function formFor(one) {
  if (one.kind === "http") return html`<${CallRoute} one=${one} />`;
  if (one.kind === "orchestration") return html`<${StartInstance} one=${one} />`;
  return RUNNABLE.has(one.kind) ? html`<${RunNow} one=${one} />` : null;
}

function CallRoute({ one }) {
  const [method, setMethod] = useState(one.methods[0]);
  const [path, setPath] = useState(one.route);
  const [body, setBody] = useState("");
  const [answer, setAnswer] = useState(null);
  const [run, notice] = useNotice();
  const hasBody = method !== "GET" && method !== "HEAD";
  const call = (event) => {
    event.preventDefault();
    run("", async () => setAnswer(await send(method, path, hasBody ? body : undefined)));
  };
  return html`
    <form class="stacked" onSubmit=${call}>
      <label>Method
        <select value=${method} onChange=${(event) => setMethod(event.target.value)}>
          ${one.methods.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
        </select>
      </label>
      <label>Path and query
        <input value=${path} onInput=${(event) => setPath(event.target.value)} />
      </label>
      ${hasBody &&
      html`<label>Body (JSON)
        <textarea rows="4" value=${body} onInput=${(event) => setBody(event.target.value)} />
      </label>`}
      <button type="submit">Call</button>
    </form>
    ${notice}
    ${answer &&
    html`<p>Status ${answer.status}</p><${Value} text=${answer.text} label="Answer" />`}
  `;
}

function StartInstance({ one }) {
  const [id, setId] = useState("");
  const [input, setInput] = useState("");
  const [run, notice] = useNotice();
  const start = (event) => {
    event.preventDefault();
    run("", async () => {
      const answer = JSON.parse(await hub.start(one.durableName, id, input));
      location.hash = instanceLink(answer.id);
    });
  };
  return html`
    <form class="stacked" onSubmit=${start}>
      <label>Instance id, or none
        <input value=${id} onInput=${(event) => setId(event.target.value)} />
      </label>
      <label>Input (JSON)
        <textarea rows="3" value=${input} onInput=${(event) => setInput(event.target.value)} />
      </label>
      <button type="submit">Start</button>
    </form>
    ${notice}
  `;
}

function RunNow({ one }) {
  const [input, setInput] = useState("");
  const [run, notice] = useNotice();
  const start = (event) => {
    event.preventDefault();
    run("It runs.", async () => {
      const { status } = await send("POST", `/admin/functions/${one.name}`, JSON.stringify({ input }));
      if (status !== 202) throw new Error(`The host answered ${status}.`);
    });
  };
  return html`
    <form class="stacked" onSubmit=${start}>
      <label>Input
        <textarea rows="3" value=${input} onInput=${(event) => setInput(event.target.value)} />
      </label>
      <button type="submit">Run now</button>
    </form>
    ${notice}
  `;
}
