"""
What the clients of a mixed load do. A kind makes a function that does its thing once, of some random size; it raises what is wrong. Kinds that leave before they have
their answer say so by returning LEFT: they are counted apart.
"""
import contextlib
import math
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request

from wire import PATIENCE_SECONDS, PATTERN_BYTES, Connection, Http2, Wrong, expect, pattern

LEFT = "left"
WORK = "127.0.0.1"  # runs all the time; its name is what h2load puts into its requests
COLD = [f"cold{i}.test" for i in range(6)]
PASSING = "passing.test"  # comes and goes with every second reload
PIPELINED = 16
CROWD = 8
KIB = 1 << 10


def size(random, most=PATTERN_BYTES):
    """Any order of magnitude is as likely as any other, none at all included."""
    return int(math.exp(random.uniform(0, math.log(most + 1)))) - 1


class Kept:
    """A connection that is used again until something goes wrong on it, or for as long as it is asked to."""

    def __init__(self, make, uses):
        self._make, self._uses, self._left, self._open = make, uses, 0, None

    @contextlib.contextmanager
    def use(self):
        if self._open is None:
            self._open, self._left = self._make(), self._uses
        try:
            yield self._open
        except BaseException:
            self.close()
            raise
        self._left -= 1
        if self._left <= 0:
            self.close()

    def close(self):
        if self._open is not None:
            self._open.close()
            self._open = None


def keep_alive(site, random):
    kept = [Kept(lambda: Connection(site.port), 2000) for _ in range(8)]
    sorts = [("GET", "/", 200), ("GET", "/status?code=200", 200), ("HEAD", "/bytes?n=1000", 200), ("GET", "/status?code=204", 204), ("GET", "/status?code=404", 404),
             ("GET", "/1xx", 200), ("DELETE", "/status?code=200", 200)]

    def once():
        method, target, status = random.choice(sorts)
        with random.choice(kept).use() as c:
            c.ask(WORK, target, method)
            while target == "/1xx" and (interim := c.read_head()[0]) != status:
                expect(interim == 103, f"status {interim} instead of 103")
            if target == "/1xx":
                expect(c.read_exactly(5) == b"final", "the wrong answer after 103")
            else:
                c.answer(status, method)
    return once


def fresh(site, random):
    def once():
        with contextlib.closing(Connection(site.port)) as c:
            count = size(random, 10 * KIB)
            c.ask(WORK, f"/bytes?n={count}", fields=random.choice(["", "Connection: close\r\n"]))
            c.expect_pattern(site.pattern, count)
    return once


def pipelined(site, random):
    kept = Kept(lambda: Connection(site.port), 500)

    def once():
        sizes = [size(random, 2 * KIB) for _ in range(PIPELINED)]
        with kept.use() as c:
            c.send("".join(f"GET /bytes?n={n} HTTP/1.1\r\nHost: {WORK}\r\n\r\n" for n in sizes).encode())
            for count in sizes:
                c.expect_pattern(site.pattern, count)
    return once


def download(site, random):
    kept = Kept(lambda: Connection(site.port), 50)

    def once():
        count, framing = size(random), random.choice(["length", "chunked", "close"])
        with kept.use() if framing != "close" else contextlib.closing(Connection(site.port)) as c:
            c.ask(WORK, f"/bytes?n={count}&framing={framing}&chunk={random.choice([100, 5000, 32768])}")
            c.expect_pattern(site.pattern, count)
    return once


def upload(site, random):
    kept = Kept(lambda: Connection(site.port), 50)

    def once():
        body = site.pattern[:size(random)]
        with kept.use() as c:
            if random.random() < 0.5:
                c.ask(WORK, "/upload", "POST", f"Content-Length: {len(body)}\r\n")
                c.send(body)
            else:
                c.ask(WORK, "/upload", "POST", "Transfer-Encoding: chunked\r\n")
                step = random.choice([1000, 16 * KIB, 100_000])
                for at in range(0, len(body), step):
                    c.chunk(body[at:at + step])
                c.send(b"0\r\n\r\n")
            c.expect_received(body)
    return once


def mirror(site, random):
    """Both bodies are under way at once; less than the sockets on the way hold, since this client does one thing after the other."""
    kept = Kept(lambda: Connection(site.port), 50)

    def once():
        body = site.pattern[:size(random, 60 * KIB)]
        with kept.use() as c:
            c.ask(WORK, "/mirror", "POST", f"Content-Length: {len(body)}\r\n")
            c.send(body)
            c.expect_pattern(site.pattern, len(body))
    return once


def websocket(site, random):
    def opened():
        c = Connection(site.port)
        c.to_websocket(WORK, "/ws")
        return c

    kept = [Kept(opened, 300) for _ in range(8)]

    def once():
        with random.choice(kept).use() as c:
            c.message(site.pattern[:size(random, 100 * KIB)])
    return once


def h2c(site, random):
    kept = Kept(lambda: Http2(site.port), 1000)

    def once():
        count = size(random, 200 * KIB)
        with kept.use() as c:
            c.expect_pattern(c.ask(WORK, f"/bytes?n={count}"), site.pattern, count)
    return once


def h2c_burst(site, random):
    """Many streams at once on several connections, by h2load: an upload of 20 KB for each when it is given a file."""
    file = os.path.join(site.work, "20k")
    with open(file, "wb") as f:
        f.write(site.pattern[:20_000])

    def once():
        requests = 400
        task = random.choice([[f"http://{WORK}:{site.port}/bytes?n=500"], ["-d", file, f"http://{WORK}:{site.port}/upload"]])
        done = subprocess.run(["h2load", "-t1", "-c4", "-m32", f"-n{requests}", *task], capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS)
        expect(f"{requests} succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, f"h2load: {done.stdout[-1000:]}{done.stderr[-200:]}")
    return once


def slow(site, random):
    """Clients that take seconds for what others do at once: with the head, with the body, with reading the answer."""
    def once():
        with contextlib.closing(Connection(site.port)) as c:
            sort = random.choice(["head", "body", "reading"])
            if sort == "head":
                text = f"GET /bytes?n=1000 HTTP/1.1\r\nHost: {WORK}\r\nX-Padding: {'x' * 100}\r\n\r\n".encode()
                for at in range(0, len(text), 20):
                    c.send(text[at:at + 20])
                    site.pause(0.2)
                c.expect_pattern(site.pattern, 1000)
            elif sort == "body":
                body = site.pattern[:20 * KIB]
                c.ask(WORK, "/upload", "POST", f"Content-Length: {len(body)}\r\n")
                for at in range(0, len(body), KIB):
                    c.send(body[at:at + KIB])
                    site.pause(0.1)
                c.expect_received(body)
            else:
                c.ask(WORK, f"/bytes?n={512 * KIB}")
                status, _ = c.read_head()
                expect(status == 200, f"status {status}")
                for at in range(0, 512 * KIB, 16 * KIB):
                    expect(c.read_exactly(16 * KIB) == site.pattern[at:at + 16 * KIB], f"wrong bytes at {at}")
                    site.pause(0.08)
    return once


def early(site, random):
    """Clients that leave: in the middle of everything, by an orderly close or by a reset, also while a backend starts for them."""
    def half_a_head(c):
        c.send(b"GET /bytes?n=1 HTTP/1.1\r\nHost: 127.0")

    def without_waiting(c):
        c.ask(WORK, "/slow?headMs=300")

    def in_the_download(c):
        c.ask(WORK, f"/bytes?n={PATTERN_BYTES}")
        c.read_head()

    def in_the_upload(c):
        c.ask(WORK, "/upload", "POST", "Content-Length: 1000000\r\n")
        c.send(site.pattern[:300_000])

    def in_a_chunk(c):
        c.ask(WORK, "/upload", "POST", "Transfer-Encoding: chunked\r\n")
        c.send(b"1000\r\nhalf")

    def in_a_tunnel(c):
        c.to_websocket(WORK, "/ws")
        c.send(b"\x82\xfe\x10")

    def before_the_start(c):
        c.ask(random.choice(COLD), "/")

    def in_a_stream():
        with contextlib.closing(Http2(site.port)) as c:
            c.cancel_in_the_middle(c.ask(WORK, f"/bytes?n={PATTERN_BYTES}"))
            # The connection is none the worse for it.
            c.expect_pattern(c.ask(WORK, "/bytes?n=1000"), site.pattern, 1000)
            c.ask(WORK, "/slow?headMs=300")

    def once():
        way = random.choice([half_a_head, without_waiting, in_the_download, in_the_upload, in_a_chunk, in_a_tunnel, before_the_start, in_a_stream])
        if way is in_a_stream:
            way()
            return LEFT
        c = Connection(site.port)
        try:
            way(c)
        finally:
            random.choice([c.close, c.reset])()
        return LEFT
    return once


def cold(site, random):
    """A backend that is stopped, most of the time: asked by one, or by several at once, who must all meet the same process."""
    turn = 0

    def once():
        nonlocal turn
        host, turn = COLD[turn % len(COLD)], turn + 1
        clients = [Connection(site.port) for _ in range(random.choice([1, 1, CROWD]))]
        with contextlib.ExitStack() as stack:
            for c in clients:
                stack.enter_context(contextlib.closing(c))
                c.ask(host, "/")
            found = {re.search(rb'"pid":(\d+)', c.answer())[1] for c in clients}
            expect(len(found) == 1, f"{len(clients)} requests at once met {len(found)} processes")
    return once


def reload(site, random):
    """A host comes and goes, and settings change under everything else."""
    number = 0

    def status():
        with contextlib.closing(Connection(site.port)) as c:
            c.ask(PASSING, "/status?code=200")
            found, fields = c.read_head()
            b"".join(c.pieces(fields))
            return found

    def once():
        nonlocal number
        number += 1
        site.configure(number)
        os.kill(site.gateway.pid, signal.SIGHUP)
        wanted, end = 200 if number % 2 else 404, time.monotonic() + PATIENCE_SECONDS
        while (found := status()) != wanted:
            expect(found in (200, 404, 503) and time.monotonic() < end, f"{PASSING} has status {found} and not {wanted} after a reload")
            site.pause(0.05)
    return once


def admin(site, random):
    """Somebody looks at the dashboard."""
    def once():
        for path in ("backends", "metrics"):
            with urllib.request.urlopen(f"http://127.0.0.1:{site.admin_port}/{path}", timeout=PATIENCE_SECONDS) as answer:
                expect(answer.status == 200 and len(answer.read()) > 100, f"/{path} has no content")
    return once


# How often each is done in a second. All together take about a third of a core, of which the gateway has some half.
RATES = {keep_alive: 250, fresh: 60, pipelined: 10, download: 8, upload: 6, mirror: 15, websocket: 100, h2c: 40, h2c_burst: 0.3, slow: 1.5, early: 10, cold: 1.2,
         reload: 0.1, admin: 0.2}
AT_ONCE = {slow: 4}  # Whose one takes longer than the next may wait.


class Tally:
    """What was done, by kind; shared by the threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self.done, self.left, self.errors, self.error_count = {}, {}, [], 0

    def count(self, kind, outcome):
        with self._lock:
            counts = self.left if outcome == LEFT else self.done
            counts[kind] = counts.get(kind, 0) + 1

    def error(self, kind, problem):
        with self._lock:
            self.error_count += 1
            if len(self.errors) < 20:
                self.errors.append(f"{time.strftime('%H:%M:%S')} {kind}: {problem}")


class Traffic:
    """Threads that keep to the rates until they are told to stop."""

    def __init__(self, site, seed_random, tally):
        self._site, self._tally = site, tally
        self._threads = []
        for kind, rate in RATES.items():
            for index in range(AT_ONCE.get(kind, 1)):
                once = kind(site, seed_random(f"{kind.__name__} {index}"))
                random = seed_random(f"pace of {kind.__name__} {index}")
                self._threads.append(threading.Thread(target=self._go, args=(kind.__name__, once, rate / AT_ONCE.get(kind, 1), random), daemon=True))

    def start(self):
        for thread in self._threads:
            thread.start()

    def join(self):
        for thread in self._threads:
            thread.join(2 * PATIENCE_SECONDS)
        return not any(thread.is_alive() for thread in self._threads)

    def _go(self, name, once, rate, random):
        due = time.monotonic() + random.random() / rate
        while not self._site.ended(due - time.monotonic()):
            try:
                self._tally.count(name, once())
            except (OSError, Wrong, ValueError, KeyError, TypeError, IndexError, subprocess.SubprocessError) as problem:
                self._tally.error(name, f"{type(problem).__name__}: {problem}")
            # Who is late does not hurry: the load is to be even.
            due = max(due, time.monotonic() - 1) + random.uniform(0.5, 1.5) / rate


__all__ = ["COLD", "PASSING", "RATES", "WORK", "Tally", "Traffic", "pattern"]
