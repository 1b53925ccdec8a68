"""Receives a terminal's master on a UNIX socket, as an engine does: console-socket.py SOCKET OUTPUT [INPUT]

Listens on SOCKET, writes INPUT to the terminal that it is sent, and all that the terminal shows to OUTPUT.
"""
import os
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen(1)
connection, _ = listener.accept()
message, descriptors, _, _ = socket.recv_fds(connection, 4096, 4)
with open(sys.argv[2], "wb", buffering=0) as output:
    output.write(b"name=" + message + b" descriptors=%d\n" % len(descriptors))
    master = descriptors[0]
    if len(sys.argv) > 3:
        os.write(master, sys.argv[3].encode())
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:  # EIO: the other end is closed
            break
        if not data:
            break
        output.write(data)
    output.write(b"closed\n")
