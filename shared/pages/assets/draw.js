// Checks an allocation without trusting Parcours: `node draw.js question.jsonl allocation.json`, and one's own lot on a
// page, offline. The question is what `parcours verify … --question FILE` writes: its bytes have the input digest.
"use strict";

const [FAR, LARGE] = [2 ** 50, 2 ** 45]; // numbers up to LARGE are added without a loss
const map = (object) => new Map(Object.entries(object ?? {}));
const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const utf8 = (text) => new TextEncoder().encode(text);
const sha256 = async (bytes) => hex(await crypto.subtle.digest("SHA-256", bytes));

/** HMAC-SHA256(seed, id) in hexadecimal: a lot. The lowest is the best. */
async function lot(seed, id) {
  const key = await crypto.subtle.importKey("raw", utf8(seed), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(await crypto.subtle.sign("HMAC", key, utf8(id)));
}

/** Everything that is wrong with an allocation: an array of sentences. */
async function verify(bytes, run) {
  const wrong = [];
  const claim = (true_, words) => true_ || wrong.push(words);
  const [event, ...rows] = new TextDecoder().decode(bytes).trim().split("\n").map((line) => JSON.parse(line));
  const { rounds, partner_types: types } = event;
  const themes = event.themes.map(([id]) => id);
  const [T, R, G] = [themes.length, rounds.length, types.length];
  const each = (n) => Array.from({ length: n }, (_, i) => i);
  const [seats, least] = [0, 1].map((n) => event.themes.map(([, , cells]) => cells.map((cell) => cell[n])));
  claim((await sha256(bytes)) === run.input_digest, "the question is another one (input digest)");
  for (const key of ["event", "seed", "mode", "weight", "tolerance"]) claim(event[key] === run[key], `${key} was another`);

  // People: what they may join, what it costs them, where they are.
  const programmes = map(run.programmes);
  const people = rows.map(([id, type, ranking, absent, pinned, excluded, before]) => {
    const g = types.indexOf(type);
    const may = event.themes.map(([t, open]) => (!open.length || open.includes(type)) && !excluded.includes(t));
    const ranked = ranking.filter((t) => may[themes.indexOf(t)]);
    const other = ranked.length < may.filter(Boolean).length ? event.rank_costs[ranked.length] : 0; // unranked: the next choice
    const choice = themes.map((t) => (ranked.includes(t) ? ranked.indexOf(t) : FAR));
    const costs = themes.map((t, n) =>
      may[n] ? (ranked.includes(t) ? event.rank_costs[choice[n]] : other) : Math.max(...event.rank_costs));
    const programme = map(programmes.get(id));
    const places = rounds.map((r) => (programme.has(r) ? themes.indexOf(programme.get(r)) : null));
    claim(programmes.delete(id) && [...programme.keys()].every((r) => rounds.includes(r)), `${id} is nowhere, or in no round`);
    return { id, g, may, choice, costs, absent, pinned: map(pinned), before: map(before), places };
  });
  claim(!programmes.size, "a person has a programme and is not registered");

  // Seats, minima, bands and the objective.
  const heads = each(T).map(() => each(R).map(() => each(G).map(() => 0)));
  const present = each(R).map(() => each(G).map(() => 0));
  let [rank, changes, outside] = [0, 0, 0];
  for (const p of people) {
    const taken = p.places.filter((t) => t !== null);
    claim(new Set(taken).size === taken.length, `${p.id} has a theme twice`);
    rounds.forEach((slot, r) => {
      const [t, there] = [p.places[r], !p.absent.includes(slot)];
      if (there) present[r][p.g]++;
      claim(there === (t !== null) && t !== -1, `${p.id} in ${slot}: no workshop, or one too many`);
      if (t === null || t < 0) return;
      claim(seats[t][r] > 0 && (p.may[t] || p.pinned.get(slot) === themes[t]), `${p.id} may not be in ${themes[t]}`);
      claim((p.pinned.get(slot) ?? themes[t]) === themes[t], `${p.id} is pinned elsewhere in ${slot}`);
      heads[t][r][p.g]++;
      rank += p.costs[t];
      if ((p.before.get(slot) ?? themes[t]) !== themes[t]) changes++;
    });
  }
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const [over, under] = run.tolerance.includes("/") ? run.tolerance.split("/").map(Number) : [Number(run.tolerance), 1];
  const open = event.themes.map(([, kinds]) => types.map((g) => !kinds.length || kinds.includes(g)));
  const band = each(T).map((t) => each(R).map((r) => each(G).map((g) => {
    const total = sum(each(T).map((u) => (open[u][g] ? seats[u][r] : 0)));
    const share = open[t][g] ? present[r][g] * seats[t][r] : 0;
    if (!share) return [0, 0];
    return [Math.floor(((under - over) * share) / (under * total)), Math.ceil(((under + over) * share) / (under * total))];
  })));
  for (const t of each(T)) for (const r of each(R)) {
    const fill = sum(heads[t][r]);
    claim(fill <= seats[t][r] && fill >= least[t][r], `${themes[t]} in ${rounds[r]} has ${fill} heads`);
    band[t][r].forEach(([low, high], g) => (outside += Math.max(low - heads[t][r][g], heads[t][r][g] - high, 0)));
  }
  const [units, span] = [sum(present.flat()), Math.max(...event.rank_costs) - Math.min(...event.rank_costs)];
  const decisive = 1 + units * span + run.weight * (units + sum(band.flat(2).map(([low]) => low)));
  const each_change = run.mode === "fresh" ? 0 : event.change_cost ?? decisive;
  claim(run.change_cost === each_change, `a change costs ${each_change}`);
  const parts = { rank, balance: run.weight * outside, change: each_change * changes }, total = sum(Object.values(parts));
  for (const [part, cost] of Object.entries({ ...parts, total })) claim(run.objective[part] === cost, `${part} is ${cost}`);

  // The bound that the prices prove: everybody's cheapest programme, and what workshops would pay at most.
  const [scale, weight] = [run.price_scale, run.weight * run.price_scale];
  const price = (t, r, g) => run.prices[themes[t]][rounds[r]][types[g]];
  const prices = each(T).flatMap((t) => each(R).flatMap((r) => each(G).map((g) => price(t, r, g))));
  claim([scale, each_change * scale, ...prices].every((n) => Number.isInteger(n) && Math.abs(n) <= LARGE) && scale > 0, "prices are no prices");
  if (wrong.length) return wrong;
  let bound = 0n;
  for (const p of people) {
    const best = Array(1 << R).fill(FAR);
    const cost = (t, r) =>
      (p.costs[t] + ((p.before.get(rounds[r]) ?? themes[t]) !== themes[t] ? each_change : 0)) * scale + price(t, r, p.g);
    best[0] = sum(rounds.map((slot, r) => (p.pinned.has(slot) ? cost(themes.indexOf(p.pinned.get(slot)), r) : 0)));
    const wanted = sum(rounds.map((slot, r) => (p.absent.includes(slot) || p.pinned.has(slot) ? 0 : 1 << r)));
    for (const t of each(T)) {
      if (!p.may[t] || [...p.pinned.values()].includes(themes[t])) continue;
      for (let mask = best.length - 1; mask > 0; mask--) for (const r of each(R))
        if (mask & wanted & (1 << r) && seats[t][r]) best[mask] = Math.min(best[mask], best[mask ^ (1 << r)] + cost(t, r));
    }
    bound += BigInt(best[wanted]);
  }
  for (const t of each(T)) for (const r of each(R)) {
    let [room, must] = [seats[t][r], least[t][r]];
    const steps = [];
    for (const g of each(G)) {
      const most = open[t][g] || heads[t][r][g] ? present[r][g] : 0;
      const [low, high] = band[t][r][g];
      bound += BigInt(weight * low);
      const ends = [0, Math.min(low, most), Math.max(Math.min(high, most), Math.min(low, most)), most];
      [-weight, 0, weight].forEach((step, n) => steps.push([step - price(t, r, g), ends[n + 1] - ends[n]]));
    }
    for (const [gain, width] of steps.sort((a, b) => a[0] - b[0])) {
      const take = Math.min(width, room, gain < 0 ? width : Math.max(must, 0));
      bound += BigInt(gain) * BigInt(take);
      [room, must] = [room - take, must - take];
    }
  }
  const proven = Number((bound > 0n ? bound + BigInt(scale - 1) : bound) / BigInt(scale)); // rounded up
  claim(run.bound <= proven || run.engine === "flow+exact", `the prices prove ${proven}, not ${run.bound}`);
  const known = ["flow", "flow+exact", "contested-flow"].includes(run.engine) && !run.why === run.optimal;
  claim(run.optimal === (run.bound === total) && run.gap === total - run.bound && run.gap >= 0 && known, "optimal or gap is wrong");

  // Lots: no ring of exchanges that cost nothing serves a better lot, choice by choice.
  const same = (row) => row.every((count) => count === row[0]);
  const alike = seats.every(same) && least.every(same) &&
    people.every((p) => !p.absent.length && !p.pinned.size && (!each_change || !p.before.size));
  claim((run.draw === "exact") === (alike && run.optimal), `the draw is ${run.draw}`);
  if (!alike || !run.optimal || wrong.length) return wrong;
  const uniform = prices.every((n, i) => n === prices[i - (i % (R * G)) + (i % G)]); // the same in every round
  claim(scale === 1 && proven === total && uniform, "the prices do not tell what lots could decide");
  for (const p of people) p.lot = await lot(run.seed, p.id);
  people.sort((a, b) => (a.lot < b.lot ? -1 : 1));
  for (const p of people) {
    const dear = each(T).map((t) => (p.may[t] && seats[t][0] ? p.costs[t] * scale + price(t, 0, p.g) : FAR));
    const ordered = [...dear].sort((a, b) => a - b);
    p.tied = ordered[R - 1] === ordered[R] ? each(T).filter((t) => dear[t] === ordered[R - 1]) : [];
    p.held = [...p.places].sort((a, b) => p.choice[a] - p.choice[b]);
    p.settled = (n) => (n ? p.choice[p.held[n - 1]] : -1);
    p.gives = (n) => p.held.filter((t, i) => p.tied.includes(t) && (i >= n || p.choice[t] === FAR));
    p.takes = (n) => p.tied.filter((t) => !p.held.includes(t) && (p.choice[t] > p.settled(n) || (p.choice[t] === FAR && p.settled(n) === FAR)));
  }
  const [room, free] = [T * (G + 1), each(T * (G + 1) + 1).map(() => [])]; // heads t * G + g, themes T * G + t, the room
  for (const t of each(T)) {
    const [all, low, high] = [0, 0, 1].map((_, part) => each(G).map((g) =>
      sum(each(R).map((r) => (part ? band[t][r][g][part - 1] : heads[t][r][g])))));
    const more = all.map((n, g) => (n < low[g] ? -weight : n < high[g] ? 0 : weight));
    const less = all.map((n, g) => (n === 0 ? FAR : n <= low[g] ? weight : n <= high[g] ? 0 : -weight));
    const [spare, extra] = [sum(all) < sum(seats[t]), sum(all) > sum(least[t])];
    const seat = Math.max(...more.map((step, g) => price(t, 0, g) - step), extra ? 0 : -FAR);
    for (const g of each(G)) {
      if (seat === price(t, 0, g) - more[g]) free[t * G + g].push(T * G + t);
      if (seat === price(t, 0, g) + less[g]) free[T * G + t].push(t * G + g);
    }
    if (!seat && spare) free[T * G + t].push(room);
    if (!seat && extra) free[room].push(T * G + t);
  }
  for (const choice of each(R)) {
    const swaps = each(T * G).map(() => Array(T).fill(0));
    const count = (p, n, by) => p.gives(n).forEach((t) => p.takes(n).forEach((u) => (swaps[t * G + p.g][u] += by)));
    people.forEach((p) => count(p, choice, 1));
    for (const p of people) {
      const goals = p.gives(choice).map((t) => t * G + p.g);
      for (const t of p.tied) {
        if (p.held.includes(t) || p.choice[t] <= p.settled(choice) || p.choice[t] >= Math.min(p.choice[p.held[choice]], FAR)) continue;
        const reached = new Set([t * G + p.g]);
        for (const node of reached) {
          if (node < T * G) swaps[node].forEach((n, u) => n && reached.add(u * G + (node % G)));
          free[node].forEach((after) => reached.add(after));
        }
        claim(!goals.some((goal) => reached.has(goal)), `${p.id} could have ${themes[t]} by lot`);
      }
      count(p, choice, -1);
      count(p, choice + 1, 1);
    }
  }
  return wrong;
}

if (typeof document === "undefined") {
  const { readFileSync } = require("node:fs");
  const read = async () => verify(readFileSync(process.argv[2]), JSON.parse(readFileSync(process.argv[3], "utf8")));
  read().catch((error) => [`cannot be read: ${error.message}`]).then((wrong) => {
    console.log(wrong.length ? wrong.slice(0, 20).map((words) => `FAIL  ${words}`).join("\n") : "ok");
    process.exitCode = wrong.length ? 1 : 0;
  });
} else {
  for (const button of document.querySelectorAll("[data-lot]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const { seed, number, lot: told, digest, yes, no } = button.dataset;
      const true_ = (await lot(seed, number)) === told && (!digest || (await sha256(utf8(seed))) === digest);
      button.nextElementSibling.textContent = true_ ? yes : no;
    });
  }
}
