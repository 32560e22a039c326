// Interactive figures of ntklib.plotting.explorer: no library, no request. A figure is drawn when it is scrolled to.
"use strict";

(() => {
  const TYPE = "application/vnd.ntklib.explorer+json";
  const SVG = "http://www.w3.org/2000/svg";
  // The palette of ntklib.plotting.COLOURS, lightened where the page is dark (see custom.css).
  const CLASSES = 5;
  const WIDTH = 640, HEIGHT = 380, LEFT = 64, RIGHT = 16, TOP = 12, BOTTOM = 46;

  const element = (name, attributes = {}, text = "") => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  };

  const html = (name, attributes = {}, text = "") => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  };

  const shown = (number) => Number(number.toPrecision(3)).toString();

  const ticks = (low, high) => {
    const rough = (high - low) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((s) => s * power).find((s) => s >= rough);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step);
    return found;
  };

  // Counts span decades on both sides of zero: sign times log(1 + size) shows them all.
  const squash = (value) => Math.sign(value) * Math.log10(1 + Math.abs(value));

  const slider = (data, changed) => {
    const last = data.frames.values.length - 1;
    const label = html("label", { class: "explorer-slider" });
    const text = html("span");
    const input = html("input", { type: "range", min: 0, max: last, step: 1, value: last });
    const update = () => {
      text.textContent = `${data.frames.label} = ${shown(data.frames.values[input.value])}`;
      input.setAttribute("aria-valuetext", text.textContent);
      changed(Number(input.value));
    };
    input.addEventListener("input", update);
    label.append(text, input);
    return { label, update, frame: () => Number(input.value) };
  };

  const legend = (data) => {
    const list = html("p", { class: "explorer-legend" });
    data.groups.forEach((group, k) => {
      const item = html("span");
      item.append(html("span", { class: `explorer-swatch explorer-class-${k % CLASSES}`, "aria-hidden": "true" }));
      item.append(document.createTextNode(group));
      list.append(item);
    });
    return list;
  };

  const drawTokens = (root, data) => {
    const across = data.horizontal.values.map(squash);
    const [x0, x1] = [Math.min(...across), Math.max(...across)];
    const all = data.vertical.values.flat();
    const [y0, y1] = [Math.min(0, ...all), Math.max(0, ...all)];
    const px = (v) => LEFT + ((v - x0) / (x1 - x0 || 1)) * (WIDTH - LEFT - RIGHT);
    const py = (v) => HEIGHT - BOTTOM - ((v - y0) / (y1 - y0 || 1)) * (HEIGHT - TOP - BOTTOM);
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": data.title });
    for (const tick of ticks(y0, y1)) {
      svg.append(element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: py(tick), y2: py(tick), class: "explorer-grid" }));
      svg.append(element("text", { x: LEFT - 6, y: py(tick) + 4, "text-anchor": "end" }, shown(tick)));
    }
    for (const size of [0, 1, 10, 100, 1000, 10000]) {
      for (const value of size ? [size, -size] : [0]) {
        if (squash(value) < x0 || squash(value) > x1) continue;
        const x = px(squash(value));
        svg.append(element("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: "explorer-grid" }));
        svg.append(element("text", { x, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, shown(value)));
      }
    }
    const middle = (TOP + HEIGHT - BOTTOM) / 2;
    svg.append(element("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, data.horizontal.label));
    svg.append(element("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` },
      data.vertical.label));
    const dots = data.names.map((name, k) => {
      const dot = element("circle", { r: 3, class: `explorer-class-${data.group[k] % CLASSES}`, cx: px(across[k]) });
      dot.dataset.number = k;
      svg.append(dot);
      return dot;
    });
    const mark = element("circle", { r: 8, class: "explorer-mark", visibility: "hidden" });
    svg.append(mark);

    const told = html("output", { class: "explorer-told", "aria-live": "polite" }, "Point at a dot, or name a token.");
    let chosen = -1;
    const control = slider(data, (frame) => {
      dots.forEach((dot, k) => dot.setAttribute("cy", py(data.vertical.values[frame][k])));
      if (chosen >= 0) choose(chosen);
    });
    const choose = (k) => {
      chosen = k;
      const value = data.vertical.values[control.frame()][k];
      mark.setAttribute("cx", px(across[k]));
      mark.setAttribute("cy", py(value));
      mark.setAttribute("visibility", "visible");
      told.textContent = `${data.names[k]} (${data.groups[data.group[k]]}): ${data.horizontal.label} ` +
        `${shown(data.horizontal.values[k])}, ${data.vertical.label} ${shown(value)}`;
    };
    svg.addEventListener("pointermove", (event) => {
      if (event.target.dataset.number !== undefined) choose(Number(event.target.dataset.number));
    });
    svg.addEventListener("pointerdown", (event) => {
      if (event.target.dataset.number !== undefined) choose(Number(event.target.dataset.number));
    });
    const search = html("label", { class: "explorer-search" }, "Find a token ");
    const field = html("input", { type: "search", autocomplete: "off", spellcheck: "false" });
    field.addEventListener("input", () => {
      const k = data.names.indexOf(field.value.trim());
      if (k >= 0) choose(k);
    });
    search.append(field);
    root.append(control.label, svg, legend(data), search, told);
    control.update();
  };

  const drawModels = (root, data) => {
    const row = 26, left = 130;
    const height = TOP + row * data.names.length + BOTTOM;
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": data.title });
    const scale = WIDTH - left - RIGHT;
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      const x = left + tick * scale;
      svg.append(element("line", { x1: x, x2: x, y1: TOP, y2: height - BOTTOM, class: "explorer-grid" }));
      svg.append(element("text", { x, y: height - BOTTOM + 16, "text-anchor": "middle" }, shown(tick)));
    }
    svg.append(element("text", { x: left + scale / 2, y: height - 8, "text-anchor": "middle" }, data.horizontal.label));
    const bars = data.names.map((name, k) => {
      svg.append(element("text", { x: left - 6, y: TOP + row * k + 17, "text-anchor": "end" }, name));
      return data.groups.map((group, part) => {
        const bar = element("rect", { y: TOP + row * k + 3, height: row - 6, class: `explorer-class-${part % CLASSES}` });
        bar.append(element("title"));
        svg.append(bar);
        return bar;
      });
    });
    const told = html("output", { class: "explorer-told", "aria-live": "polite" }, "Point at a bar.");
    const control = slider(data, (frame) => {
      bars.forEach((parts, k) => {
        let start = 0;
        parts.forEach((bar, part) => {
          const share = data.shares[frame][k][part];
          bar.setAttribute("x", left + start * scale);
          bar.setAttribute("width", Math.max(share, 0) * scale);
          const text = `${data.names[k]}: ${data.groups[part]} ${shown(share)}`;
          bar.firstChild.textContent = text;
          bar.onpointerenter = () => { told.textContent = text; };
          start += share;
        });
      });
    });
    root.append(control.label, svg, legend(data), told);
    control.update();
  };

  // A list of choices, or nothing to choose where there is one only.
  const chooser = (label, values, changed) => {
    const whole = html("label", { class: "explorer-choice" }, `${label} `);
    const select = html("select");
    values.forEach((value, k) => select.append(html("option", { value: k }, value)));
    select.addEventListener("change", changed);
    whole.append(select);
    whole.hidden = values.length < 2;
    return { whole, chosen: () => Number(select.value) };
  };

  const drawScores = (root, data) => {
    const unit = 10 ** data.decimals;
    const signed = (units) => (units < 0 ? "\u2212" : "+") + (Math.abs(units) / unit).toFixed(data.decimals);
    const table = html("table", { class: "explorer-parts" });
    const head = html("caption"), body = html("tbody"), foot = html("tfoot");
    table.append(head, body, foot);
    const told = html("output", { class: "explorer-told", "aria-live": "polite" }, "Point at a part, or move to it by Tab.");
    let rows = [], parts = null, score = 0;

    const fill = (frame) => {
      const values = parts.values[frame];
      const total = data.vertical.values[score][frame];
      const all = parts.values.flat();
      const low = Math.min(0, ...all), high = Math.max(0, ...all);
      const across = (value) => (100 * (value - low)) / (high - low || 1);
      rows.forEach((row, k) => {
        row.value.textContent = signed(values[k]);
        row.bar.style.marginInlineStart = `${across(Math.min(values[k], 0))}%`;
        row.bar.style.width = `${across(Math.abs(values[k])) - across(0)}%`;
        row.bar.className = `explorer-bar explorer-class-${values[k] < 0 ? 1 : 0}`;
        row.text = `${parts.names[k]}: ${signed(values[k])} of ${signed(total)}, ` +
          `the ${data.vertical.label} of ${data.names[score]} at ${data.frames.label} = ${shown(data.frames.values[frame])}`;
      });
      const sum = values.reduce((before, value) => before + value, 0);
      foot.replaceChildren();
      for (const [name, units] of [["sum of these parts", sum], [data.vertical.label, total]]) {
        const line = html("tr");
        line.append(html("th", { scope: "row" }, name), html("td", { class: "explorer-value" }, signed(units)), html("td"));
        foot.append(line);
      }
      const pointed = rows.find((row) => row.line.classList.contains("explorer-pointed"));
      if (pointed) told.textContent = pointed.text;
    };

    const control = slider(data, (frame) => { if (parts) fill(frame); });
    const rebuild = () => {
      // The last choice changes fastest, as in the data.
      score = fields.reduce((k, field, place) => k * data.choices[place].values.length + field.chosen(), 0);
      parts = data.parts[score][view.chosen()];
      head.textContent = `${data.names[score]}: ${data.groups[view.chosen()]}`;
      rows = parts.names.map((name) => {
        const row = { line: html("tr", { tabindex: 0 }), value: html("td", { class: "explorer-value" }), bar: html("div") };
        const cell = html("td", { class: "explorer-bars", "aria-hidden": "true" });
        cell.append(row.bar);
        row.line.append(html("th", { scope: "row" }, name), row.value, cell);
        const point = () => {
          rows.forEach((other) => other.line.classList.toggle("explorer-pointed", other === row));
          told.textContent = row.text;
        };
        row.line.addEventListener("pointerenter", point);
        row.line.addEventListener("focus", point);
        return row;
      });
      body.replaceChildren(...rows.map((row) => row.line));
      fill(control.frame());
    };
    const fields = data.choices.map((choice) => chooser(choice.label, choice.values, rebuild));
    const view = chooser("split into", data.groups, rebuild);
    const form = html("p", { class: "explorer-choices" });
    form.append(...[...fields, view].map((field) => field.whole));
    root.append(form, control.label, table, told);
    control.update();
    rebuild();
  };

  const DRAWINGS = { tokens: drawTokens, models: drawModels, scores: drawScores };

  const draw = (root) => {
    const source = root.querySelector(`script[type="${TYPE}"]`);
    const data = JSON.parse(source.textContent);
    DRAWINGS[data.kind](root, data);
    root.classList.add("explorer-drawn");
  };

  document.addEventListener("DOMContentLoaded", () => {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }, { rootMargin: "300px" });
    document.querySelectorAll(".ntklib-explorer").forEach((root) => seen.observe(root));
  });
})();
