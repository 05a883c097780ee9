"""A client over one connection that looks at every byte of its answers: HTTP/1.1, WebSocket, and the little of HTTP/2 that fits on a page."""
import hashlib
import socket
import struct

PATIENCE_SECONDS = 60  # for a machine with much else to do; nothing here takes long on an idle one
PATTERN_BYTES = 4 << 20
READ_BYTES = 1 << 18


class Wrong(Exception):
    """An answer that is not what it should be."""


def pattern():
    """What the test backend sends from /bytes: a function of the offset alone."""
    return bytes([(i ^ i >> 7 ^ i >> 15 ^ i % 251) & 255 for i in range(PATTERN_BYTES)])


def expect(condition, what):
    if not condition:
        raise Wrong(what)


class Connection:
    """HTTP/1.1."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._held = b""

    def close(self):
        self.socket.close()

    def reset(self):
        """Leaves without a goodbye: what is on the way is thrown away, and the peer is told by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, host, target, method="GET", fields=""):
        self.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode())

    def _fill(self):
        more = self.socket.recv(READ_BYTES)
        expect(more, f"the connection ended after {self._held[:200]!r}")
        self._held += more

    def read_line(self):
        while b"\r\n" not in self._held:
            self._fill()
        line, _, self._held = self._held.partition(b"\r\n")
        return line

    def read_exactly(self, count):
        while len(self._held) < count:
            self._fill()
        data, self._held = self._held[:count], self._held[count:]
        return data

    def read_head(self):
        """The status and the fields by their names in lower case."""
        status = int(self.read_line().split()[1])
        fields = {}
        while line := self.read_line():
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        return status, fields

    def pieces(self, fields):
        """The body, piece by piece, by whichever framing its head announces."""
        if "chunked" in fields.get("transfer-encoding", ""):
            while size := int(self.read_line(), 16):
                yield self.read_exactly(size)
                expect(self.read_line() == b"", "a chunk does not end where it should")
            expect(self.read_line() == b"", "there are trailers")
        elif "content-length" in fields:
            left = int(fields["content-length"])
            while left:
                if not self._held:
                    self._fill()
                piece, self._held = self._held[:left], self._held[left:]
                left -= len(piece)
                yield piece
        else:
            while True:
                if self._held:
                    yield self._held
                self._held = self.socket.recv(READ_BYTES)
                if not self._held:
                    return

    def answer(self, status=200, method="GET"):
        """The body of an answer that has to have that status."""
        found, fields = self.read_head()
        body = b"" if method == "HEAD" or found in (204, 304) else b"".join(self.pieces(fields))
        expect(found == status, f"status {found} instead of {status}: {body[:200]!r}")
        return body

    def expect_pattern(self, wanted, count):
        """An answer of 200 with the first `count` bytes of the pattern."""
        status, fields = self.read_head()
        expect(status == 200, f"status {status}")
        at = 0
        for piece in self.pieces(fields):
            expect(piece == wanted[at:at + len(piece)], f"wrong bytes at {at} of {count}")
            at += len(piece)
        expect(at == count, f"{at} bytes instead of {count}")

    def expect_received(self, body):
        """The test backend's answer to /upload: how much it got, and its hash."""
        text = self.answer().decode()
        wanted = f"{len(body)} {hashlib.sha256(body).hexdigest()}"
        expect(text == wanted, f"the backend got {text} instead of {wanted}")

    def chunk(self, data):
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def to_websocket(self, host, target):
        self.ask(host, target, fields="Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
        status, fields = self.read_head()
        expect(status == 101 and fields["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", f"no WebSocket: {status}")

    def message(self, payload, opcode=2):
        """A frame and what comes back. A mask of zeros leaves the payload as it is (RFC 6455 section 5.3)."""
        size = len(payload)
        length = struct.pack("!B", size) if size < 126 else struct.pack("!BH", 126, size) if size < 65536 else struct.pack("!BQ", 127, size)
        first = bytes([0x80 | opcode])
        self.send(first + bytes([length[0] | 0x80]) + length[1:] + bytes(4) + payload)
        expect(self.read_exactly(1 + len(length) + size) == first + length + payload, f"a message of {size} bytes came back changed")


class Http2:
    """HTTP/2 with prior knowledge, one stream at a time; answers are read to their end, or cancelled (RFC 9113)."""

    DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
    WINDOW = 1 << 20

    def __init__(self, port):
        self._connection = Connection(port)
        self._next = 1
        window = struct.pack("!HI", 4, self.WINDOW)  # SETTINGS_INITIAL_WINDOW_SIZE
        self._connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self._frame(self.SETTINGS, 0, 0, window))

    def close(self):
        self._connection.close()

    @staticmethod
    def _frame(kind, flags, stream, payload=b""):
        return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload

    def _read_frame(self):
        head = self._connection.read_exactly(9)
        length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self._connection.read_exactly(length)
        if kind == self.SETTINGS and not flags & 1:
            self._connection.send(self._frame(self.SETTINGS, 1, 0))
        expect(kind not in (self.GOAWAY, self.RST_STREAM), f"frame {kind} for stream {stream}: {payload[:40]!r}")
        return kind, flags, stream, payload

    def ask(self, host, path):
        """Opens a stream with a GET: fields from the static table, and literals that enter no table (RFC 7541)."""
        stream, self._next = self._next, self._next + 2
        block = b"\x82\x86" + b"\x04" + bytes([len(path)]) + path.encode() + b"\x01" + bytes([len(host)]) + host.encode()
        self._connection.send(self._frame(self.HEADERS, 5, stream, block))
        return stream

    def expect_pattern(self, stream, wanted, count):
        """The answer of a stream: 200 and the first `count` bytes of the pattern."""
        at = 0
        while True:
            kind, flags, number, payload = self._read_frame()
            if number == stream and kind == self.HEADERS:
                expect(payload[:1] == b"\x88", f"no status 200 first in {payload[:10]!r}")
            if kind == self.DATA and payload:
                self._connection.send(self._frame(self.WINDOW_UPDATE, 0, 0, struct.pack("!I", len(payload))))
            if number == stream and kind == self.DATA:
                expect(payload == wanted[at:at + len(payload)], f"wrong bytes at {at} of {count}")
                at += len(payload)
            if number == stream and kind in (self.DATA, self.HEADERS) and flags & 1:
                expect(at == count, f"{at} bytes instead of {count}")
                return

    def cancel_in_the_middle(self, stream):
        """Waits for the first data of a stream and resets it: CANCEL (RFC 9113 section 7)."""
        while True:
            kind, _, number, _ = self._read_frame()
            if kind == self.DATA and number == stream:
                self._connection.send(self._frame(self.RST_STREAM, 0, stream, struct.pack("!I", 8)))
                return
