"""Makes sockets of kinds that nobody can use: wrong-sockets.py DIRECTORY

`gone` is one whose listener has ended, `datagram` and `packet` are of other kinds, `file` is none, and `closing` hangs up on whoever connects.
Then it makes `ready`.
"""
import os
import socket
import sys

os.chdir(sys.argv[1])


def bound(name, kind):
    made = socket.socket(socket.AF_UNIX, kind)
    made.bind(name)
    return made


bound("gone", socket.SOCK_STREAM).close()
datagram = bound("datagram", socket.SOCK_DGRAM)
packet = bound("packet", socket.SOCK_SEQPACKET)
packet.listen(1)
open("file", "w").close()
closing = bound("closing", socket.SOCK_STREAM)
closing.listen(1)
open("ready", "w").close()
while True:
    closing.accept()[0].close()
