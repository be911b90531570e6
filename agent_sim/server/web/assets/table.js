// One collection of the management API as a table: a query with completion and error position, sorting, paging,
// selection, actions on what is selected or on everything that the query finds.
import { ApiError, element, get, number, start, toast } from "./api.js";

const PAGE = 50;

export class Listing {
  // about: {id, path, collection, columns: [label, field or null, cell], idOf, chips, actions, sort, empty}
  constructor(about) {
    Object.assign(this, { query: "", page: 1, descending: about.descending ?? false, sortField: about.sort, selected: new Map(), wholeQuery: false, rows: [], total: 0, ...about });
    this.section = document.getElementById(about.id);
    this.build();
  }

  build() {
    this.input = element("input", {
      type: "search", spellcheck: "false", autocomplete: "off", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list",
      "aria-controls": `${this.id}-completions`, "aria-describedby": `${this.id}-problem`, "aria-label": `Query over ${this.collection}`,
      placeholder: this.placeholder, oninput: () => this.complete(), onkeydown: (event) => this.key(event), onblur: () => setTimeout(() => this.offer([]), 150),
    });
    this.completions = element("ul", { class: "completions", id: `${this.id}-completions`, role: "listbox", "aria-label": "Completions", hidden: true });
    this.problem = element("pre", { class: "problem", id: `${this.id}-problem`, role: "alert", hidden: true });
    this.chipRow = element("div", { class: "chiprow", role: "group", "aria-label": "Common queries" },
      ...this.chips.map(([label, query]) => element("button", { type: "button", class: "chip", "aria-pressed": "false", "data-query": query, onclick: () => this.search(query) }, label)));
    const form = element("form", { class: "query", role: "search", onsubmit: (event) => { event.preventDefault(); this.search(this.input.value); } },
      element("div", { class: "field" }, this.input, this.completions), element("button", { type: "submit" }, "Search"));
    this.actionBar = element("div", { class: "actions", role: "toolbar", "aria-label": "Actions" });
    this.body = element("tbody");
    this.headRow = element("tr");
    this.footer = element("div", { class: "pages" });
    this.section.replaceChildren(form, this.problem, this.chipRow, this.actionBar,
      element("div", { class: "card flush wide" }, element("table", { class: "listing" }, element("thead", {}, this.headRow), this.body)), this.footer);
    this.drawHead();
    this.drawActions();
  }

  // --- the query -------------------------------------------------------------------------------

  async search(query) {
    this.query = query.trim();
    this.input.value = this.query;
    this.offer([]);
    this.page = 1;
    this.clear();
    await this.load();
  }

  complete() {
    const caret = this.input.selectionStart;
    const before = this.input.value.slice(0, caret);
    const [, , word] = /^(.*?)([^\s()"]*)$/s.exec(before);
    const fields = start.fields[this.collection];
    const tokens = before.slice(0, before.length - word.length).match(/"[^"]*"|[^\s()]+/g) || [];
    const place = expected(tokens);
    let words = [];
    if (place === "field") words = Object.keys(fields);
    else if (place === "operator") words = fieldOf(fields, tokens.at(-1))?.operators || [];
    else if (place === "value") words = fieldOf(fields, tokens.at(-2))?.values || [];
    else words = ["AND", "OR"];
    const fitting = words.filter((each) => each.toLowerCase().startsWith(word.toLowerCase()) && each !== word);
    this.offer(word || place !== "field" || !before ? fitting.slice(0, 12) : [], word.length, caret);
  }

  offer(words, typed = 0, caret = 0) {
    this.completions.hidden = !words.length;
    this.input.setAttribute("aria-expanded", String(words.length > 0));
    this.input.removeAttribute("aria-activedescendant");
    this.completions.replaceChildren(...words.map((word, index) => element("li", {
      role: "option", id: `${this.id}-completion-${index}`, "aria-selected": "false",
      onmousedown: (event) => { event.preventDefault(); this.insert(word, typed, caret); },
    }, word)));
    this.offered = { words, typed, caret, active: -1 };
  }

  insert(word, typed, caret) {
    const text = this.input.value;
    const begin = `${text.slice(0, caret - typed)}${word} `;
    this.input.value = begin + text.slice(caret).trimStart();
    this.input.setSelectionRange(begin.length, begin.length);
    this.complete();
  }

  key(event) {
    const offered = this.offered;
    if (event.key === "Escape") return this.offer([]);
    if (!offered?.words.length) {
      if (event.key === "ArrowDown") { this.complete(); event.preventDefault(); }
      return undefined;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      offered.active = (offered.active + step + offered.words.length) % offered.words.length;
      [...this.completions.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === offered.active)));
      this.input.setAttribute("aria-activedescendant", `${this.id}-completion-${offered.active}`);
      event.preventDefault();
    } else if ((event.key === "Enter" || event.key === "Tab") && offered.active >= 0) {
      this.insert(offered.words[offered.active], offered.typed, offered.caret);
      event.preventDefault();
    }
    return undefined;
  }

  // --- rows ------------------------------------------------------------------------------------

  async load(quietly = false) {
    const asked = (this.asked = (this.asked || 0) + 1);
    const parameters = { QueryString: this.query, PageReturned: this.page, ReturnLimit: PAGE };
    if (this.sortField) Object.assign(parameters, { SortField: this.sortField, SortAscending: this.descending ? 1 : 0 });
    try {
      const { value, total } = await get(this.path, parameters);
      if (asked !== this.asked) return;
      this.rows = value;
      this.total = total;
      this.say(null);
      this.draw();
    } catch (error) {
      if (asked !== this.asked || (quietly && !(error instanceof ApiError))) return;
      this.say(error);
    }
  }

  say(error) {
    this.problem.hidden = !error;
    this.input.setAttribute("aria-invalid", String(Boolean(error)));
    if (!error) return;
    this.problem.textContent = error.position ? `${this.query}\n${" ".repeat(error.position - 1)}▲ ${error.message}` : error.message;
    this.input.focus();
    if (error.position) this.input.setSelectionRange(error.position - 1, this.query.length);
  }

  draw() {
    for (const chip of this.chipRow.children) chip.setAttribute("aria-pressed", String(chip.dataset.query === this.query));
    const key = JSON.stringify([this.query, this.rows, this.sortField, this.descending]);
    if (this.drawn !== key) {
      this.drawn = key;
      this.drawHead();
      this.body.replaceChildren(...(this.rows.length ? this.rows.map((row) => this.row(row)) : [element("tr", {}, element("td", { colspan: String(this.columns.length + 1), class: "empty" }, this.query ? "Nothing matches this query." : this.empty))]));
    }
    this.drawPages();
    this.drawActions();
  }

  row(row) {
    const id = this.idOf(row);
    const box = element("input", { type: "checkbox", "aria-label": `Select ${id}`, checked: this.selected.has(id), onchange: () => {
      if (box.checked) this.selected.set(id, row); else this.selected.delete(id);
      this.wholeQuery = false;
      this.drawActions();
    } });
    return element("tr", {}, element("td", { class: "tick" }, box), ...this.columns.map(([label, , cell, style]) => element("td", { class: style || "", "data-label": label }, cell(row))));
  }

  drawHead() {
    const all = element("input", { type: "checkbox", "aria-label": "Select all on this page", checked: this.rows.length > 0 && this.rows.every((row) => this.selected.has(this.idOf(row))), onchange: () => {
      for (const row of this.rows) if (all.checked) this.selected.set(this.idOf(row), row); else this.selected.delete(this.idOf(row));
      this.wholeQuery = false;
      this.drawn = null;
      this.draw();
    } });
    this.headRow.replaceChildren(element("th", { scope: "col", class: "tick" }, all), ...this.columns.map(([label, field, , style]) => {
      const attributes = { scope: "col", class: style || "" };
      if (!field) return element("th", attributes, label);
      if (field === this.sortField) attributes["aria-sort"] = this.descending ? "descending" : "ascending";
      const arrow = field === this.sortField ? (this.descending ? " ↓" : " ↑") : "";
      return element("th", attributes, element("button", { type: "button", class: "link", onclick: () => this.sort(field) }, label + arrow));
    }));
  }

  sort(field) {
    this.descending = field === this.sortField ? !this.descending : false;
    this.sortField = field;
    this.page = 1;
    this.drawn = null;
    this.load();
  }

  drawPages() {
    const last = Math.max(Math.ceil(this.total / PAGE), 1);
    const turn = (page) => { this.page = page; this.load(); };
    this.footer.replaceChildren(
      element("span", {}, `${number(this.total)} in all, page ${number(this.page)} of ${number(last)}`),
      element("button", { type: "button", disabled: this.page <= 1, onclick: () => turn(this.page - 1) }, "Previous"),
      element("button", { type: "button", disabled: this.page >= last, onclick: () => turn(this.page + 1) }, "Next"));
  }

  // --- actions ---------------------------------------------------------------------------------

  drawActions() {
    const chosen = this.wholeQuery ? this.total : this.selected.size;
    const key = `${chosen} ${this.wholeQuery} ${this.total}`;
    if (this.actionsDrawn === key) return;
    this.actionsDrawn = key;
    const buttons = this.actions.map(([label, act, style]) => element("button", { type: "button", class: style || "", disabled: !chosen || !start.mayModify, title: start.mayModify ? "" : "Your account may look, not touch", onclick: () => act(this) }, label));
    const whole = this.byQuery && this.total > this.selected.size && this.query
      ? element("button", { type: "button", class: "link", onclick: () => { this.wholeQuery = true; this.drawActions(); } }, `Choose all ${number(this.total)} that match`)
      : null;
    const none = chosen ? element("button", { type: "button", class: "link", onclick: () => { this.clear(); this.drawn = null; this.draw(); } }, "Choose none") : null;
    this.actionBar.replaceChildren(element("span", { class: "muted" }, `${number(chosen)} chosen`), whole ?? "", none ?? "", ...buttons);
  }

  clear() {
    this.selected.clear();
    this.wholeQuery = false;
  }

  async done(message) {
    toast(message);
    this.clear();
    this.drawn = null;
    await this.load();
  }
}

const fieldOf = (fields, name) => Object.entries(fields).find(([each]) => each.toLowerCase() === (name || "").toLowerCase())?.[1];

// What comes next after whole tokens: a field, an operator, a value or a word that joins.
function expected(tokens) {
  let place = "field";
  for (const token of tokens) {
    if (place === "join") place = "field";
    else place = { field: "operator", operator: "value", value: "join" }[place];
    if (place === "operator" && /^(and|or)$/i.test(token)) place = "field";
  }
  return place;
}
