// Checks an allocation without trusting Parcours: `node draw.js question.jsonl allocation.json`, and one's own lot on a
// page, offline. The question is what `parcours verify … --question FILE` writes: its bytes have the input digest.
"use strict";

const FAR = 2 ** 50;
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
  const seats = event.themes.map(([, , cells]) => cells.map(([count]) => count));
  const least = event.themes.map(([, , cells]) => cells.map(([, count]) => count));
  claim((await sha256(bytes)) === run.input_digest, "the question is another one (input digest)");
  claim(event.seed === run.seed && event.mode === run.mode, "seed or mode differ from the question's");

  // People: what they may join, what it costs them, where they are.
  const people = rows.map(([id, type, ranking, absent, pinned, excluded, before]) => {
    const g = types.indexOf(type);
    const may = event.themes.map(([t, open]) => (!open.length || open.includes(type)) && !excluded.includes(t));
    const ranked = ranking.filter((t) => may[themes.indexOf(t)]);
    const possible = may.filter(Boolean).length;
    const other = ranked.length < possible ? event.rank_costs[ranked.length] : 0; // unranked: the next choice
    const choice = themes.map((t) => (ranked.includes(t) ? ranked.indexOf(t) : FAR));
    const costs = themes.map((t, n) =>
      may[n] ? (ranked.includes(t) ? event.rank_costs[choice[n]] : other) : Math.max(...event.rank_costs));
    const programme = run.programmes[id] ?? {};
    const places = rounds.map((r) => (r in programme ? themes.indexOf(programme[r]) : null));
    return { id, g, may, choice, costs, absent, pinned, before, places };
  });
  claim(Object.keys(run.programmes).length === people.length, "a person is missing, or has no programme");

  // Seats, minima, bands and the objective.
  const heads = each(T).map(() => each(R).map(() => each(G).map(() => 0)));
  const present = each(R).map(() => each(G).map(() => 0));
  let [rank, changes, outside] = [0, 0, 0];
  for (const p of people) {
    const taken = p.places.filter((t) => t !== null);
    claim(new Set(taken).size === taken.length, `${p.id} has a theme twice`);
    rounds.forEach((slot, r) => {
      const t = p.places[r];
      const there = !p.absent.includes(slot);
      if (there) present[r][p.g]++;
      claim(there === (t !== null) && t !== -1, `${p.id} in ${slot}: no workshop, or one too many`);
      if (t === null || t < 0) return;
      claim(seats[t][r] > 0 && (p.may[t] || p.pinned[slot] === themes[t]), `${p.id} may not be in ${themes[t]}`);
      claim(!(slot in p.pinned) || p.pinned[slot] === themes[t], `${p.id} is pinned elsewhere in ${slot}`);
      heads[t][r][p.g]++;
      rank += p.costs[t];
      if (slot in p.before && p.before[slot] !== themes[t]) changes++;
    });
  }
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const [over, under] = run.tolerance.includes("/") ? run.tolerance.split("/").map(Number) : [Number(run.tolerance), 1];
  const open = event.themes.map(([, kinds]) => types.map((g) => !kinds.length || kinds.includes(g)));
  const band = each(T).map((t) => each(R).map((r) => each(G).map((g) => {
    const total = sum(each(T).map((u) => (open[u][g] ? seats[u][r] : 0)));
    if (!open[t][g] || !total) return [0, 0];
    const share = present[r][g] * seats[t][r];
    return [Math.floor(((under - over) * share) / (under * total)), Math.ceil(((under + over) * share) / (under * total))];
  })));
  for (const t of each(T)) for (const r of each(R)) {
    const fill = sum(heads[t][r]);
    claim(fill <= seats[t][r] && fill >= (seats[t][r] ? least[t][r] : 0), `${themes[t]} in ${rounds[r]} has ${fill} heads`);
    for (const g of each(G)) {
      const [low, high] = band[t][r][g];
      outside += Math.max(low - heads[t][r][g], heads[t][r][g] - high, 0);
    }
  }
  const total = rank + run.weight * outside + run.change_cost * changes;
  claim(run.objective.rank === rank && run.objective.total === total, `the cost is ${total}, of ranks ${rank}`);

  // The bound that the prices prove: everybody's cheapest programme, and what workshops would pay at most.
  const scale = run.price_scale ?? 1;
  const price = (t, r, g) => run.prices[themes[t]][rounds[r]][types[g]];
  let bound = 0;
  for (const p of people) {
    const best = Array(1 << R).fill(FAR);
    const cost = (t, r) =>
      (p.costs[t] + (rounds[r] in p.before && p.before[rounds[r]] !== themes[t] ? run.change_cost : 0)) * scale + price(t, r, p.g);
    best[0] = sum(rounds.map((slot, r) => (slot in p.pinned ? cost(themes.indexOf(p.pinned[slot]), r) : 0)));
    const wanted = sum(rounds.map((slot, r) => (p.absent.includes(slot) || slot in p.pinned ? 0 : 1 << r)));
    for (const t of each(T)) {
      if (!p.may[t] || Object.values(p.pinned).includes(themes[t])) continue;
      for (let mask = best.length - 1; mask > 0; mask--) for (const r of each(R))
        if (mask & wanted & (1 << r) && seats[t][r]) best[mask] = Math.min(best[mask], best[mask ^ (1 << r)] + cost(t, r));
    }
    bound += best[wanted];
  }
  const weight = run.weight * scale;
  for (const t of each(T)) for (const r of each(R)) {
    let [room, must] = [seats[t][r], seats[t][r] ? least[t][r] : 0];
    const steps = [];
    for (const g of each(G)) {
      const most = open[t][g] || heads[t][r][g] ? present[r][g] : 0;
      const [low, high] = band[t][r][g];
      bound += weight * low;
      const ends = [0, Math.min(low, most), Math.max(Math.min(high, most), Math.min(low, most)), most];
      [-weight, 0, weight].forEach((step, n) => steps.push([step - price(t, r, g), ends[n + 1] - ends[n]]));
    }
    for (const [gain, width] of steps.sort((a, b) => a[0] - b[0])) {
      const take = Math.min(width, room, gain < 0 ? width : Math.max(must, 0));
      bound += gain * take;
      room -= take;
      must -= take;
    }
  }
  const proven = Math.ceil(bound / scale);
  claim(run.bound <= proven || run.engine === "flow+exact", `the prices prove ${proven}, not ${run.bound}`);
  claim(run.optimal === (run.bound === total), "optimal is claimed without proof");

  // Lots: no ring of exchanges that cost nothing serves a better lot, choice by choice.
  const alike = seats.every((row) => row.every((count) => count === row[0])) &&
    people.every((p) => !p.absent.length && !Object.keys(p.pinned).length && (!run.change_cost || !Object.keys(p.before).length));
  claim((run.draw === "exact") === alike, `the draw is ${run.draw}`);
  if (!alike || !run.optimal || wrong.length) return wrong;
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
  const room = T * (G + 1);
  const free = each(room + 1).map(() => []); // heads t * G + g, themes T * G + t, the room
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
    if (seat === 0 && spare) free[T * G + t].push(room);
    if (seat === 0 && extra) free[room].push(T * G + t);
  }
  for (const choice of each(R)) {
    const swaps = each(T * G).map(() => Array(T).fill(0));
    const count = (p, n, by) => p.gives(n).forEach((t) => p.takes(n).forEach((u) => (swaps[t * G + p.g][u] += by)));
    people.forEach((p) => count(p, choice, 1));
    for (const p of people) {
      const goals = p.gives(choice).map((t) => t * G + p.g);
      for (const t of p.tied) {
        const better = !p.held.includes(t) && p.choice[t] > p.settled(choice) && p.choice[t] < Math.min(p.choice[p.held[choice]], FAR);
        if (!better) continue;
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
  verify(readFileSync(process.argv[2]), JSON.parse(readFileSync(process.argv[3], "utf8"))).then((wrong) => {
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
