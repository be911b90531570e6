// Everything that opens over the page: confirmations, one agent, one job, a new job, help.
import { AGENT_STATUSES, ApiError, badge, element, get, number, post, RESULTS, schedule, start, STATUSES, time, toast } from "./api.js";

export function open(title, ...children) {
  const close = element("button", { class: "quiet", type: "button", "aria-label": "Close", onclick: () => dialog.close() }, "✕");
  const dialog = element("dialog", { "aria-label": title }, element("div", { class: "head" }, element("h2", {}, title), close), ...children);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// Ask, act, and show what the server says in the dialogue itself: nothing typed or chosen is lost by a refusal.
export function confirm(title, text, label, act) {
  const problem = element("div", { class: "problem", role: "alert", hidden: true });
  const yes = element("button", { class: "primary", type: "submit" }, label);
  const form = element("form", { onsubmit: async (event) => {
    event.preventDefault();
    yes.disabled = true;
    try { await act(); dialog.close(); } catch (error) { refuse(problem, error); } finally { yes.disabled = false; }
  } }, ...text.map((each) => element("p", {}, each)), problem, element("div", { class: "buttons" }, element("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), yes));
  const dialog = open(title, form);
  yes.focus();
}

function refuse(place, error) {
  place.hidden = false;
  place.replaceChildren(error.message, ...(error.reasons?.length ? [element("ul", {}, ...error.reasons.slice(0, 8).map((each) => element("li", {}, each)))] : []));
  if (!(error instanceof ApiError)) console.error(error);
}

const facts = (rows) => element("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value ?? "–")]));

function runs(rows, onRun) {
  if (!rows.length) return element("p", { class: "empty" }, "No run yet.");
  return element("div", { class: "wide" }, element("table", {}, element("thead", {}, element("tr", {}, ...["Run", "Job type", "Began", "Ended", "Result", "Status", "Message"].map((each) => element("th", { scope: "col" }, each)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {},
      element("td", {}, onRun ? element("button", { class: "link", type: "button", onclick: () => onRun(row) }, String(row.JobHistoryId)) : String(row.JobHistoryId)),
      element("td", {}, row.JobType), element("td", {}, time(row.OperationStart)), element("td", {}, time(row.OperationEnd)),
      element("td", {}, badge(RESULTS[row.Result])), element("td", {}, STATUSES[row.Status]), element("td", { class: "break" }, row.Message || ""))))));
}

export async function agent(id) {
  try {
    const [{ value: one }, { value: past, total }] = await Promise.all([
      get(`/Agents/${id}`),
      get("/OrchestratorJobs/JobHistory", { QueryString: `AgentId -eq "${id}"`, ReturnLimit: 20, SortField: "JobHistoryId", SortAscending: 1 }),
    ]);
    const logs = element("button", { type: "button", disabled: !start.mayModify || !(one.Capabilities || []).includes("LOGS"), onclick: async () => {
      try { await post(`/Agents/${id}/FetchLogs`); toast(`A log fetch waits for ${one.ClientMachine}.`); } catch (error) { toast(error.message, "bad"); }
    } }, "Fetch logs");
    open(one.ClientMachine,
      facts([["Status", badge(AGENT_STATUSES[one.Status])], ["Last seen", time(one.LastSeen)], ["Capabilities", (one.Capabilities || []).join(", ")], ["Identity", one.Username], ["Version", one.Version], ["AgentId", element("code", {}, one.AgentId)], ["Certificate", one.Thumbprint || "none"]]),
      element("div", { class: "buttons left" }, logs), element("h3", {}, `Runs: ${number(total)}${total > past.length ? `, the last ${past.length} of them` : ""}`), runs(past, (row) => job(row.JobId, row.JobHistoryId)));
  } catch (error) { toast(error.message, "bad"); }
}

export async function job(id, auditId) {
  try {
    const { value: past, total } = await get("/OrchestratorJobs/JobHistory", { QueryString: `JobId -eq "${id}"`, ReturnLimit: 50, SortField: "JobHistoryId", SortAscending: 1 });
    const row = past.find((each) => each.JobHistoryId === auditId) || past[0];
    if (!row) return toast("This job has no run.", "bad");
    const data = element("div");
    open(`${row.JobType} on ${row.AgentMachine}`,
      facts([["Result", badge(RESULTS[row.Result])], ["Status", STATUSES[row.Status]], ["Message", row.Message || "none"], ["Store", row.StorePath], ["Schedule", schedule(row.Schedule)], ["Began", time(row.OperationStart)], ["Ended", time(row.OperationEnd)], ["JobId", element("code", {}, row.JobId)], ["Audit id", String(row.JobHistoryId)]]),
      data, element("h3", {}, `Runs of this job: ${number(total)}`), runs(past));
    await showData(row, data);
  } catch (error) { toast(error.message, "bad"); }
  return undefined;
}

async function showData(row, place) {
  const { value } = await get("/OrchestratorJobs/JobStatus/Data", { jobHistoryId: row.JobHistoryId });
  if (!value?.Data) return;
  const address = URL.createObjectURL(new Blob([value.Data], { type: "text/plain" }));
  place.append(element("div", { class: "head" }, element("h3", {}, `Data, ${number(value.Data.length)} characters`), element("a", { href: address, download: `${row.AgentMachine}-${row.JobHistoryId}.log` }, "Download")),
    element("pre", { class: "log", tabindex: "0" }, value.Data.slice(0, 20000)));
}

// --- a new job ------------------------------------------------------------------------------------

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

export async function scheduleJob(agents, after) {
  let types;
  try { types = (await get("/JobTypes/Custom", { ReturnLimit: 1000 })).value; } catch (error) { return toast(error.message, "bad"); }
  const type = element("select", { name: "type" }, element("option", { value: "FetchLogs" }, "Fetch logs"), ...types.map((each) => element("option", { value: each.JobTypeName }, each.JobTypeName)));
  const when = element("select", { name: "when" }, ...["Immediate", "Interval", "Daily", "Weekly", "Monthly", "ExactlyOnce"].map((each) => element("option", { value: each }, each)));
  const how = element("div", { class: "grid" });
  const fields = element("div", { class: "grid" });
  const problem = element("div", { class: "problem", role: "alert", hidden: true });
  const showHow = () => how.replaceChildren(...scheduleInputs(when.value));
  const showFields = () => fields.replaceChildren(...(types.find((each) => each.JobTypeName === type.value)?.JobTypeFields || []).map((each) =>
    element("label", {}, `${each.Name}${each.Required && !each.DefaultValue ? " (required)" : ""}`, element("input", { name: `field ${each.Name}`, placeholder: each.DefaultValue || "" }))));
  type.addEventListener("change", showFields);
  when.addEventListener("change", showHow);
  const form = element("form", { onsubmit: async (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const JobFields = Object.fromEntries([...given].filter(([name, value]) => name.startsWith("field ") && value).map(([name, value]) => [name.slice(6), value]));
    try {
      const { value } = await post("/OrchestratorJobs/Custom/Bulk", { OrchestratorIds: agents, JobTypeName: type.value, Schedule: scheduleOf(when.value, given), JobFields });
      const failed = value.FailedOrchestratorIds || [];
      const scheduled = value.OrchestratorJobPairs.length;
      toast(`${number(scheduled)} of ${number(agents.length)} agents were given the job.`, failed.length ? "warn" : "good", failed.length ? [`${number(failed.length)} are not approved or lack the capability.`] : []);
      dialog.close();
      after();
    } catch (error) { refuse(problem, error); }
  } }, element("div", { class: "grid" }, element("label", {}, "Job type", type), element("label", {}, "Schedule", when)), how, fields, problem,
  element("div", { class: "buttons" }, element("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), element("button", { class: "primary", type: "submit" }, "Schedule")));
  showHow();
  showFields();
  const dialog = open(`A job for ${number(agents.length)} agent${agents.length === 1 ? "" : "s"}`, form);
  return undefined;
}

function scheduleInputs(kind) {
  const clock = element("label", {}, "Time (UTC)", element("input", { name: "time", type: "time", value: "02:00", required: true }));
  const inputs = {
    Immediate: [],
    Interval: [element("label", {}, "Minutes", element("input", { name: "minutes", type: "number", min: "1", value: "60", required: true }))],
    Daily: [clock],
    Weekly: [element("label", {}, "Day", element("select", { name: "day" }, ...DAYS.map((day, index) => element("option", { value: String(index) }, day)))), clock],
    Monthly: [element("label", {}, "Day of the month", element("input", { name: "day", type: "number", min: "1", max: "31", value: "1", required: true })), clock],
    ExactlyOnce: [element("label", {}, "Date", element("input", { name: "date", type: "date", required: true })), clock],
  };
  return inputs[kind];
}

function scheduleOf(kind, given) {
  const day = given.get("date") || new Date().toISOString().slice(0, 10);
  const Time = `${day}T${given.get("time") || "00:00"}:00Z`;
  const made = {
    Immediate: true, Interval: { Minutes: Number(given.get("minutes")) }, Daily: { Time },
    Weekly: { Days: [Number(given.get("day"))], Time }, Monthly: { Day: Number(given.get("day")), Time }, ExactlyOnce: { Time },
  };
  return { [kind]: made[kind] };
}

export function queryHelp() {
  const examples = ['Result -eq 4 AND Status -eq 3', 'JobType -ne "Inventory" AND Result -eq "4" AND (Status -eq "4" OR Status -eq "3")', 'Message -contains "timeout"', 'OperationStart -ge "%TODAY-1%"', 'Status -eq 2 AND Capabilities -contains "LOGS"'];
  open("Query language",
    element("p", {}, "A query compares fields with values and joins comparisons by AND, OR and parentheses. AND binds tighter."),
    facts([["Texts", "-eq -ne -contains -notcontains -startswith -endswith"], ["Numbers and dates", "-eq -ne -lt -le -gt -ge"], ["Nothing there", "-eq NULL, -ne NULL"], ["Dates", "2026-02-23, 2026-02-23T16:41:04Z, %TODAY%, %TODAY-7%"], ["You", "%ME%"]]),
    element("h3", {}, "Examples"), ...examples.map((each) => element("pre", {}, each)));
}
