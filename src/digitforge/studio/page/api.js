// The server: questions asked of it, and its refusals as errors with one sentence.

/** The answer to a question, read as JSON. Throws an Error that says in a sentence what was wrong. */
export async function ask(path, parameters = {}, signal = undefined) {
  return read(await fetch(address(path, parameters), { signal }));
}

/** The answer to something told, in JSON both ways. Throws as ask() does. */
export async function tell(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return read(await fetch(address(path), { method: "POST", headers, body: JSON.stringify(body) }));
}

/** An address of the server; parameters that are null are left out. */
export function address(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return `/api/${path}${query ? `?${query}` : ""}`;
}

async function read(response) {
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The studio answered with ${response.status}.`);
  return answer;
}
