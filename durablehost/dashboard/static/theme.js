/** Light or dark: as the system has it, until the reader chooses. */
import { useState } from "preact/hooks";
import { html } from "./html.js";

const KEPT = "durablehost-theme";
const root = document.documentElement;

function current() {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  return localStorage.getItem(KEPT) ?? (isDark ? "dark" : "light");
}

root.dataset.theme = current();

export function ThemeButton() {
  const [theme, setTheme] = useState(current());
  const other = theme === "dark" ? "light" : "dark";
  const change = () => {
    localStorage.setItem(KEPT, other);
    root.dataset.theme = other;
    setTheme(other);
  };
  return html`<button type="button" class="theme" onClick=${change}>
    ${other === "dark" ? "Dark" : "Light"} theme
  </button>`;
}
