"""Receives container process states, as a seccomp agent does: seccomp-receiver.py SOCKET OUTPUT

Writes a JSON line for each connection: the text, how many descriptors came, and whether the other end was closed then.
The descriptors stay open: without a listener, notified calls would fail at once.
"""
import json
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen(8)
kept = []
while True:
    connection, _ = listener.accept()
    text, descriptors, _, _ = socket.recv_fds(connection, 65536, 8)
    connection.settimeout(3)
    closed = False
    try:
        while True:
            more = connection.recv(65536)
            if not more:
                closed = True
                break
            text += more
    except socket.timeout:
        pass
    kept.extend(descriptors)
    with open(sys.argv[2], "a") as output:
        output.write(json.dumps({"text": text.decode(), "descriptors": len(descriptors), "closed": closed}) + "\n")
