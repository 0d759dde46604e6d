/** Shows a long list in parts, so that the page stays quick. */
import { useState } from "preact/hooks";
import { html } from "./html.js";

const MOST = 200; // rows

/** `[shown, buttons, first]`: one part, buttons for the others, and where the part begins. */
export function useParts(rows, around = 0) {
  const [chosen, setChosen] = useState(null);
  const partOf = (place) => Math.max(0, Math.floor(place / MOST) * MOST);
  const last = partOf(rows.length - 1);
  const first = Math.min(chosen ?? partOf(around), last);
  const shown = rows.slice(first, first + MOST);
  const buttons =
    rows.length > MOST &&
    html`
      <div class="actions" role="group" aria-label="Parts">
        <button type="button" aria-disabled=${first === 0}
          onClick=${() => setChosen(Math.max(0, first - MOST))}>Earlier</button>
        <button type="button" aria-disabled=${first === last}
          onClick=${() => setChosen(Math.min(last, first + MOST))}>Later</button>
        <span>${first + 1} to ${first + shown.length} of ${rows.length.toLocaleString("en")}</span>
      </div>
    `;
  return [shown, buttons, first];
}
