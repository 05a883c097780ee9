"""A web application as many are written: POST /job is answered with 202 and done behind the answer, by a thread that says that it works."""
import http.server
import os
import threading
import time
import urllib.request

BUSY_URL = os.environ["SPAWNGATE_BUSY_URL"]
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def hold(secs):
    OPENER.open(urllib.request.Request(f"{BUSY_URL}?secs={secs}", method="POST"), timeout=10).close()


def work(name):
    for step in range(8):
        hold(3)
        print(f"step {step} of {name}", flush=True)
        time.sleep(0.5)
    with open(name, "w") as done:
        done.write("done")
    hold(0)
    print(f"done with {name}", flush=True)


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, f"{os.getpid()}")

    def do_POST(self):
        threading.Thread(target=work, args=(self.headers["X-File"],)).start()
        self.answer(202, "accepted")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Application).serve_forever()
