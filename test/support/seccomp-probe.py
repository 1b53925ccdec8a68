"""Makes system calls, each in a process of its own, and prints what came of them: seccomp-probe.py ABI:NUMBER[:ARGUMENT,...] ...

ABI is x86_64, x32 or i386. A line for each call: `ok`, `errno N`, or `signal N` for what ended the process.
"""
import ctypes
import mmap
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call_i386(number, arguments):
    """By `int 0x80`, which is the 32-bit entry for 64-bit programs, too."""
    words = [number, *arguments] + [0] * 5
    code = b"\x53"  # push rbx
    for opcode, word in zip((0xB8, 0xBB, 0xB9, 0xBA, 0xBE), words):  # mov eax, ebx, ecx, edx, esi
        code += bytes([opcode]) + (word & 0xFFFFFFFF).to_bytes(4, "little")
    code += b"\xcd\x80\x5b\xc3"  # int 0x80; pop rbx; ret
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return -result if -4096 < result < 0 else 0


def call(abi, number, arguments):
    if abi == "i386":
        return call_i386(number, arguments)
    bit = 0x40000000 if abi == "x32" else 0
    result = libc.syscall(ctypes.c_long(number + bit), *[ctypes.c_long(argument) for argument in arguments])
    return ctypes.get_errno() if result == -1 else 0


for item in sys.argv[1:]:
    abi, number, *rest = item.split(":")
    arguments = [int(word, 0) for word in rest[0].split(",")] if rest else []
    child = os.fork()
    if child == 0:
        os._exit(call(abi, int(number), arguments))
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        print("signal", os.WTERMSIG(status))
    else:
        errno = os.WEXITSTATUS(status)
        print(f"errno {errno}" if errno else "ok")
