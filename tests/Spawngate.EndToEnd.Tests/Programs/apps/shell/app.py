import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/" else 404)
        self.end_headers()
        self.wfile.write(os.environ["GREETING"].encode() + b"\n")


ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
