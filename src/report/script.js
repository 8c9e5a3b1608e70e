// The page is whole without this; it adds sorting, switching arms off, and reading values off the curves.
"use strict";
(() => {
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  // Sorting: a header becomes a button. What has no value stays at the end in both directions.
  const table = document.getElementById("arms");
  const headers = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const text = row.cells[column].dataset.value;
    const number = Number(text);
    return text === undefined || Number.isNaN(number) ? text : number;
  };
  const sort = (column) => {
    const header = headers[column];
    const order = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    const sign = order === "ascending" ? 1 : -1;
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", order);
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return sign * (typeof x === "number" ? (x > y) - (x < y) : x.localeCompare(y));
    });
    table.tBodies[0].append(...rows);
  };
  headers.forEach((header, column) => {
    const button = element("button", { type: "button" }, ...header.childNodes);
    button.addEventListener("click", () => sort(column));
    header.append(button);
  });

  // Legends: an entry becomes a button that shows and hides its arm wherever it is a line.
  const hidden = new Set();
  const redraw = [];
  const update = () => redraw.forEach((draw) => draw());
  const toggle = (arm) => {
    if (!hidden.delete(arm)) hidden.add(arm);
    for (const line of document.querySelectorAll(`figure g[data-arm="${arm}"]`)) line.classList.toggle("off", hidden.has(arm));
    for (const button of document.querySelectorAll(`.legend button[data-arm="${arm}"]`)) button.setAttribute("aria-pressed", String(!hidden.has(arm)));
    update();
  };
  // A phone that is turned has other places for everything.
  window.addEventListener("resize", update);
  for (const entry of document.querySelectorAll(".legend li")) {
    const arm = entry.dataset.arm;
    const button = element("button", { type: "button", "aria-pressed": "true", "data-arm": arm }, ...entry.childNodes);
    button.addEventListener("click", () => toggle(arm));
    entry.classList.add("live");
    entry.append(button);
  }

  // Readings: the mouse, a finger or a slider chooses a place along a chart; a box lists what is there.
  const arms = JSON.parse(document.getElementById("readings").textContent);
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
  const duration = (seconds) => {
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    const two = (n) => String(n).padStart(2, "0");
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  };
  const units = { tokens: (x) => `${compact.format(x)} tokens`, seconds: duration };

  // The point of a curve nearest to x; none beyond either end by more than a step.
  const nearest = (xs, x) => {
    let best = -1;
    xs.forEach((candidate, i) => {
      if (candidate !== null && (best < 0 || Math.abs(candidate - x) < Math.abs(xs[best] - x))) best = i;
    });
    if (best < 0) return best;
    const neighbour = xs[best === 0 ? 1 : best - 1] ?? xs[best];
    return Math.abs(xs[best] - x) <= Math.abs(xs[best] - neighbour) ? best : -1;
  };

  for (const svg of document.querySelectorAll("svg[data-axis]")) {
    const { axis } = svg.dataset;
    const [high, left, right] = [svg.dataset.high, svg.dataset.left, svg.dataset.right].map(Number);
    const plot = svg.parentElement;
    const title = svg.querySelector("title").textContent;
    const slider = element("input", { type: "range", class: "reader", min: 0, max: 200, value: 200, "aria-label": `${title}: read values at` });
    const box = element("div", { class: "reading", "aria-hidden": "true", hidden: "" });
    const line = document.createElementNS(svg.namespaceURI, "line");
    line.classList.add("crosshair", "off");
    const area = svg.querySelector("clipPath rect");
    line.setAttribute("y1", area.getAttribute("y"));
    line.setAttribute("y2", Number(area.getAttribute("y")) + Number(area.getAttribute("height")));
    svg.append(line);
    plot.append(box);
    plot.after(slider);
    // The browser would put a tooltip with the title over the readings.
    svg.querySelector("title").remove();
    svg.removeAttribute("aria-labelledby");
    svg.setAttribute("aria-label", `${title}. ${svg.querySelector("desc").textContent}`);

    const read = (x) => {
      const found = [];
      arms.forEach((arm, i) => {
        if (hidden.has(String(i))) return;
        const at = nearest(arm[axis], x);
        if (at >= 0 && arm.mean[at] !== null) found.push([arm.name, arm.mean[at], arm.low[at], arm.high[at]]);
      });
      return found.sort((a, b) => a[1] - b[1]);
    };
    const show = () => {
      const fraction = Number(slider.value) / Number(slider.max);
      const x = fraction * high;
      const found = read(x);
      const place = units[axis](x);
      slider.setAttribute("aria-valuetext", `${place}: ${found.map(([name, mean]) => `${name} ${mean.toFixed(4)}`).join(", ")}`);
      const rows = found.map(([name, mean, low, top]) => element("tr", {},
        element("td", {}, name), element("td", {}, mean.toFixed(4)),
        element("td", {}, low === null || top === null || low === top ? "" : `${low.toFixed(4)}\u2013${top.toFixed(4)}`)));
      box.replaceChildren(element("p", {}, place), element("table", {}, element("tbody", {}, ...rows)));
      const position = left + fraction * (right - left);
      line.setAttribute("x1", position);
      line.setAttribute("x2", position);
      line.classList.remove("off");
      // So many that the box would hide the chart: the means alone, closer together.
      box.classList.toggle("crowded", found.length > 10);
      box.hidden = false;
      // On the side of the line where there is more room, and never outside the chart.
      const scale = svg.clientWidth / svg.viewBox.baseVal.width;
      const room = plot.clientWidth - box.offsetWidth;
      const wanted = fraction > 0.5 ? position * scale - box.offsetWidth - 12 : position * scale + 12;
      box.style.left = `${Math.max(0, Math.min(room, wanted))}px`;
    };
    const hide = () => {
      if (document.activeElement === slider) return;
      box.hidden = true;
      line.classList.add("off");
    };
    redraw.push(() => { if (!box.hidden) show(); });
    const follow = (event) => {
      const bounds = svg.getBoundingClientRect();
      const position = (event.clientX - bounds.left) / bounds.width * svg.viewBox.baseVal.width;
      const fraction = Math.max(0, Math.min(1, (position - left) / (right - left)));
      slider.value = String(Math.round(fraction * Number(slider.max)));
      show();
    };
    plot.addEventListener("pointerdown", follow);
    plot.addEventListener("pointermove", follow);
    plot.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") hide(); });
    document.addEventListener("pointerdown", (event) => { if (!plot.contains(event.target)) hide(); });
    slider.addEventListener("input", show);
    slider.addEventListener("focus", show);
    slider.addEventListener("blur", hide);
  }
})();
