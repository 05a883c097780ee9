import time

from bottle import request, route, run


@route("/")
def index():
    return "<b>Hello World</b>!"


@route("/echo", method="POST")
def echo():
    return request.body.read()


@route("/rows")
def rows():
    for row in range(1, 101):
        yield f"row {row}\n"
        time.sleep(int(request.query.get("ms", "50")) / 1000)


run(host="localhost", port=8080)
