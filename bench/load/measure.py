"""Runs scenarios against proxies, in turn, round after round, and collects what each round showed."""
import os
import re
import shutil
import subprocess
import time

from processes import ROOT, BenchError, Watch, resident_kib, start, stop, which
from proxies import OURS, Proxy, Site

GIB = 1 << 30
WARM_SECONDS = 0.3
HELD_ROUNDS_MAX = 3  # opening ten thousand connections takes longer than measuring with them


class Plan:
    """What is to be measured: scenarios, proxies as (name, threads), rounds, the length of each, when to give up, and whether proxies are fresh in each round."""

    def __init__(self, scenarios, proxies, rounds, seconds, limit_seconds, fresh=False):
        self.scenarios, self.proxies, self.rounds, self.seconds, self.fresh = scenarios, proxies, rounds, seconds, fresh
        self.limit_seconds = limit_seconds
        self.end = time.monotonic() + limit_seconds


def build_backend(work):
    """Compiles backend.c; the native build of Spawngate needs a C compiler anyway."""
    compiler = which("gcc") or which("clang") or which("cc")
    if compiler is None:
        raise BenchError("missing: a C compiler (Debian: apt-get install gcc libc6-dev)")
    path = f"{work}/backend"
    source = os.path.join(ROOT, "bench", "load", "backend.c")
    built = subprocess.run([compiler, "-O2", "-std=gnu11", "-o", path, source], capture_output=True, text=True, timeout=60)
    if built.returncode != 0:
        raise BenchError(f"{source} does not compile: {built.stderr}")
    return path


def versions(names):
    asked = {name: [path, "--version"] for name, path in OURS.items()} | {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"], "nghttpx": ["nghttpx", "--version"]}
    found = []
    for name in names:
        done = subprocess.run(asked[name], capture_output=True, text=True, timeout=10)
        number = re.search(r"\d+\.\d+[.\d]*", done.stdout + done.stderr)
        found.append(f"{name} {number[0] if number else '?'}")
    return found


def make_files(work):
    """What nginx serves: bytes that do not compress and do not repeat, as in any real file."""
    os.makedirs(f"{work}/files")
    block = os.urandom(1 << 20)
    for name, size in (("10k", 10 << 10), ("1m", 1 << 20), ("100m", 100 << 20)):
        with open(f"{work}/files/{name}", "wb") as f:
            for _ in range(max(1, size >> 20)):
                f.write(block[:size])
    os.chmod(work, 0o755)


def one_round(scenario, proxy, seconds):
    """The figures of one proxy in one round."""
    held = None
    sample = {"scenario": scenario.name, "proxy": proxy.name, "threads": proxy.threads}
    if scenario.held:
        before = resident_kib(proxy.pids)
        held = scenario.held.open(proxy)
        sample["held_bytes"] = (resident_kib(proxy.pids) - before) * 1024 / scenario.held.count
    with Watch(proxy.pids) as used:
        load = scenario.load(proxy, seconds)
    if held:
        scenario.held.close(proxy, held)
    units = load["bytes"] / GIB if scenario.unit == "GiB" else load["count"]
    # A proxy that was replaced by a new process would look cheap.
    if proxy.child.poll() is not None:
        raise BenchError(f"{proxy.key} ended during {scenario.name}")
    sample |= {"rate": units / load["seconds"], "cpu_us": used.cpu_seconds * 1e6 / units, "p50_us": load["p50"], "p99_us": load["p99"],
               "p999_us": load["p999"], "resident_kib": used.resident, "switches": used.switches / units}
    return sample


def _launch(scenario, name, threads, work, peers_site):
    site = Site(work, peers_site.program, scenario.hosts) if name in OURS else peers_site
    proxy = Proxy(name, threads, work)
    proxy.run(site)
    scenario.verify(proxy)
    scenario.load(proxy, WARM_SECONDS)
    proxy.refresh()
    return proxy


def measure_scenario(plan, scenario, work, backend, say):
    """All rounds of one scenario. Proxies are fresh for each scenario; where connections are held they are fresh for each round, or memory would only grow once. So they are when two of the same kind are
    compared: each start has a bias of its own, by where the code and the heap happen to lie."""
    folder = f"{work}/{scenario.name}"
    os.makedirs(folder)
    os.symlink(f"{work}/files", f"{folder}/files")
    os.chmod(folder, 0o755)
    site = Site(folder, backend if scenario.program == "backend" else "nginx", scenario.hosts)
    site.start()
    samples, running = [], {}
    rounds = min(plan.rounds, HELD_ROUNDS_MAX) if scenario.held else plan.rounds
    try:
        for number in range(rounds):
            # Another one begins each time: no proxy always follows the same neighbour.
            turn = number % len(plan.proxies)
            for key in plan.proxies[turn:] + plan.proxies[:turn]:
                if time.monotonic() > plan.end:
                    raise BenchError(f"not done after {plan.limit_seconds} s; fewer rounds, shorter ones, or a higher --limit")
                if key not in running:
                    running[key] = _launch(scenario, *key, folder, site)
                sample = one_round(scenario, running[key], plan.seconds) | {"round": number}
                samples.append(sample)
                say(f"{scenario.name:12} round {number + 1}  {running[key].key:13} {sample['rate']:12.1f}/s  CPU {sample['cpu_us']:12.1f} µs")
                if scenario.held or plan.fresh:
                    stop([running.pop(key).child])
    finally:
        stop([p.child for p in running.values()] + site.children)
        shutil.rmtree(folder, ignore_errors=True)
    return samples
