/** The status of an instance, as a word with a mark. */
import { html } from "./html.js";

export const STATUSES = [
  "Pending",
  "Running",
  "Suspended",
  "Completed",
  "Failed",
  "Terminated",
  "Canceled",
];
export const ENDED = new Set(["Completed", "Failed", "Terminated", "Canceled"]);

export function Status({ status }) {
  return html`<span class=${`status ${status}`}>${status}</span>`;
}
