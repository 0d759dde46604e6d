/** Where the reader is: the part of the address after `#`, so that every view can be shared. */
import { useEffect, useState } from "preact/hooks";

export function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const moved = () => setHash(location.hash);
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/");
  return {
    page: page || "instances",
    id: decoded(rest.join("/")),
    query: new URLSearchParams(query),
  };
}

/** An id as it is in the address; somebody may have typed it there. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function instanceLink(id, view = "") {
  return `#/instance/${encodeURIComponent(id)}${view ? `?view=${view}` : ""}`;
}

/** The link to the list with these filters; empty ones are left out. */
export function listLink(filters) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  return `#/instances${query.size ? `?${query}` : ""}`;
}
