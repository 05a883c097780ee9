"""From the figures of all rounds to medians, ratios to the best peer, and tables."""
import statistics

METRICS = {  # name: (title, higher is better)
    "cpu_us": ("CPU", False),
    "rate": ("per second", True),
    "p50_us": ("p50 µs", False),
    "p99_us": ("p99 µs", False),
    "p999_us": ("p99.9 µs", False),
    "resident_kib": ("resident MiB", False),
    "switches": ("switches", False),
}

# For the chart and bench/README.md; whatever has no short name goes by that of the scenario.
LABELS = {
    "keepalive": "small requests, keep-alive", "pipelined": "small requests, 16 pipelined", "connect": "a new connection for each request",
    "get-10k": "responses of 10 KiB", "get-1m": "responses of 1 MiB", "get-100m": "responses of 100 MiB", "put-length": "uploads of 100 MiB",
    "put-chunked": "uploads of 100 MiB, chunks of 16 KiB", "put-chunks-64k": "uploads of 100 MiB, chunks of 64 KiB", "h2-16x32": "HTTP/2, 16 connections of 32 streams", "h2-1": "HTTP/2, 1 connection of 32 streams",
    "ws-125": "WebSocket messages of 125 bytes", "ws-64k": "WebSocket messages of 64 KiB", "idle": "small requests beside 10,000 idle clients",
    "hosts": "small requests to 1,000 hosts", "slow": "small requests beside 256 slow clients",
}


def _by_proxy(samples, scenario, threads):
    found = {}
    for s in samples:
        if s["scenario"] == scenario and s["threads"] == threads:
            found.setdefault(s["proxy"], []).append(s)
    return found


def best_peer(by_proxy, metric, higher):
    peers = [p for p in by_proxy if p != "spawngate"]
    if not peers:
        return None
    choose = max if higher else min
    if any(s[metric] is None for p in peers for s in by_proxy[p]):
        return None
    return choose(peers, key=lambda p: statistics.median(s[metric] for s in by_proxy[p]))


def ratio(by_proxy, proxy, metric, higher):
    """Median over the rounds of this proxy's figure through that of the best peer in the same round; None without peers."""
    best = best_peer(by_proxy, metric, higher)
    if best is None:
        return None
    of_best = {s["round"]: s[metric] for s in by_proxy[best]}
    ratios = [s[metric] / of_best[s["round"]] for s in by_proxy[proxy] if of_best.get(s["round"])]
    return statistics.median(ratios) if ratios else None


def summary(samples, scenario, threads):
    """{proxy: {metric: {"median", "low", "high", "ratio", "best"}}} of one scenario."""
    by_proxy = _by_proxy(samples, scenario, threads)
    result = {}
    for proxy, rounds in by_proxy.items():
        result[proxy] = {}
        for metric, (_, higher) in METRICS.items():
            values = [s[metric] for s in rounds]
            if None in values:
                continue  # The load generator does not know it.
            result[proxy][metric] = {"median": statistics.median(values), "low": min(values), "high": max(values),
                                     "ratio": ratio(by_proxy, proxy, metric, higher), "best": best_peer(by_proxy, metric, higher)}
        held = [s["held_bytes"] for s in rounds if "held_bytes" in s]
        if held:
            result[proxy]["held_bytes"] = {"median": statistics.median(held), "low": min(held), "high": max(held)}
    return result


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _cell(figure, scale=1.0):
    text = f"{number(figure['median'] * scale)} ({number(figure['low'] * scale)}–{number(figure['high'] * scale)})"
    return text if figure["ratio"] is None else f"{text} ×{figure['ratio']:.2f}"


def _scales(scenario):
    """CPU in ms for a GiB, in µs for a request; memory in MiB."""
    return {"cpu_us": 0.001 if scenario["unit"] == "GiB" else 1.0, "resident_kib": 1 / 1024}


def table(run):
    """All scenarios and all proxies as one Markdown table."""
    lines = ["| scenario | proxy × threads | " + " | ".join(title for title, _ in METRICS.values()) + " |", "|---" * (len(METRICS) + 2) + "|"]
    for scenario in run["scenarios"]:
        scales = _scales(scenario)
        for threads in run["threads"]:
            figures = summary(run["samples"], scenario["name"], threads)
            for proxy in sorted(figures, key=lambda p: figures[p]["cpu_us"]["median"]):
                cells = [_cell(figures[proxy][m], scales.get(m, 1.0)) if m in figures[proxy] else "–" for m in METRICS]
                name = f"**{proxy} ×{threads}**" if proxy == "spawngate" else f"{proxy} ×{threads}"
                lines.append(f"| {scenario['name']} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def held_table(run):
    lines = []
    for scenario in run["scenarios"]:
        if scenario.get("held"):
            for threads in run["threads"]:
                for proxy, figures in summary(run["samples"], scenario["name"], threads).items():
                    f = figures["held_bytes"]
                    lines.append(f"| {scenario['name']} | {proxy} ×{threads} | {f['median'] / 1024:.2f} ({f['low'] / 1024:.2f}–{f['high'] / 1024:.2f}) |")
    if not lines:
        return ""
    return "\n".join(["| scenario | proxy × threads | resident KiB per held connection |", "|---|---|---|"] + lines)


def document(run):
    """The dated file in bench/results."""
    what = "\n".join(f"- `{s['name']}`: {s['title']}; CPU in {'ms per GiB' if s['unit'] == 'GiB' else 'µs per ' + s['unit']}, "
                     f"rate in {'GiB' if s['unit'] == 'GiB' else s['unit'] + 's'}/s, context switches per {s['unit']}" for s in run["scenarios"])
    machine = run["machine"]
    held = held_table(run)
    fresh, title, rival = ("round", "Load, beside the executable of before", "the executable of before") if run.get("fresh") else ("scenario", "Load", "the best peer with as many threads")
    return f"""# {title}, {run['date']}

`bench/load/run`, {run['rounds']} rounds of {run['seconds']:g} s for each proxy, interleaved, the proxies fresh for each {fresh}. {machine['processors']} × {machine['model']},
Linux {machine['kernel']}; {', '.join(machine['versions'])}. Other work on the machine: load average {machine['load_before']} before, {machine['load_after']} after.

Each cell: median over the rounds (lowest–highest) ×ratio to {rival}, which is the median of the ratios within each round. Below ×1 is better,
for the rate above ×1. What is equal and what is not is in [bench/README.md](../README.md).

{what}

{table(run)}
""" + (f"\nMemory of held connections, a fresh proxy for each round, after it has served the active load once:\n\n{held}\n" if held else "") \
        + "".join(f"\nFAILED, and not in the table: {f}\n" for f in run["failures"])


def short_table(run, threads=1):
    """For bench/README.md: CPU of Spawngate beside that of each peer, and in plain words where a peer is better."""
    peers = [p for p in run["proxies"] if p != "spawngate"]
    lines = ["| CPU for | Spawngate | " + " | ".join(peers) + " | ratio to the best | rate | p99 |", "|---" * (len(peers) + 5) + "|"]
    behind = []
    for scenario in run["scenarios"]:
        figures = summary(run["samples"], scenario["name"], threads)
        if "spawngate" not in figures or not peers:
            continue
        own, label = figures["spawngate"], LABELS.get(scenario["name"], scenario["name"])
        cells = [number(figures[p]["cpu_us"]["median"] * _scales(scenario)["cpu_us"]) if p in figures else "" for p in ["spawngate"] + peers]
        lines.append(f"| {label}, {'ms per GiB' if scenario['unit'] == 'GiB' else 'µs'} | " + " | ".join(cells)
                     + f" | {_mark(own['cpu_us'], False)} | {_mark(own['rate'], True)} | {_mark(own.get('p99_us'), False)} |")
        if _is_behind(own["cpu_us"], False):
            behind.append(f"{label} ({own['cpu_us']['best']}, {own['cpu_us']['ratio']:.2f})")
    text = "\n".join(lines) + f"\n\nMeasured {run['date']} by `bench/load/run`, on {run['machine']['processors']} cores with other work on them.\n" \
        f"All figures are in [results](results/{run['date']}-load.md). " \
        "Ratios are to the best peer of each column, **bold** where that peer is better by more than 5 %.\n\n"
    if behind:
        text += "**Where a peer takes less CPU:** " + ";\n".join(behind) + ".\n\n"
    return text + _idle_words(run, threads)


def readme_line(run, threads=1):
    """For the README: one figure, beside nginx; empty when the run has not measured it."""
    figures = summary(run["samples"], "keepalive", threads)
    if "spawngate" not in figures or "nginx" not in figures:
        return ""
    own, nginx = (figures[p]["cpu_us"]["median"] for p in ("spawngate", "nginx"))
    return (
        f"- **{own:.0f} µs** of CPU for a small request, where nginx takes {nginx:.0f} µs in the same run (`bench/load/run`, 40 minutes;\n"
        "  `bench/load/run --check` compares the two in 15 seconds).\n"
    )


def _idle_words(run, threads):
    figures = summary(run["samples"], "idle", threads)
    each = [f"{p if p != 'spawngate' else 'Spawngate'} {f['held_bytes']['median'] / 1024:.1f}" for p, f in figures.items() if "held_bytes" in f]
    return f"**Resident memory of an idle connection**, in KiB: {', '.join(each)}.\n" if each else ""


def _is_behind(figure, higher):
    """Beyond what rounds differ by."""
    r = figure["ratio"]
    return r is not None and (r < 0.95 if higher else r > 1.05)


def _mark(figure, higher):
    if figure is None or figure["ratio"] is None:
        return "–"
    text = f"{figure['ratio']:.2f}"
    return f"**{text}** ({figure['best']})" if _is_behind(figure, higher) else text
