// One door to the server: the management API, with the session's cookie and the token that proves it is our page.

export const start = JSON.parse(document.getElementById("start").textContent);

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.Message || `The server answered ${status}.`);
    this.status = status;
    this.reasons = (body?.FailedOperations || []).map((each) => each.Reason);
    const at = /at position (\d+)/.exec(this.message);
    this.position = at ? Number(at[1]) : null;
  }
}

async function ask(method, address, body) {
  const headers = { "X-CSRF-Token": start.token, "x-keyfactor-requested-with": "XMLHttpRequest" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(address, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  let value = null;
  try { value = text ? JSON.parse(text) : null; } catch { /* no JSON: the status says it */ }
  if (answer.status === 401) signedOut();
  if (!answer.ok) throw new ApiError(answer.status, value);
  return { value, total: Number(answer.headers.get("X-Total-Count") || 0) };
}

export const get = (path, parameters = {}) =>
  ask("GET", `${start.api}${path}?${new URLSearchParams(parameters)}`);
export const post = (path, body) => ask("POST", `${start.api}${path}`, body);
export const control = (kind, name, does) => ask("POST", "/ui/controls", { kind, name, do: does });
export const timeline = async (range) => (await ask("GET", `/ui/timeline?range=${range}`)).value;

export function signedOut() {
  const banner = document.getElementById("banner");
  banner.replaceChildren("You are signed out. ", element("a", { href: "/ui/sign-in" }, "Sign in again"));
  banner.hidden = false;
}

// --- small things every view uses ---------------------------------------------------------------

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const number = (value) => value.toLocaleString("en-US");
export const RESULTS = ["Unknown", "In process", "Success", "Warning", "Failure"];
export const STATUSES = ["Unknown", "Waiting", "In process", "Completed", "Acknowledged", "Will retry"];
export const AGENT_STATUSES = ["Unknown", "New", "Approved", "Disapproved"];
const KINDS = { Success: "good", Warning: "warn", Failure: "bad", Approved: "good", New: "warn", Disapproved: "bad" };

// A word with a sign before it: colour alone tells nothing to those who do not see it.
const SIGNS = { good: "✓", warn: "!", bad: "✕" };
export function badge(word) {
  const kind = KINDS[word] || "plain";
  return element("span", { class: `badge ${kind}` }, `${SIGNS[kind] ? `${SIGNS[kind]} ` : ""}${word}`);
}

export function time(text) {
  if (!text) return "–";
  const at = new Date(text);
  const day = at.toDateString() === new Date().toDateString() ? "" : `${at.toLocaleDateString("en-CA")} `;
  return element("time", { datetime: at.toISOString(), title: at.toISOString() }, day + at.toLocaleTimeString("en-GB"));
}

export function schedule(value) {
  if (!value || value.Immediate) return "Immediate";
  const [[kind, how]] = Object.entries(value);
  const clock = how.Time ? ` ${new Date(how.Time).toISOString().slice(11, 16)} UTC` : "";
  if (kind === "Interval") return `every ${how.Minutes} min`;
  if (kind === "Weekly") return `weekly ${how.Days.map((day) => ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][day]).join(", ")}${clock}`;
  if (kind === "Monthly") return `monthly, day ${how.Day}${clock}`;
  if (kind === "ExactlyOnce") return `once, ${how.Time.slice(0, 16).replace("T", " ")} UTC`;
  return `${kind.toLowerCase()}${clock}`;
}

export function toast(message, kind = "good", details = []) {
  const box = element("div", { class: `toast ${kind}` }, message);
  if (details.length) box.append(element("ul", {}, ...details.slice(0, 5).map((each) => element("li", {}, each))));
  box.append(element("button", { class: "quiet", type: "button", "aria-label": "Dismiss", onclick: () => box.remove() }, "✕"));
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), kind === "bad" ? 20000 : 6000);
}
