// The viewer of a picture. It reads the data that lies beside it, replaces the static
// picture, and draws what is wide enough to be seen. Text from the data reaches the
// document only as text and as attributes of elements that are made here, never as
// markup.
(function () {
'use strict';
const me = document.currentScript, svg = me.ownerSVGElement;
const D = JSON.parse(svg.querySelector('script[type="application/json"]').textContent);
const NS = 'http://www.w3.org/2000/svg', XH = 'http://www.w3.org/1999/xhtml';
const ROW = 18, PAD = 10, TOP = 100, MIN = 0.5;
const diff = D.old !== undefined, N = D.nodes.length / (diff ? 4 : 3) + 1;

// Names share beginnings with the name before: a number is how much of it to take.
const names = [];
for (let i = 0; i < D.names.length; i += 2)
  names.push((i ? names[i / 2 - 1].slice(0, D.names[i]) : '') + D.names[i + 1]);
const label = names.map(n => n.replace(/(.)_\[[kijw]\]$/, '$1'));

// A view is the tree as it is drawn: nodes in preorder, as parallel arrays. old and now
// are weights of stacks that end at a node, summed up into sumOld and sumNow.
function view(frame, parent, depth, old, now) {
  const n = frame.length, end = new Int32Array(n), sumOld = Float64Array.from(old), sumNow = Float64Array.from(now);
  let deepest = 0;
  for (let i = n - 1; i >= 0; i--) {
    end[i] = Math.max(end[i], i + 1);
    deepest = Math.max(deepest, depth[i]);
    const p = parent[i];
    if (p < 0) continue;
    sumOld[p] += sumOld[i];
    sumNow[p] += sumNow[i];
    end[p] = Math.max(end[p], end[i]);
  }
  return { n, frame, parent, depth, old, now, end, sumOld, sumNow, deepest };
}

function callees() {
  const frame = new Int32Array(N), parent = new Int32Array(N), depth = new Int32Array(N);
  const old = new Float64Array(N), now = new Float64Array(N), step = diff ? 4 : 3;
  frame[0] = parent[0] = -1;
  now[0] = D.own[0] * D.unit;
  old[0] = D.own[1] * D.unit;
  // The second number of a node says how many levels to go up from the node before.
  for (let i = 1, at = 0; i < N; i++, at += step) {
    let p = i - 1;
    for (let up = D.nodes[at + 1]; up > 0; up--) p = parent[p];
    frame[i] = D.nodes[at];
    parent[i] = p;
    depth[i] = depth[p] + 1;
    now[i] = D.nodes[at + 2] * D.unit;
    if (diff) old[i] = D.nodes[at + 3] * D.unit;
  }
  return view(frame, parent, depth, old, now);
}

// callers turns every stack round: the functions that have weight of their own come
// first, and above each is who called it.
function callers(v) {
  const top = { frame: -1, kids: new Map(), old: 0, now: 0 };
  for (let i = 0; i < v.n; i++) {
    if (!v.old[i] && !v.now[i]) continue;
    let at = top;
    for (let j = i; j > 0; j = v.parent[j]) {
      let next = at.kids.get(v.frame[j]);
      if (!next) at.kids.set(v.frame[j], next = { frame: v.frame[j], kids: new Map(), old: 0, now: 0 });
      at = next;
    }
    at.old += v.old[i];
    at.now += v.now[i];
  }
  const frame = [], parent = [], depth = [], old = [], now = [], todo = [[top, -1, 0]];
  while (todo.length) {
    const [node, up, deep] = todo.pop(), id = frame.length;
    frame.push(node.frame);
    parent.push(up);
    depth.push(deep);
    old.push(node.old);
    now.push(node.now);
    const kids = [...node.kids.values()].sort((a, b) => b.frame - a.frame);
    for (const k of kids) todo.push([k, id, deep + 1]);
  }
  return view(frame, parent, depth, old, now);
}

const down = callees();
let turned = null;

// What the reader has chosen; all of it is in the address, so that a link brings it back.
const initial = { zoom: 0, search: '', exact: false, flame: D.flame, inverted: D.inverted, colour: D.colour, basis: 'both' };
const S = Object.assign({}, initial);
let V, weight, left, matched, focused = 0, charWidth = 7.2, drawn = [];

function choose() {
  V = S.inverted ? (turned || (turned = callers(down))) : down;
  const k = D.old || 0;
  weight = V.sumNow;
  if (diff && S.basis === 'old') weight = V.sumOld;
  if (diff && S.basis === 'both') weight = V.sumNow.map((x, i) => (x + k * V.sumOld[i]) / 2);
  left = new Float64Array(V.n);
  const next = new Float64Array(V.n);
  for (let i = 1; i < V.n; i++) {
    const p = V.parent[i];
    left[i] = left[p] + next[p];
    next[p] += weight[i];
  }
}

const nameOf = i => i ? names[V.frame[i]] : 'all';
const labelOf = i => i ? label[V.frame[i]] : 'all';

// Addresses. A step of the path is a name, with the module behind an @ where two
// functions of the same name are called from the same place.
function kids(i) {
  const out = [];
  for (let c = i + 1; c < V.end[i]; c = V.end[c]) out.push(c);
  return out;
}
const moduleOf = i => i ? D.modules[D.module[V.frame[i]]] || '' : '';
function step(i) {
  const twin = kids(V.parent[i]).some(c => c !== i && nameOf(c) === nameOf(i));
  return encodeURIComponent(nameOf(i)) + (twin ? '@' + encodeURIComponent(moduleOf(i)) : '');
}
function path(i) {
  const out = [];
  for (; i > 0; i = V.parent[i]) out.unshift(step(i));
  return out.join('/');
}
function find(text) {
  let at = 0;
  for (const part of text.split('/')) {
    if (!part) continue;
    const [name, module] = part.split('@').map(decodeURIComponent);
    const hits = kids(at).filter(c => nameOf(c) === name);
    const hit = hits.find(c => module === undefined || moduleOf(c) === module) || hits[0];
    if (hit === undefined) return [at, name];
    at = hit;
  }
  return [at, ''];
}

function remember(push) {
  const q = [];
  if (S.zoom) q.push('path=' + path(S.zoom));
  if (S.search) q.push('search=' + encodeURIComponent(S.search));
  if (S.exact) q.push('case=1');
  for (const key of ['flame', 'inverted', 'colour', 'basis'])
    if (S[key] !== initial[key]) q.push(key + '=' + S[key]);
  const hash = '#' + q.join('&');
  if (hash === (location.hash || '#')) return;
  try {
    history[push ? 'pushState' : 'replaceState'](null, '', hash);
  } catch (e) {
    location.hash = hash;
  }
}

function recall() {
  const q = {};
  for (const part of location.hash.slice(1).split('&')) {
    const at = part.indexOf('=');
    if (at > 0) q[part.slice(0, at)] = part.slice(at + 1);
  }
  const flag = (key, is) => key in q ? q[key] === 'true' : is;
  S.flame = flag('flame', initial.flame);
  S.inverted = flag('inverted', initial.inverted);
  S.colour = D.colours.includes(q.colour) ? q.colour : initial.colour;
  S.basis = ['both', 'new', 'old'].includes(q.basis) ? q.basis : initial.basis;
  S.exact = q.case === '1';
  choose();
  let lost = '';
  S.zoom = 0;
  S.search = '';
  try { // a link may have been cut
    S.search = decodeURIComponent(q.search || '');
    [S.zoom, lost] = find(q.path || '');
  } catch (e) { lost = q.path || ''; }
  input.value = S.search;
  focused = S.zoom;
  look();
  draw();
  if (lost) say('not in this picture: ' + lost);
}

// Search. What is no regular expression is searched for as it is.
function pattern() {
  const flags = S.exact ? '' : 'i';
  try {
    return new RegExp(S.search, flags);
  } catch (e) {
    return new RegExp(S.search.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), flags);
  }
}
function look() {
  matched = null;
  if (!S.search) return;
  const re = pattern();
  matched = names.map((n, i) => re.test(label[i]));
}
// share adds up the stacks that go through a match, each once.
function share() {
  let sum = 0, count = new Set();
  for (let i = 1, until = 0; i < V.n; i++) {
    if (!matched[V.frame[i]]) continue;
    count.add(V.frame[i]);
    if (i < until) continue;
    sum += weight[i];
    until = V.end[i];
  }
  return [sum / weight[0] || 0, count.size];
}

// Numbers.
const pct = x => (100 * x).toFixed(Math.abs(x) < 0.0995 ? 2 : 1) + ' %';
const scales = {
  nanoseconds: [1e-9, 's'], microseconds: [1e-6, 's'], milliseconds: [1e-3, 's'], seconds: [1, 's'],
  bytes: [1, 'B'], kilobytes: [1e3, 'B'], megabytes: [1e6, 'B'],
};
function amount(x) {
  const [type, unit] = D.type, s = scales[unit];
  if (!s) return (Math.round(x * 100) / 100).toLocaleString('en') + ' ' + (unit === 'count' ? type : unit);
  const steps = s[1] === 's' ? [[1, 's'], [1e-3, 'ms'], [1e-6, 'µs'], [1e-9, 'ns']] : [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB'], [1, 'B']];
  const v = x * s[0], [f, u] = steps.find(t => Math.abs(v) >= t[0]) || steps[steps.length - 1];
  return +(v / f).toPrecision(3) + ' ' + u;
}
const signed = (x, text) => (x < 0 ? '\u2212' : '+') + text;

function describe(i) {
  const lines = [labelOf(i)], all = V.sumNow[0], own = i ? V.now[i] : 0;
  if (moduleOf(i)) lines.push('in ' + moduleOf(i));
  if (diff) {
    const k = D.old, before = k * V.sumOld[i], base = Math.max(all, k * V.sumOld[0]), delta = V.sumNow[i] - before;
    lines.push('before ' + pct(before / base) + ', after ' + pct(V.sumNow[i] / base) + ': ' + signed(delta, pct(Math.abs(delta) / base)));
    lines.push('before ' + amount(V.sumOld[i]) + ', after ' + amount(V.sumNow[i]));
    if (!V.sumNow[i]) lines.push('these stacks have vanished');
    if (!V.sumOld[i]) lines.push('these stacks are new');
  } else {
    lines.push(amount(V.sumNow[i]) + ', ' + pct(V.sumNow[i] / all) + ' of all' +
      (S.zoom ? ', ' + pct(V.sumNow[i] / V.sumNow[S.zoom]) + ' of ' + labelOf(S.zoom) : ''));
    if (i && !S.inverted) lines.push('its own: ' + amount(own) + ', ' + pct(own / all));
  }
  if (i && D.class) lines.push(D.classes[classOf(i)][0]);
  return lines;
}

// Colours are classes of the style sheet, so that dark mode needs no script.
const code = (text, i) => text.charCodeAt(i) - 64;
// Where callers are drawn, a place stands for many stacks, and its class is its frame's.
const classOf = i => S.inverted ? code(D.classOf, V.frame[i]) : code(D.class, i);
let deepestOwn = 0, widestDelta = 0;
for (let i = 1; i < down.n; i++) {
  deepestOwn = Math.max(deepestOwn, down.now[i]);
  widestDelta = Math.max(widestDelta, Math.abs(down.sumNow[i] - (D.old || 0) * down.sumOld[i]));
}
function shade(i) {
  if (!i) return 'r';
  const f = V.frame[i];
  if (S.colour === 'class') return 'k' + classOf(i);
  if (S.colour === 'diff') {
    const delta = V.sumNow[i] - D.old * V.sumOld[i], size = widestDelta ? Math.abs(delta) / widestDelta : 0;
    return size < 1e-9 ? 'z' : (delta > 0 ? 'u' : 'd') + Math.min(4, Math.floor(5 * Math.sqrt(size)));
  }
  if (S.colour === 'share') {
    // In a tree of callers, what is a function's own stands on the first level.
    const own = S.inverted ? (V.depth[i] === 1 ? V.sumNow[i] : 0) : V.now[i];
    return 's' + (deepestOwn ? Math.min(9, Math.floor(10 * Math.sqrt(own / deepestOwn))) : 0);
  }
  return 'h' + code(D.hash, f);
}

// Text that fits. Characters of East Asian scripts take two places.
const cell = c => c > '\u10ff' ? 2 : 1;
function cells(text) {
  let n = 0;
  for (const c of text) n += cell(c);
  return n;
}
function fit(text, width) {
  const room = Math.floor((width - 6) / charWidth);
  if (room < 3) return '';
  if (cells(text) > room) text = bare(text);
  for (let k = 0; k < 3 && cells(text) > room; k++) text = brief(text);
  if (cells(text) <= room) return text;
  let out = '', count = 0, used = 0;
  for (const c of text) {
    used += cell(c);
    if (used >= room) return count < 2 ? '' : out + '\u2026';
    out += c;
    count++;
  }
  return out;
}
// bare cuts off what linkers and compilers put behind a name.
function bare(text) {
  for (const mark of ['@', '.isra.', '.constprop.', '.part.', '.cold', '.llvm.']) {
    const at = text.indexOf(mark);
    if (at > 0) text = text.slice(0, at);
  }
  return text;
}
// brief leaves out the outermost part of where a function is from: all directories of a
// Go package, then the package, then the receiver; all modules of Rust and C++ but the
// last, then that too.
function brief(text) {
  if (text[0] === '<' && text.includes('>::')) return text.slice(text.lastIndexOf('>::') + 3);
  const receiver = text[0] === '(' ? text.indexOf(').') : -1;
  if (receiver > 0 && receiver < text.length - 2) return text.slice(receiver + 2);
  const at = text.search(/[(\[<{ ]/), head = at < 0 ? text : text.slice(0, at);
  if (head.includes('/')) return text.slice(head.lastIndexOf('/') + 1);
  let last = head.lastIndexOf('::');
  if (last > 0) {
    const before = head.lastIndexOf('::', last - 1);
    return text.slice((before >= 0 ? before : last) + 2);
  }
  const dot = head.indexOf('.');
  return dot > 0 && dot < text.length - 1 ? text.slice(dot + 1) : text;
}

// Drawing.
function make(ns, name, attrs, parent, text) {
  const e = document.createElementNS(ns, name);
  for (const key in attrs) e.setAttribute(key, attrs[key]);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.appendChild(e);
  return e;
}

function draw() {
  const width = Math.max(300, svg.getBoundingClientRect().width || 1200), inner = width - 2 * PAD;
  const rows = V.deepest + 1, height = TOP + rows * ROW + PAD, hadFocus = frames.contains(document.activeElement);
  svg.setAttribute('height', height);
  bar.setAttribute('width', inner);
  frames.textContent = '';
  drawn = [];
  const scale = weight[S.zoom] > 0 ? inner / weight[S.zoom] : 0;
  const y = i => TOP + (S.flame ? rows - 1 - V.depth[i] : V.depth[i]) * ROW;
  for (let i = S.zoom; i >= 0; i = V.parent[i]) if (i !== S.zoom) box(i, PAD, y(i), inner, true);
  for (let i = S.zoom; i < V.end[S.zoom];) {
    const w = weight[i] * scale;
    if (w < MIN && i !== S.zoom) {
      i = V.end[i];
      continue;
    }
    box(i, PAD + (left[i] - left[S.zoom]) * scale, y(i), i === S.zoom ? inner : w, false);
    i++;
  }
  for (const row of drawn) if (row) row.sort((a, b) => a.x - b.x);
  rove(false, hadFocus);
  toolbar();
}

function paint(i, faded) {
  const hit = matched && i && matched[V.frame[i]];
  return 'f ' + (hit ? 'm' : shade(i)) + (faded ? ' o' : matched && !hit ? ' n' : '');
}
// repaint is for changes that move nothing: it is several times as fast as to draw.
function repaint() {
  for (const row of drawn) for (const c of row || []) c.g.setAttribute('class', paint(c.i, c.faded));
  toolbar();
}

function box(i, x, y, w, faded) {
  const g = make(NS, 'g', {
    class: paint(i, faded), role: 'treeitem', tabindex: -1,
    'aria-level': V.depth[i] + 1, 'aria-label': describe(i).join('; '), 'aria-selected': i === S.zoom,
  }, frames);
  make(NS, 'rect', { x: x.toFixed(2), y, width: Math.max(MIN, w - (w > 3 ? 0.6 : 0)).toFixed(2), height: ROW - 1, rx: w > 6 ? 2 : 0 }, g);
  const text = fit(labelOf(i), w);
  if (text) make(NS, 'text', { x: (x + 4).toFixed(2), y: y + 13 }, g, text);
  g.node = i;
  (drawn[V.depth[i]] = drawn[V.depth[i]] || []).push({ i, x, w, g, faded });
}

// One frame is in the tab order; the arrows move that place (roving tabindex).
function place(i) { return (drawn[V.depth[i]] || []).find(c => c.i === i); }
function rove(scroll, focus) {
  let c = place(focused);
  while (!c && focused > 0) c = place(focused = V.parent[focused]);
  if (!c) c = place(focused = S.zoom);
  for (const g of frames.querySelectorAll('[tabindex="0"]')) g.setAttribute('tabindex', -1);
  c.g.setAttribute('tabindex', 0);
  if (focus) {
    c.g.focus({ preventScroll: true });
    if (scroll) c.g.scrollIntoView({ block: 'nearest' });
  }
  return c;
}
function move(key) {
  const row = drawn[V.depth[focused]] || [], at = row.findIndex(c => c.i === focused);
  let to = -1;
  if (key === 'ArrowLeft' && at > 0) to = row[at - 1].i;
  if (key === 'ArrowRight' && at >= 0 && at < row.length - 1) to = row[at + 1].i;
  if (key === 'Home') to = 0;
  if (key === (S.flame ? 'ArrowDown' : 'ArrowUp')) to = V.parent[focused];
  if (key === (S.flame ? 'ArrowUp' : 'ArrowDown')) {
    let most = -1;
    for (const c of drawn[V.depth[focused] + 1] || [])
      if (V.parent[c.i] === focused && c.w > most) { most = c.w; to = c.i; }
  }
  if (to < 0) return;
  focused = to;
  const c = rove(true, true), r = c.g.getBoundingClientRect();
  hint(to, r.left + Math.min(r.width / 2, 60), r.bottom);
}

function zoom(i) {
  S.zoom = focused = i;
  hide();
  draw();
  remember(true);
}
function search(text) {
  S.search = text;
  look();
  repaint();
  remember(false);
}

// Details of the frame under the pointer, or in focus.
function hint(i, x, y) {
  tip.textContent = '';
  describe(i).forEach((line, k) => make(XH, 'div', k ? {} : { class: 'b' }, tip, line));
  const frame = svg.getBoundingClientRect(), room = document.documentElement.clientWidth || innerWidth;
  const w = Math.min(460, room - 16);
  tipBox.setAttribute('width', w);
  tipBox.setAttribute('height', 400);
  tipBox.style.display = '';
  const h = tip.offsetHeight + 2;
  const px = Math.max(8, Math.min(x + 12, room - w - 8)), py = y + 16 + h > innerHeight && y - h - 12 > 0 ? y - h - 12 : y + 16;
  tipBox.setAttribute('x', px - frame.left);
  tipBox.setAttribute('y', py - frame.top);
  tipBox.setAttribute('height', h);
}
function hide() { tipBox.style.display = 'none'; }
function say(text) { status.textContent = text; }

// The toolbar.
function toolbar() {
  if (matched) {
    const [part, count] = share();
    say(pct(part) + ' matched by ' + count + (count === 1 ? ' function' : ' functions'));
  } else say(S.zoom ? labelOf(S.zoom) + ': ' + pct(weight[S.zoom] / weight[0]) : '');
  buttons.reset.disabled = !S.zoom;
  press('exact', S.exact);
  press('flame', S.flame);
  press('inverted', S.inverted);
  buttons.colour.textContent = 'Colour: ' + words[S.colour];
  if (diff) buttons.basis.textContent = 'Width: ' + { both: 'before and after', new: 'after', old: 'before' }[S.basis];
  legend();
}
const words = { name: 'name', class: 'class', share: 'own share', diff: 'change' };
function press(name, on) { buttons[name].setAttribute('aria-pressed', on); }
function cycle(list, value) { return list[(list.indexOf(value) + 1) % list.length]; }

function legend() {
  keys.textContent = '';
  const entry = (shade, text) => {
    const s = make(XH, 'span', { class: 'e' }, keys), i = make(NS, 'svg', { width: 11, height: 11 }, s);
    make(NS, 'rect', { width: 11, height: 11, rx: 2, class: shade }, make(NS, 'g', { class: shade }, i));
    s.appendChild(document.createTextNode(text));
  };
  if (S.colour === 'class') D.classes.map((c, i) => [i, ...c]).filter(c => c[2] >= 0.0005).sort((a, b) => b[2] - a[2]).forEach(c => entry('k' + c[0], c[1] + ' ' + pct(c[2])));
  if (S.colour === 'share') { entry('s0', 'none of its own'); entry('s9', 'most of its own: ' + amount(deepestOwn)); }
  if (S.colour === 'diff') { entry('u4', 'grown'); entry('z', 'equal'); entry('d4', 'shrunk or vanished'); }
}

const note = svg.querySelector('.static');
if (note) note.remove();
svg.removeAttribute('viewBox');
svg.setAttribute('role', 'group');
const bar = make(NS, 'foreignObject', { x: PAD, y: 48, width: 600, height: 50 }, svg);
const row = make(XH, 'div', { class: 'bar', role: 'toolbar', 'aria-label': 'Picture' }, bar);
const input = make(XH, 'input', { type: 'search', placeholder: 'Search: text or regular expression  ( / )', 'aria-label': 'Search functions', spellcheck: 'false', autocomplete: 'off' }, row);
const buttons = {};
function button(name, text, title, act) {
  buttons[name] = make(XH, 'button', { type: 'button', title, 'data-act': name }, row, text);
  buttons[name].addEventListener('click', act);
}
function change(key, value) {
  // The place that is zoomed to has another path in the other tree.
  if (key === 'inverted') S.zoom = focused = 0;
  S[key] = value;
  hide();
  look();
  if (key === 'exact' || key === 'colour') repaint();
  else {
    choose();
    draw();
  }
  remember(false);
}
button('exact', 'Aa', 'Search with regard to case', () => change('exact', !S.exact));
button('reset', 'Reset zoom', 'Show all (Escape)', () => zoom(0));
button('flame', 'Flame', 'Put the root at the bottom', () => change('flame', !S.flame));
button('inverted', 'Callers', 'Show who calls, instead of what is called', () => change('inverted', !S.inverted));
button('colour', '', 'What colours mean', () => change('colour', cycle(D.colours, S.colour)));
if (diff) button('basis', '', 'What widths mean', () => change('basis', cycle(['both', 'new', 'old'], S.basis)));
const status = make(XH, 'span', { class: 'status', role: 'status', 'aria-live': 'polite' }, row);
const keys = make(XH, 'div', { class: 'keys' }, bar);
const frames = make(NS, 'g', { class: 'frames', role: 'tree', 'aria-label': 'Stacks: arrows move, enter zooms, escape shows all, slash searches' }, svg);
const tipBox = make(NS, 'foreignObject', { class: 'tip', 'aria-hidden': true }, svg);
const tip = make(XH, 'div', {}, tipBox);
hide();

const probe = make(NS, 'text', { class: 'probe', x: -999, y: -999 }, svg, 'x'.repeat(100));
charWidth = probe.getComputedTextLength() / 100 || charWidth;
probe.remove();

const at = e => { const g = e.target.closest && e.target.closest('.f'); return g && frames.contains(g) ? g.node : -1; };
frames.addEventListener('click', e => { if (at(e) >= 0) zoom(at(e)); });
frames.addEventListener('mousemove', e => { if (at(e) >= 0) hint(at(e), e.clientX, e.clientY); });
frames.addEventListener('mouseleave', hide);
frames.addEventListener('focusout', hide);
input.addEventListener('input', () => search(input.value));
input.addEventListener('keydown', e => {
  e.stopPropagation();
  if (e.key === 'Escape') { input.value = ''; search(''); rove(true, true); }
  if (e.key === 'Enter') rove(true, true);
});
(svg === document.documentElement ? document : svg).addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const inBar = row.contains(e.target);
  if (e.key === '/') { input.focus(); input.select(); }
  else if (e.key === 'Escape') {
    if (tipBox.style.display !== 'none') hide();
    if (S.zoom) zoom(0);
    else if (S.search) { input.value = ''; search(''); }
  } else if (inBar) return;
  else if (e.key === 'Enter' || e.key === ' ') zoom(focused);
  else if (e.key.startsWith('Arrow') || e.key === 'Home') move(e.key);
  else return;
  e.preventDefault();
});
addEventListener('resize', () => { hide(); draw(); });
addEventListener('popstate', recall);
addEventListener('hashchange', recall);
recall();
// Of a flame graph that is higher than the window, the root is what one wants to see.
if (S.flame && svg === document.documentElement) scrollTo(0, svg.scrollHeight);
})();
