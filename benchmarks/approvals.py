"""What waiting for an approval costs: requests, and the delay until it is noticed.

``python benchmarks/approvals.py`` compares schedules with the theoretical bound, for four
distributions of approval times, and fails if a promise of docs/approvals.md does not hold; with
``--plot FILE`` it draws them.  What a fleet's looks cost is in looks.py.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from bisect import bisect_left
from collections.abc import Callable

from ormco_trios import PollSchedule

DAY = 86_400.0
failures: list[str] = []


def promise(what: str, value: float, limit: float) -> None:
    """Print a promise beside what was measured, and note it if it does not hold."""
    holds = value <= limit
    print(f"  {'ok  ' if holds else 'MISS'} {what}: {value:.3g} (at most {limit:g})")
    if not holds:
        failures.append(what)


N = 4000
NORMAL = statistics.NormalDist()

Quantile = Callable[[float], float]


def truncated(quantile: Quantile, below: float) -> Quantile:
    """The same distribution, given that it takes less than a day; ``below`` is that share."""
    return lambda u: quantile(u * below)


def log_normal(median: float, sigma: float) -> Quantile:
    within = NORMAL.cdf(math.log(DAY / median) / sigma)
    return truncated(lambda u: median * math.exp(sigma * NORMAL.inv_cdf(u)), within)


DISTRIBUTIONS: dict[str, Quantile] = {
    "exponential": truncated(lambda u: -4 * 3600 * math.log1p(-u), 1 - math.exp(-6)),
    "uniform": lambda u: u * DAY,
    "log-uniform": lambda u: 60.0 * (DAY / 60.0) ** u,
    "log-normal": log_normal(4 * 3600, 1.0),
}

SCHEDULES: dict[str, PollSchedule] = {
    "sqrt(age) x 8, floor 30 s (default)": PollSchedule(),
    "sqrt(age) x 4, floor 30 s": PollSchedule.sqrt(4.0),
    "every minute": PollSchedule.fixed(60),
    "every 15 minutes": PollSchedule.fixed(900),
    "doubling from 30 s up to 15 min": PollSchedule.exponential(),
    "doubling from 30 s": PollSchedule.exponential(ceiling=DAY),
    "10 % of the age, floor 30 s": PollSchedule.exponential(30, factor=1.1, ceiling=DAY),
}


def moments(schedule: PollSchedule, jitter: Callable[[], float] = lambda: 0.0) -> list[float]:
    """When it looks within a day, and once more at the end."""
    looks = [0.0]
    while looks[-1] < DAY:
        looks.append(min(DAY, looks[-1] + schedule.next(looks[-1], None, jitter())))
    return looks


def bound(quantile: Quantile) -> float:
    """The least polls x delay (s) that any schedule reaches.

    With density f, survival S and intervals g: polls = integral of S/g, delay = integral of f g/2;
    by Cauchy-Schwarz their product is at least half the square of the integral of sqrt(f S), which
    over quantiles is the integral of sqrt((1 - u) q'(u)).
    """
    edges = [i / N for i in range(N + 1)]
    inner = [min(max(u, 1e-9), 1 - 1e-9) for u in edges]
    q = [quantile(u) for u in inner]
    total = 0.0
    for i in range(N):
        slope = max(0.0, (q[i + 1] - q[i]) / (inner[i + 1] - inner[i]))
        total += math.sqrt((1 - (i + 0.5) / N) * slope) / N
    return total**2 / 2


def schedules() -> dict[str, dict[str, tuple[float, float, float]]]:
    """Polls, delay relative to the wait, and polls x delay relative to the bound."""
    print("polls | mean delay in % of the wait | polls x delay relative to the bound")
    print(f"{'':38}{'a day':>6}" + "".join(f"{name:>22}" for name in DISTRIBUTIONS))
    table: dict[str, dict[str, tuple[float, float, float]]] = {}
    for name, schedule in SCHEDULES.items():
        looks = moments(schedule)
        row = table[name] = {}
        for kind, quantile in DISTRIBUTIONS.items():
            times = [quantile((i + 0.5) / N) for i in range(N)]
            seen = [bisect_left(looks, t) for t in times]
            # The look at age 0 sees nothing; what counts are those while it waits.
            polls = statistics.fmean(seen)
            delay = statistics.fmean(looks[k] - t for k, t in zip(seen, times, strict=True))
            row[kind] = (polls, delay / statistics.fmean(times), polls * delay / bound(quantile))
        cells = "".join(f"{p:9.0f}{100 * d:6.1f} %{b:5.1f}" for p, d, b in row.values())
        print(f"{name:38}{len(looks):6}{cells}")
    default = table["sqrt(age) x 8, floor 30 s (default)"]
    promise("requests in 24 hours, default", len(moments(PollSchedule())), 80)
    rng = random.Random(1)
    most = max(len(moments(PollSchedule(), lambda: rng.uniform(-1, 1))) for _ in range(1000))
    promise("requests in 24 hours, default with jitter, most of 1,000 days", most, 80)
    for kind, (_, delay, ratio) in default.items():
        promise(f"{kind}: mean delay, share of the wait", delay, 0.065)
        promise(f"{kind}: polls x delay relative to the bound", ratio, 2.1)
    return table


def plot(table: dict[str, dict[str, tuple[float, float, float]]], path: str) -> None:
    """Requests against delay, one panel for each distribution."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "ormco-trios"
    mpl.rcParams["svg.fonttype"] = "none"
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 4, figsize=(13, 3.9), sharey=True)
    for panel, kind in zip(panels, DISTRIBUTIONS, strict=True):
        times = [DISTRIBUTIONS[kind]((i + 0.5) / N) for i in range(N)]
        mean = statistics.fmean(times)
        least = bound(DISTRIBUTIONS[kind])
        xs = [2.0 * 1.12**i for i in range(60)]
        ys = [100 * least / x / mean for x in xs]
        panel.fill_between(xs, ys, 1e-3, color="0.92", label="no schedule gets here")
        for mark, (name, row) in zip("os^vDPX", table.items(), strict=True):
            polls, delay, _ = row[kind]
            panel.plot(polls, 100 * delay, mark, label=name, markersize=8)
        panel.set(title=kind, xscale="log", yscale="log", xlim=(6, 1000), ylim=(0.1, 50))
        panel.set_xlabel("requests until it is noticed")
        panel.grid(True, which="major", color="0.9")
    panels[0].set_ylabel("mean delay, % of the wait")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    print(f"wrote {path}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", help="write the picture to this file")
    options = parser.parse_args()
    table = schedules()
    if options.plot:
        plot(table, options.plot)
    if failures:
        print("\nNot kept: " + "; ".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
