/** The problems that durablehost noticed, by kind. */
import { html } from "./html.js";
import { instanceLink } from "./route.js";
import { useAnswer } from "./server.js";
import { shownTime } from "./words.js";

export function ProblemList({ problems }) {
  return problems.map(
    ({ kind, subject, text }) => html`
      <p class="alert" role="alert" key=${kind + subject}><strong>${kind}</strong> It ${text}</p>
    `,
  );
}

export function Problems() {
  const [problems] = useAnswer("problems");
  const kinds = [...new Set((problems ?? []).map(({ kind }) => kind))].sort();
  return html`
    <h1>Problems</h1>
    ${problems && !problems.length && html`<p>durablehost has noticed no problem.</p>`}
    ${kinds.map((kind) => {
      const ofKind = problems.filter((one) => one.kind === kind);
      return html`
        <section key=${kind} aria-label=${kind}>
          <h2>${kind} <small>${ofKind.length}</small></h2>
          <ul>
            ${ofKind.map(
              (one) => html`
                <li key=${one.instanceId + one.subject}>
                  <a href=${instanceLink(one.instanceId)}>${one.instanceId}</a>${" "}
                  ${one.text} <small>${shownTime(one.at)}</small>
                </li>
              `,
            )}
          </ul>
        </section>
      `;
    })}
  `;
}
