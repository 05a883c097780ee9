import time

from flask import Flask, request

app = Flask(__name__)


@app.route("/")
def hello_world():
    return "<p>Hello, World!</p>"


@app.post("/echo")
def echo():
    return request.get_data()


@app.route("/rows")
def rows():
    pause = int(request.args.get("ms", 50)) / 1000

    def generate():
        for row in range(1, 101):
            yield f"row {row}\n"
            time.sleep(pause)

    return generate(), {"Content-Type": "text/csv"}


@app.route("/events")
def events():
    def generate():
        yield "data: first\n\n"
        time.sleep(3)
        yield "data: last\n\n"

    return generate(), {"Content-Type": "text/event-stream"}
