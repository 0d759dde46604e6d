/** Requests to durablehost. If it asks for a key, the key stays in this browser tab. */
import { useEffect, useState } from "preact/hooks";

const ROOT = "/admin/durablehost/dashboard/api/";
const HUB = "/runtime/webhooks/durabletask/";
const KEY = "durablehost-key";
const LOOK_EVERY = 1000; // milliseconds
const LOOK_ELSEWHERE_EVERY = 10_000; // a deployed app does not say that something has changed

export class KeyNeeded extends Error {}

export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
}

function headers(more = {}) {
  const key = sessionStorage.getItem(KEY);
  return key ? { "x-functions-key": key, ...more } : more;
}

/** An answer of the dashboard's API: `{ value, tag }`. `value` is undefined if nothing changed. */
async function ask(path, tag) {
  const known = tag ? { "If-None-Match": tag } : {};
  const response = await fetch(ROOT + path, { headers: headers(known), cache: "no-store" });
  if (response.status === 304) return { tag: response.headers.get("ETag") };
  if (response.status === 401) throw new KeyNeeded();
  if (!response.ok) throw new Error(`durablehost answered ${response.status}.`);
  return { value: await response.json(), tag: response.headers.get("ETag") };
}

/** The answer to a path, kept up to date: `[value, error]`. A value of null is "not found". */
export function useAnswer(path, { live = true } = {}) {
  const [state, setState] = useState({ path, value: undefined, error: null });
  useEffect(() => {
    let timer = 0;
    let isOver = false;
    let tag = null;
    const look = async () => {
      try {
        if (!document.hidden || tag === null) {
          const answer = await ask(path, tag);
          if (isOver) return;
          tag = answer.tag ?? "";
          if (answer.value !== undefined) setState({ path, value: answer.value, error: null });
        }
      } catch (error) {
        if (isOver) return;
        setState((before) => ({ path, value: before.value, error }));
        if (error instanceof KeyNeeded) return;
      }
      if (live) timer = setTimeout(look, tag === "" ? LOOK_ELSEWHERE_EVERY : LOOK_EVERY);
    };
    look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [path, live]);
  return state.path === path ? [state.value, state.error] : [undefined, null];
}

/** Send a request; returns `{ status, text }`, or throws what the host says. */
export async function send(method, path, body, contentType = "application/json") {
  const typed = body === undefined ? {} : { "Content-Type": contentType };
  const response = await fetch(path, { method, headers: headers(typed), body });
  return { status: response.status, text: await response.text() };
}

export async function moveClock(seconds) {
  const { status } = await send("POST", `${ROOT}clock?seconds=${seconds}`);
  if (status !== 202) throw new Error(`durablehost answered ${status}.`);
}

async function manage(method, path, body) {
  const { status, text } = await send(method, HUB + path, body);
  if (status < 400) return text;
  let words = text;
  try {
    const answer = JSON.parse(text);
    words = answer.ExceptionMessage ?? answer.Message ?? answer;
  } catch {
    // The host answered with words, or with nothing.
  }
  throw new Error(words || `The host answered ${status}.`);
}

const idOf = encodeURIComponent;

/** An input as the SDK's client sends it: JSON text in a JSON string. Code reads every such input. */
function asClientSends(text) {
  if (!text) return undefined;
  JSON.parse(text);
  return JSON.stringify(text);
}

export const hub = {
  start: (name, id, input) =>
    manage("POST", `orchestrators/${idOf(name)}${id ? `/${idOf(id)}` : ""}`, asClientSends(input)),
  terminate: (id, reason) =>
    manage("POST", `instances/${idOf(id)}/terminate?reason=${idOf(reason)}`),
  suspend: (id, reason) => manage("POST", `instances/${idOf(id)}/suspend?reason=${idOf(reason)}`),
  resume: (id, reason) => manage("POST", `instances/${idOf(id)}/resume?reason=${idOf(reason)}`),
  restart: (id) => manage("POST", `instances/${idOf(id)}/restart`),
  rewind: (id, reason) => manage("POST", `instances/${idOf(id)}/rewind?reason=${idOf(reason)}`),
  purge: (id) => manage("DELETE", `instances/${idOf(id)}`),
  raise: (id, name, value) =>
    manage("POST", `instances/${idOf(id)}/raiseEvent/${idOf(name)}`, value),
  signal: (name, key, operation, input) =>
    manage(
      "POST",
      `entities/${idOf(name)}/${idOf(key)}?op=${idOf(operation)}`,
      asClientSends(input),
    ),
};
