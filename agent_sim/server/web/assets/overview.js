// The first view: figures, charts, sites and the last runs, from the live feed.
import { badge, control, element, number, RESULTS, start, time, timeline, toast } from "./api.js";
import { Chart } from "./charts.js";

const STEPS = 300;
const ENDINGS = [["success", "Success", "--good"], ["warning", "Warning", "--warn"], ["failure", "Failure", "--bad"], ["will_retry", "Will retry", "--retry"]];
const TOLD = [["rescheduled", "Rescheduled", "--link"], ["acknowledged", "Acknowledged", "--good"], ["unscheduled", "Unscheduled", "--warn"]];

export class Overview {
  constructor(onAgent, onSite) {
    this.onRun = onAgent;
    this.onSite = onSite;
    this.steps = [];
    this.range = "live";
    this.results = new Chart(document.getElementById("results-chart"), ENDINGS);
    this.told = new Chart(document.getElementById("told-chart"), TOLD);
    for (const button of document.querySelectorAll("[data-range]")) button.addEventListener("click", () => this.choose(button));
  }

  redraw() {
    this.results.redraw();
    this.told.redraw();
  }

  take(picture, whole) {
    this.steps = (whole ? picture.steps : [...this.steps, ...picture.steps]).slice(-STEPS);
    this.last = picture;
    if (!document.hidden) this.show();
  }

  show() {
    if (!this.last) return;
    const { agents, jobs, open, sites, recent, capabilities, controls, story } = this.last;
    const minute = this.steps.slice(-60);
    const ended = minute.reduce((sum, step) => sum + step.success + step.warning + step.failure + step.will_retry, 0);
    const values = {
      online: agents.online, agents: agents.total, waiting: jobs.waiting, running: jobs.running, ended,
      failures: open.failures, warnings: open.warnings, open: open.failures + open.warnings,
    };
    for (const place of document.querySelectorAll("[data-value]")) {
      const text = number(values[place.dataset.value] ?? 0);
      if (place.textContent !== text) place.textContent = text;
    }
    if (document.getElementById("overview").hidden) return;
    if (this.range === "live") this.results.show(this.steps);
    this.told.show(this.steps);
    replace("sites", sites, 5, "No agent has registered yet.", (site) => this.site(site));
    replace("recent", recent, 4, "No run has ended yet.", (run) => this.run(run));
    list("capabilities", capabilities, (each) => element("li", {}, each.name, element("b", {}, number(each.total))));
    if (!controls) return;
    list("controls", controls, (each) => this.control(each));
    const place = document.getElementById("story");
    place.hidden = !story;
    if (place.textContent !== story) place.textContent = story;
  }

  site(site) {
    const share = site.total ? site.online / site.total : 0;
    const meter = element("meter", { min: 0, max: 1, low: 0.5, high: 0.9, optimum: 1, value: share, "aria-label": `online at ${site.name}` });
    const waiting = site.waiting ? element("span", { class: "badge warn" }, `! ${number(site.waiting)} to approve`) : null;
    return element("tr", {},
      element("td", {}, element("button", { class: "link", type: "button", onclick: () => this.onSite(site.name) }, short(site.name)), " ", waiting),
      element("td", {}, meter, ` ${number(site.online)} / ${number(site.total)}`),
      ...["success", "warning", "failure"].map((key) => element("td", { class: `number ${site.ended[key] && key !== "success" ? (key === "warning" ? "warn" : "bad") : ""}` }, number(site.ended[key]))));
  }

  run(run) {
    return element("tr", {},
      element("td", {}, time(new Date(run.at).toISOString())),
      element("td", { class: "break", title: run.agent }, short(run.agent)),
      element("td", {}, element("button", { class: "link", type: "button", onclick: () => this.onRun(run.job, run.id) }, run.type)),
      element("td", { title: run.message }, badge(RESULTS[run.result])));
  }

  control(each) {
    const word = each.kind === "fault" ? (each.running ? "Disarm" : "Arm") : (each.running ? "Stop" : "Start");
    const act = async () => {
      try { await control(each.kind, each.name, each.running ? "stop" : "start"); toast(`${each.name}: ${each.running ? "stopped" : "started"}`); }
      catch (error) { toast(error.message, "bad"); }
    };
    return element("li", {},
      element("span", { class: `badge ${each.running ? "bad" : "plain"}` }, each.running ? "● on" : "off"),
      element("span", {}, element("b", {}, each.name), ` ${each.kind}`, element("small", { class: "muted" }, ` ${each.note}`)),
      element("button", { type: "button", disabled: !start.mayModify, onclick: act }, word));
  }

  async choose(button) {
    for (const each of document.querySelectorAll("[data-range]")) each.setAttribute("aria-pressed", String(each === button));
    this.range = button.dataset.range;
    const wanted = this.range;
    if (wanted === "live") return this.show();
    try {
      const steps = await timeline(wanted);
      if (this.range === wanted) this.results.show(steps);
    } catch (error) { toast(error.message, "bad"); }
  }
}

// Names without what a scenario's agents have in common; whole where there is more room.
const short = (name) => name.replace(/^agentsim-[^-]+-/, "") || name;

function replace(id, values, columns, empty, row) {
  const none = element("tr", {}, element("td", { colspan: String(columns), class: "empty" }, empty));
  list(id, values, row, none);
}

// Made anew only when the content changed; whatever had the focus there gets it back.
function list(id, values, item, none) {
  const place = document.getElementById(id);
  const key = JSON.stringify(values);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const focused = [...place.querySelectorAll("button")].indexOf(document.activeElement);
  place.replaceChildren(...(values.length || !none ? values.map(item) : [none]));
  if (focused >= 0) place.querySelectorAll("button")[focused]?.focus();
}
