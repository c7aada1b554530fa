"""A fleet's status as a page: numbers, plots, and what to send to whom.

The plots are SVG written here, so that the page is one file that shows the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from ormco_trios.communicate.approval import describe
from ormco_trios.fleet.practice_status import Stage
from ormco_trios.fleet.status import FleetNumbers
from ormco_trios.onboarding.checklist import Actor

COLOURS = {
    Stage.CONNECTED: "#2e9e44",
    Stage.WAITING: "#3d7ad6",
    Stage.NEEDS_AUTHORIZATION: "#c98a00",
    Stage.NEEDS_PERSON: "#a0522d",
    Stage.UNREACHABLE: "#8a63b8",
    Stage.FAILED: "#d03b3b",
    Stage.ENROLLED: "#8a8f98",
}
"""Readable on white and on black alike, and apart for the colour-blind by their order as well."""

_STYLE = """
.fleet { font: 15px/1.5 system-ui, sans-serif; color: CanvasText; max-width: 60rem; }
.fleet h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
.fleet h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.fleet .quiet { opacity: .7; margin: 0; }
.fleet .cards { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; padding: 0; }
.fleet .card { border: 1px solid color-mix(in srgb, CanvasText 20%, transparent);
  border-radius: .6rem; padding: .6rem .9rem; min-width: 8rem; list-style: none; }
.fleet .card b { display: block; font-size: 1.6rem; line-height: 1.2; }
.fleet .dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
  margin-right: .4em; }
.fleet table { border-collapse: collapse; width: 100%; }
.fleet th, .fleet td { text-align: left; padding: .35rem .6rem .35rem 0; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, CanvasText 15%, transparent); }
.fleet td:not(:last-child) { white-space: nowrap; padding-right: 1.2rem; }
@media (max-width: 40rem) {
  .fleet thead { display: none; }
  .fleet tr { display: block; padding: .4rem 0;
    border-bottom: 1px solid color-mix(in srgb, CanvasText 15%, transparent); }
  .fleet td { display: block; border: 0; padding: .1rem 0; }
  .fleet td:first-child { font-weight: 600; }
  .fleet td:not(:last-child) { white-space: normal; }
}
.fleet td.url { overflow-wrap: anywhere; font-size: .85em; }
.fleet svg { width: 100%; height: auto; display: block; }
.fleet svg text { fill: CanvasText; font: 12px system-ui, sans-serif; }
.fleet figure { margin: 0 0 1rem; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>Fleet: {connected} of {total} connected</title>
<style>body {{ margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }}</style>
</head>
<body>{body}</body>
</html>
"""


class FleetStatus(FleetNumbers):
    """All practices of a fleet at one moment: as values, in words, as JSON and as a page.

    It names practices by your ids and holds no patient data.  The links are for the practices they
    belong to, and for nobody else.
    """

    def to_html(self) -> str:
        """A page of its own, with plots and with the links to send."""
        return page(self)

    def _repr_html_(self) -> str:
        return body(self)


def page(status: FleetNumbers) -> str:
    """A whole page."""
    return _PAGE.format(
        connected=status.stages[Stage.CONNECTED], total=status.total, body=body(status)
    )


def body(status: FleetNumbers) -> str:
    """What is on the page, for a notebook too."""
    parts = [
        f"<style>{_STYLE}</style><div class='fleet'>",
        f"<h1>{status.stages[Stage.CONNECTED]} of {status.practices} connected</h1>",
        f"<p class='quiet'>{status.looked_at:%Y-%m-%d %H:%M} UTC</p>",
        _stages(status),
        _cards(status),
    ]
    if len(status.connected_at) > 1:
        parts.append(_figure("Connected over time", _curve(status)))
    if status.waits[Stage.WAITING]:
        parts.append(
            _figure("How long practices have waited for Ormco", _bars(status.waits[Stage.WAITING]))
        )
    actors = [(actor, status.actors[actor]) for actor in Actor if status.actors[actor]]
    parts.append("<h2>Who has to act</h2>")
    parts.append(_table(("Who", "Practices"), [(_name(a), str(n)) for a, n in actors]))
    if status.failures:
        parts.append("<h2>A person has to decide</h2>")
        rows = [(each.practice, _age(status, each.since), each.problem) for each in status.failures]
        parts.append(_table(("Practice", "Since", "What happened"), rows))
    if status.tasks:
        parts.append("<h2>To be done at OrmcoDigital</h2>")
        steps = "".join(f"<li>{escape(step)}</li>" for step in status.tasks[0].steps)
        parts.append(
            "<p class='quiet'>Each practice does this by itself, and brings you the address within "
            f"three minutes.</p><ol>{steps}</ol>"
        )
        tasks = [(t.practice, _age(status, t.since), t.problem or "") for t in status.tasks]
        parts.append(_table(("Practice", "Since", "What was wrong last time"), tasks))
    if status.links:
        parts.append("<h2>Links to send</h2>")
        parts.append(
            "<p class='quiet'>Each link is for the practice beside it, and for nobody else. "
            "What the practice is redirected to goes back to you within three minutes.</p>"
        )
        links = [
            (each.practice, _PURPOSES[each.purpose], _age(status, each.since), each.url)
            for each in status.links
        ]
        parts.append(_table(("Practice", "What for", "Since", "Link"), links))
    return "".join([*parts, "</div>"])


_PURPOSES = {"sign_in": "To sign in to 3Shape", "ormco": "Ormco's access to the cases"}


def _name(actor: Actor) -> str:
    return actor.value[0].upper() + actor.value[1:]


def _age(status: FleetNumbers, since: datetime) -> str:
    return describe(max(0.0, (status.looked_at - since).total_seconds()))


def _cards(status: FleetNumbers) -> str:
    cards = [
        f"<li class='card'><b>{status.stages[stage]}</b>"
        f"<span class='dot' style='background:{COLOURS[stage]}'></span>{escape(stage.title)}</li>"
        for stage in COLOURS
        if status.stages[stage]
    ]
    if status.oldest_wait is not None:
        cards.append(
            f"<li class='card'><b>{_age(status, status.oldest_wait)}</b>Longest wait for Ormco</li>"
        )
    cards.append(
        f"<li class='card'><b>{status.connected_lately}</b>Connected in the last hour</li>"
    )
    return f"<ul class='cards'>{''.join(cards)}</ul>"


def _stages(status: FleetNumbers) -> str:
    """One bar, a stretch for each stage."""
    width, x, pieces = 900.0, 0.0, list[str]()
    for stage, colour in COLOURS.items():
        n = status.stages[stage]
        if n:
            wide = width * n / status.total
            pieces.append(
                f"<rect x='{x:.1f}' y='0' width='{wide:.1f}' height='26' fill='{colour}'>"
                f"<title>{escape(stage.title)}: {n}</title></rect>"
            )
            x += wide
    said = ", ".join(f"{stage.title}: {n}" for stage, n in status.stages.items() if n)
    return (
        f"<svg viewBox='0 0 {width:.0f} 26' role='img' aria-label='{escape(said, quote=True)}' "
        f"preserveAspectRatio='none' style='border-radius:.4rem;margin-top:1rem'>"
        f"{''.join(pieces)}</svg>"
    )


_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 900.0, 220.0, 44.0, 30.0, 10.0


def _curve(status: FleetNumbers) -> str:
    """How many were connected by when; steps, since that is what it is."""
    first, last = status.connected_at[0], max(status.looked_at, status.connected_at[-1])
    span = max(1.0, (last - first).total_seconds())
    top = _nice(len(status.connected_at))
    points = [(_LEFT, _y(0, top))]
    for n, moment in enumerate(status.connected_at, 1):
        x = _x((moment - first).total_seconds() / span)
        points += [(x, points[-1][1]), (x, _y(n, top))]
    points.append((_x(1.0), points[-1][1]))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    area = f"{line} {_x(1.0):.1f},{_y(0, top):.1f}"
    colour = COLOURS[Stage.CONNECTED]
    ends = [(0.0, "start", f"{first:%d %b %H:%M}"), (1.0, "end", f"{last:%d %b %H:%M}")]
    return _axes(
        top,
        f"<polygon points='{area}' fill='{colour}' fill-opacity='.18'/>"
        f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='2'/>",
        ends,
        f"{len(status.connected_at)} practices connected from {first:%d %b %H:%M} on",
    )


def _bars(seconds: Sequence[float]) -> str:
    """How many have waited how long; a day is what the guide speaks of."""
    hours = [value / 3600 for value in seconds]
    end = max(24.0, math.ceil(hours[-1] / 6) * 6)
    n = 24
    counts = [0] * n
    for value in hours:
        counts[min(n - 1, int(value / end * n))] += 1
    top = _nice(max(counts))
    wide = (_x(1.0) - _LEFT) / n
    bars = [
        f"<rect x='{_LEFT + i * wide + 1:.1f}' y='{_y(count, top):.1f}' width='{wide - 2:.1f}' "
        f"height='{_y(0, top) - _y(count, top):.1f}' rx='2' fill='{COLOURS[Stage.WAITING]}'>"
        f"<title>{i * end / n:.0f} to {(i + 1) * end / n:.0f} h: {count}</title></rect>"
        for i, count in enumerate(counts)
        if count
    ]
    day = _x(24.0 / end)
    mark = (
        f"<line x1='{day:.1f}' x2='{day:.1f}' y1='{_TOP}' y2='{_y(0, top):.1f}' "
        "stroke='currentColor' stroke-opacity='.4' stroke-dasharray='4 4'/>"
    )
    ticks = [(i / 4, "middle", f"{end * i / 4:.0f} h") for i in range(1, 4)]
    ends = [(0.0, "start", "0 h"), *ticks, (1.0, "end", f"{end:.0f} h")]
    return _axes(top, "".join(bars) + mark, ends, f"Waits of {len(seconds)} practices in hours")


def _axes(top: int, inside: str, below: Iterable[tuple[float, str, str]], said: str) -> str:
    grid = "".join(
        f"<line x1='{_LEFT}' x2='{_x(1.0)}' y1='{_y(value, top):.1f}' y2='{_y(value, top):.1f}' "
        "stroke='currentColor' stroke-opacity='.15'/>"
        f"<text x='{_LEFT - 8}' y='{_y(value, top) + 4:.1f}' text-anchor='end'>{value}</text>"
        for value in sorted({0, top // 2, top})
    )
    words = "".join(
        f"<text x='{_x(at):.1f}' y='{_HEIGHT - 8}' text-anchor='{anchor}'>{escape(text)}</text>"
        for at, anchor, text in below
    )
    return (
        f"<svg viewBox='0 0 {_WIDTH:.0f} {_HEIGHT:.0f}' role='img' "
        f"aria-label='{escape(said, quote=True)}'>{grid}{inside}{words}</svg>"
    )


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - 10)


def _y(value: float, top: int) -> float:
    return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _BOTTOM - _TOP)


def _nice(value: int) -> int:
    """An even number, not far above ``value``, to end an axis with."""
    power: int = 10 ** (len(str(value)) - 1)
    return next(n for n in (2 * power, 4 * power, 6 * power, 8 * power, 10 * power) if value <= n)


def _figure(title: str, drawing: str) -> str:
    return f"<h2>{escape(title)}</h2><figure>{drawing}</figure>"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heading)
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td class='url'><a href='{escape(cell, quote=True)}'>{escape(cell)}</a></td>"
            if cell.startswith(("https://", "http://"))
            else f"<td>{escape(cell)}</td>"
            for cell in row
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
