// Charts on uPlot: lines over time whose colours come from the page's tokens, so that a change of theme redraws them.
/* global uPlot */

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Times as the tables have them: 24 hours; at midnight the day.
function clock(at) {
  const date = new Date(at * 1000);
  if (date.getHours() + date.getMinutes() + date.getSeconds() === 0) return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return date.toLocaleTimeString("en-GB", date.getSeconds() ? {} : { hour: "2-digit", minute: "2-digit" });
}

export class Chart {
  // `lines`: [key, label, colour token]
  constructor(place, lines) {
    this.place = place;
    this.lines = lines;
    this.steps = [];
    new ResizeObserver(() => this.fit()).observe(place);
  }

  show(steps) {
    this.steps = steps;
    if (!this.place.clientWidth) return; // in a hidden view: drawn when that opens
    if (!this.plot) this.draw();
    this.plot.setData(this.data());
  }

  data() {
    return [this.steps.map((step) => step.at), ...this.lines.map(([key]) => this.steps.map((step) => step[key]))];
  }

  redraw() {
    this.plot?.destroy();
    this.plot = null;
    this.show(this.steps);
  }

  fit() {
    if (!this.plot) return this.steps.length ? this.show(this.steps) : undefined;
    if (this.place.clientWidth) this.plot.setSize({ width: this.place.clientWidth, height: 220 });
  }

  draw() {
    const axis = { stroke: token("--muted"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const series = this.lines.map(([, label, colour]) => ({ label, stroke: token(colour), width: 2, points: { show: false } }));
    this.plot = new uPlot({
      width: this.place.clientWidth,
      height: 220,
      cursor: { y: false },
      legend: { live: true },
      scales: { y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
      axes: [{ ...axis, space: 70, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 44, values: (_, ticks) => ticks.map((each) => (Number.isInteger(each) ? each.toLocaleString("en-US") : "")) }],
      series: [{ label: "time", value: (_, at) => (at ? new Date(at * 1000).toLocaleString("en-GB") : "–") }, ...series],
    }, this.data(), this.place);
  }
}
