"use strict";
// Plays a recording: the data is in the page, nothing is asked for from outside. Lengths in metres, times in seconds.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (selector) => document.querySelector(selector);
const decode = (text, Type) => new Type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const poses = decode(data.poses, Int16Array), ticks = decode(data.ticks, Float32Array);
const choices = decode(data.choices, Uint8Array), q = decode(data.q, Int16Array), decisions = decode(data.decisions, Float32Array);
const n = data.robots.length, end = ticks[ticks.length - 1] || 0.1;
let now = 0, playing = false, chosen = 0, last = 0, filter = "all";

const KINDS = {
  contact: "--bad", deadlock: "--bad", stop: "--bad", wait: "--wait", refused: "--wait", delivery: "--good", pick: "--muted",
  episode: "--accent", other: "--muted",
};
let theme = {}; // what CSS says of colours, asked once a theme
const css = (name) => (theme[name] ??= getComputedStyle(document.documentElement).getPropertyValue(name).trim());
const colour = (kind) => css(KINDS[kind] || "--muted");

// The index of the last of these times that is not after t, -1 if all are.
function before(times, t, get = (x) => x) {
  let low = 0, high = times.length;
  while (low < high) { const middle = (low + high) >> 1; if (get(times[middle]) <= t) low = middle + 1; else high = middle; }
  return low - 1;
}

function pose(i, t) {
  const at = Math.max(0, before(ticks, t)), next = Math.min(at + 1, ticks.length - 1), span = ticks[next] - ticks[at];
  const a = 3 * (at * n + i), b = 3 * (next * n + i), far = Math.hypot(poses[a] - poses[b], poses[a + 1] - poses[b + 1]) > 100;
  const share = span > 0 && !far ? Math.min(1, (t - ticks[at]) / span) : 0; // a new episode is a jump
  let turn = (poses[b + 2] - poses[a + 2]) / 10000; turn -= 2 * Math.PI * Math.round(turn / (2 * Math.PI));
  return [(poses[a] + share * (poses[b] - poses[a])) / 100, (poses[a + 1] + share * (poses[b + 1] - poses[a + 1])) / 100, poses[a + 2] / 10000 + share * turn];
}

// ---- the floor ----
const floor = $("#floor canvas"), pen = floor.getContext("2d");
function fit(canvas) {
  const scale = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  if (canvas.width !== Math.round(box.width * scale) || canvas.height !== Math.round(box.height * scale)) {
    canvas.width = Math.round(box.width * scale); canvas.height = Math.round(box.height * scale);
  }
  canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
  return [box.width, box.height];
}
let view = { scale: 1, x: 0, y: 0 };
const X = (x) => view.x + view.scale * x, Y = (y) => view.y - view.scale * y;

function drawFloor() {
  const [width, height] = fit(floor), columns = data.columns, rows = data.rows, edge = 14;
  view.scale = Math.min((width - 2 * edge) / columns, (height - 2 * edge) / rows);
  view.x = (width - view.scale * columns) / 2; view.y = (height + view.scale * rows) / 2;
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = css("--floor"); pen.fillRect(X(0), Y(rows), columns * view.scale, rows * view.scale);
  pen.strokeStyle = css("--grid"); pen.lineWidth = 1; pen.beginPath();
  for (let c = 1; c < columns; c++) { pen.moveTo(X(c), Y(0)); pen.lineTo(X(c), Y(rows)); }
  for (let r = 1; r < rows; r++) { pen.moveTo(X(0), Y(r)); pen.lineTo(X(columns), Y(r)); }
  pen.stroke();
  pen.font = `600 ${0.36 * view.scale}px system-ui, sans-serif`; pen.textAlign = "center"; pen.textBaseline = "middle";
  for (const [x, y] of data.stations) {
    pen.fillStyle = css("--station"); pen.fillRect(X(x - 0.5) + 1, Y(y + 0.5) + 1, view.scale - 2, view.scale - 2);
    pen.fillStyle = css("--station-ink"); pen.fillText("S", X(x), Y(y));
  }
  pen.fillStyle = css("--rack"); pen.strokeStyle = css("--rack-edge");
  for (const [x0, y0, x1, y1] of data.racks) {
    pen.beginPath(); pen.roundRect(X(x0) + 1.5, Y(y1) + 1.5, (x1 - x0) * view.scale - 3, (y1 - y0) * view.scale - 3, 3); pen.fill(); pen.stroke();
  }
  pen.strokeStyle = css("--line"); pen.lineWidth = 2; pen.strokeRect(X(0), Y(rows), columns * view.scale, rows * view.scale);
}

const latest = (rows, t) => rows[before(rows, t, (row) => row[0])];

function drawWays() {
  for (let i = 0; i < n; i++) {
    const goal = latest(data.goals[i], now), plan = latest(data.plans[i], now), mine = i === chosen;
    pen.strokeStyle = pen.fillStyle = data.colours[i];
    if (goal) {
      const side = 0.2 * view.scale; pen.lineWidth = 2.5; pen.globalAlpha = mine ? 1 : 0.75;
      pen.strokeRect(X(goal[1]) - side, Y(goal[2]) - side, 2 * side, 2 * side);
    }
    if (plan) { // only what lies ahead: from the point of the way that is nearest to the robot
      const [x, y] = pose(i, now), points = plan[1]; let nearest = 0, least = Infinity;
      for (let k = 0; k < points.length; k += 2) { const d = Math.hypot(points[k] - x, points[k + 1] - y); if (d < least) { least = d; nearest = k; } }
      pen.globalAlpha = mine ? 0.9 : 0.28; pen.lineWidth = mine ? 3 : 2; pen.setLineDash(mine ? [] : [4, 4]); pen.beginPath(); pen.moveTo(X(x), Y(y));
      for (let k = Math.min(nearest + 2, points.length - 2); k < points.length; k += 2) pen.lineTo(X(points[k]), Y(points[k + 1]));
      pen.stroke(); pen.setLineDash([]);
    }
  }
  pen.globalAlpha = 1;
}

function drawClaims() {
  for (let i = 0; i < n; i++) {
    const claim = data.claims[i] && latest(data.claims[i], now);
    if (!claim) continue;
    pen.fillStyle = data.colours[i]; pen.globalAlpha = i === chosen ? 0.34 : 0.17;
    for (const cell of claim[1]) pen.fillRect(X(cell % data.columns) + 1, Y(Math.floor(cell / data.columns) + 1) + 1, view.scale - 2, view.scale - 2);
  }
  pen.globalAlpha = 1;
}

const flashes = data.events.filter((event) => event.kind === "contact");
function drawRobots() {
  const radius = data.radius * view.scale;
  if (data.radio) { const [x, y] = pose(chosen, now); pen.strokeStyle = data.colours[chosen]; pen.globalAlpha = 0.35; pen.lineWidth = 1.2; pen.setLineDash([3, 5]); pen.beginPath(); pen.arc(X(x), Y(y), data.radio * view.scale, 0, 7); pen.stroke(); pen.setLineDash([]); pen.globalAlpha = 1; }
  for (let i = 0; i < n; i++) {
    const [x, y, heading] = pose(i, now), px = X(x), py = Y(y);
    const flash = flashes.some((event) => event.robot === i && now >= event.t && now < event.t + 1.5);
    if (flash) { pen.fillStyle = css("--bad"); pen.globalAlpha = 0.35 + 0.3 * Math.sin(now * 14); pen.beginPath(); pen.arc(px, py, 1.7 * radius, 0, 7); pen.fill(); pen.globalAlpha = 1; }
    if (i === chosen) { pen.strokeStyle = css("--ink"); pen.lineWidth = 2; pen.beginPath(); pen.arc(px, py, radius + 4, 0, 7); pen.stroke(); }
    pen.fillStyle = data.colours[i]; pen.beginPath(); pen.arc(px, py, radius, 0, 7); pen.fill();
    pen.strokeStyle = "#fff"; pen.lineWidth = Math.max(2, 0.16 * radius); pen.lineCap = "round"; pen.beginPath();
    pen.moveTo(px + 0.6 * radius * Math.cos(heading), py - 0.6 * radius * Math.sin(heading)); pen.lineTo(px + 0.95 * radius * Math.cos(heading), py - 0.95 * radius * Math.sin(heading)); pen.stroke();
    const carries = latest(data.carrying[i], now);
    if (carries && carries[1]) { const side = 0.95 * radius; pen.fillStyle = css("--crate"); pen.strokeStyle = "rgba(0,0,0,.45)"; pen.lineWidth = 1; pen.beginPath(); pen.rect(px - side / 2, py - side / 2, side, side); pen.fill(); pen.stroke(); }
    pen.font = `700 ${Math.max(9, 0.82 * radius)}px system-ui, sans-serif`; pen.textAlign = "center"; pen.textBaseline = "middle";
    pen.lineWidth = 3; pen.strokeStyle = "rgba(0,0,0,.55)"; pen.strokeText(data.labels[i], px, py + 0.5); pen.fillStyle = "#fff"; pen.fillText(data.labels[i], px, py + 0.5);
  }
}

// ---- the robot ----
let showing = "";
function showRobot() {
  const is = `${chosen} ${before(decisions, now)} ${before(data.reasons[chosen], now, (row) => row[0])}`;
  if (is === showing) return;
  showing = is;
  $("#robot .dot").style.background = data.colours[chosen];
  const reason = latest(data.reasons[chosen], now);
  $("#why").textContent = reason ? reason[1] : "";
  const at = before(decisions, now), actions = data.choices_names, bars = $("#bars");
  if (at < 0 || !q.length) { bars.replaceChildren(); return; }
  const values = actions.map((_, k) => q[(at * n + chosen) * actions.length + k] * data.q_step);
  const low = Math.min(...values), high = Math.max(...values), took = choices[at * n + chosen];
  bars.replaceChildren(...values.flatMap((value, k) => {
    const name = document.createElement("span"), bar = document.createElement("i"), number = document.createElement("b");
    name.textContent = actions[k].replace("_", " "); name.className = k === took ? "best" : "";
    bar.style.width = `${8 + 92 * (high > low ? (value - low) / (high - low) : 1)}%`; number.textContent = value.toFixed(2);
    return [name, bar, number];
  }));
}

// ---- the events ----
const clockText = (t) => `${Math.floor(t / 60)}:${(t % 60).toFixed(1).padStart(4, "0")}`;
const shown = () => data.events.filter((event) => filter === "all" || event.kind === filter);
function listEvents() {
  $("#events ol").replaceChildren(...shown().map((event) => {
    const item = document.createElement("li"), when = document.createElement("time"), dot = document.createElement("span"), text = document.createElement("span");
    item.tabIndex = 0; item.dataset.t = event.t; item.dataset.kind = event.kind;
    when.textContent = clockText(event.t); dot.className = "dot"; dot.style.background = colour(event.kind); text.textContent = event.text;
    item.append(when, dot, text);
    const jump = () => { if (event.robot >= 0) choose(event.robot); seek(Math.max(0, event.t - 2)); };
    item.onclick = jump; item.onkeydown = (key) => { if (key.key === "Enter") jump(); };
    return item;
  }));
  if (!shown().length) $("#events ol").innerHTML = '<li class="muted" style="display:block">Nothing of that kind happened.</li>';
}
let marked = -2;
function markEvent() {
  const at = before(shown(), now + 2, (event) => event.t);
  if (at === marked) return;
  marked = at;
  const items = $("#events ol").children;
  for (const item of items) item.classList.remove("now");
  if (at >= 0 && items[at]) { items[at].classList.add("now"); const list = $("#events ol"); const top = items[at].offsetTop - list.offsetTop; if (top < list.scrollTop || top > list.scrollTop + list.clientHeight - 40) list.scrollTop = top - list.clientHeight / 2; }
}

// ---- the time line ----
const line = $("#line canvas");
function drawLine() {
  const [width, height] = fit(line), to = line.getContext("2d"), at = (t) => 8 + (width - 16) * t / end;
  to.clearRect(0, 0, width, height); to.fillStyle = css("--line"); to.beginPath(); to.roundRect(8, height / 2 - 3, width - 16, 6, 3); to.fill();
  to.fillStyle = css("--accent"); to.beginPath(); to.roundRect(8, height / 2 - 3, Math.max(0, at(now) - 8), 6, 3); to.fill();
  for (const event of shown()) { to.fillStyle = colour(event.kind); to.fillRect(at(event.t) - 1, event.kind === "delivery" || event.kind === "pick" ? height / 2 + 7 : 2, 2, height / 2 - 8); }
  to.fillStyle = css("--ink"); to.beginPath(); to.arc(at(now), height / 2, 7, 0, 7); to.fill();
}

function draw() {
  drawFloor(); drawClaims(); drawWays(); drawRobots(); drawLine(); showRobot(); markEvent();
  $("#clock").textContent = `${clockText(now)} / ${clockText(end)}`;
  $("#line").setAttribute("aria-valuenow", now.toFixed(1));
}
function seek(t) { now = Math.min(Math.max(t, 0), end); draw(); }
function play(on) { playing = on; $("#play").textContent = on ? "Pause" : "Play"; if (on) { if (now >= end) now = 0; last = performance.now(); requestAnimationFrame(step); } }
function step(stamp) {
  if (!playing) return;
  now += Math.max(0, Math.min(1, (stamp - last) / 1000)) * Number($("#speed").value); last = stamp;
  if (now >= end) { now = end; play(false); } else requestAnimationFrame(step);
  draw();
}
function choose(i) { chosen = i; $("#robot select").value = String(i); draw(); }

data.robots.forEach((name, i) => $("#robot select").add(new Option(name, i)));
$("#robot select").onchange = (event) => choose(Number(event.target.value));
["all", ...new Set(data.events.map((event) => event.kind))].forEach((kind) => $("#events select").add(new Option(kind, kind)));
$("#events select").onchange = (event) => { filter = event.target.value; marked = -2; listEvents(); draw(); };
$("#play").onclick = () => play(!playing);
[...$("#speed").options].forEach((option) => { option.value = option.textContent; option.textContent += "×"; });
$("#theme").onclick = () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark"; theme = {}; listEvents(); marked = -2; draw();
};
const pull = (event) => { const box = line.getBoundingClientRect(); seek(end * (event.clientX - box.left - 8) / (box.width - 16)); };
$("#line").onpointerdown = (event) => { $("#line").setPointerCapture(event.pointerId); pull(event); };
$("#line").onpointermove = (event) => { if (event.buttons) pull(event); };
floor.onclick = (event) => {
  const box = floor.getBoundingClientRect(), x = (event.clientX - box.left - view.x) / view.scale, y = (view.y - event.clientY + box.top) / view.scale;
  let nearest = -1, least = 0.8;
  for (let i = 0; i < n; i++) { const [a, b] = pose(i, now), d = Math.hypot(a - x, b - y); if (d < least) { least = d; nearest = i; } }
  if (nearest >= 0) choose(nearest);
};
document.onkeydown = (event) => {
  if (event.target.tagName === "SELECT" || event.target.tagName === "BUTTON") return;
  if (event.key === " ") { event.preventDefault(); play(!playing); }
  if (event.key === "ArrowRight") seek(now + (event.shiftKey ? 5 : 0.1));
  if (event.key === "ArrowLeft") seek(now - (event.shiftKey ? 5 : 0.1));
};
new ResizeObserver(draw).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { theme = {}; listEvents(); draw(); });
listEvents(); draw(); play(true);
