// The server: questions asked of it, and its refusals and its silence as errors with one sentence.

/** What is said where nobody answers. */
export const AWAY = "the studio does not answer. What trains goes on; start digitforge studio again to see it.";

/** The answer to a question, read as JSON. Throws an Error that says in a sentence what was wrong. */
export async function ask(path, parameters = {}, signal = undefined) {
  return read(await reach(address(path, parameters), { signal }));
}

/** The answer to something told, in JSON both ways. Throws as ask() does. */
export async function tell(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return read(await reach(address(path), { method: "POST", headers, body: JSON.stringify(body) }));
}

/** An address of the server; parameters that are null are left out. */
export function address(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return `/api/${path}${query ? `?${query}` : ""}`;
}

async function reach(where, how) {
  try {
    return await fetch(where, how);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error(AWAY);
  }
}

async function read(response) {
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The studio answered with ${response.status}.`);
  return answer;
}
