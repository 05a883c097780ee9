"""A tab that somebody forgot, by the library `websockets`: python3 forgotten_tab.py HOST PORT MESSAGES; says so often something, twice a second,
then only pings, and prints with which code it was closed."""
import asyncio
import sys

import websockets

HOST, PORT, MESSAGES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def main():
    socket = await websockets.connect(f"ws://{HOST}/", host="127.0.0.1", port=PORT, ping_interval=0.2, ping_timeout=None)
    for number in range(MESSAGES):
        await asyncio.sleep(0.5)
        await socket.send(f"{number}")
        assert await socket.recv() == f"{number}"
    try:
        await socket.recv()
    except websockets.ConnectionClosed as closed:
        print(closed.rcvd.code if closed.rcvd else "cut", flush=True)


asyncio.run(asyncio.wait_for(main(), 60))
