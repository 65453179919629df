// The page of the service: sends what the user chose to the HTTP API and shows the answer.

import { drawMap, drawProfile } from "./draw.js";

const at = (id) => document.getElementById(id);
const state = { model: null, token: "", results: [], sent: null };

function headers(more = {}) {
  return state.token ? { ...more, Authorization: `Bearer ${state.token}` } : more;
}

async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, { ...options, headers: headers(options.headers) });
  } catch {
    throw new Error("The service cannot be reached. Is it still running?");
  }
  if (answer.ok) return answer;
  let told = null;
  try { told = (await answer.json()).error; } catch { /* no JSON */ }
  const error = new Error(told ? told.message : `The service answered ${answer.status}.`);
  error.status = answer.status;
  throw error;
}

function complain(error) {
  at("error").textContent = error.message;
  at("error").hidden = false;
  if (error.status === 401) { at("token-part").hidden = false; at("token").focus(); }
}

async function busy(work) {
  at("error").hidden = true;
  at("result").setAttribute("aria-busy", "true");
  const buttons = document.querySelectorAll("button");
  buttons.forEach((b) => { b.disabled = true; });
  try { await work(); } catch (error) { complain(error); } finally {
    buttons.forEach((b) => { b.disabled = false; });
    at("result").setAttribute("aria-busy", "false");
  }
}

function plural(count, word) { return `${count} ${word}${count === 1 ? "" : "s"}`; }

async function learnModel() {
  const model = await (await ask("v1/model")).json();
  state.model = model;
  at("token-part").hidden = true;
  at("about").textContent = `Detector ${model.detector}, for maps of ${model.shape[0]} x ${model.shape[1]} (${model.rows} x ${model.columns}).`;
  at("kinds").textContent = `Maps: ${model.map_files.join(" ")}. ${model.record_files.length ? `Recordings: ${model.record_files.join(" ")}. ` : ""}`
    + `Up to ${Math.round(model.limits.max_bytes / 2 ** 20)} MB.`;
  at("file").accept = [...new Set([...model.map_files, ...model.record_files])].join(",");
  at("wanted").textContent = model.record_files.length ? "Choose a map or a recording" : "Choose a map";
}

function suits(name, suffixes) { return suffixes.some((suffix) => name.toLowerCase().endsWith(suffix)); }

function chosenKind() { return document.querySelector("input[name=kind]:checked").value; }

function fileChosen() {
  at("error").hidden = true;
  const files = [...at("file").files];
  if (!state.model || !files.length) return;
  const map = files.every((f) => suits(f.name, state.model.map_files));
  const record = files.every((f) => suits(f.name, state.model.record_files));
  at("kind").hidden = !(map && record);
  if (map !== record) document.querySelector(`input[name=kind][value=${map ? "file" : "record"}]`).checked = true;
  at("naming").hidden = chosenKind() !== "record";
}

function form(files) {
  const data = new FormData();
  const kind = chosenKind();
  for (const file of files) data.append(kind, file, file.name);
  data.append("include", "evidence,anomaly_map,map");
  if (kind === "record") {
    const read = {};
    if (at("rate").value) read.sampling_rate = Number(at("rate").value);
    if (at("channel").value.trim()) read.channels = [at("channel").value.trim()];
    if (at("tacho").value.trim()) read.tacho = at("tacho").value.trim();
    if (Object.keys(read).length) data.append("read", JSON.stringify(read));
  }
  return data;
}

async function diagnose(options) {
  // an old result must not stand beside the error of a new file
  state.results = [];
  at("found").hidden = true;
  at("empty").hidden = false;
  state.sent = options;
  const { results } = await (await ask("v1/diagnose", options)).json();
  state.results = results;
  at("which").replaceChildren(...results.map((one, k) => new Option(one.record, k)));
  at("which-part").hidden = results.length < 2;
  at("empty").hidden = true;
  at("found").hidden = false;
  show(0);
  at("record").focus();
}

function cell(text) {
  const td = document.createElement("td");
  td.textContent = text;
  return td;
}

function lineRow(line) {
  const row = document.createElement("tr");
  row.append(
    cell(`${line.gear} tooth${line.tooth_zero === "unknown" ? ", number unknown" : ` ${line.tooth}`}`),
    cell(`${line.contrast.toFixed(2)} (${line.interval[0].toFixed(2)} to ${line.interval[1].toFixed(2)})`),
    cell(`${line.first} to ${line.last}, ${plural(line.cells, "cell")}`),
    cell(line.p_value.toPrecision(2)),
  );
  return row;
}

function show(k) {
  const one = state.results[k], found = one.diagnosis, lines = found ? found.each[0].lines : [];
  at("record").textContent = one.record;
  at("verdict").textContent = one.verdict;
  at("verdict").className = (found ? found.pattern === "nothing" : !one.alarm) ? "ok" : "";
  const threshold = one.threshold === null ? "no threshold" : `threshold ${one.threshold.toPrecision(4)}`;
  const severity = one.severity === null ? "" : `; severity: contrast ${one.severity.toFixed(2)} over background`;
  at("score").textContent = `Score ${one.score.toPrecision(4)} (${threshold})${severity}.`;
  at("lines").hidden = !lines.length;
  at("lines").tBodies[0].replaceChildren(...lines.map(lineRow));
  at("words").textContent = found ? `Confidence: ${found.confidence} Next: ${found.next_look}` : "";
  draw(one, lines);
}

function draw(one, lines) {
  const names = { rows: state.model.rows, columns: state.model.columns };
  drawMap(at("map"), one.map, names, true);
  drawMap(at("anomaly"), one.anomaly_map, names, false);
  at("map").setAttribute("aria-label", `The map, ${one.map.length} rows of ${one.map[0].length}`);
  at("anomaly").setAttribute("aria-label", `Anomaly of every pixel; strangest row ${one.row}, strangest column ${one.column}`);
  for (const [id, values, axis, name, strangest] of [
    ["rows", one.row_evidence, 1, names.rows, one.row],
    ["columns", one.column_evidence, 2, names.columns, one.column],
  ]) {
    const named = new Set(lines.filter((line) => line.axis === axis).map((line) => line.tooth));
    at(`${id}-caption`).textContent = `Evidence of each ${name}`;
    at(id).setAttribute("aria-label", `Evidence of each ${name}; most at ${strangest}`);
    drawProfile(at(id), values, name, named);
  }
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  busy(async () => {
    const files = [...at("file").files];
    if (!files.length) { at("file").focus(); throw new Error("Choose a file first, or try the example."); }
    if (!state.model) await learnModel();
    await diagnose({ method: "POST", body: form(files) });
  });
});
at("example").addEventListener("click", () => busy(async () => {
  if (!state.model) await learnModel();
  const { values } = await (await ask("v1/example")).json();
  const body = JSON.stringify({ values, record: "example: a simulated map", include: ["evidence", "anomaly_map", "map"] });
  await diagnose({ method: "POST", headers: { "Content-Type": "application/json" }, body });
}));
at("report").addEventListener("click", () => busy(async () => {
  const page = await (await ask("v1/report", state.sent)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(page);
  link.download = "toothwise-report.html";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}));
at("which").addEventListener("change", () => show(Number(at("which").value)));
at("file").addEventListener("change", fileChosen);
at("kind").addEventListener("change", () => { at("naming").hidden = chosenKind() !== "record"; });
at("use-token").addEventListener("click", () => { state.token = at("token").value.trim(); busy(learnModel); });
for (const name of ["dragover", "dragleave", "drop"]) {
  at("drop").addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) { at("file").files = event.dataTransfer.files; fileChosen(); }
  });
}
window.addEventListener("resize", () => {
  if (state.results.length) show(Number(at("which").value || 0));
});
busy(learnModel);
