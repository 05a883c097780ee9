"""Python's hpack as the other side of ours.

Reads one JSON object per line: {"blocks": [hex of our encoder, ...], "fields": [[[name, value], ...], ...]}, one of both for each turn of a connection.
Answers with {"decoded": [[[name, value], ...], ...], "blocks": [hex of its own encoder, ...]}.
"""
import json
import sys

import hpack

for line in sys.stdin:
    story = json.loads(line)
    decoder = hpack.Decoder()
    encoder = hpack.Encoder()
    decoded = [
        [[name.decode("latin-1"), value.decode("latin-1")] for name, value in decoder.decode(bytes.fromhex(block), raw=True)]
        for block in story["blocks"]
    ]
    blocks = [
        encoder.encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields], huffman=turn % 2 == 0).hex()
        for turn, fields in enumerate(story["fields"])
    ]
    print(json.dumps({"decoded": decoded, "blocks": blocks}), flush=True)
