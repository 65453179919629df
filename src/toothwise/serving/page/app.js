// The page of the service: sends what the user chose to the HTTP API and shows the answer.

import { drawMap, drawProfile, drawTrend } from "./draw.js";
import { code, say, speak, translate } from "./words.js";

const at = (id) => document.getElementById(id);
const state = { model: null, token: "", results: [], together: null, sent: null };

function headers(more = {}) {
  const spoken = { ...more, "Accept-Language": code() };
  return state.token ? { ...spoken, Authorization: `Bearer ${state.token}` } : spoken;
}

async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, { ...options, headers: headers(options.headers) });
  } catch {
    throw new Error(say("The service cannot be reached. Is it still running?"));
  }
  if (answer.ok) return answer;
  let told = null;
  try { told = (await answer.json()).error; } catch { /* no JSON */ }
  const error = new Error(told ? told.message : say("The service answered {status}.", { status: answer.status }));
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

async function learnModel() {
  const model = await (await ask("v1/model")).json();
  state.model = model;
  at("token-part").hidden = true;
  describeModel();
  fillGears();
  at("file").accept = [...new Set([...model.map_files, ...model.record_files])].join(",");
}

function describeModel() {
  const model = state.model;
  if (!model) return;
  const [rows, columns] = model.shape;
  const names = { detector: model.detector, rows, columns, row: say(model.rows), column: say(model.columns) };
  at("about").textContent = say("Detector {detector}, for maps of {rows} x {columns} ({row} x {column}).", names);
  at("kinds").textContent = say("Maps: {files}. ", { files: model.map_files.join(" ") })
    + say(model.builds ? "Recordings: {files}, built for the model's own gears. " : "Recordings: {files}, with their gears. ",
      { files: model.record_files.join(" ") })
    + say("Up to {size} MB. Several files in time order give the course.", { size: Math.round(model.limits.max_bytes / 2 ** 20) });
  at("wanted").dataset.say = "Choose a map or a recording";
  at("wanted").textContent = say(at("wanted").dataset.say);
}

function suits(name, suffixes) { return suffixes.some((suffix) => name.toLowerCase().endsWith(suffix)); }

function chosenKind() { return document.querySelector("input[name=kind]:checked").value; }

function fileChosen() {
  clear(); // what was said of another file must not stand beside the new one's name
  at("error").hidden = true;
  const files = [...at("file").files];
  if (!state.model || !files.length) return;
  const map = files.every((f) => suits(f.name, state.model.map_files));
  const record = files.every((f) => suits(f.name, state.model.record_files));
  at("kind").hidden = !(map && record);
  if (map !== record) document.querySelector(`input[name=kind][value=${map ? "file" : "record"}]`).checked = true;
  showKind();
}

// what a file of this kind may need besides: the gears of a recording only where the model does not hold them
function showKind() {
  const record = chosenKind() === "record";
  at("naming").hidden = !record;
  at("gears").hidden = !record || state.model.builds;
  const planetary = chosenGears() === "planetary";
  at("pair").hidden = planetary;
  at("planetary").hidden = !planetary;
}

function chosenGears() { return document.querySelector("input[name=gears]:checked").value; }

const TEETH = { pair: ["driving", "driven"], planetary: ["sun", "planet", "ring", "planets"] };

function gears() {
  const kind = chosenGears();
  const missing = TEETH[kind].find((name) => !at(name).value);
  if (missing) { at(missing).focus(); throw new Error(say("Enter the number of teeth of every gear.")); }
  const teeth = Object.fromEntries(TEETH[kind].map((name) => [name, Number(at(name).value)]));
  return kind === "planetary" ? { ...teeth, tacho_shaft: at("tacho-shaft").value } : teeth;
}

// the gears of the maps that the model was fitted on, where it knows them
function fillGears() {
  const known = state.model.gear || {};
  if (known.sun) document.querySelector("input[name=gears][value=planetary]").checked = true;
  for (const name of [...TEETH.pair, ...TEETH.planetary]) if (known[name]) at(name).value = known[name];
}

function form(files) {
  const data = new FormData();
  const kind = chosenKind();
  for (const file of files) data.append(kind, file, file.name);
  data.append("include", `evidence,anomaly_map,map${files.length > 1 ? ",sequence" : ""}`);
  if (kind === "record") {
    const read = {};
    if (at("rate").value) read.sampling_rate = Number(at("rate").value);
    if (at("channel").value.trim()) read.channels = [at("channel").value.trim()];
    if (at("tacho").value.trim()) read.tacho = at("tacho").value.trim();
    if (!state.model.builds) data.append("gears", JSON.stringify(gears()));
    if (Object.keys(read).length) data.append("read", JSON.stringify(read));
  }
  return data;
}

function clear() {
  state.results = [];
  state.together = null;
  at("found").hidden = true;
  at("empty").hidden = false;
}

async function diagnose(options) {
  clear();
  state.sent = options;
  const { results, diagnosis } = await (await ask("v1/diagnose", options)).json();
  state.results = results;
  state.together = diagnosis || null;
  at("which").replaceChildren(...results.map((one, k) => new Option(one.record, k)));
  at("which-part").hidden = results.length < 2;
  at("empty").hidden = true;
  at("found").hidden = false;
  showCourse();
  show(0);
  at("record").focus();
}

function cell(text) {
  const td = document.createElement("td");
  td.textContent = text;
  return td;
}

function toothName(gear, tooth) {
  return tooth === null ? say("{gear} tooth, number unknown", { gear: say(gear) }) : say("{gear} tooth {tooth}", { gear: say(gear), tooth });
}

// what the records say together, and the evidence of the tooth that is named, or of the strangest one of the last record
function showCourse() {
  const all = state.together, results = state.results;
  at("course").hidden = !all || results.length < 2;
  if (at("course").hidden) return;
  at("course-verdict").textContent = `${all.colour}: ${all.sentence}`;
  at("course-verdict").className = all.colour === "GREEN" ? "verdict ok" : "verdict";
  const last = results[results.length - 1];
  const gears = [state.model.rows, state.model.columns].map((name) => name.split(" ")[0]);
  const named = all.tooth !== null && gears.includes(all.gear);
  const most = (values) => Math.max(...(values || [-Infinity]));
  const axis = named ? gears.indexOf(all.gear) : Number(most(last.column_evidence) > most(last.row_evidence));
  const tooth = named ? all.tooth : [last.row, last.column][axis];
  const values = results.map((one) => (one[axis ? "column_evidence" : "row_evidence"] || [])[tooth] ?? null);
  const caption = say("Evidence of {tooth}, record by record", { tooth: toothName(gears[axis], tooth) });
  at("trend-caption").textContent = caption;
  at("trend").setAttribute("aria-label", caption);
  drawTrend(at("trend"), values, say("record"), limits());
}

// the threshold and the band of healthy maps belong on the evidence's scale where the score is the best line's evidence
function limits() {
  const one = state.results[0];
  const best = Math.max(...(one.row_evidence || []), ...(one.column_evidence || []));
  const same = Number.isFinite(best) && Math.abs(best - one.score) <= 1e-3 * Math.max(1, Math.abs(one.score));
  const bands = Object.values(state.model.healthy_evidence || {});
  const band = bands.length ? [Math.min(...bands.map((b) => b[0])), Math.max(...bands.map((b) => b[1]))] : null;
  return { threshold: same ? one.threshold : null, band };
}

function lineRow(line) {
  const row = document.createElement("tr");
  row.append(
    cell(toothName(line.gear, line.tooth_zero === "unknown" ? null : line.tooth)),
    cell(`${line.contrast.toFixed(2)} (${line.interval[0].toFixed(2)} to ${line.interval[1].toFixed(2)})`),
    cell(say("{first} to {last}, {cells} cells", line)),
    cell(line.p_value.toPrecision(2)),
  );
  return row;
}

function show(k) {
  const one = state.results[k], found = one.diagnosis, lines = found ? found.each[0].lines : [];
  at("record").textContent = one.record;
  at("verdict").textContent = one.verdict;
  at("verdict").className = (found ? found.pattern === "nothing" : !one.alarm) ? "verdict ok" : "verdict";
  const threshold = one.threshold === null ? say("no threshold") : say("threshold {value}", { value: one.threshold.toPrecision(4) });
  at("score").textContent = say("Score {score} ({threshold}).", { score: one.score.toPrecision(4), threshold });
  at("lines").hidden = !lines.length;
  at("lines").tBodies[0].replaceChildren(...lines.map(lineRow));
  at("words").textContent = found
    ? `${say("Confidence: {text}", { text: found.confidence })} ${say("Next: {text}", { text: found.next_look })}` : "";
  draw(one, lines);
}

function draw(one, lines) {
  const names = { rows: say(state.model.rows), columns: say(state.model.columns) };
  drawMap(at("map"), one.map, names, true, `${state.model.quantity} (${state.model.unit})`);
  drawMap(at("anomaly"), one.anomaly_map, names, false, say("anomaly"));
  at("map").setAttribute("aria-label", `The map, ${one.map.length} rows of ${one.map[0].length}`);
  at("anomaly").setAttribute("aria-label", `Anomaly of every pixel; strangest row ${one.row}, strangest column ${one.column}`);
  const known = [...(one.row_evidence || []), ...(one.column_evidence || [])].filter((v) => v !== null);
  const range = [Math.min(0, ...known), Math.max(1e-12, ...known)]; // of both gears, so that they can be compared
  for (const [id, values, axis, name, strangest] of [
    ["rows", one.row_evidence, 1, names.rows, one.row],
    ["columns", one.column_evidence, 2, names.columns, one.column],
  ]) {
    const named = new Set(lines.filter((line) => line.axis === axis).map((line) => line.tooth));
    at(`${id}-caption`).textContent = `${say("Evidence of each {name}", { name })} (${say("grey: what healthy maps reach")})`;
    at(id).setAttribute("aria-label", `Evidence of each ${name}; most at ${strangest}`);
    drawProfile(at(id), values, name, named, range, limits(), say("This detector does not tell."));
  }
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  busy(async () => {
    const files = [...at("file").files];
    if (!files.length) { at("file").focus(); throw new Error(say("Choose a file first, or try the example.")); }
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
at("kind").addEventListener("change", showKind);
at("gears").addEventListener("change", showKind);
at("use-token").addEventListener("click", () => { state.token = at("token").value.trim(); busy(learnModel); });
for (const name of ["dragover", "dragleave", "drop"]) {
  at("drop").addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) { at("file").files = event.dataTransfer.files; fileChosen(); }
  });
}
window.addEventListener("resize", () => {
  if (state.results.length) { showCourse(); show(Number(at("which").value || 0)); }
});
at("language").addEventListener("change", () => {
  speak(at("language").value);
  translate();
  describeModel();
  if (state.sent && state.results.length) busy(() => diagnose(state.sent)); // its sentences are the service's
});
at("language").value = code();
translate();
busy(learnModel);
