import asyncio

import tornado.web
import tornado.websocket


class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")

    def post(self):
        self.write(self.request.body)


class RowsHandler(tornado.web.RequestHandler):
    async def get(self):
        for row in range(1, 101):
            self.write(f"row {row}\n")
            await self.flush()
            await asyncio.sleep(int(self.get_argument("ms", "50")) / 1000)


class EchoWebSocket(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message("You said: " + message)


def make_app():
    return tornado.web.Application([(r"/", MainHandler), (r"/rows", RowsHandler), (r"/ws", EchoWebSocket)])


async def main():
    app = make_app()
    app.listen(8888)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
