"""One document, named by the key of its session: keeps its text in memory and tells every browser what the others type. It runs while somebody has the document open.

Over its WebSocket come and go changes: {"version", "at", "remove", "insert"}. A change is taken if it was made to the latest version, else ignored: its
author is being told what others did, and sends it again on top of that.
"""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import signal
import socket
import struct
import threading

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
MESSAGE_BYTES_MAX = 1 << 20
SEND_TIMEOUT_SECS = 5
STORE = pathlib.Path(os.environ["STORE"]) / (hashlib.sha256(os.environ["SESSION_KEY"].encode()).hexdigest() + ".txt")


def units(text):
    """Positions are those of JavaScript, which counts UTF-16 units: the text is kept as such."""
    return text.encode("utf-16-le", "surrogatepass")


class Document:
    def __init__(self):
        self.lock = threading.Lock()
        self.text = units(STORE.read_text(encoding="utf-8")) if STORE.exists() else b""
        self.version = 0
        self.peers = set()

    def join(self, peer):
        with self.lock:
            self.peers.add(peer)
            peer.send({"version": self.version, "text": self.text.decode("utf-16-le", "surrogatepass")})
            self.tell({"peers": len(self.peers)})

    def leave(self, peer):
        with self.lock:
            self.peers.discard(peer)
            self.tell({"peers": len(self.peers)})

    def change(self, peer, version, at, remove, insert):
        with self.lock:
            if version != self.version or not 0 <= at <= at + remove <= len(self.text) // 2:
                return
            self.text = self.text[:2 * at] + units(insert) + self.text[2 * (at + remove):]
            self.version += 1
            for each in list(self.peers):
                each.send({"version": self.version, "at": at, "remove": remove, "insert": insert, "mine": each is peer})

    def save(self):
        with self.lock:
            STORE.parent.mkdir(exist_ok=True)
            STORE.write_text(self.text.decode("utf-16-le", "replace"), encoding="utf-8")

    def tell(self, message):
        for each in list(self.peers):
            each.send(message)


class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/health":
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.headers.get("Origin") != os.environ["PAGE"]:
            self.send_error(403)  # Browsers let every page open a WebSocket to everywhere; only ours may talk to this one.
        elif key := self.headers.get("Sec-WebSocket-Key"):
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode())
            self.end_headers()
            self.close_connection = True
            self.talk()
        else:
            self.send_error(426)

    def talk(self):
        # Who does not read must not keep the others waiting.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT_SECS, 0))
        try:
            document.join(self)
            message = b""
            while True:
                last, opcode, payload = self.read_frame()
                if opcode == CLOSE:
                    self.send_frame(CLOSE, payload)
                    return
                if opcode == PING:
                    self.send_frame(PONG, payload)
                elif opcode != PONG:
                    message += payload
                    if len(message) > MESSAGE_BYTES_MAX:
                        return
                    if last:
                        self.take(json.loads(message))
                        message = b""
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            pass  # It has left, or talks nonsense.
        finally:
            document.leave(self)

    def take(self, change):
        document.change(self, int(change["version"]), int(change["at"]), int(change["remove"]), str(change["insert"]))

    def send(self, message):
        try:
            self.send_frame(TEXT, json.dumps(message).encode())
        except OSError:
            self.abandon()

    def abandon(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)  # Its own thread notices.
        except OSError:
            pass

    def send_frame(self, opcode, payload):
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, length)
        elif length < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 126, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 127, length)
        self.wfile.write(head + payload)

    def read_frame(self):
        first, second = self.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.read(8))
        if not second & 0x80 or length > MESSAGE_BYTES_MAX:
            raise ValueError("a browser masks what it sends, and sends less")
        mask = self.read(4)
        return first & 0x80, first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.read(length)))

    def read(self, count):
        data = self.rfile.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def log_message(self, *_):
        pass


def end(*_):
    # Swept: nobody is connected any more. The next visitor gets a new process with this text.
    document.save()
    os._exit(0)


document = Document()
signal.signal(signal.SIGTERM, end)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Peer).serve_forever()
