"""Exchanges names, pair after pair, until it is killed: what a hostile neighbour does to a shared directory.

Arguments: NAME NAME [NAME NAME ...]. What fails, for want of one of the two, is passed over.
"""
import ctypes
import sys

RENAMEAT2 = {"x86_64": 316, "aarch64": 276}
AT_FDCWD = -100
RENAME_EXCHANGE = 2

syscall = ctypes.CDLL(None).syscall
number = RENAMEAT2[__import__("platform").machine()]
names = [name.encode() for name in sys.argv[1:]]
pairs = list(zip(names[::2], names[1::2]))
while True:
    for one, other in pairs:
        syscall(number, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE)
