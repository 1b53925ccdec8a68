"""Runs a command on a new terminal: with-pty.py ROWS COLUMNS INPUT COMMAND...

Writes INPUT to the terminal, prints what it shows, and exits with the command's exit code. The last line says whether
the terminal's settings are what they were before.
"""
import fcntl
import os
import pty
import struct
import sys
import termios
import time

rows, columns, text = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape").encode()
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.close(master)
    os.login_tty(slave) if hasattr(os, "login_tty") else None
    if not hasattr(os, "login_tty"):
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(slave, number)
    os.execv(sys.argv[4], sys.argv[4:])

shown = b""
sent = False
status = None
while True:
    os.set_blocking(master, False)
    try:
        shown += os.read(master, 4096)
    except BlockingIOError:
        if status is not None:
            break
        done, status_now = os.waitpid(pid, os.WNOHANG)
        if done:
            status = status_now
            continue
        time.sleep(0.02)
    except OSError:
        break
    if not sent and b"ready" in shown:
        os.write(master, text)
        sent = True
if status is None:
    _, status = os.waitpid(pid, 0)
after = termios.tcgetattr(slave)
sys.stdout.buffer.write(shown)
print("\nrestored" if before == after else "\nnot restored")
sys.exit(os.waitstatus_to_exitcode(status) % 256)
