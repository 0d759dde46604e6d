/** The page of one instance. */
import { Actions } from "./actions.js";
import { History } from "./history.js";
import { html } from "./html.js";
import { ProblemList } from "./problems.js";
import { Replay } from "./replay.js";
import { instanceLink } from "./route.js";
import { Sequence } from "./sequence.js";
import { useAnswer } from "./server.js";
import { ENDED, Status } from "./status.js";
import { Timeline } from "./timeline.js";
import { Tree } from "./tree.js";
import { Value } from "./value.js";
import { shownTime } from "./words.js";

const NO_INPUTS = {};
const VIEWS = { "": "History", sequence: "Sequence", replay: "Replay" };

export function Instance({ id, query, about }) {
  const [answer] = useAnswer(`instance?id=${encodeURIComponent(id)}`);
  const [replay] = useAnswer(`replay?id=${encodeURIComponent(id)}`);
  if (answer === undefined) return html`<h1>${id}</h1>`;
  if (answer === null) {
    return html`<h1>${id}</h1>
      <p>There is no such instance. <a href="#/instances">Show all</a></p>`;
  }
  const { instance, events, problems, tree } = answer;
  const isEnded = ENDED.has(instance.status);
  const inputs = replay?.inputs ?? NO_INPUTS;
  const view = query.get("view") ?? "";
  const values = {
    Input: instance.input,
    "Custom status": instance.customStatus,
    Output: instance.output,
  };
  return html`
    <h1>${instance.name}</h1>
    <p class="id"><${Status} status=${instance.status} /> ${instance.id}
      ${instance.version && ` · version ${instance.version}`}${" "}
      · created ${shownTime(instance.created)} · updated ${shownTime(instance.updated)}</p>
    ${replay?.waits && html`<p class="waits">Waits for ${replay.waits}.</p>`}
    <${ProblemList} problems=${problems} />
    <${Actions} instance=${instance} events=${events} awaits=${replay?.awaits ?? []}
      isReadOnly=${about.readOnly} />
    <dl class="values">
      ${Object.entries(values).map(
        ([name, value]) =>
          value && html`<div><dt>${name}</dt><dd><${Value} text=${value} /></dd></div>`,
      )}
    </dl>
    ${tree && (tree.children.length > 0 || tree.more > 0 || tree.id !== id) &&
    html`<h2>Parents and children</h2><${Tree} node=${tree} current=${id} />`}
    <h2>Timeline</h2>
    <${Timeline} instance=${instance} events=${events} inputs=${inputs} isEnded=${isEnded} />
    <nav class="views" aria-label="Views of the history">
      ${Object.entries(VIEWS).map(
        ([name, words]) => html`
          <a key=${name} href=${instanceLink(id, name)}
            aria-current=${name === view ? "page" : null}>${words}</a>
        `,
      )}
    </nav>
    <h2>${VIEWS[view]}</h2>
    ${view === "sequence"
      ? html`<${Sequence} instance=${instance} events=${events} />`
      : view === "replay"
        ? html`<${Replay} replay=${replay} events=${events} />`
        : html`<${History} events=${events} inputs=${inputs} />`}
  `;
}
