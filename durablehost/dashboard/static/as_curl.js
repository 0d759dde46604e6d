/** The request that starts an instance like this one. */

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function asCurl({ name, input }) {
  const url = `${location.origin}/runtime/webhooks/durabletask/orchestrators/${name}`;
  const body = input ? ` \\\n    -H 'Content-Type: application/json' -d ${quoted(input)}` : "";
  return `curl -i -X POST ${quoted(url)}${body}\n`;
}
