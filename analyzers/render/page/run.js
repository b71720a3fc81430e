// The page of a training put together.

const LOGGED = 2000;

const seconds = (number) => {
  if (number < 99.95) return `${number.toFixed(1)} s`;
  const minutes = Math.round(number / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

function head(content) {
  const { epochs } = content;
  byId("title").textContent = content.title;
  byId("subtitle").textContent = content.subtitle;
  const best = epochs.findLast((epoch) => epoch.best);
  const held = (name) => best?.held_out[name] ?? null;
  const where = best ? `at epoch ${count(best.number)}, the best` : "";
  const tiles = [];
  const add = (name, value, note) => tiles.push([name, value, note]);
  if (held("accuracy") !== null) add("held-out accuracy", percent(held("accuracy")), where);
  if (held("r2") !== null) add("held-out R²", four(held("r2")), where);
  if (held("loss") !== null) add("held-out loss", four(held("loss")), where);
  if (best && best.loss !== null) add("training loss", four(best.loss), where);
  const planned = content.planned ? ` of ${content.planned}` : "";
  add("epochs", count(epochs.length) + planned, content.state);
  add("trained for", seconds(epochs.reduce((sum, epoch) => sum + (epoch.seconds ?? 0), 0)), `on ${many(content.examples, "example")}`);
  add("parameters", short(content.params), content.params < 10000 ? "" : count(content.params));
  byId("totals").append(
    ...tiles.map(([name, value, note]) =>
      element(
        "div",
        {},
        element("dt", {}, name),
        element("dd", {}, value, note ? element("small", {}, note) : null),
      ),
    ),
  );
}

function sheet(title, facts) {
  if (!facts.length) return null;
  return element(
    "div",
    { class: "sheet" },
    element("h3", {}, title),
    element(
      "dl",
      { class: "facts" },
      ...facts.flatMap(([name, worth]) => [element("dt", {}, name), element("dd", {}, worth)]),
    ),
  );
}

function show(id, ...made) {
  const room = byId(id);
  room.append(...made);
  room.closest("section").hidden = false;
}

function logOf(content) {
  const scores = [...new Set(content.epochs.flatMap((epoch) => Object.keys(epoch.held_out)))];
  const told = (value, unit = four) => (value === null || value === undefined ? "·" : unit(value));
  const columns = [
    ["epoch", (epoch) => count(epoch.number) + (epoch === content.bestEpoch ? " (best)" : ""), "number"],
    ["training loss", (epoch) => told(epoch.loss), "number"],
    ...scores.map((name) => [
      `held-out ${name}`,
      (epoch) => told(epoch.held_out[name], ["accuracy", "top5"].includes(name) ? percent : four),
      "number",
    ]),
    ["learning rate", (epoch) => told(epoch.lr, short4), "number"],
    ["gradient", (epoch) => told(epoch.gradient_norm, short4), "number"],
    ["seconds", (epoch) => told(epoch.seconds, (value) => value.toFixed(2)), "number"],
  ];
  const shown = content.epochs.slice(-LOGGED);
  return plainTable("The log, epoch by epoch", columns, shown, (epoch) =>
    epoch === content.bestEpoch ? "chosen" : "",
  );
}

function netOf(net) {
  if (net.problem) return [element("p", { class: "muted" }, net.problem)];
  const columns = [
    ["layer", (layer) => layer.name],
    ["operators", (layer) => layer.label, "mono"],
    ["output", (layer) => sizes(layer.output), "number"],
    ["parameters", (layer) => (layer.params ? count(layer.params) : "·"), "number"],
    ["multiply-adds", (layer) => (layer.macs ? count(layer.macs) : "·"), "number"],
  ];
  return [
    element("p", { class: "muted note" }, net.says),
    plainTable("The layers", columns, net.layers),
  ];
}

function drawn(charts, id) {
  const room = byId(id);
  room.append(...charts.map((chart) => chart.figure));
  const draw = () =>
    charts.forEach((chart) => chart.draw(Math.max(220, Math.floor(chart.plot.clientWidth))));
  draw();
  let width = room.clientWidth;
  new ResizeObserver(() => {
    if (room.clientWidth === width) return;
    width = room.clientWidth;
    draw();
  }).observe(room);
}

function start() {
  const content = JSON.parse(byId("content").textContent);
  content.bestEpoch = content.epochs.findLast((epoch) => epoch.best);
  theme();
  head(content);
  const charts = curvesOf(content);
  if (charts.length) drawn(charts, "curves");
  else byId("curves").append(element("p", { class: "muted" }, "No epoch was finished yet."));
  if (content.vitals.layers.length) show("vitals", ...vitalsOf(content));
  const held = content.held_out;
  if (held) {
    const confusion = confusionOf(held);
    if (confusion.length) show("confusion", ...confusion);
    if (held.worst.length) show("worst", ...worstOf(held));
  }
  byId("settings").append(
    ...content.sheets.map(([title, facts]) => sheet(title, facts)).filter(Boolean),
  );
  byId("net").append(...netOf(content.net));
  byId("text").append(...textOf(content));
  byId("log").append(logOf(content));
  byId("footer").append(
    element("p", {}, "Made by nnspec. The page asks nothing of any network."),
    element("p", { class: "mono" }, `graph ${content.digest.slice(0, 16)}`),
  );
  performance.mark("drawn");
  performance.mark("whole");
}

start();
