/** Puts the text that `write` makes on the clipboard, and shows it, so that it can be selected. */
import { useState } from "preact/hooks";
import { html } from "./html.js";

export function CopyButton({ name, write }) {
  const [shown, setShown] = useState("");
  const copy = async () => {
    const text = write();
    setShown(text);
    // Without a secure connection browsers have no clipboard; the text is shown all the same.
    await navigator.clipboard?.writeText(text).catch(() => {});
  };
  return html`
    <button type="button" onClick=${copy}>${name}</button>
    ${shown && html`<pre class="copied" tabindex="0" aria-label=${name}>${shown}</pre>`}
  `;
}
