/** The entities: state, operations, and a form that signals one. */
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { useNotice } from "./notice.js";
import { useParts } from "./parts.js";
import { hub, useAnswer } from "./server.js";
import { Value } from "./value.js";
import { shownTime } from "./words.js";

export function Entities({ about }) {
  const [entities] = useAnswer("entities");
  const [run, notice] = useNotice();
  const [shown, parts] = useParts(entities ?? []);
  return html`
    <h1>Entities</h1>
    ${notice}
    ${entities && !entities.length && html`<p>No entity has a state.</p>`}
    ${parts}
    ${shown.map(
      (entity) => html`
        <section key=${`${entity.name}@${entity.key}`} class="card"
          aria-label=${`${entity.name} ${entity.key}`}>
          <h2>${entity.name} <code>${entity.key}</code></h2>
          <${Value} text=${entity.state} />
          <p><small>${entity.operations.join(", ")}
            ${entity.updated && ` · last operation ${shownTime(entity.updated)}`}</small></p>
          ${!about.readOnly && html`<${Signal} entity=${entity} run=${run} />`}
        </section>
      `,
    )}
  `;
}

function Signal({ entity, run }) {
  const { name, key, operations } = entity;
  const [operation, setOperation] = useState("");
  const [input, setInput] = useState("");
  const signal = (event) => {
    event.preventDefault();
    run(`Signalled ${operation}.`, () => hub.signal(name, key, operation, input));
  };
  const list = `operations-${name}-${key}`;
  return html`
    <form class="actions" onSubmit=${signal}>
      <label>Operation
        <input list=${list} required value=${operation}
          onInput=${(event) => setOperation(event.target.value)} />
      </label>
      <datalist id=${list}>
        ${operations.map((one) => html`<option key=${one} value=${one}></option>`)}
      </datalist>
      <label>Input (JSON)
        <input value=${input} onInput=${(event) => setInput(event.target.value)} />
      </label>
      <button type="submit">Signal</button>
    </form>
  `;
}
