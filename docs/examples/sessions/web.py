"""The web application: serves the page, has a session made for a document, and passes its states on to the browser.

The browser never talks to the admin API: it has no business there, and the token stays here.
"""

import http.server
import json
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request

API = os.environ["API"]
TOKEN = os.environ.get("API_TOKEN")
PAGE = pathlib.Path(__file__).with_name("page.html")
NAME_CHARS_MAX = 100


def api(method, path, body=None, last_event_id=None):
    request = urllib.request.Request(API + path, method=method, data=None if body is None else json.dumps(body).encode())
    if body is not None:
        request.add_header("Content-Type", "application/json")
    if TOKEN:
        request.add_header("Authorization", "Bearer " + TOKEN)
    if last_event_id:
        request.add_header("Last-Event-ID", last_event_id)
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            self.answer(200, "text/plain", b"ok")
        elif self.path == "/":
            self.answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
        elif self.path.startswith("/follow/"):
            self.follow(self.path.removeprefix("/follow/"))
        else:
            self.answer(404, "text/plain", b"no such page")

    def do_POST(self):
        # Here a real application asks who the visitor is, and whether the document may be opened.
        document = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 4 * NAME_CHARS_MAX)).decode(errors="replace")
        if self.path != "/open" or not 0 < len(document) <= NAME_CHARS_MAX or not document.isprintable():
            return self.answer(400, "text/plain", b"open what?")
        try:
            # The same key, the same process: however many visitors open a document at once.
            with api("POST", "/spawn", {"template": "document", "key": document}) as spawned:
                session = json.load(spawned)
        except urllib.error.HTTPError as error:
            return self.answer(error.code, "application/json", error.read())
        answer = {"url": session["url"], "follow": "/follow/" + session["name"], "spawned": session["spawned"]}
        self.answer(200, "application/json", json.dumps(answer).encode())

    def follow(self, name):
        """Passes the session's states on as they come."""
        try:
            states = api("GET", f"/backend/{urllib.parse.quote(name, safe='')}/status/stream", last_event_id=self.headers.get("Last-Event-ID"))
        except urllib.error.HTTPError as error:
            return self.answer(error.code, "application/json", error.read())
        with states:
            self.send_response(states.status)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                for line in states:
                    self.wfile.write(line)
            except (BrokenPipeError, ConnectionResetError):
                pass  # The browser knows enough.

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Web).serve_forever()
