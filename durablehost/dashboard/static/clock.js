/** Moves the clock ahead, where durablehost was started so that it can be moved. */
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { useNotice } from "./notice.js";
import { moveClock } from "./server.js";
import { shownTime, span, timeOf } from "./words.js";

export function Clock({ about }) {
  const { now, next } = about.clock;
  const [hours, setHours] = useState("1");
  const [run, notice] = useNotice();
  const left = next ? Math.max(0, timeOf(next) - timeOf(now)) : 0;
  const move = (seconds) => run(`Moved by ${span(seconds * 1000)}.`, () => moveClock(seconds));
  const submit = (event) => {
    event.preventDefault();
    move(Number(hours) * 3600);
  };
  return html`
    <h1>Clock</h1>
    <p>The time of this hub was ${shownTime(now)} (UTC) at its last change.</p>
    <p>${next ? `The next timer is due at ${shownTime(next)}.` : "No timer is open."}</p>
    <button type="button" disabled=${!next} onClick=${() => move(Math.ceil(left / 1000))}>
      Move to the next timer
    </button>
    <form class="actions" onSubmit=${submit}>
      <label>Hours
        <input type="number" min="0" step="any" required value=${hours}
          onInput=${(event) => setHours(event.target.value)} />
      </label>
      <button type="submit">Move ahead</button>
    </form>
    ${notice}
  `;
}
