"""Forty uploads at once over one connection of python's h2, each mirrored by the backend; says "done" when all came back whole.

    h2_client.py PORT HOST
"""
import socket
import sys

import h2.config
import h2.connection
import h2.events

STREAMS = 40

port, host = int(sys.argv[1]), sys.argv[2]
connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
connection.initiate_connection()
sending, received, statuses, ended = {}, {}, {}, set()
bodies = {}
for number in range(STREAMS):
    stream = connection.get_next_available_stream_id()
    connection.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":authority", host), (":path", "/mirror"), ("cookie", "a=b"), ("cookie", "c=d")])
    bodies[stream] = bytes((stream * 7 + i) % 251 for i in range(5000 * number))
    sending[stream] = bodies[stream]
    received[stream] = b""

# Not before all of it is at hand: on a busy machine that takes longer than a client may be silent.
peer = socket.create_connection(("127.0.0.1", port))
peer.settimeout(60)


def push():
    """Sends what windows allow, of every stream in turn."""
    for stream in list(sending):
        while stream in sending:
            rest = sending[stream]
            room = min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size)
            if room == 0 and rest:
                break
            connection.send_data(stream, rest[:room], end_stream=len(rest) <= room)
            sending[stream] = rest[room:]
            if not sending[stream]:
                del sending[stream]
    peer.sendall(connection.data_to_send())


push()
while len(ended) < STREAMS:
    data = peer.recv(65536)
    if not data:
        sys.exit("the gateway closed the connection")
    for event in connection.receive_data(data):
        if isinstance(event, h2.events.ResponseReceived):
            statuses[event.stream_id] = dict(event.headers)[":status"]
        elif isinstance(event, h2.events.DataReceived):
            received[event.stream_id] += event.data
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            ended.add(event.stream_id)
        elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
            sys.exit(f"ended by the gateway: {event}")
    push()
if set(statuses.values()) != {"200"} or received != bodies:
    sys.exit(f"wrong answers: {statuses}")
connection.close_connection()
peer.sendall(connection.data_to_send())
print("done")
