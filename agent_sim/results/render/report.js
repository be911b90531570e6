// Draws the report's charts from the JSON in #chart-data with uPlot. No network, no state, nothing stored.
// Data comes from journals: it is only ever drawn on a canvas or set as text, never as HTML.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const root = document.getElementById("charts");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const left = 56, right = 20;
  let plots = [], map = null;

  // Nulls before and after a series are not in the file.
  for (const panel of data.panels)
    for (const series of panel.series)
      series.values = data.x.map((_, i) => { const v = series.values[i - series.from]; return v === undefined ? null : v; });

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const number = (v) => v === null || v === undefined ? "–"
    : Math.abs(v) >= 100 ? Math.round(v).toLocaleString("en") : String(Number(v.toPrecision(3)));
  const clock = (s) => {
    const whole = Math.floor(s), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    return whole < 0 ? "" : (hours ? hours + ":" + two(minutes) : minutes) + ":" + two(whole % 60);
  };

  // One colour for each name, the same in every panel.
  const names = [];
  for (const panel of data.panels) {
    const found = panel.kind === "band" ? [panel.title] : panel.series.filter((s) => !s.colour).map((s) => s.label);
    for (const name of found) if (!names.includes(name)) names.push(name);
  }
  const colour = (series, panel) => series.colour ? token(series.colour)
    : token("series-" + (names.indexOf(panel.kind === "band" ? panel.title : series.label) % 9 + 1));

  // Behind the data: every other phase shaded, storms tinted and framed, faults as bars at the top.
  const backdrop = (u) => {
    const { left: x0, top, width, height } = u.bbox, ctx = u.ctx;
    const at = (s) => Math.min(Math.max(u.valToPos(s, "x", true), x0), x0 + width);
    ctx.save();
    data.phases.forEach((phase, i) => {
      if (i % 2) return;
      ctx.fillStyle = token("phase");
      ctx.fillRect(at(phase.start), top, at(phase.end) - at(phase.start), height);
    });
    for (const storm of data.storms) {
      ctx.fillStyle = token("storm");
      ctx.fillRect(at(storm.start), top, at(storm.end) - at(storm.start), height);
      ctx.strokeStyle = token("storm-edge");
      ctx.setLineDash([4, 4]);
      for (const edge of [storm.start, storm.end]) {
        ctx.beginPath();
        ctx.moveTo(at(edge), top);
        ctx.lineTo(at(edge), top + height);
        ctx.stroke();
      }
    }
    ctx.fillStyle = token("fault-edge");
    for (const fault of data.faults)
      ctx.fillRect(at(fault.start), top, Math.max(at(fault.end) - at(fault.start), 2), 3 * devicePixelRatio);
    ctx.restore();
  };

  const stacked = (series) => {
    const sums = data.x.map(() => 0);
    return series.map((s) => s.values.map((v, i) => (sums[i] += v || 0)));
  };

  // A value between two gaps has no line: it is drawn as a point.
  const alone = (values) => {
    const has = (i) => values[i] !== null && values[i] !== undefined;
    return values.map((_, i) => i).filter((i) => has(i) && !has(i - 1) && !has(i + 1));
  };

  // A stack is drawn from the top series down, each filled to the one below it.
  const shape = (panel) => {
    const values = panel.kind === "stack" ? stacked(panel.series) : panel.series.map((s) => s.values);
    const series = panel.series.map((s, i) => {
      const stroke = colour(s, panel);
      const shown = (u, v, si, di) => di === null || di === undefined ? "" : number(s.values[di]) + " " + panel.unit;
      const made = { label: s.label, stroke, width: 1.6, value: shown, points: { size: 4, fill: stroke, filter: () => alone(values[i]) } };
      if (panel.kind === "area" || (panel.kind === "stack" && i === 0)) made.fill = stroke + "40";
      if (panel.kind === "band") {
        made.width = s.label === "p50" ? 2 : 1;
        if (s.label === "p99") made.dash = [4, 3];
      }
      return made;
    });
    const bands = [];
    if (panel.kind === "band") bands.push({ series: [2, 1], fill: colour(panel.series[0], panel) + "33" });
    if (panel.kind === "stack")
      for (let i = panel.series.length; i > 1; i--) bands.push({ series: [i, i - 1], fill: colour(panel.series[i - 1], panel) + "55" });
    return { values, series, bands };
  };

  const base = (width, height) => {
    const axis = { stroke: token("muted"), grid: { stroke: token("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const end = data.x.length * data.width || 1;
    return {
      width, height,
      padding: [8, right, 0, 0],
      cursor: { sync: { key: "run" }, y: false, drag: { x: true, y: false }, points: { size: 6 } },
      scales: { x: { time: false, range: (u, lo, hi) => lo === data.x[0] && hi === data.x[data.x.length - 1] ? [0, end] : [lo, hi] },
                y: { range: (u, lo, hi) => [0, hi > 0 ? hi * 1.08 : 1] } },
      axes: [{ ...axis, size: 28, values: (u, ticks) => ticks.map(clock), incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400] },
             { ...axis, size: left, space: 32, values: (u, ticks) => ticks.map(number) }],
    };
  };

  const options = (panel, width, height) => {
    const { series, bands } = shape(panel);
    return {
      ...base(width, height), bands,
      series: [{ label: "time", value: (u, v) => v === null || v === undefined ? "" : clock(v) }, ...series],
      legend: { live: true },
      hooks: { drawClear: [backdrop] },
    };
  };

  // The heat map: a row for each bound of latency, the one above it for what took longer still.
  const heatBox = root && root.querySelector("[data-heat]");
  const chosen = document.getElementById("heat-of");
  const told = root && root.querySelector(".told");
  const hint = told && told.textContent;
  const milliseconds = (ms) => ms >= 1000 ? ms / 1000 + " s" : ms < 1 ? ms * 1000 + " µs" : ms + " ms";
  const rowName = (row) => {
    const { bounds } = data.heat;
    return row >= bounds.length ? "longer than " + milliseconds(bounds[bounds.length - 1])
      : "at most " + milliseconds(bounds[row]);
  };
  const fields = (u) => {
    const { rows } = data.heat.maps[chosen.value], ctx = u.ctx;
    const most = Math.log(1 + Math.max(1, ...rows.map((row) => Math.max(...row))));
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    ctx.fillStyle = token("heat");
    rows.forEach((row, y) => {
      const top = u.valToPos(y + 1, "y", true), height = u.valToPos(y, "y", true) - top;
      row.forEach((count, x) => {
        if (!count) return;
        const from = u.valToPos(x * data.heat.width, "x", true), to = u.valToPos((x + 1) * data.heat.width, "x", true);
        ctx.globalAlpha = 0.12 + 0.88 * Math.log(1 + count) / most;
        ctx.fillRect(from, top, Math.max(to - from, 1), height - 1);
      });
    });
    ctx.restore();
  };
  const read = (u) => {
    const { left: x, top: y, idx } = u.cursor;
    if (idx === null || idx === undefined || x < 0) { told.textContent = hint; return; }
    const column = Math.floor(u.posToVal(x, "x") / data.heat.width), row = Math.floor(u.posToVal(y, "y"));
    const count = (data.heat.maps[chosen.value].rows[row] || [])[column] || 0;
    told.textContent = clock(column * data.heat.width) + ": " + count.toLocaleString("en") + " requests took " + rowName(row);
  };
  const drawHeat = () => {
    if (map) map.destroy();
    if (!data.heat) return;
    const { bounds, maps } = data.heat, rows = maps[0].rows.length;
    const made = base(heatBox.clientWidth, Math.max(rows * 16 + 36, 120));
    made.scales.y = { range: () => [0, rows] };
    made.cursor = { ...made.cursor, y: true, points: { show: false } };
    made.axes[1] = { ...made.axes[1], splits: () => bounds.map((_, i) => i + 1).filter((_, i) => rows < 10 || i % 3 === 0),
      values: (u, ticks) => ticks.map((tick) => milliseconds(bounds[tick - 1])) };
    made.series = [{ value: () => "" }, { show: true, paths: () => null, points: { show: false } }];
    made.legend = { show: false };
    made.hooks = { drawClear: [backdrop], draw: [fields], setCursor: [read] };
    map = new uPlot(made, [data.x, data.x.map(() => 0)], heatBox);
  };

  const draw = () => {
    plots.forEach((plot) => plot.destroy());
    plots = data.panels.map((panel, i) => {
      const box = root.querySelector('[data-panel="' + i + '"]');
      const height = panel.kind === "band" ? 130 : 190;
      const { values } = shape(panel);
      return new uPlot(options(panel, box.clientWidth, height), [data.x, ...values], box);
    });
    drawHeat();
  };

  const fit = (plot, box) => {
    if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: plot.height });
  };
  const resize = () => {
    plots.forEach((plot, i) => fit(plot, root.querySelector('[data-panel="' + i + '"]')));
    if (map) fit(map, heatBox);
  };

  if (!root) return;
  draw();
  if (chosen) chosen.addEventListener("change", () => map.redraw());
  dark.addEventListener("change", draw);
  new ResizeObserver(resize).observe(root);
})();
