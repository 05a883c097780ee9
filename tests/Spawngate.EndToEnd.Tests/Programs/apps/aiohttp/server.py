import asyncio

from aiohttp import WSMsgType, web


async def hello(request):
    return web.Response(text="Hello, world")


async def echo(request):
    return web.Response(body=await request.read())


async def rows(request):
    response = web.StreamResponse(headers={"Content-Type": "text/csv"})
    await response.prepare(request)
    for row in range(1, 101):
        await response.write(f"row {row}\n".encode())
        await asyncio.sleep(int(request.query.get("ms", 50)) / 1000)
    return response


async def websocket_handler(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for msg in ws:
        if msg.type == WSMsgType.TEXT:
            await ws.send_str(msg.data + "/answer")
    return ws


def init_func(argv):
    app = web.Application()
    app.add_routes([web.get("/", hello), web.post("/echo", echo), web.get("/rows", rows), web.get("/ws", websocket_handler)])
    return app
