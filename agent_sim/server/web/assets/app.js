// The page: tabs, the live feed, and what each view may do.
import { AGENT_STATUSES, badge, element, number, post, RESULTS, schedule, signedOut, start, STATUSES, time } from "./api.js";
import { agent, confirm, job, queryHelp, scheduleJob } from "./dialogs.js";
import { Overview } from "./overview.js";
import { Listing } from "./table.js";

const FAILED = "(Result -eq 4 OR Result -eq 3) AND (Status -eq 3 OR Status -eq 5)";
const RESCHEDULABLE = 'JobType -ne "Inventory" AND Result -eq 4 AND (Status -eq 4 OR Status -eq 3)';
const link = (text, act) => element("button", { class: "link", type: "button", onclick: act }, text);

// --- what is done to jobs and agents ----------------------------------------------------------------

// By ids, or by the query when all that match were chosen: the server takes one or the other.
const which = (listing, key) => (listing.wholeQuery ? { Query: listing.query } : { [key]: [...listing.selected.keys()] });
const many = (listing, word) => {
  const count = listing.wholeQuery ? listing.total : listing.selected.size;
  return `${number(count)} ${word}${count === 1 ? "" : "s"}`;
};

function operation(name, label, key, word, advice, past) {
  return [label, (listing) => confirm(`${label} ${many(listing, word)}?`, [...advice, ...(listing.wholeQuery ? ["Chosen by the query; what is not eligible is left alone."] : [])], label, async () => {
    const done = many(listing, word);
    await post(`/OrchestratorJobs/${name}`, which(listing, key));
    await listing.done(`${done}: ${past}.`);
  })];
}

function standing(name, label, past) {
  return [label, (listing) => confirm(`${label} ${many(listing, "agent")}?`, [], label, async () => {
    const done = many(listing, "agent");
    await post(`/Agents/${name}`, [...listing.selected.keys()]);
    await listing.done(`${done}: ${past}.`);
  })];
}

// --- the views ----------------------------------------------------------------------------------------

function listings() {
  const history = new Listing({
    id: "history", path: "/OrchestratorJobs/JobHistory", collection: "JobHistory", sort: "JobHistoryId", descending: true, byQuery: true,
    placeholder: 'Result -eq 4 AND Message -contains "denied"', empty: "No job has run yet. Schedule one in the tab Agents.",
    idOf: (row) => row.JobHistoryId,
    chips: [["All", ""], ["Not acknowledged", FAILED], ["Can be rescheduled", RESCHEDULABLE], ["Will retry", "Status -eq 5"], ["In process", "Status -eq 2"], ["Acknowledged", "Status -eq 4"], ["Failed today", 'OperationStart -ge "%TODAY%" AND Result -eq 4']],
    columns: [
      ["Run", "JobHistoryId", (row) => link(String(row.JobHistoryId), () => job(row.JobId, row.JobHistoryId)), "number"],
      ["Agent", "AgentMachine", (row) => row.AgentMachine, "break"],
      ["Job type", "JobType", (row) => row.JobType],
      ["Result", "Result", (row) => badge(RESULTS[row.Result])],
      ["Status", "Status", (row) => STATUSES[row.Status]],
      ["Began", "OperationStart", (row) => time(row.OperationStart)],
      ["Ended", "OperationEnd", (row) => time(row.OperationEnd)],
      ["Message", "Message", (row) => row.Message || "", "message break"],
    ],
    actions: [
      operation("Reschedule", "Reschedule", "JobAuditIds", "job", ["First cure what made them fail: a job whose cause still holds fails again.", "Only failed management, re-enrolment, discovery and weekly or monthly custom jobs can be rescheduled."], "queued again"),
      operation("Acknowledge", "Acknowledge", "JobAuditIds", "run", ["They leave the count of failures and warnings; their result stays. A retry that is due still happens."], "acknowledged"),
    ],
  });
  const scheduled = new Listing({
    id: "scheduled", path: "/OrchestratorJobs/ScheduledJobs", collection: "ScheduledJobs", sort: "Requested", descending: true, byQuery: true,
    placeholder: 'JobType -contains "Management"', empty: "No job waits.",
    idOf: (row) => row.Id,
    chips: [["All", ""], ["Immediate", "ScheduleType -eq NULL"], ["Recurring", "ScheduleType -ne NULL"]],
    columns: [
      ["Agent", "AgentMachine", (row) => row.ClientMachine, "break"],
      ["Job type", "JobType", (row) => row.JobType],
      ["Schedule", null, (row) => schedule(row.Schedule)],
      ["Target", "Target", (row) => row.Target || "", "break"],
      ["Requested", "Requested", (row) => time(row.Requested)],
      ["JobId", null, (row) => element("code", {}, row.Id), "break"],
    ],
    actions: [operation("Unschedule", "Unschedule", "JobIds", "job", ["They leave the schedule for good. A run that is in process goes on.", "Inventory is scheduled at its store and cannot be unscheduled here."], "unscheduled")],
  });
  const agents = new Listing({
    id: "agents", path: "/Agents", collection: "Agents", sort: "ClientMachine", descending: false, byQuery: false,
    placeholder: 'Status -eq 2 AND Capabilities -contains "LOGS"', empty: "No agent has registered yet.",
    idOf: (row) => row.AgentId,
    chips: [["All", ""], ["New", "Status -eq 1"], ["Approved", "Status -eq 2"], ["Disapproved", "Status -eq 3"], ["With logs", 'Capabilities -contains "LOGS"']],
    columns: [
      ["Agent", "ClientMachine", (row) => link(row.ClientMachine, () => agent(row.AgentId)), "break"],
      ["Status", "Status", (row) => badge(AGENT_STATUSES[row.Status])],
      ["Capabilities", null, (row) => (row.Capabilities || []).join(", ")],
      ["Last seen", "LastSeen", (row) => time(row.LastSeen)],
      ["Identity", "Username", (row) => row.Username],
      ["Version", "Version", (row) => row.Version],
    ],
    actions: [
      ["Schedule a job", (listing) => scheduleJob([...listing.selected.keys()], () => { listing.clear(); listing.drawn = null; listing.load(); })],
      standing("Approve", "Approve", "approved"),
      standing("Disapprove", "Disapprove", "disapproved"),
    ],
  });
  return { agents, history, scheduled };
}

// --- tabs ---------------------------------------------------------------------------------------------

function tabs(views, onShow) {
  const all = [...document.querySelectorAll("[role=tab]")];
  const show = (tab, focus) => {
    for (const each of all) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", String(chosen));
      each.tabIndex = chosen ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
    const name = tab.getAttribute("aria-controls");
    if (location.hash !== `#${name}`) history.replaceState(null, "", name === "overview" ? location.pathname : `#${name}`);
    onShow(name);
  };
  for (const [index, tab] of all.entries()) {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) show(all[(index + step + all.length) % all.length], true);
    });
  }
  const named = (name) => all.find((tab) => tab.getAttribute("aria-controls") === name);
  show(named(location.hash.slice(1)) || all[0]);
  return (name) => show(named(name));
}

// --- the live feed ------------------------------------------------------------------------------------

function listen(onPicture) {
  const sign = document.getElementById("live");
  const say = (state, text) => { if (sign.dataset.state !== state) { sign.dataset.state = state; sign.textContent = text; } };
  let feed = null;
  const connect = () => {
    feed = new EventSource("/ui/live");
    feed.addEventListener("picture", (event) => { say("live", "live"); onPicture(JSON.parse(event.data), true); });
    feed.addEventListener("tick", (event) => { say("live", "live"); onPicture(JSON.parse(event.data), false); });
    feed.addEventListener("error", () => {
      say("lost", "no connection");
      if (feed.readyState === EventSource.CLOSED) setTimeout(retry, 2000);
    });
  };
  // A server that was restarted knows no session any more: say so instead of trying for ever.
  const retry = async () => {
    try {
      const answer = await fetch("/ui/session");
      if (answer.status === 401) return signedOut();
      return connect();
    } catch { return setTimeout(retry, 2000); }
  };
  connect();
}

function main() {
  document.getElementById("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme.trim() === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", dark ? "light" : "dark");
    overview?.redraw();
  });
  document.getElementById("query-help").addEventListener("click", queryHelp);
  let overview = null;
  if (!start.mayRead) return;
  const views = listings();
  let current = "overview";
  overview = new Overview(job, (site) => { go("agents"); views.agents.search(`ClientMachine -startswith "${site}"`); });
  overview.take(start.picture, true);
  const go = tabs(views, (name) => {
    current = name;
    if (views[name]) views[name].load(); else overview.show();
  });
  listen((picture, whole) => overview.take(picture, whole));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => overview.redraw());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { overview.show(); views[current]?.load(true); } });
  setInterval(() => { if (!document.hidden && !document.querySelector("dialog[open]")) views[current]?.load(true); }, 3000);
}

main();
