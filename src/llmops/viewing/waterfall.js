// The drawing of a trace. Texts go in by textContent only; what is data stays data.
const closed = new Map(); // by trace: ids of the rows that the reader has collapsed

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let root = parentElement.querySelector(".wf");
  if (!root) {
    root = document.createElement("div");
    root.className = "wf";
    parentElement.appendChild(root);
  }
  const had = parentElement.activeElement?.dataset?.id ?? null;
  const scrolled = root.querySelector(".body")?.scrollTop ?? null;
  const same = root.dataset.trace === data.trace && root.dataset.begin === String(data.bars[0]?.id);
  root.dataset.trace = data.trace;
  root.dataset.begin = String(data.bars[0]?.id);
  root.dataset.shape = data.shape;
  const scene = {
    data,
    root,
    closed: closed.get(data.trace) ?? closed.set(data.trace, new Set()).get(data.trace),
    picked: data.picked,
    pick(id) {
      this.picked = id;
      for (const each of root.querySelectorAll("[data-id]")) {
        each.setAttribute("aria-selected", String(each.dataset.id === id));
      }
      setTriggerValue("picked", id);
    },
  };
  draw(scene);
  const body = root.querySelector(".body");
  if (same && scrolled !== null) body.scrollTop = scrolled;
  else if (data.reveal) reveal(body, root.querySelector('[aria-selected="true"]'));
  if (had) root.querySelector(`[data-id="${CSS.escape(had)}"]`)?.focus({ preventScroll: true });
}

function reveal(body, row) {
  // Within the drawing only: the page itself stays where it is.
  if (row && row.offsetTop + row.offsetHeight > body.scrollTop + body.clientHeight) body.scrollTop = row.offsetTop - body.clientHeight / 2;
}

function draw(scene) {
  const { data, root } = scene;
  root.replaceChildren();
  const flame = data.shape === "flame";
  root.append(axis(data, flame));
  const body = make("div", "body");
  body.style.height = `${data.height - 30}px`;
  body.setAttribute("role", "tree");
  body.setAttribute("aria-label", flame ? "Spans as flames" : "Spans as a waterfall");
  if (flame) flames(scene, body);
  else rows(scene, body);
  body.addEventListener("keydown", (event) => keys(scene, body, event));
  root.append(body, legend(data));
  const first = body.querySelector('[aria-selected="true"]') ?? body.querySelector("[data-id]");
  if (first) first.tabIndex = 0;
}

function axis(data, flame) {
  const line = make("div", "axis" + (flame ? " wide" : ""));
  if (!flame) line.append(make("span", "head", "step"));
  const scale = make("div", "scale");
  for (let tick = 0; tick <= 4; tick++) {
    const at = make("span", "tick" + (tick === 4 ? " end" : ""), tick === 0 || data.begin === 0 ? said(data.begin + (data.length * tick) / 4) : `+${said((data.length * tick) / 4)}`);
    at.style.left = `${tick * 25}%`;
    scale.append(at);
  }
  line.append(scale);
  if (!flame) line.append(make("span", "head took", "took"));
  return line;
}

function rows(scene, body) {
  let hiddenBelow = Infinity;
  for (const bar of scene.data.bars) {
    if (bar.depth > hiddenBelow) continue;
    const isClosed = scene.closed.has(bar.id);
    hiddenBelow = isClosed ? bar.depth : Infinity;
    const row = item(scene, bar, "row");
    row.setAttribute("aria-level", String(bar.depth + 1));
    const name = make("div", "name");
    name.style.setProperty("--depth", String(Math.min(bar.depth, 24)));
    const fold = make("span", "fold", "");
    if (bar.children) {
      fold.append(make("span", "arrow" + (isClosed ? " closed" : "")));
      row.setAttribute("aria-expanded", String(!isClosed));
      fold.addEventListener("click", (event) => { event.stopPropagation(); toggle(scene, bar); });
    }
    const kind = make("i", "kind");
    kind.style.background = scene.data.colours[bar.step];
    const label = make("span", "label", bar.name || "(no name)");
    name.append(fold, kind, label);
    if (isClosed) name.append(make("span", "more", `+${bar.children}`));
    if (bar.is_bad) name.append(make("span", "bad", "✕ " + (bar.why || "error")));
    for (const mark of bar.marks) if (mark !== "path") name.append(make("span", "mark " + mark, scene.data.marks[mark]));
    const track = make("div", "track");
    track.append(...strokes(scene.data, bar));
    row.append(name, track, make("span", "took", bar.took));
    body.append(row);
  }
}

function strokes(data, bar) {
  const left = ((bar.offset_us - data.begin) / data.length) * 100;
  const wide = (bar.duration_us / data.length) * 100;
  const stroke = make("span", "stroke" + (bar.is_bad ? " failed" : "") + (bar.marks.includes("path") && wide > 0.4 ? " path" : ""));
  stroke.style.left = `${clamp(left)}%`;
  stroke.style.width = `${Math.max(0, Math.min(wide, 100 - clamp(left)))}%`;
  stroke.style.setProperty("--colour", data.colours[bar.step]);
  const found = [stroke];
  for (const at of bar.ticks) {
    const tick = make("span", "event");
    tick.style.left = `${clamp(((at - data.begin) / data.length) * 100)}%`;
    found.push(tick);
  }
  if (bar.note) {
    const note = make("span", "note", bar.note);
    const end = clamp(left + wide);
    if (end < 62) note.style.left = `calc(${end}% + 8px)`;
    else if (left > 38) note.style.right = `calc(${100 - clamp(left)}% + 8px)`;
    else { note.style.left = `calc(${clamp(left)}% + 8px)`; note.classList.add("within"); }
    found.push(note);
  }
  return found;
}

function flames(scene, body) {
  const { data } = scene;
  const lanes = []; // of each lane, what is taken: [begin, end]
  const parents = [];
  for (const bar of data.bars) {
    const begin = bar.offset_us, end = begin + Math.max(bar.duration_us, data.length / 400);
    parents.length = Math.min(parents.length, bar.depth);
    let lane = (parents.length ? parents[parents.length - 1] : -1) + 1;
    while (lanes[lane]?.some(([from, to]) => begin < to && from < end)) lane++;
    (lanes[lane] ??= []).push([bar.offset_us, bar.offset_us + bar.duration_us]);
    parents.push(lane);
    const flame = item(scene, bar, "flame" + (bar.is_bad ? " failed" : "") + (bar.marks.includes("path") ? " path" : ""));
    flame.setAttribute("aria-level", String(bar.depth + 1));
    const left = clamp(((begin - data.begin) / data.length) * 100);
    flame.style.left = `${left}%`;
    flame.style.width = `max(3px, calc(${Math.max(0, Math.min((bar.duration_us / data.length) * 100, 100 - left))}% - 1px))`;
    flame.style.top = `${lane * 28 + 4}px`;
    flame.style.setProperty("--colour", data.colours[bar.step]);
    const signs = (bar.is_bad ? "✕ " : "") + (bar.marks.includes("slowest") ? "◆ " : "") + (bar.marks.includes("dearest") ? "$ " : "");
    flame.append(make("span", "label", `${signs}${bar.name} · ${bar.took}`));
    body.append(flame);
  }
  const floor = make("div", "floor");
  floor.style.top = `${lanes.length * 28 + 8}px`;
  body.style.height = `${Math.min(data.height, lanes.length * 28 + 14)}px`;
  body.append(floor);
}

function item(scene, bar, kind) {
  const element = make("div", kind);
  element.dataset.id = bar.id;
  element.tabIndex = -1;
  element.title = bar.tip;
  element.setAttribute("role", "treeitem");
  element.setAttribute("aria-selected", String(bar.id === scene.picked));
  const marked = bar.marks.map((mark) => scene.data.marks[mark]).join(", ");
  element.setAttribute("aria-label", [bar.name, bar.step, bar.took, bar.is_bad ? `failed ${bar.why}` : "", marked].filter(Boolean).join(", "));
  element.addEventListener("click", () => { focus(scene, element); scene.pick(bar.id); });
  return element;
}

function keys(scene, body, event) {
  const at = event.target.closest("[data-id]");
  if (!at) return;
  const all = [...body.querySelectorAll("[data-id]")];
  const number = all.indexOf(at);
  const bar = scene.data.bars.find((each) => each.id === at.dataset.id);
  const moves = { ArrowDown: number + 1, ArrowUp: number - 1, Home: 0, End: all.length - 1 };
  if (event.key in moves) focus(scene, all[Math.max(0, Math.min(all.length - 1, moves[event.key]))]);
  else if (event.key === "Enter" || event.key === " ") scene.pick(bar.id);
  else if (event.key === "ArrowLeft" && bar.children && !scene.closed.has(bar.id)) toggle(scene, bar);
  else if (event.key === "ArrowRight" && scene.closed.has(bar.id)) toggle(scene, bar);
  else if (event.key === "ArrowLeft") focus(scene, all.slice(0, number).reverse().find((each) => Number(each.ariaLevel) <= bar.depth));
  else return;
  event.preventDefault();
}

function focus(scene, element) {
  if (!element) return;
  for (const each of scene.root.querySelectorAll('[data-id][tabindex="0"]')) each.tabIndex = -1;
  element.tabIndex = 0;
  element.focus();
}

function toggle(scene, bar) {
  if (!scene.closed.delete(bar.id)) scene.closed.add(bar.id);
  const top = scene.root.querySelector(".body").scrollTop;
  draw(scene);
  scene.root.querySelector(".body").scrollTop = top;
  focus(scene, scene.root.querySelector(`[data-id="${CSS.escape(bar.id)}"]`));
}

function legend(data) {
  const line = make("div", "legend");
  for (const [step, colour] of Object.entries(data.colours).sort()) {
    const kind = make("i", "kind");
    kind.style.background = colour;
    const entry = make("span", "entry");
    entry.append(kind, make("span", "", step));
    line.append(entry);
  }
  if (data.bars.some((bar) => bar.is_bad)) line.append(make("span", "entry bad", "✕ failed"));
  if (data.bars.some((bar) => bar.ticks.length)) line.append(make("span", "entry flagged", "event"));
  if (data.bars.some((bar) => bar.marks.includes("path"))) line.append(make("span", "entry under", data.marks.path));
  line.append(make("span", "hint", "arrows move and fold, Enter picks"));
  return line;
}

function make(tag, kind, text) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text !== undefined) element.textContent = text;
  return element;
}

function clamp(value) {
  return Math.max(0, Math.min(100, value));
}

function said(us) {
  if (us === 0) return "0";
  if (Math.abs(us) < 1000) return `${Math.round(us)} µs`;
  if (Math.abs(us) < 1e6) return `${Number((us / 1e3).toPrecision(3))} ms`;
  if (Math.abs(us) < 12e7) return `${Number((us / 1e6).toPrecision(3))} s`;
  return `${Number((us / 6e7).toPrecision(3))} min`;
}
