// Three sounds run side by side in one audio graph and only their gains change: a switch keeps the playhead to the sample.

const SIDES = ["original", "a", "b"];
const NAMES = { original: "the original", a: "A", b: "B" };
const FADE_S = 0.012; // long enough not to click, short enough to be a switch
const START_S = 0.03; // from now, so that all three start together
const HEARD_S = 1; // of A and of B, before an answer is taken

const find = (id) => document.getElementById(id);
const buttons = Object.fromEntries(SIDES.map((side) => [side, document.querySelector(`[data-side=${side}]`)]));

class Player {
  constructor() {
    this.context = new AudioContext();
    this.side = "original";
    this.playing = false;
    this.turn = 0;
    this.load([]);
  }

  load(buffers) {
    this.pause();
    this.buffers = buffers;
    this.heard = { original: 0, a: 0, b: 0 };
    this.offset = 0;
  }

  get duration() {
    return this.buffers.length ? Math.min(...this.buffers.map((buffer) => buffer.duration)) : 0;
  }

  get position() {
    if (!this.voices) return this.offset;
    const run = Math.max(0, this.context.currentTime - this.startedAt);
    return (this.offset + run) % this.duration;
  }

  async play() {
    if (this.playing || !this.buffers.length) return;
    this.playing = true;
    this.turn += 1;
    const turn = this.turn;
    await this.context.resume(); // browsers start it suspended until somebody presses something
    if (turn !== this.turn) return; // stopped meanwhile, or stopped and started again
    this.startedAt = this.context.currentTime + START_S;
    this.voices = this.buffers.map((buffer, index) => {
      const source = new AudioBufferSourceNode(this.context, { buffer, loop: true, loopEnd: this.duration });
      const gain = new GainNode(this.context, { gain: SIDES[index] === this.side ? 1 : 0 });
      source.connect(gain).connect(this.context.destination);
      source.start(this.startedAt, this.offset);
      return { source, gain };
    });
  }

  pause() {
    if (!this.playing) return;
    this.offset = this.position;
    this.playing = false;
    this.turn += 1;
    this.voices?.forEach(({ source, gain }) => {
      gain.gain.setTargetAtTime(0, this.context.currentTime, FADE_S / 3);
      source.stop(this.context.currentTime + 2 * FADE_S);
    });
    this.voices = undefined;
  }

  select(side) {
    this.side = side;
    this.voices?.forEach(({ gain }, index) => {
      gain.gain.setTargetAtTime(SIDES[index] === side ? 1 : 0, this.context.currentTime, FADE_S / 3);
    });
  }

  async seek(seconds) {
    const resume = this.playing;
    this.pause();
    this.offset = Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.01));
    if (resume) await this.play();
  }
}

let player;
let session;
let number = 0;
let ready = false;

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  if (!answer.ok) {
    const refusal = await answer.json().catch(() => ({}));
    throw new Error(refusal.error ?? `the server said ${answer.status}`);
  }
  return answer;
}

function say(text) {
  find("status").textContent = text;
}

// Whatever goes wrong is said on the page: a promise that fails in silence leaves a listener waiting.
function guarded(task) {
  return (...given) => Promise.resolve(task(...given)).catch((error) => say(`That did not work: ${error.message}`));
}

async function begin() {
  find("begin").disabled = true;
  try {
    player ??= new Player();
    session = await (await ask("/sessions", { listener: find("listener").value })).json();
  } finally {
    find("begin").disabled = false;
  }
  number = 0;
  find("welcome").hidden = true;
  await load();
}

async function load() {
  const trial = session.trials[number];
  ready = false;
  find("trial").hidden = false;
  find("heading").textContent = `${number + 1} of ${session.trials.length}: ${trial.about || trial.clip}`;
  find("answer").reset();
  say("Loading …");
  const sounds = SIDES.map(async (side) => {
    const answer = await ask(`/sessions/${session.session}/trials/${trial.id}/${side}.wav`);
    return player.context.decodeAudioData(await answer.arrayBuffer());
  });
  player.load(await Promise.all(sounds));
  find("place").max = player.duration.toFixed(2);
  ready = true;
  find("heading").focus();
  show();
  say("Ready. Press 1, 2 or 3 to listen.");
}

async function listen(side) {
  if (!ready) return;
  player.select(side);
  await player.play();
  show();
  say(`Playing ${NAMES[side]}`);
}

async function toggle() {
  if (!ready) return;
  if (player.playing) player.pause();
  else await player.play();
  show();
  say(player.playing ? `Playing ${NAMES[player.side]}` : "Stopped");
}

function missing() {
  const unheard = ["a", "b"].filter((side) => player.heard[side] < HEARD_S).map((side) => NAMES[side]);
  if (unheard.length) return `Listen to ${unheard.join(" and ")} first.`;
  return new FormData(find("answer")).get("choice") ? "" : "Choose A, B or no difference.";
}

function show() {
  if (!player) return;
  for (const side of SIDES) buttons[side].setAttribute("aria-pressed", String(player.playing && player.side === side));
  find("play-text").textContent = player.playing ? "Stop" : "Play";
  if (document.activeElement !== find("place") || player.playing) find("place").value = player.position.toFixed(2);
  const hint = ready ? missing() : "";
  if (find("hint").textContent !== hint) find("hint").textContent = hint;
  find("next").setAttribute("aria-disabled", String(!ready || hint !== ""));
}

async function next() {
  if (!ready) return;
  if (missing()) {
    say(missing());
    return;
  }
  ready = false; // until it is kept: pressed twice, it is one answer
  const trial = session.trials[number];
  const choice = new FormData(find("answer")).get("choice");
  try {
    await ask(`/sessions/${session.session}/trials/${trial.id}`, { choice, words: find("words").value });
  } catch (error) {
    ready = true;
    throw error;
  }
  player.pause();
  number += 1;
  if (number < session.trials.length) await load();
  else await finish();
}

async function finish() {
  player.pause();
  ready = false;
  const results = await (await ask(`/sessions/${session.session}/results`)).json();
  find("trial").hidden = true;
  find("end").hidden = false;
  find("rows").replaceChildren(...results.rows.map((row) => {
    const line = document.createElement("tr");
    const texts = [results.titles[row.first], results.titles[row.second],
      row.first_preferred, row.no_difference, row.second_preferred];
    line.append(...texts.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return line;
  }));
  find("end-heading").focus();
  say(results.rows.length ? "Done." : "Done: no answers this time.");
}

const KEYS = {
  1: () => listen("original"),
  2: () => listen("a"),
  3: () => listen("b"),
  p: toggle,
  a: () => choose("a"),
  n: () => choose("none"),
  b: () => choose("b"),
  arrowleft: () => player.seek(player.position - 1),
  arrowright: () => player.seek(player.position + 1),
  enter: next,
};

function choose(value) {
  find("answer").querySelector(`[value=${value}]`).checked = true;
  show();
}

document.addEventListener("keydown", guarded((event) => {
  if (find("trial").hidden || !ready || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const at = event.target;
  const key = event.key.toLowerCase();
  if (at.matches("input:not([type])")) return undefined; // somebody writes words
  if (key.startsWith("arrow") && at.matches("input")) return undefined; // the slider and the choices move by arrows
  if (key === "enter" && at.matches("button, input")) return undefined; // they do what they do
  if (!(key in KEYS)) return undefined;
  event.preventDefault();
  return KEYS[key]();
}));

for (const side of SIDES) buttons[side].addEventListener("click", guarded(() => listen(side)));
find("start").addEventListener("submit", guarded((event) => {
  event.preventDefault();
  return begin();
}));
find("play").addEventListener("click", guarded(toggle));
find("place").addEventListener("input", guarded((event) => player.seek(Number(event.target.value))));
find("answer").addEventListener("change", show);
find("answer").addEventListener("submit", guarded((event) => {
  event.preventDefault();
  return next();
}));
find("finish").addEventListener("click", guarded(finish));

let ticked = performance.now();
setInterval(() => {
  const now = performance.now();
  if (player?.playing) player.heard[player.side] += (now - ticked) / 1000;
  ticked = now;
  show();
}, 100);

say("Ready.");
