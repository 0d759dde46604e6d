/** The frame of the dashboard: navigation, theme, and the question for a key. */
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Clock } from "./clock.js";
import { Entities } from "./entities.js";
import { Functions } from "./functions.js";
import { html } from "./html.js";
import { Instance } from "./instance.js";
import { List } from "./list.js";
import { Problems } from "./problems.js";
import { useRoute } from "./route.js";
import { KeyNeeded, keepKey, useAnswer } from "./server.js";
import { ThemeButton } from "./theme.js";

const PAGES = {
  instances: ["Instances", List],
  entities: ["Entities", Entities],
  functions: ["Functions", Functions],
  problems: ["Problems", Problems],
  clock: ["Clock", Clock],
};

function App() {
  const [key, setKey] = useState("");
  const route = useRoute();
  const [about, error] = useAnswer(`about?${new URLSearchParams({ round: key.length })}`);
  const main = useRef(null);
  const place = `${route.page}/${route.id}`;
  useEffect(() => {
    document.title = [route.id || PAGES[route.page]?.[0], about?.hub, "durablehost"]
      .filter(Boolean)
      .join(" · ");
  }, [place, about?.hub]);
  useEffect(() => {
    if (key || route.id) main.current?.focus();
  }, [place]);
  const enter = (given) => {
    keepKey(given);
    setKey(given);
  };
  return html`
    <a class="skip" href="#main" onClick=${(event) => skip(event, main)}>Skip to the content</a>
    <header>
      <strong>durablehost</strong> <span>${about?.hub}</span>
      <nav aria-label="Pages">
        ${Object.entries(PAGES).filter(([name]) => name !== "clock" || about?.clock).map(
          ([name, [title]]) => html`
            <a key=${name} href=${`#/${name}`}
              aria-current=${name === route.page ? "page" : null}>${title}</a>
          `,
        )}
      </nav>
      <${ThemeButton} />
    </header>
    <main id="main" ref=${main} tabindex="-1">
      ${error && !(error instanceof KeyNeeded) &&
      html`<p class="alert" role="alert">durablehost does not answer: ${error.message}</p>`}
      ${error instanceof KeyNeeded
        ? html`<${KeyForm} enter=${enter} wasWrong=${Boolean(key)} />`
        : about && html`<${Page} route=${route} about=${about} />`}
    </main>
  `;
}

function skip(event, main) {
  event.preventDefault();
  main.current.focus();
}

function Page({ route, about }) {
  if (route.page === "instance") {
    return html`<${Instance} key=${route.id} id=${route.id} query=${route.query} about=${about} />`;
  }
  const isThere = route.page !== "clock" || about.clock;
  const [, View] = (isThere && PAGES[route.page]) || PAGES.instances;
  return html`<${View} query=${route.query} about=${about} />`;
}

function KeyForm({ enter, wasWrong }) {
  const [key, setKey] = useState("");
  const submit = (event) => {
    event.preventDefault();
    enter(key);
  };
  return html`
    <h1>This hub asks for a key</h1>
    <form class="stacked" onSubmit=${submit}>
      <label>Master key
        <input type="password" autocomplete="off" required value=${key}
          onInput=${(event) => setKey(event.target.value)} />
      </label>
      <button type="submit">Open</button>
    </form>
    ${wasWrong && html`<p class="alert" role="alert">This key does not fit.</p>`}
  `;
}

render(html`<${App} />`, document.getElementById("app"));
