"""The chart of the README: CPU of each proxy through that of the best peer, one group of bars for each scenario."""
from report import LABELS, number, summary

COLOURS = {"spawngate": "#2f7ed8", "nginx": "#5a9e6f", "haproxy": "#c9a227", "nghttpx": "#a0a0a8"}
LEFT, WIDTH, BAR, GAP, TOP = 290, 420, 9, 12, 64
RATIO_MAX = 3.0


def _text(x, y, text, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{text}</text>'


def _group(y, scenario, figures, names):
    own = figures["spawngate"]["cpu_us"]
    scale, unit = (1000, "ms/GiB") if scenario["unit"] == "GiB" else (1, "µs")
    parts = [_text(LEFT - 10, y + len(names) * BAR / 2 + 4, LABELS.get(scenario["name"], scenario["name"]), ' text-anchor="end"')]
    for index, name in enumerate(names):
        if name not in figures or not figures[name]["cpu_us"]["ratio"]:
            continue
        f = figures[name]["cpu_us"]
        length = min(f["ratio"], RATIO_MAX) / RATIO_MAX * WIDTH
        top = y + index * BAR
        parts.append(f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR - 1}" fill="{COLOURS[name]}"/>')
        label = f"{number(f['median'] / scale)} {unit}" if name == "spawngate" else ""
        if f["ratio"] > RATIO_MAX:
            label += f" ×{f['ratio']:.1f}"
        if label:
            parts.append(_text(LEFT + length + 4, top + BAR - 1, label.strip(), ' class="small"'))
    return parts if own["ratio"] else []


def svg(run, threads=1):
    """One picture, readable on a light and on a dark page."""
    names = [n for n in COLOURS if n in run["proxies"]]
    groups = [(s, summary(run["samples"], s["name"], threads)) for s in run["scenarios"]]
    groups = [(s, f) for s, f in groups if "spawngate" in f]
    step = len(names) * BAR + GAP
    height = TOP + len(groups) * step + 20
    parts = [_text(10, 22, "CPU time of the proxy for the same work: shorter is better", ' class="title"')]
    for index, name in enumerate(names):
        x = LEFT + index * 105
        parts += [f'<rect x="{x}" y="34" width="12" height="12" fill="{COLOURS[name]}"/>', _text(x + 17, 44, name)]
    at_one = LEFT + WIDTH / RATIO_MAX
    for index, (scenario, figures) in enumerate(groups):
        parts += _group(TOP + index * step, scenario, figures, names)
    parts.append(f'<line x1="{at_one:.1f}" y1="{TOP - 8}" x2="{at_one:.1f}" y2="{height - 18}" class="one"/>')
    parts.append(_text(at_one, height - 5, f"1.0 = the best peer, {threads} thread each, {run['date']}", ' class="small" text-anchor="middle"'))
    style = ("text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}.small{font-size:10px}.one{stroke:#888;stroke-dasharray:3 3}"
             ".page{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#ddd}.page{fill:#0d1117}}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 60} {height}" role="img" aria-label="CPU time of the proxies">'
            f'<style>{style}</style><rect class="page" width="100%" height="100%"/>\n' + "\n".join(parts) + "\n</svg>\n")
