#!/usr/bin/env python3
"""
Load that wrk and h2load cannot make; prints one line of JSON. Every answer is checked, and any that is wrong ends the program with status 1.

  client.py download PORT PATH BYTES CONNECTIONS SECONDS     whole answers of BYTES, thrown away in the kernel
  client.py upload PORT length|BYTES-OF-A-CHUNK BYTES CONNECTIONS SECONDS
  client.py websocket PORT BYTES CONNECTIONS SECONDS         messages back and forth, one under way on each connection
  client.py hold PORT CONNECTIONS                            one request on each; prints "held", then keeps them until standard input ends
  client.py sip PORT PATH BYTES CONNECTIONS                  reads answers at 64 KiB/s each; prints "held", then goes on until standard input ends
"""
import json
import math
import select
import socket
import struct
import sys
import threading
import time

HELLO = b"Hello, World!"
DISCARD = bytearray(1 << 20)
BLOCK = bytes(1 << 20)
SIP_BYTES = 3277
SIP_SECONDS = 0.05


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), 20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_head(s):
    """The status and the length of an answer, and what has come of its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            raise ValueError(f"the connection ended after {data[:200]!r}")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    length = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
    return int(lines[0].split()[1]), length[0] if length else 0, rest


def expect(condition, what):
    if not condition:
        raise ValueError(what)


def small_body(s):
    status, length, rest = read_head(s)
    while len(rest) < length:
        rest += s.recv(65536)
    expect(status == 200, f"status {status}: {rest[:200]!r}")
    return rest


def download(s, path, size):
    s.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode())
    status, length, rest = read_head(s)
    expect(status == 200 and length == size, f"status {status}, length {length} instead of {size}")
    left = size - len(rest)
    while left:
        count = s.recv_into(DISCARD, min(left, len(DISCARD)), socket.MSG_TRUNC)
        expect(count, f"the connection ended {left} bytes early")
        left -= count


def upload(s, framing, size):
    chunk = 0 if framing == "length" else int(framing)
    fields = "Transfer-Encoding: chunked" if chunk else f"Content-Length: {size}"
    block = (b"%x\r\n" % chunk + bytes(chunk) + b"\r\n") * (len(BLOCK) // chunk) if chunk else BLOCK
    s.sendall(f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n\r\n".encode())
    for _ in range(size // len(BLOCK)):
        s.sendall(block)
    if chunk:
        s.sendall(b"0\r\n\r\n")
    body = small_body(s)
    expect(body == b"%d" % size, f"the backend counted {body!r} bytes instead of {size}")


def in_threads(port, connections, seconds, work):
    """Calls `work` with a connection again and again, in one thread for each connection, until the time is over; returns how long each call took."""
    took, failures = [], []
    end = time.monotonic() + seconds

    def go():
        try:
            with connect(port) as s:
                while time.monotonic() < end and not failures:
                    began = time.perf_counter()
                    work(s)
                    took.append(time.perf_counter() - began)
        except (OSError, ValueError) as error:
            failures.append(str(error) or repr(error))

    threads = [threading.Thread(target=go) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise ValueError(failures[0])
    return took


def percentile(ordered, percent):
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]


def figures(took, bytes_each, seconds):
    ordered = sorted(took)
    return {"count": len(took), "bytes": len(took) * bytes_each, "seconds": seconds,
            "p50": percentile(ordered, 50) * 1e6, "p99": percentile(ordered, 99) * 1e6, "p999": percentile(ordered, 99.9) * 1e6}


class WebSocketClient:
    """One connection with one message under way. The mask is zero, so the answer is the message with a shorter header."""

    def __init__(self, port, size):
        lengths = struct.pack("!B", size) if size < 126 else struct.pack("!BH", 126, size) if size < 65536 else struct.pack("!BQ", 127, size)
        payload = bytes(i % 251 for i in range(size))
        self.message = b"\x82" + bytes([lengths[0] | 128]) + lengths[1:] + bytes(4) + payload
        self.answer = b"\x82" + lengths + payload
        self.socket = connect(port)
        self.socket.sendall(b"GET /websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        status, _, rest = read_head(self.socket)
        expect(status == 101 and not rest, f"status {status} instead of 101")
        self.buffer = bytearray(len(self.answer))
        self.view = memoryview(self.buffer)
        self.got = 0

    def send(self):
        self.began = time.perf_counter()
        self.socket.sendall(self.message)

    def receive(self):
        """True when the whole answer is there."""
        count = self.socket.recv_into(self.view[self.got:])
        expect(count, "the connection ended")
        self.got += count
        if self.got < len(self.answer):
            return False
        expect(self.buffer == self.answer, "the echo is not what was sent")
        self.got = 0
        return True


def websocket(port, size, connections, seconds):
    clients = [WebSocketClient(port, size) for _ in range(connections)]
    by_descriptor = {c.socket.fileno(): c for c in clients}
    poll = select.epoll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    took, under_way = [], connections
    began = time.monotonic()
    end = began + seconds
    for client in clients:
        client.send()
    while under_way:
        events = poll.poll(10)
        expect(events, "no message came for 10 s")
        for descriptor, _ in events:
            client = by_descriptor[descriptor]
            if not client.receive():
                continue
            took.append(time.perf_counter() - client.began)
            if time.monotonic() < end:
                client.send()
            else:
                under_way -= 1
    return figures(took, size, time.monotonic() - began)


def hold(port, connections):
    held = []
    for _ in range(connections):
        s = connect(port)
        s.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        expect(small_body(s) == HELLO, "another body")
        held.append(s)
    print("held", flush=True)
    sys.stdin.read()
    for s in held:
        s.setblocking(False)
        try:
            expect(s.recv(1), "the proxy closed a connection that was held")
        except BlockingIOError:
            pass


def sip(port, path, size, connections):
    """Small receive buffers and small reads, so that the proxy has to hold back."""
    clients = []
    for _ in range(connections):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", port))
        s.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode())
        status, length, rest = read_head(s)
        expect(status == 200 and length == size, f"status {status}, length {length}")
        clients.append([s, size - len(rest)])
    print("held", flush=True)
    while not select.select([sys.stdin], [], [], SIP_SECONDS)[0]:
        for client in clients:
            s, left = client
            # An answer that is over is asked for again.
            if left == 0:
                s.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode())
                status, length, rest = read_head(s)
                expect(status == 200 and length == size, f"status {status}, length {length}")
                client[1] = size - len(rest)
            else:
                count = len(s.recv(min(SIP_BYTES, left)))
                expect(count, f"the connection ended {left} bytes early")
                client[1] -= count


def main(mode, port, *rest):
    port = int(port)
    began = time.monotonic()
    if mode in ("download", "upload"):
        what, size, connections, seconds = rest[0], int(rest[1]), int(rest[2]), float(rest[3])
        work = download if mode == "download" else upload
        took = in_threads(port, connections, seconds, lambda s: work(s, what, size))
        print(json.dumps(figures(took, size, time.monotonic() - began)))
    elif mode == "websocket":
        print(json.dumps(websocket(port, int(rest[0]), int(rest[1]), float(rest[2]))))
    elif mode == "hold":
        hold(port, int(rest[0]))
    elif mode == "sip":
        sip(port, rest[0], int(rest[1]), int(rest[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as problem:
        sys.exit(f"client.py {' '.join(sys.argv[1:])}: {problem!r}")
