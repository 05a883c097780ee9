"""A WSGI application without a framework, as the documentation of gunicorn begins with."""
import time
from urllib.parse import parse_qs


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/rows":
        start_response("200 OK", [("Content-Type", "text/csv")])
        return rows(int(parse_qs(environ["QUERY_STRING"]).get("ms", ["50"])[0]) / 1000)
    if path == "/echo":
        data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    elif path == "/":
        data = b"Hello, World!\n"
    else:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]


def rows(pause):
    for row in range(1, 101):
        yield b"row %d\n" % row
        time.sleep(pause)
