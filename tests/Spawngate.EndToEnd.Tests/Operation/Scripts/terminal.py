"""Runs a command on a terminal of its own, as a window does: it leads a session, and its stdin is the terminal.

usage: terminal.py COMMAND...

stdout and stderr stay those of this script. SIGUSR1 closes the terminal, SIGTERM is passed on. Exits as the command does.
"""

import os
import pty
import signal
import sys

stdout, stderr = os.dup(1), os.dup(2)
os.set_inheritable(stdout, False)
os.set_inheritable(stderr, False)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD])
signal.signal(signal.SIGCHLD, lambda *_: None)
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])

while True:
    asked = signal.sigwait([signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD])
    if asked == signal.SIGUSR1:
        os.close(terminal)
    elif asked == signal.SIGTERM:
        os.kill(pid, signal.SIGTERM)
    else:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
