// Maps and profiles on canvases, sharp on any screen, in colours that every common colour vision tells apart.

const CIVIDIS = [[0, 34, 78], [35, 62, 108], [87, 93, 109], [124, 123, 120], [166, 157, 117], [211, 193, 100], [254, 232, 56]];
const BLUE = "#0072B2", RED = "#D55E00", INK = "#333333", EMPTY = "#ffffff", BAND = "#e3e3e3";
const LEFT = 42, BOTTOM = 34, TOP = 6, RIGHT = 8, BAR = 26;

function colour(share) {
  const at = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(at), CIVIDIS.length - 2);
  const part = CIVIDIS[low].map((c, k) => Math.round(c + (at - low) * (CIVIDIS[low + 1][k] - c)));
  return `rgb(${part.join(",")})`;
}

function prepare(canvas, ratio) {
  const width = Math.max(canvas.clientWidth, 200), height = Math.round(width * ratio);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  return { pen, box: { x: LEFT, y: TOP, w: width - LEFT - RIGHT, h: height - TOP - BOTTOM } };
}

function step(count, room) {
  const least = Math.max(1, count * 34 / room);
  for (const s of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]) if (s >= least) return s;
  return 2000;
}

function axes(pen, box, columns, rows, names) {
  pen.fillStyle = INK;
  pen.textAlign = "center";
  const across = step(columns, box.w);
  for (let c = 0; c < columns; c += across) pen.fillText(c, box.x + (c + 0.5) * box.w / columns, box.y + box.h + 14);
  pen.fillText(names.columns, box.x + box.w / 2, box.y + box.h + 29);
  if (!rows) return;
  pen.textAlign = "right";
  const up = step(rows, box.h);
  for (let r = 0; r < rows; r += up) pen.fillText(r, box.x - 4, box.y + box.h - (r + 0.5) * box.h / rows + 4);
  pen.save();
  pen.translate(11, box.y + box.h / 2);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillText(names.rows, 0, 0);
  pen.restore();
}

// the colours from low to high, with their values, above the map
function colourBar(pen, box, low, high, log, label) {
  const y = box.y, width = Math.min(120, box.w / 3), x = box.x + box.w - width;
  const shown = (v) => (log ? Math.exp(v) : v).toPrecision(3);
  for (let k = 0; k < width; k += 1) {
    pen.fillStyle = colour(k / width);
    pen.fillRect(x + k, y, 1.5, 8);
  }
  pen.fillStyle = INK;
  pen.textAlign = "left";
  pen.fillText(label, box.x, y + 9, box.w - width - 60);
  pen.textAlign = "right";
  pen.fillText(shown(low), x - 4, y + 9);
  pen.fillText(shown(high), x + width, y + 20);
}

// values: rows of numbers and nulls; row 0 at the bottom; logarithmic colours where all values are positive
export function drawMap(canvas, values, names, logarithmic, label) {
  const { pen, box: whole } = prepare(canvas, 0.66);
  const box = { ...whole, y: whole.y + BAR, h: whole.h - BAR };
  const known = values.flat().filter((v) => v !== null);
  const log = logarithmic && known.every((v) => v > 0);
  const seen = (v) => (log ? Math.log(v) : v);
  let low = Infinity, high = -Infinity;
  for (const v of known) { low = Math.min(low, seen(v)); high = Math.max(high, seen(v)); }
  const rows = values.length, columns = values[0].length;
  const w = box.w / columns, h = box.h / rows;
  values.forEach((row, r) => row.forEach((v, c) => {
    pen.fillStyle = v === null ? EMPTY : colour(high > low ? (seen(v) - low) / (high - low) : 0.5);
    pen.fillRect(box.x + c * w, box.y + box.h - (r + 1) * h, w + 0.5, h + 0.5);
  }));
  axes(pen, box, columns, rows, names);
  colourBar(pen, whole, low, high, log, label);
}

// the band that healthy maps reach, and the threshold, as far as they lie within the scale
function backdrop(pen, box, at, range, { threshold, band }) {
  const within = (v) => Math.min(Math.max(v, range[0]), range[1]);
  if (band) {
    pen.fillStyle = BAND;
    pen.fillRect(box.x, at(within(band[1])), box.w, at(within(Math.min(band[0], 0))) - at(within(band[1])));
  }
  if (threshold === null || threshold > range[1]) return;
  pen.strokeStyle = RED;
  pen.setLineDash([5, 4]);
  pen.beginPath();
  pen.moveTo(box.x, at(threshold));
  pen.lineTo(box.x + box.w, at(threshold));
  pen.stroke();
  pen.setLineDash([]);
}

function scale(pen, box, range) {
  pen.fillStyle = INK;
  pen.textAlign = "right";
  pen.fillText(range[1].toPrecision(3), box.x - 4, box.y + 10);
  if (range[0] < 0) pen.fillText(range[0].toPrecision(2), box.x - 4, box.y + box.h);
}

// one bar per line; those in `named` stand out
export function drawProfile(canvas, values, name, named, range, limits, nothing) {
  const { pen, box } = prepare(canvas, 0.42);
  if (!values) {
    pen.fillStyle = INK;
    pen.fillText(nothing, box.x, box.y + 20);
    return;
  }
  const at = (v) => box.y + box.h * (1 - (v - range[0]) / (range[1] - range[0]));
  backdrop(pen, box, at, range, limits);
  const w = box.w / values.length;
  values.forEach((v, k) => {
    if (v === null) return;
    pen.fillStyle = named.has(k) ? RED : BLUE;
    pen.fillRect(box.x + k * w, Math.min(at(v), at(0)), Math.max(w - 1, 1), Math.abs(at(v) - at(0)));
  });
  pen.strokeStyle = INK;
  pen.beginPath();
  pen.moveTo(box.x, at(0));
  pen.lineTo(box.x + box.w, at(0));
  pen.stroke();
  axes(pen, box, values.length, 0, { columns: name });
  scale(pen, box, range);
}

// one point per record
export function drawTrend(canvas, values, name, limits) {
  const { pen, box } = prepare(canvas, canvas.clientWidth > 700 ? 0.25 : 0.42);
  const known = values.filter((v) => v !== null);
  const range = [Math.min(0, ...known), Math.max(1e-12, ...known, limits.threshold ?? 0)];
  const at = (v) => box.y + box.h * (1 - (v - range[0]) / (range[1] - range[0]));
  backdrop(pen, box, at, range, limits);
  const x = (k) => box.x + (k + 0.5) * box.w / values.length;
  pen.strokeStyle = pen.fillStyle = BLUE;
  pen.beginPath();
  values.forEach((v, k) => { if (v !== null) pen.lineTo(x(k), at(v)); });
  pen.stroke();
  values.forEach((v, k) => { if (v !== null) { pen.beginPath(); pen.arc(x(k), at(v), 3, 0, 7); pen.fill(); } });
  axes(pen, box, values.length, 0, { columns: name });
  scale(pen, box, range);
}
