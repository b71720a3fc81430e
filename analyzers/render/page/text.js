// The text of the spec with what was found in it.

function textOf(content) {
  const own = Object.keys(content.files)[0];
  return Object.entries(content.files).map(([name, text]) =>
    fileOf(content, name, text, name === own),
  );
}

const LINES = 3000;

function fileOf(content, name, text, open) {
  const lines = text.replace(/\n$/, "").split("\n");
  const found = new Map();
  for (const finding of content.findings) {
    if (finding.filename !== name) continue;
    const { row } = finding.location;
    found.set(row, [...(found.get(row) || []), finding]);
  }
  const rows = lines
    .slice(0, LINES)
    .map((line, i) =>
      element(
        "li",
        { class: "line", "data-line": i + 1 },
        element("code", {}, cut(line, 2000) || " "),
        ...(found.get(i + 1) || []).map((finding) =>
          element(
            "p",
            { class: `found ${finding.severity}` },
            element("code", {}, finding.code),
            ` ${finding.message}`,
            finding.help ? `: ${finding.help}` : "",
          ),
        ),
      ),
    );
  if (lines.length > LINES)
    rows.push(element("li", { class: "muted" }, `and ${count(lines.length - LINES)} lines more`));
  const title = element(
    "summary",
    {},
    element("span", { class: "mono" }, name),
    found.size
      ? element("span", { class: "muted" }, `  ${many(found.size, "line")} with findings`)
      : "",
  );
  const list = element(
    "ol",
    { class: "source", tabindex: 0, "aria-label": `Lines of ${name}` },
    ...rows,
  );
  const details = element("details", { open, "data-file": name }, title, list);
  return details;
}

function markLine(part) {
  for (const line of document.querySelectorAll(".source .chosen")) line.classList.remove("chosen");
  if (!part || !part.layer || !part.layer.place) return;
  const [name, number] = part.layer.place;
  for (const details of document.querySelectorAll("#text details")) {
    if (details.dataset.file !== name) continue;
    const line = details.querySelectorAll(".line")[number - 1];
    if (line) line.classList.add("chosen");
  }
}
