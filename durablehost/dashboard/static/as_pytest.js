/** A test for the fixture `hub` that repeats an instance: the same input, results and events. */
import { isFailure, tasksOf } from "./tasks.js";
import { exact, timeOf } from "./words.js";

/** A JSON value as Python writes it. */
export function python(value) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (JSON.isRawJSON?.(value)) return value.rawJSON;
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    const items = Object.entries(value).map(([key, one]) => `${python(key)}: ${python(one)}`);
    return `{${items.join(", ")}}`;
  }
  return JSON.stringify(value);
}

function parsed(text) {
  if (text === null || text === undefined) return null;
  try {
    return JSON.parse(text, exact);
  } catch {
    return text;
  }
}

/** The SDK's client keeps an input, and sends an event, as JSON text that holds JSON text. */
function unwrapped(text) {
  const value = parsed(text);
  return typeof value === "string" ? parsed(value) : value;
}

function isWrapped(text) {
  const value = parsed(text);
  return typeof value === "string" && unwrapped(text) !== value;
}

export function asPytest(instance, events) {
  const tasks = tasksOf(events);
  const activities = tasks.filter(({ type, endEvent }) => type === "activity" && endEvent);
  const lines = [];
  if (needsTimedelta(instance, tasks)) lines.push("from datetime import timedelta", "", "");
  lines.push(`async def test_${instance.name.replace(/\W/g, "_").toLowerCase()}(hub):`);
  const children = tasks.filter(({ type, endEvent }) => type === "child" && endEvent);
  for (const [replaced, calls] of [["activity", activities], ["orchestrator", children]]) {
    for (const name of new Set(calls.map((task) => task.name))) {
      lines.push(...replacement(replaced, name, calls.filter((task) => task.name === name)));
    }
  }
  const input = unwrapped(instance.input);
  const given = input === null ? "" : `, ${python(input)}`;
  lines.push(`    instance = await hub.start(${python(instance.name)}${given})`);
  let now = timeOf(instance.created);
  for (const { type, event, begin } of tasks) {
    if (type !== "event") continue;
    const seconds = Math.floor((begin - now) / 1000);
    if (seconds > 0) {
      lines.push(`    await hub.advance(timedelta(seconds=${seconds}))`);
      now += seconds * 1000;
    }
    const data = python(unwrapped(event.input));
    const form = isWrapped(event.input) ? "" : ", as_http=True";
    lines.push(`    await hub.raise_event(instance, ${python(event.name)}, ${data}${form})`);
  }
  lines.push("", ...ending(instance), "");
  return lines.join("\n");
}

function needsTimedelta(instance, tasks) {
  const created = timeOf(instance.created);
  return tasks.some(({ type, begin }) => type === "event" && begin - created >= 1000);
}

function replacement(replaced, name, calls) {
  const lines = [];
  const results = calls
    .filter(({ failed }) => !failed)
    .map(({ endEvent }) => python(parsed(endEvent.result)));
  const variable = `${name.replace(/\W/g, "_").toLowerCase()}_results`;
  lines.push(`    ${variable} = iter([${results.join(", ")}])`);
  lines.push(`    hub.replace_${replaced}(${python(name)}, lambda _: next(${variable}))`);
  calls.forEach(({ endEvent }, place) => {
    if (!isFailure(endEvent)) return;
    const words = python((endEvent.reason ?? "").split("\n")[0]);
    const call = `${python(name)}, RuntimeError(${words}), on_call=${place + 1}`;
    lines.push(`    hub.fail_${replaced}(${call})`);
  });
  return lines;
}

function ending({ status, output }) {
  if (status === "Completed") {
    return [`    assert await hub.result(instance) == ${python(parsed(output))}`];
  }
  if (status === "Failed") {
    return [
      "    await hub.run_until_ended(instance)",
      `    assert hub.status(instance) == "Failed"`,
    ];
  }
  const act = { Terminated: "terminate", Suspended: "suspend" }[status];
  return [
    ...(act ? [`    await hub.${act}(instance)`] : []),
    `    assert hub.status(instance) == ${python(status)}`,
  ];
}
