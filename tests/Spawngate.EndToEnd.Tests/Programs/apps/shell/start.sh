#!/bin/sh
# As many a start script: prepares something, then runs the server as its child.
set -e
export GREETING="Hello from a script"
mkdir -p tmp
python3 app.py
