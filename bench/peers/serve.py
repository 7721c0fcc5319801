"""The peers' end of the line to bench/run.lua, in Python; bench/serve.lua says what the lines are."""
import sys
import time


def peak_memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def timed(block, seconds):
    calls, start = 0, time.perf_counter()
    while True:
        block()
        calls += 1
        if time.perf_counter() - start >= seconds:
            return calls, time.perf_counter() - start


def serve(hello, block):
    print(hello, flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "quit":
            break
        print(*(timed(block, float(words[1])) if words[0] == "block" else [peak_memory()]), flush=True)
