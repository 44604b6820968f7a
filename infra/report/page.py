"""report.html: an allocation in pictures, in one file that needs no network and no scripts.

Every figure is also written out, and partner types differ by pattern and not by colour alone, so that the report
reads the same in print, in the dark and without colour.
"""

from __future__ import annotations

import logging
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from heapq import nsmallest
from html import escape

from functions.allocate.curve import MOST_IN_CURVE, TOO_MANY_FOR_A_CURVE, balance_curve
from functions.allocate.model.problem import EngineCannotError
from functions.allocate.model.result import Allocation
from infra.report.charts import LABELS, bars, curve_picture, figure, legend, lines_of, mix_cell, patterns, share
from infra.report.facts import Facts, gather
from infra.words import amount, language, say
from shared.attendees import Attendee
from shared.i18n import day, told, told_many
from shared.models import Event
from shared.reasons import about_them, ordinal

logger = logging.getLogger(__name__)

WORST_OFF = 10

_STYLE = """
:root{--ink:#1b2430;--soft:#5a6675;--line:#c9d1da;--paper:#fff;--panel:#f4f6f8;--band:#b9c6d3;--strong:#0b5c8a}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#a3b0be;--line:#46525f;--paper:#151b22;
--panel:#1e262f;--band:#4d5d6d;--strong:#7cc4ee}}
*{box-sizing:border-box}body{margin:0 auto;max-width:62rem;padding:2rem 1.25rem 4rem;background:var(--paper);
color:var(--ink);font:1rem/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:1.9rem;line-height:1.2;margin:0}h2{font-size:1.25rem;margin:2.75rem 0 .25rem}
p{max-width:46rem;margin:.35rem 0}.soft,figcaption{color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1.5rem 0 0;padding:0}
.facts div{background:var(--panel);border-radius:.5rem;padding:.7rem .9rem}.facts dt{color:var(--soft);font-size:.85rem}
.facts dd{margin:0;font-size:1.45rem;font-weight:650;font-variant-numeric:tabular-nums}
figure{margin:1rem 0 0}svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font-size:12.5px}
svg .soft{fill:var(--soft)}svg .end{text-anchor:end}svg .mid{text-anchor:middle}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;margin:.75rem 0 0;padding:0;list-style:none}
.legend svg{display:inline-block;width:1.1rem;height:1.1rem;vertical-align:-.2rem;margin-right:.35rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.75rem 0 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right}code{font-size:.85rem;overflow-wrap:anywhere}.two{display:grid;gap:1.5rem;
grid-template-columns:repeat(auto-fit,minmax(20rem,1fr))}
@media screen and (max-width:40rem){.cards thead{display:none}.cards tr{display:block;padding:.5rem 0;
border-bottom:1px solid var(--line)}.cards td{display:block;border:0;padding:.1rem 0;text-align:left}}
@media print{svg{min-width:0!important}body{max-width:none;padding:0;font-size:10.5pt}
figure,table,.facts{break-inside:avoid}h2{break-after:avoid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


def report_page(event: Event, attendees: Sequence[Attendee], allocation: Allocation) -> str:
    """The report as one HTML document."""
    facts = gather(event.in_language(language()), attendees, allocation)
    sections = (_head, _fill, _mix, _choices, _types, _worst_off, _moved, _curve, _proof)
    body = "".join(_drawn(section, facts) for section in sections)
    return (
        f'<!doctype html>\n<html lang="{language()}"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{say(told('Allocation of %(title)s', title=escape(facts.event.title)))}</title>"
        f"<style>{_STYLE}</style></head><body>"
        f"{patterns(len(facts.types))}<main>{body}</main></body></html>\n"
    )


def _drawn(section: Callable[[Facts], str], facts: Facts) -> str:
    """A section of the report. A report only describes: a fault costs this section and nothing else."""
    try:
        return section(facts)
    except Exception as error:
        name = section.__name__.strip("_").replace("_", " ")
        logger.warning("report.html: the section '%s' could not be drawn: %s: %s", name, type(error).__name__, error)
        fault = f"{escape(type(error).__name__)}: {escape(str(error))}"
        told_so = told(
            "This section of the report could not be drawn (%(fault)s). The allocation does not depend on it.",
            fault=fault,
        )
        return f"<section><h2>{say(told('Not drawn: %(name)s', name=name))}</h2><p>{say(told_so)}</p></section>"


def _head(facts: Facts) -> str:
    run, people = facts.allocation, len(facts.allocation.programmes)
    seats = sum(run.satisfaction.values())
    first = run.satisfaction.get("1", 0)
    top = first + run.satisfaction.get("2", 0)
    proof = told("proven optimal") if run.optimal else told("at most %(gap)s above the optimum", gap=run.gap)
    rows = (
        (told("People"), amount(people)),
        (told("First choices"), share(first, seats)),
        (told("First or second"), share(top, seats)),
        (told("Total cost"), amount(run.objective.total)),
    )
    when = told(
        "Allocation of the workshops on %(day)s: %(proof)s.", day=day(facts.event.date, language()), proof=proof
    )
    cells = "".join(f"<div><dt>{say(name)}</dt><dd>{value}</dd></div>" for name, value in rows)
    meant = told(
        "The total cost counts each seat by the rank that its person gave the theme, each head outside its band and "
        "each changed workshop: the lower it is, the better."
    )
    return (
        f"<header><h1>{escape(facts.event.title)}</h1><p class=soft>{say(when)} {escape(say(run.why))}</p>"
        f"<dl class=facts>{cells}</dl><p class=soft>{say(meant)}</p></header>"
    )


def _fill(facts: Facts) -> str:
    """A bar for each workshop: its seats as an outline, its heads by partner type inside."""
    workshops = list(facts.workshops())
    most = max((seats for _, _, seats in workshops), default=1)
    left, width, step = LABELS, 860 - LABELS, 26
    rows = []
    for n, (theme, slot, seats) in enumerate(workshops):
        y, x = n * step, float(left)
        label = f"{escape(facts.title(theme))} <tspan class=soft>{facts.time(slot)}</tspan>"
        rows.append(f'<text class=end x="{left - 12}" y="{y + 16}">{label}</text>')
        for g, kind in enumerate(facts.types):
            wide = width * facts.heads[theme, slot, kind] / most
            rows.append(f'<rect x="{x:.1f}" y="{y + 3}" width="{wide:.1f}" height="18" fill="url(#type-{g})"/>')
            x += wide
        rows.append(
            f'<rect x="{left}" y="{y + 3}" width="{width * seats / most:.1f}" height="18" fill="none" '
            f'stroke="var(--ink)"/><text x="{left + width * seats / most + 8:.1f}" y="{y + 16}">'
            f"{say(told('%(part)s of %(whole)s', part=facts.fill(theme, slot), whole=seats))}</text>"
        )
    return (
        f"<section><h2>{say(told('How full is each workshop, and who is in it?'))}</h2><p class=soft>"
        f"{say(told('The outline is the seats; the filling is the people, by partner type.'))}</p>"
        f"{legend(facts.type_titles)}"
        f"{figure(rows, 960, len(workshops) * step + 6, say(told('Heads and seats of every workshop')))}</section>"
    )


def _mix(facts: Facts) -> str:
    """For each workshop and type the band that mirrors the room, and the heads as a dot in or beside it."""
    workshops = list(facts.workshops())
    bands = {(t, r, k): facts.band(t, r, k) for t, r, _ in workshops for k in facts.types} if workshops else {}
    kinds = facts.types[:8]
    if len(facts.types) > len(kinds) or len(workshops) > 60:
        return _mix_in_words(facts, bands)
    left, column, step = LABELS, (940 - LABELS) / max(len(kinds), 1), 26
    rows = [
        f'<text class=mid x="{left + (g + 0.5) * column:.1f}" y="{14 + 15 * line}">{escape(words)}</text>'
        for g, kind in enumerate(kinds)
        for line, words in enumerate(lines_of(facts.event.partner_type_title(kind), int(column / 7)))
    ]
    most = {
        kind: max(
            [high for (_, _, k), (_, high) in bands.items() if k == kind]
            + [facts.heads[t, r, kind] for t, r, _ in workshops]
            + [1]
        )
        for kind in kinds
    }
    for n, (theme, slot, _) in enumerate(workshops):
        y = 52 + n * step
        label = f"{escape(facts.title(theme))} <tspan class=soft>{facts.time(slot)}</tspan>"
        rows.append(f'<text class=end x="{left - 12}" y="{y + 16}">{label}</text>')
        for g, kind in enumerate(kinds):
            rows.append(
                mix_cell(
                    facts.heads[theme, slot, kind], bands[theme, slot, kind], most[kind], left + g * column, y, column
                )
            )
    key = told(
        "Grey is the band around the share of the room that each partner type has; the mark is the heads that came. "
        "A filled dot lies inside, an open diamond outside."
    )
    against = told("Heads of each partner type against the band")
    inside = sum(low <= facts.heads[w] <= high for w, (low, high) in bands.items())
    return (
        f"<section><h2>{say(told('Does each workshop mirror the room?'))}</h2><p class=soft>{say(key)} "
        f"{say(told('%(inside)s of %(all)s are inside.', inside=inside, all=len(bands)))}</p>"
        f"{figure(rows, 960, 58 + len(workshops) * step, say(against))}</section>"
    )


def _mix_in_words(facts: Facts, bands: Mapping[tuple[str, str, str], tuple[int, int]]) -> str:
    outside = [(w, band) for w, band in bands.items() if not band[0] <= facts.heads[w] <= band[1]]
    outside.sort(key=lambda one: -max(one[1][0] - facts.heads[one[0]], facts.heads[one[0]] - one[1][1]))
    rows = "".join(
        f"<tr><td>{escape(facts.title(t))}, {facts.time(r)}</td><td>{escape(facts.event.partner_type_title(k))}</td>"
        f"<td class=n>{facts.heads[t, r, k]}</td><td class=n>{low}–{high}</td></tr>"
        for (t, r, k), (low, high) in outside[:30]
    )
    inside = told(
        "%(inside)s of %(all)s groups of heads are inside their band. The furthest outside:",
        inside=len(bands) - len(outside),
        all=len(bands),
    )
    return (
        f"<section><h2>{say(told('Does each workshop mirror the room?'))}</h2><p class=soft>{say(inside)}</p>"
        f"<div class=scroll><table><thead><tr><th>{say(told('Workshop'))}<th>{say(told('Partner type'))}"
        f"<th class=n>{say(told('Heads'))}<th class=n>{say(told('Band'))}</thead><tbody>{rows}"
        "</tbody></table></div></section>"
    )


def _choices(facts: Facts) -> str:
    seats = [(choice, count) for choice, count in facts.allocation.satisfaction.items() if count]
    worst = Counter(max(choices) for choices in facts.choices.values() if choices)
    return (
        f"<section><h2>{say(told('Who got which choice?'))}</h2><div class=two>"
        f"{bars(say(told('Seats, by choice of the person in them')), [(int(c), n) for c, n in seats])}"
        f"{bars(say(told('People, by the least liked workshop they got')), sorted(worst.items()))}</div></section>"
    )


def _types(facts: Facts) -> str:
    """Who pays for the mix: the mean cost of a programme by partner type."""
    rows = "".join(
        f"<tr><td>{escape(facts.event.partner_type_title(known))}"
        f"<td class=n>{amount(people)}<td class=n>{amount(cost, 2)}</tr>"
        for known, (people, cost) in facts.cost_by_type.items()
    )
    words = told(
        "The mean cost of a person's programme by their own ranking, in the costs of this event. A type that pays far "
        "more than the others pays for the mix; a smaller weight of balance lets it pay less."
    )
    return (
        f"<section><h2>{say(told('What does it cost each partner type?'))}</h2><p class=soft>{say(words)}</p>"
        f"<div class=scroll><table><thead><tr><th>{say(told('Partner type'))}<th class=n>{say(told('People'))}"
        f"<th class=n>{say(told('Mean cost'))}</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _worst_off(facts: Facts) -> str:
    costs = facts.costs
    people = nsmallest(WORST_OFF, facts.attendees, key=lambda attendee: (-costs[attendee.id], attendee.id))
    rows = "".join(
        f"<tr><td><code>{escape(attendee.id)}</code></td>"
        f"<td class=n>{', '.join(ordinal(choice, language()) for choice in facts.choices[attendee.id])}</td>"
        f"<td>{escape(_reason(facts, attendee.id))}</td></tr>"
        for attendee in people
        if costs[attendee.id]
    )
    if not rows:
        words = told("Nobody: everyone has the best programme there is for them.")
        return f"<section><h2>{say(told('Who is worst off?'))}</h2><p>{say(words)}</p></section>"
    words = told(
        "Regret is spread: no exchange between two people of the same partner type, at the same total cost, would make "
        "these numbers more equal."
    )
    return (
        f"<section><h2>{say(told('Who is worst off?'))}</h2><p class=soft>{say(words)}</p><div class=scroll>"
        f"<table class=cards><thead><tr><th>{say(told('Attendee'))}<th class=n>{say(told('Choices'))}"
        f"<th>{say(told('Why'))}</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _reason(facts: Facts, attendee: str) -> str:
    """Why a person got these workshops: in the language that is spoken where the grounds are known."""
    grounds = facts.allocation.grounds.get(attendee)
    return about_them(grounds, facts.event, language()) if grounds else facts.allocation.reasons.get(attendee, "")


def _moved(facts: Facts) -> str:
    run = facts.allocation
    if not run.moved and run.mode == "fresh":
        return ""
    places = sum(map(len, run.moved.values()))
    words = (
        told(
            "%(people)s changed against the previous allocation, %(workshops)s in all.",
            people=told_many("%(num)s person", "%(num)s people", len(run.moved)),
            workshops=told_many("%(num)s workshop", "%(num)s workshops", places),
        )
        if run.moved
        else told("Everyone who had a place keeps it.")
    )
    return f"<section><h2>{say(told('What changes?'))}</h2><p>{say(words)}</p></section>"


def _curve(facts: Facts) -> str:
    """What stricter balance would cost: mean choice against heads outside the bands, for several weights."""
    title = f"<section><h2>{say(told('What would stricter balance cost?'))}</h2>"
    without = f"{title}<p>{say(told('There is no curve for this allocation.'))}"
    if len(facts.attendees) > MOST_IN_CURVE:
        return f"{without} {say(TOO_MANY_FOR_A_CURVE)}</p></section>"
    run = facts.allocation
    try:
        points = balance_curve(
            facts.event,
            facts.attendees,
            run.weight,
            programmes=run.programmes,
            tolerance=Fraction(run.tolerance),
        )
    except EngineCannotError as error:
        logger.warning("report.html is written without the curve of balance: %s", error)
        return f"{without} {escape(say(error.words))}</p></section>"
    table = "".join(
        f"<tr><td class=n>{p['weight']}{say(told(' (this run)')) if p['weight'] == run.weight else ''}</td>"
        f"<td class=n>{amount(p['mean_choice'], 2)}</td><td class=n>{p['outside']}</td>"
        f"<td>{say(told('yes') if p['proven'] else told('no'))}</td></tr>"
        for p in points
    )
    words = told(
        "Each point is a fresh allocation with another weight for a head outside its band. Further left, workshops "
        "mirror the room better; further down, people get what they like better."
    )
    open_points = told(
        "A square is the best that was found in a short time: a better allocation for its weight may exist."
    )
    unproven = "" if all(p["proven"] for p in points) else f" {say(open_points)}"
    return (
        f"{title}<p class=soft>{say(words)}{unproven}</p><div class=two>{curve_picture(points, run.weight)}"
        f"<div class=scroll><table><thead><tr><th class=n>{say(told('Weight'))}<th class=n>{say(told('Mean choice'))}"
        f"<th class=n>{say(told('Heads outside'))}<th>{say(told('Proven best'))}</thead>"
        f"<tbody>{table}</tbody></table></div></div></section>"
    )


def _proof(facts: Facts) -> str:
    run = facts.allocation
    parts = told(
        "The total cost is %(total)s: %(rank)s for ranks, %(balance)s for the mix, %(change)s for changes.",
        total=amount(run.objective.total),
        rank=amount(run.objective.rank),
        balance=amount(run.objective.balance),
        change=amount(run.objective.change),
    )
    claim = (
        told(
            "No allocation of these people can cost less: the prices in allocation.json prove it, and <code>parcours "
            "verify</code> recomputes the proof."
        )
        if run.optimal
        else told(
            "No allocation can cost less than %(bound)s; %(why)s.", bound=amount(run.bound), why=escape(say(run.why))
        )
    )
    draw = told(
        "Among people with the same wishes a lottery decided. Everyone can repeat their own draw: the lowest lot goes "
        "first."
    )
    command = f"printf %s ID | openssl dgst -sha256 -hmac {escape(shlex.quote(run.seed))}"
    made = told(
        "Engine %(engine)s, %(seconds)s s. Input <code>%(digest)s</code>",
        engine=run.engine,
        seconds=amount(run.seconds, 2),
        digest=run.input_digest,
    )
    return (
        f"<section><h2>{say(told('How to check it'))}</h2><p>{say(parts)} {say(claim)}</p><p>"
        f"{say(draw)} <code>{command}</code></p><p class=soft>{say(made)}</p></section>"
    )
