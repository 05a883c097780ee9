#!/usr/bin/env python3
"""
Makes terminal.svg, the picture of the README, from a run that it records: the commands below are given to a shell one by one, and what they print is
what the picture shows, at the times at which it came. Needs artifacts/spawngate, curl and pgrep, and the ports 8080 and 9999.

    docs/images/terminal.py            writes docs/images/terminal.svg
"""
import html
import os
import re
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ARTIFACTS = os.path.join(HERE, "..", "..", "artifacts")
CONFIG = """[backends."hello.localhost"]
command = "spawngate"
args = ["hello"]
idle_timeout_secs = 4

[server]
port = 8080
"""
LOOK = "pgrep -f 'spawngate hello' || echo nothing runs"
COMMANDS = [  # (what is typed, whether its output is shown, how long to look at it before the next)
    ("head -4 config.toml", True, 2.0),
    ("spawngate 2> log &", False, 1.0),
    (LOOK, True, 1.5),
    ("curl -s -w 'after %{time_total} s\\n' http://hello.localhost:8080/ | grep -E '^(Hello|pid|after)'", True, 2.0),
    (LOOK, True, 1.5),
    ("sleep 5", True, 0.5),
    (LOOK, True, 1.0),
    ("spawngate explain hello.localhost | grep -E ' is |last stop'", True, 4.0),
]
TYPING_SECONDS = 0.02  # for each character
LINE, CHARACTER, MARGIN = 21, 8.43, 20


def record():
    """Lines of (text, whether it was typed, seconds at which it came)."""
    lines, now = [], 0.5
    with tempfile.TemporaryDirectory() as work:
        with open(os.path.join(work, "config.toml"), "w") as f:
            f.write(CONFIG)
        environment = os.environ | {"PATH": os.path.abspath(ARTIFACTS) + os.pathsep + os.environ["PATH"]}
        shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=work, env=environment)
        try:
            for command, is_shown, pause in COMMANDS:
                now += len(command) * TYPING_SECONDS
                lines.append((command, True, now))
                began = time.monotonic()
                shell.stdin.write(f"{command}\necho END\n")
                shell.stdin.flush()
                while (line := shell.stdout.readline()) and not line.endswith("END\n"):
                    lines += [(line.rstrip("\n"), False, now + time.monotonic() - began)] * is_shown
                now += time.monotonic() - began + pause
                time.sleep(min(pause, 0.7))
        finally:
            shell.stdin.write("kill %1; wait\nexit\n")
            shell.stdin.close()
            shell.wait(20)
    return lines, now


def svg(lines, seconds):
    """Every line is there from the beginning; the animation only hides it until its time. Without animation all of it can be read."""
    width = int(2 * MARGIN + CHARACTER * max(len(text) + 2 for text, _, _ in lines))
    height = LINE * len(lines) + 2 * MARGIN + 10
    rules, texts = [], []
    for i, (text, is_typed, at) in enumerate(lines):
        share = 100 * at / seconds
        rules.append(f"@keyframes l{i}{{0%,{share:.2f}%{{opacity:0}}{share + 0.01:.2f}%,100%{{opacity:1}}}}#l{i}{{animation:l{i} {seconds:.1f}s step-end infinite}}")
        shown = f'<tspan class="p">$</tspan> {html.escape(text)}' if is_typed else html.escape(text)
        texts.append(f'<text id="l{i}" class="{"c" if is_typed else "o"}" x="{MARGIN}" y="{MARGIN + 16 + i * LINE}">{shown}</text>')
    style = ("text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}"
             ".c{fill:#e6edf3}.o{fill:#9da7b3}.p{fill:#3fb950}" + "".join(rules) + "@media (prefers-reduced-motion:reduce){text{animation:none!important}}")
    told = "\n".join(("$ " if typed else "") + text for text, typed, _ in lines)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">\n'
            f"<title>A terminal: nothing runs, a request is answered, a process runs, five seconds later nothing runs</title>\n<desc>{html.escape(told)}</desc>\n"
            f"<style>{style}</style>\n" f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n' + "\n".join(texts) + "\n</svg>\n")


if __name__ == "__main__":
    recorded, total = record()
    recorded = [(re.sub(r"\x1b\[[0-9;]*m", "", text), typed, at) for text, typed, at in recorded]
    with open(os.path.join(HERE, "terminal.svg"), "w") as out:
        out.write(svg(recorded, total))
    print("\n".join(f"{at:6.2f}  {'$ ' if typed else ''}{text}" for text, typed, at in recorded))
