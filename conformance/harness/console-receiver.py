"""Receives a terminal's master on a UNIX socket, as an engine does: console-receiver.py SOCKET OUTPUT

Writes to OUTPUT the number of descriptors that came, and all that the terminal shows until its other end is closed.
"""
import os
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen(1)
connection, _ = listener.accept()
_, descriptors, _, _ = socket.recv_fds(connection, 4096, 4)
with open(sys.argv[2], "wb", buffering=0) as output:
    output.write(b"descriptors=%d\n" % len(descriptors))
    while True:
        try:
            data = os.read(descriptors[0], 4096)
        except OSError:  # EIO: nobody has the other end open.
            break
        if not data:
            break
        output.write(data)
