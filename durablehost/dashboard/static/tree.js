/** The tree of parents and children. */
import { html } from "./html.js";
import { instanceLink } from "./route.js";
import { Status } from "./status.js";

export function Tree({ node, current }) {
  return html`
    ${node.parent &&
    html`<p>The parent of ${node.id} is <a href=${instanceLink(node.parent)}>${node.parent}</a>.</p>`}
    <ul class="tree"><${Node} node=${node} current=${current} /></ul>
  `;
}

function Node({ node, current }) {
  const { id, name, status, children, more } = node;
  return html`
    <li>
      <${Status} status=${status} />${" "}
      <a href=${instanceLink(id)} aria-current=${id === current ? "true" : null}>${id}</a>
      ${" "}<small>${name}</small>
      ${(children.length > 0 || more > 0) &&
      html`<ul>
        ${children.map(
          (child) => html`<${Node} key=${child.id} node=${child} current=${current} />`,
        )}
        ${more > 0 && html`<li>${more} more</li>`}
      </ul>`}
    </li>
  `;
}
