"""One request at a time over kept connections, as the documentation of http.server has it."""
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/":
            self.answer(b"Hello from Python\n")
        elif url.path == "/rows":
            self.rows(float(parse_qs(url.query).get("ms", ["50"])[0]) / 1000)
        else:
            self.send_error(404)

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def rows(self, pause):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for row in range(1, 101):
            line = f"row {row}\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            time.sleep(pause)
        self.wfile.write(b"0\r\n\r\n")


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
