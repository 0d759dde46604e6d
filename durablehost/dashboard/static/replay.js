/** Today's code, run against the history step by step. */
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { useParts } from "./parts.js";
import { namesOf } from "./tasks.js";

export function Replay({ replay, events }) {
  const [chosen, setChosen] = useState(0);
  if (!replay) return html`<p>Replaying…</p>`;
  if (replay.why) return html`<p>${replay.why}</p>`;
  const { steps, compared, outcome } = replay;
  const names = namesOf(events);
  const differs = compared.findIndex((row) => row.differs);
  const step = steps[Math.min(chosen, steps.length - 1)];
  return html`
    <p class=${differs < 0 ? "" : "alert"} role="status">
      ${differs < 0
        ? "Today's code does what the history says."
        : `Event ${compared[differs].event} is the first at which they differ.`}
    </p>
    ${outcome && html`<p>The code raises: ${outcome}</p>`}
    <div class="replay">
      <${Steps} steps=${steps} events=${events} names=${names} chosen=${step} choose=${setChosen} />
      ${step && html`<${Step} step=${step} words=${eventWords(events[step.event], names)} />`}
    </div>
    <h3>Recorded and replayed</h3>
    <${Compared} compared=${compared} first=${differs} />
  `;
}

function Steps({ steps, events, names, chosen, choose }) {
  const [shown, parts, first] = useParts(steps);
  return html`
    <div>
      ${parts}
      <ol class="steps" aria-label="Steps" start=${first + 1}>
        ${shown.map(
          (one, place) => html`
            <li key=${first + place}>
              <button type="button" aria-pressed=${one === chosen}
                onClick=${() => choose(first + place)}>
                ${eventWords(events[one.event], names)}
                <small>${lastPlace(one)}</small>
              </button>
            </li>
          `,
        )}
      </ol>
    </div>
  `;
}

function eventWords(event, names) {
  if (!event) return "Start";
  return [event.kind, names.get(event) ?? event.name].filter(Boolean).join(" ");
}

function lastPlace({ frames }) {
  return frames.length ? frames[frames.length - 1].place : "ended";
}

function Step({ step, words }) {
  return html`
    <section class="step" aria-label="Chosen step">
      <p>
        ${words} ${step.frames.length ? "woke the code, which now yields at" : "let the code end."}
      </p>
      ${step.frames.map(
        (frame) => html`
          <h3>${frame.function} <code>${frame.place}</code></h3>
          <table class="locals">
            <thead><tr><th scope="col">Variable</th><th scope="col">Value</th></tr></thead>
            <tbody>
              ${Object.entries(frame.locals).map(
                ([name, value]) => html`
                  <tr key=${name}><th scope="row">${name}</th><td><code>${value}</code></td></tr>
                `,
              )}
            </tbody>
          </table>
        `,
      )}
    </section>
  `;
}

function Compared({ compared, first }) {
  const [shown, parts, begin] = useParts(compared, first);
  return html`
    ${parts}
    <div class="scrolled" tabindex="0" role="region" aria-label="Recorded and replayed">
      <table>
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">Recorded</th>
            <th scope="col">Replayed</th>
            <th scope="col">Line</th>
            <th scope="col">Difference</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            (row, place) => html`
              <tr key=${row.event} class=${begin + place === first ? "failed" : ""}>
                <td>${row.event}</td>
                <td>${row.recorded}</td>
                <td>${row.now || "not reached"}</td>
                <td>${row.place}</td>
                <td class="words">${row.differs}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
