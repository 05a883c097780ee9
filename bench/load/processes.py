"""Child processes that end with us, free ports, and what /proc says of a process and its workers."""
import atexit
import ctypes
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
STOP_SECONDS = 8

_libc = ctypes.CDLL(None, use_errno=True)
_running = []
_given_ports = set()


class BenchError(Exception):
    """Something that makes the figures worthless; its text says what."""


def need(tools):
    """Ends with one message that names every missing program of {program: Debian package}."""
    missing = [f"{tool} (Debian: apt-get install {package})" for tool, package in tools.items() if not which(tool)]
    if missing:
        raise BenchError("missing: " + ", ".join(missing))


def which(tool):
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, tool)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def free_port():
    """A port that nobody listens on, from below the range the kernel takes clients' ports from, so that none of ten thousand clients takes it meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        top = min(int(f.read().split()[0]), 32768)
    for _ in range(10000):
        port = random.randrange(top // 2, top)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given_ports:
            _given_ports.add(port)
            return port
    raise BenchError("no loopback port is free")


def _die_with_parent():
    # A SIGKILL for the driver must not leave load generators behind. SIGTERM, so that who has children of its own can end them.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def start(command, log, environment=None, **options):
    """Starts a program in a process group of its own; its output goes to the file `log`."""
    with open(log, "ab") as out:
        options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out} | options
        child = subprocess.Popen(command, env={**os.environ, **(environment or {})}, start_new_session=True, preexec_fn=_die_with_parent, **options)
    child.log = log
    _running.append(child)
    return child


def stop(children):
    """Ends children: SIGTERM to all, SIGKILL to the groups of those that do not end."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(max(0.05, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            print(f"bench: {child.args[0]} did not end by itself", file=sys.stderr)
        # The group too: a helper that outlived its program ends here.
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        if child in _running:
            _running.remove(child)


def stop_all():
    stop(list(_running))


def end_cleanly():
    """Whatever ends this program ends its children; every file descriptor the kernel allows may be used; servers are found where Debian puts them."""
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", "/usr/bin:/bin"), "/usr/sbin", "/sbin"])
    atexit.register(stop_all)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(command, seconds, **options):
    """Runs a load generator to its end and returns its output; BenchError when it fails or takes longer than `seconds`."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                             preexec_fn=_die_with_parent, **options)
    _running.append(child)
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(command)} took longer than {seconds} s") from None
    finally:
        stop([child])
    if child.returncode != 0:
        raise BenchError(f"{' '.join(command)} ended with {child.returncode}: {err.strip() or out.strip()}")
    return out


def wait_for_port(port, child, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if child.poll() is not None:
                break
            time.sleep(0.02)
    with open(child.log, errors="replace") as f:
        raise BenchError(f"{child.args[0]} does not listen on {port}: {f.read()[-2000:].strip()}")


def fetch_json(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return json.load(answer)


def _read(path):
    try:
        with open(path) as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def family(pid):
    """The process and its descendants that run the same executable: workers and guards count, the backends a proxy has started do not."""
    def executable(p):
        try:
            return os.readlink(f"/proc/{p}/exe")
        except OSError:
            return None

    own, found, waiting = executable(pid), [], [pid]
    while waiting:
        p = waiting.pop()
        if executable(p) == own:
            found.append(p)
        for task in os.listdir(f"/proc/{p}/task") if os.path.isdir(f"/proc/{p}/task") else []:
            waiting += [int(c) for c in _read(f"/proc/{p}/task/{task}/children").split()]
    return found


def cpu_ticks(pids):
    """User and system time of all threads, in clock ticks."""
    total = 0
    for pid in pids:
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12]) if fields else 0
    return total


def resident_kib(pids):
    return sum(int(line.split()[1]) for pid in pids for line in _read(f"/proc/{pid}/status").splitlines() if line.startswith("VmRSS"))


def context_switches(pids):
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            total += sum(int(line.split()[1]) for line in _read(f"/proc/{pid}/task/{task}/status").splitlines() if "_ctxt_switches" in line)
    return total


class Watch:
    """What a family of processes uses while a `with` block runs: CPU seconds, context switches, the most resident memory that was seen."""

    def __init__(self, pids):
        self._pids = pids
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._done.wait(0.1):
            self.resident = max(self.resident, resident_kib(self._pids))

    def __enter__(self):
        self.resident = resident_kib(self._pids)
        self._switches = context_switches(self._pids)
        self._ticks = cpu_ticks(self._pids)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.cpu_seconds = (cpu_ticks(self._pids) - self._ticks) / TICKS_PER_SECOND
        self.switches = max(0, context_switches(self._pids) - self._switches)
        self._done.set()
        self._thread.join()
        self.resident = max(self.resident, resident_kib(self._pids))
