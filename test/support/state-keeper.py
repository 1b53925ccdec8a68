"""A process with state of many kinds, for tests that stop it and have it go on: state-keeper.py DIRECTORY [no-tcp]

It has an established TCP connection and a UNIX one with bytes on the way, a pipe, an open file at an offset, one that was removed, a file lock, a
thread, and a timer. At SIGUSR1 it writes what has become of them to DIRECTORY/report, as JSON.
"""
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import threading
import time

directory = sys.argv[1]


def bring_loopback_up():
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh14x", b"lo", 0))
        flags = struct.unpack("16sh14x", request)[1] | IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags))


if len(sys.argv) > 2:
    client, server = socket.socketpair()
else:
    bring_loopback_up()
    listener = socket.create_server(("127.0.0.1", 7007))
    client = socket.create_connection(("127.0.0.1", 7007))
    server, _ = listener.accept()
client.sendall(b"over TCP")
left, right = socket.socketpair()
left.sendall(b"over a socket")
pipe_read, pipe_write = os.pipe()
os.write(pipe_write, b"through a pipe")
kept = open(f"{directory}/kept", "w+")
kept.write("kept open")
kept.flush()
kept.seek(5)
removed = open(f"{directory}/removed", "w+")
removed.write("removed")
removed.flush()
os.unlink(f"{directory}/removed")
lock = open(f"{directory}/lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)

ticks = 0
rounds = 0


def tick(*_):
    global ticks
    ticks += 1


def report(*_):
    removed.seek(0)
    os.set_blocking(pipe_read, False)
    found = {
        "tcp": server.recv(100).decode(),
        "unix": right.recv(100).decode(),
        "pipe": os.read(pipe_read, 100).decode(),
        "kept": kept.read(),
        "removed": removed.read(),
        "ticks": ticks,
        "rounds": rounds,
        "pid": os.getpid(),
    }
    # Both ends still work.
    server.sendall(b"and back")
    found["back"] = client.recv(100).decode()
    other = open(f"{directory}/lock", "w")
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found["locked"] = False
    except BlockingIOError:
        found["locked"] = True
    with open(f"{directory}/report.new", "w") as output:
        json.dump(found, output)
    os.rename(f"{directory}/report.new", f"{directory}/report")


def go_round():
    global rounds
    while True:
        rounds += 1
        time.sleep(0.05)


signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
signal.signal(signal.SIGUSR1, report)
threading.Thread(target=go_round, daemon=True).start()
with open(f"{directory}/ready", "w") as output:
    output.write(str(rounds))
while True:
    signal.pause()
