"""What the samples of a mixed load say: whether memory is flat, and the document in bench/results."""
import os
import platform
import re
import statistics

from processes import TICKS_PER_SECOND

# The first third does not count, of an hour the first 20 minutes: pools fill, and the heap finds its size, which takes some collections, and those are minutes apart.
WARM_SECONDS_MAX = 1200
WINDOWS = 3
BUCKETS = 30

# What the median of the last window may have more than that of the first, and what the slope over all of the three may amount to. The heap grows by 4 MiB at a time.
# In a run that is over before the heap has found its size: what a youngest generation may take on a processor with a large cache.
GROWTH_KIB_MAX, GROWTH_SHARE_MAX = 8192, 0.10
SHORT_SECONDS, SHORT_GROWTH_KIB_MAX = 1800, 24 * 1024
DESCRIPTORS_GROWTH_MAX, THREADS_GROWTH_MAX = 24, 12
DESCRIPTORS_KEPT = 48


def lifecycle(path):
    """Starts, and stops for idleness, by the gateway's log."""
    with open(path, errors="replace") as f:
        text = f.read()
    return {"starts": len(re.findall(r"Backend is ready after", text)), "idle_stops": len(re.findall(r'reason="idle".* Backend stopped after', text))}


def counted(samples):
    """The samples that count: those after the warm-up."""
    end = samples[-1]["at"]
    return [s for s in samples if s["at"] >= min(WARM_SECONDS_MAX, end / 3)]


def windows(samples):
    step = len(samples) / WINDOWS
    return [samples[round(i * step):round((i + 1) * step)] for i in range(WINDOWS)]


def slope_kib(samples):
    """KiB per second: the median of the slopes between any two medians of short stretches (Theil-Sen), which no burst can bend."""
    step = max(1, len(samples) // BUCKETS)
    points = [(statistics.median(s["at"] for s in part), statistics.median(s["kib"] for s in part))
              for part in (samples[i:i + step] for i in range(0, len(samples), step))]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1:]]
    return statistics.median(slopes) if slopes else 0.0


def verdict(samples):
    """What is not flat; empty when all is."""
    parts = windows(samples)
    first, last = parts[0], parts[-1]
    middle = lambda part, what: statistics.median(s[what] for s in part)
    # Their number jumps with each burst of connections, so that a median says little: what is never given back raises the floor.
    floor = lambda part, what: sorted(s[what] for s in part)[len(part) // 10]
    most = max(GROWTH_KIB_MAX, GROWTH_SHARE_MAX * middle(first, "kib")) if samples[-1]["at"] >= SHORT_SECONDS else SHORT_GROWTH_KIB_MAX
    drift = slope_kib(samples) * (samples[-1]["at"] - samples[0]["at"])
    found = []
    for what, growth, limit in (("resident KiB", middle(last, "kib") - middle(first, "kib"), most), ("resident KiB by the slope", drift, most),
                                ("descriptors", floor(last, "descriptors") - floor(first, "descriptors"), DESCRIPTORS_GROWTH_MAX),
                                ("threads", middle(last, "threads") - middle(first, "threads"), THREADS_GROWTH_MAX)):
        if growth > limit:
            found.append(f"grew by {growth:.0f} {what}, at most {limit:.0f}")
    return found


def _range(part, what, scale=1.0, form=".0f"):
    values = [s[what] * scale for s in part]
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def _window_rows(samples):
    rows = []
    for name, part in [("warming up", [s for s in samples if s["at"] < counted(samples)[0]["at"]])] + list(zip(("first", "second", "last"), windows(counted(samples)))):
        if part:
            rows.append(f"| {name}, {part[0]['at'] / 60:.1f}–{part[-1]['at'] / 60:.1f} min | {_range(part, 'kib', 1 / 1024, '.1f')} | {_range(part, 'descriptors')} | {_range(part, 'threads')} |")
    return "\n".join(rows)


def _kinds(run):
    names = sorted(set(run["done"]) | set(run["left"]))
    return "\n".join(f"| {n.replace('_', ' ')} | {run['done'].get(n, 0):,} | {run['left'].get(n, 0):,} |" for n in names)


def document(run):
    """The document, and whether the run passed."""
    samples = run["samples"]
    rest = counted(samples)
    seconds = samples[-1]["at"] - samples[0]["at"]
    own_share = (samples[-1]["ticks"] - samples[0]["ticks"]) / TICKS_PER_SECOND / seconds
    faults = run["faults"] + verdict(rest) + ([f"{run['error_count']} errors"] if run["error_count"] else [])
    if not run["starts"] or not run["idle_stops"]:
        faults.append(f"{run['starts']} starts and {run['idle_stops']} stops for idleness are too few to mean anything")
    hour = slope_kib(rest) * 3600
    problems = "".join(f"\n- {text}" for text in faults + run["errors"])
    return f"""# Mixed load, {run['date']}

`bench/load/mixed --minutes {run['minutes']:g}` (seed {run['seed']}), on {os.cpu_count()} processors, Linux {platform.release()}; load average at the end, with all other work on the machine, {run['load_average']:.1f}.
What the clients do, and when it passes, is in [bench/README.md](../README.md).

**{'PASSED' if not faults else 'FAILED'}**: {run['error_count']} errors in {sum(run['done'].values()):,} operations; {sum(run['left'].values()):,} clients left early, as they should;
{run['starts']:,} starts and {run['idle_stops']:,} stops for idleness. The gateway took {100 * own_share:.1f} % of a core, the clients {100 * run['load_cpu'] / seconds:.1f} %.
{problems}

| time | resident MiB | descriptors | threads |
|---|---|---|---|
{_window_rows(samples)}

Median (least–most) of a sample each second. Between the first and the last window the median grew by {statistics.median(s['kib'] for s in windows(rest)[-1]) - statistics.median(s['kib'] for s in windows(rest)[0]):+.0f} KiB; slope {hour / 1024:+.2f} MiB/h.

| kind | done | left early |
|---|---|---|
{_kinds(run)}
""".replace("\n\n\n", "\n\n"), not faults
