"""The scenarios: what each asks of a proxy, with which load generator, and how its answers are checked."""
import http.client
import json
import os
import re
import subprocess
import sys

from processes import BenchError, run, start, stop

HERE = os.path.dirname(os.path.abspath(__file__))
HELLO = b"Hello, World!"
KIB, MIB = 1 << 10, 1 << 20
HOSTS = 1000
IDLE = 10000
SLOW = 256
PATIENCE_SECONDS = 30  # beyond its own time a load generator may take this long


class Scenario:
    """A name, what one unit of work is called, and `load(proxy, seconds)`, which returns count, bytes, seconds, p50, p99, p999 (µs)."""

    def __init__(self, name, title, load, unit="request", program="nginx", hosts=("127.0.0.1",), path="/", size=len(HELLO), held=None):
        self.name, self.title, self.load, self.unit = name, title, load, unit
        self.program, self.hosts, self.path, self.size, self.held = program, hosts, path, size, held

    def verify(self, proxy):
        """One request for each host, looked at closely; it also starts what has not been started."""
        for host in self.hosts:
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
            connection.request("GET", self.path, headers={"Host": host})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            if answer.status != 200 or len(body) != self.size or (self.size == len(HELLO) and body != HELLO):
                raise BenchError(f"{proxy.key}, {self.name}: {host}{self.path} gave {answer.status} and {len(body)} bytes: {body[:200]!r}")


def _checked(ok, proxy, what):
    if not ok:
        raise BenchError(f"{proxy.key}: {what}")


def wrk(connections, path="/", size=len(HELLO), headers=(), script=()):
    def load(proxy, seconds):
        fields = [x for h in headers for x in ("-H", h)]
        seconds = max(1, round(seconds))
        out = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", f"{HERE}/wrk.lua", *fields, f"http://127.0.0.1:{proxy.port}{path}", "--", *script],
                  seconds + PATIENCE_SECONDS)
        match = re.search(r"^FIGURES (.*)$", out, re.M)
        _checked(match, proxy, f"wrk gave no figures: {out}")
        count, received, duration, connect, read, write, status, timeout, p50, p99, p999 = (float(x) for x in match[1].split())
        _checked(count > 0, proxy, "no request was answered")
        _checked(connect + read + write + status + timeout == 0, proxy,
                 f"errors: {connect:.0f} connect, {read:.0f} read, {write:.0f} write, {status:.0f} status, {timeout:.0f} timeout")
        _checked(received >= count * size, proxy, f"{received:.0f} bytes in {count:.0f} answers are too few")
        if script[:1] == ("pipeline",):
            # wrk corrects the times it records for stalls, as if each answer had been asked for alone: with pipelining nothing sensible is left.
            p50 = p99 = p999 = None
        return {"count": count, "bytes": count * size, "seconds": duration / 1e6, "p50": p50, "p99": p99, "p999": p999}
    return load


def h2load(connections, streams):
    """A number of requests instead of a time, so that every one is answered and counted; the number follows the speed of the proxy's last run."""
    rates = {}

    def load(proxy, seconds):
        count = max(4000, int(rates.get(proxy.key, 10000) * seconds))
        log = f"{proxy.work}/h2load.log"
        if os.path.exists(log):
            os.remove(log)
        out = run(["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-n{count}", f"--log-file={log}", f"http://127.0.0.1:{proxy.h2_port}/"],
                  10 * seconds + PATIENCE_SECONDS)
        done = re.search(r"^finished in ([\d.]+)(us|ms|s),", out, re.M)
        data = re.search(r"\((\d+)\) data$", out, re.M)
        _checked(f"{count} succeeded, 0 failed, 0 errored, 0 timeout" in out and done and data, proxy, f"h2load: {out}")
        _checked(int(data[1]) == count * len(HELLO), proxy, f"h2load got {data[1]} bytes for {count} requests")
        with open(log) as f:
            took = sorted(int(line.split()[2]) for line in f)
        took_seconds = float(done[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[done[2]]
        rates[proxy.key] = count / took_seconds
        at = lambda percent: took[min(len(took) - 1, int(len(took) * percent / 100))]
        return {"count": count, "bytes": count * len(HELLO), "seconds": took_seconds, "p50": at(50), "p99": at(99), "p999": at(99.9)}
    return load


def client(mode, *arguments):
    def load(proxy, seconds):
        command = [sys.executable, f"{HERE}/client.py", mode, str(proxy.port), *map(str, arguments), str(seconds)]
        return json.loads(run(command, seconds + PATIENCE_SECONDS))
    return load


class Held:
    """Connections that a scenario holds open beside its load."""

    def __init__(self, mode, *arguments, count):
        self._mode, self._arguments, self.count = mode, arguments, count

    def open(self, proxy):
        command = [sys.executable, f"{HERE}/client.py", self._mode, str(proxy.port), *map(str, self._arguments), str(self.count)]
        child = start(command, f"{proxy.work}/held.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if child.stdout.readline().strip() != b"held":
            stop([child])
            with open(child.log, errors="replace") as f:
                raise BenchError(f"{proxy.key}: {f.read().strip()[-1000:]}")
        return child

    def close(self, proxy, child):
        child.stdin.close()
        status = child.wait(PATIENCE_SECONDS)
        stop([child])
        if status != 0:
            with open(child.log, errors="replace") as f:
                raise BenchError(f"{proxy.key}: {f.read().strip()[-1000:]}")


KEEP_ALIVE = wrk(64)
ALL = [
    Scenario("keepalive", "small keep-alive requests, 64 connections", KEEP_ALIVE),
    Scenario("pipelined", "16 requests sent at once on each of 64 connections", wrk(64, script=("pipeline", "16"))),
    Scenario("connect", "a new connection for each request, 64 at once", wrk(64, headers=("Connection: close",))),
    Scenario("get-10k", "responses of 10 KiB, 64 connections", wrk(64, "/files/10k", 10 * KIB), path="/files/10k", size=10 * KIB),
    Scenario("get-1m", "responses of 1 MiB, 16 connections", client("download", "/files/1m", MIB, 16), "GiB", path="/files/1m", size=MIB),
    Scenario("get-100m", "responses of 100 MiB, 2 connections", client("download", "/files/100m", 100 * MIB, 2), "GiB", path="/files/100m", size=100 * MIB),
    Scenario("put-length", "uploads of 100 MiB with Content-Length, 2 connections", client("upload", "length", 100 * MIB, 2), "GiB", "backend"),
    Scenario("put-chunked", "uploads of 100 MiB in chunks of 16 KiB, 2 connections", client("upload", 16 * KIB, 100 * MIB, 2), "GiB", "backend"),
    Scenario("put-chunks-64k", "uploads of 100 MiB in chunks of 64 KiB, 2 connections", client("upload", 64 * KIB, 100 * MIB, 2), "GiB", "backend"),
    Scenario("h2-16x32", "HTTP/2 without TLS, 16 connections of 32 streams", h2load(16, 32)),
    Scenario("h2-1", "HTTP/2 without TLS, 1 connection of 32 streams", h2load(1, 32)),
    Scenario("ws-125", "WebSocket echo of 125 bytes, 32 connections", client("websocket", 125, 32), "message", "backend"),
    Scenario("ws-64k", "WebSocket echo of 64 KiB, 8 connections", client("websocket", 65536, 8), "GiB", "backend"),
    Scenario("idle", f"{IDLE:,} idle connections beside 64 active ones", KEEP_ALIVE, held=Held("hold", count=IDLE)),
    Scenario("hosts", f"requests to {HOSTS:,} hosts, each with a backend process, 64 connections", wrk(64, script=("hosts", str(HOSTS))),
             program="backend", hosts=tuple(f"h{i}.test" for i in range(HOSTS))),
    Scenario("slow", f"{SLOW} clients that read 1 MiB at 64 KiB/s beside 64 quick ones", KEEP_ALIVE, held=Held("sip", "/files/1m", MIB, count=SLOW)),
]
