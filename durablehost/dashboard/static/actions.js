/** What can be done to an instance. */
import { useState } from "preact/hooks";
import { asCurl } from "./as_curl.js";
import { asPytest } from "./as_pytest.js";
import { CopyButton } from "./copying.js";
import { html } from "./html.js";
import { useNotice } from "./notice.js";
import { instanceLink } from "./route.js";
import { hub } from "./server.js";
import { ENDED } from "./status.js";

const REASON = "From the dashboard";

export function Actions({ instance, events, awaits, isReadOnly }) {
  const [run, notice] = useNotice();
  const { id, status } = instance;
  const isEnded = ENDED.has(status);
  const button = (name, words, work) => html`
    <button type="button" onClick=${() => run(words, work)}>${name}</button>
  `;
  const restart = async () => {
    const answer = JSON.parse(await hub.restart(id));
    location.hash = instanceLink(answer.id);
  };
  const purge = async () => {
    await hub.purge(id);
    location.hash = "#/instances";
  };
  return html`
    ${!isReadOnly &&
    html`
      <div class="actions" role="group" aria-label="Actions">
        ${!isEnded && button("Terminate", "Asked to terminate.", () => hub.terminate(id, REASON))}
        ${!isEnded &&
        (status === "Suspended"
          ? button("Resume", "Asked to resume.", () => hub.resume(id, REASON))
          : button("Suspend", "Asked to suspend.", () => hub.suspend(id, REASON)))}
        ${button("Restart", "Started again under a new id.", restart)}
        ${status === "Failed" && button("Rewind", "Rewound.", () => hub.rewind(id, REASON))}
        ${isEnded && button("Purge", "Purged.", purge)}
      </div>
      ${!isEnded && html`<${RaiseEvent} id=${id} awaits=${awaits} run=${run} />`}
      ${notice}
    `}
    <div class="actions" role="group" aria-label="Copy">
      <${CopyButton} name="Copy as curl" write=${() => asCurl(instance)} />
      <${CopyButton} name="Copy as pytest test" write=${() => asPytest(instance, events)} />
    </div>
  `;
}

function RaiseEvent({ id, awaits, run }) {
  const [name, setName] = useState("");
  const [data, setData] = useState("");
  const raise = (event) => {
    event.preventDefault();
    const named = name || awaits[0];
    run(`Raised ${named}.`, () => hub.raise(id, named, data || "null"));
  };
  return html`
    <form class="actions" onSubmit=${raise} aria-label="Raise an event">
      <label>Event
        <input list="awaited" required=${!awaits.length} value=${name}
          placeholder=${awaits[0] ?? ""} onInput=${(event) => setName(event.target.value)} />
      </label>
      <datalist id="awaited">
        ${awaits.map((one) => html`<option key=${one} value=${one}></option>`)}
      </datalist>
      <label>Data (JSON)
        <input value=${data} onInput=${(event) => setData(event.target.value)} />
      </label>
      <button type="submit">Raise event</button>
    </form>
  `;
}
