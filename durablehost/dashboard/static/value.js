/** A value as a box of text. A long one is shown in part until its reader asks for all of it. */
import { useMemo, useState } from "preact/hooks";
import { html } from "./html.js";
import { pretty } from "./words.js";

const MOST = 20_000; // characters

export function Value({ text, label }) {
  const [isWhole, setIsWhole] = useState(false);
  const words = useMemo(() => pretty(text), [text]);
  const isCut = words.length > MOST && !isWhole;
  return html`
    <pre class="value-box" tabindex="0" aria-label=${label}>${
      isCut ? words.slice(0, MOST) : words
    }</pre>
    ${isCut &&
    html`<p>
      The first ${MOST.toLocaleString("en")} of ${words.length.toLocaleString("en")} characters.${" "}
      <button type="button" onClick=${() => setIsWhole(true)}>Show all</button>
    </p>`}
  `;
}
