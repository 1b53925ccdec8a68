"""Answers the calls of which a seccomp filter notifies: seccomp-agent.py SOCKET OUTPUT ANSWER

Listens on SOCKET. For each process that comes, writes to OUTPUT what came, as a line of JSON: the message, and how many descriptors.
Then it answers that process's calls: ANSWER is `continue`, the number of an errno, or `close`, which lets go of the descriptor.
@see seccomp_unotify(2)
"""
import fcntl
import json
import os
import select
import socket
import struct
import sys

RECEIVE, SEND = 0xC0502100, 0xC0182101
CONTINUE = 1


def serve(descriptor, answer):
    while True:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        if waiting.poll()[0][1] & select.POLLHUP:
            return
        memory = bytearray(80)
        try:
            fcntl.ioctl(descriptor, RECEIVE, memory)
            (identity,) = struct.unpack_from("Q", memory)
            reply = (0, CONTINUE) if answer == "continue" else (-int(answer), 0)
            fcntl.ioctl(descriptor, SEND, bytearray(struct.pack("QqiI", identity, 0, *reply)))
        except OSError:  # ENOENT: the process has died meanwhile
            pass


path, output, answer = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen(8)
while True:
    connection, _ = listener.accept()
    message, descriptors, _, _ = socket.recv_fds(connection, 65536, 8)
    rest = connection.recv(1)
    with open(output, "a") as file:
        file.write(json.dumps({"message": json.loads(message), "descriptors": len(descriptors), "rest": len(rest)}) + "\n")
    connection.close()
    if answer == "close":
        for descriptor in descriptors:
            os.close(descriptor)
    elif os.fork() == 0:
        serve(descriptors[0], answer)
        os._exit(0)
