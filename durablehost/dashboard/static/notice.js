/** Does what a button asks for, and says in one place how it went. */
import { useState } from "preact/hooks";
import { html } from "./html.js";

/** `[run, notice]`: `run(words, work)` awaits `work` and shows the words or the failure. */
export function useNotice() {
  const [said, setSaid] = useState(null);
  const run = async (words, work) => {
    try {
      await work();
      setSaid({ words, failed: false });
      return true;
    } catch (error) {
      setSaid({ words: error.message, failed: true });
      return false;
    }
  };
  const notice = html`<p class=${`notice${said?.failed ? " failed" : ""}`} role="status">
    ${said?.words}
  </p>`;
  return [run, notice];
}
