"""A cable between two namespaces that takes its time, for kernels without netem: two TAP devices and a thread."""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import select
import struct
import threading
import time
from collections.abc import Iterator

from .topology import Lab, sh

TUNSETIFF, TAP_WITHOUT_HEADER = 0x400454CA, 0x1002
IPV4 = b"\x08\x00"


def destination(frame: bytes) -> str:
    """The IPv4 destination of an Ethernet frame; "" for anything else."""
    return ".".join(map(str, frame[30:34])) if frame[12:14] == IPV4 and len(frame) >= 34 else ""


class Cable:
    """Frames from `near` to `far` wait as long as `delays_s` says for their destination; those back do not wait."""

    def __init__(self, near: int, far: int, delays_s: dict[str, float]) -> None:
        self.near, self.far, self.delays_s = near, far, delays_s
        self.over = threading.Event()
        self.waiting: list[tuple[float, int, bytes]] = []
        self.count = 0

    def carry(self) -> None:
        """Runs until `over` is set."""
        while not self.over.is_set():
            next_s = max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else 0.2
            for fd in select.select([self.near, self.far], [], [], min(next_s, 0.2))[0]:
                frame = os.read(fd, 65536)
                if fd == self.far:
                    os.write(self.near, frame)
                else:
                    self.count += 1  # keeps the order of frames that are due at the same time
                    due = time.monotonic() + self.delays_s.get(destination(frame), 0.0)
                    heapq.heappush(self.waiting, (due, self.count, frame))
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                os.write(self.far, heapq.heappop(self.waiting)[2])


def tap(lab: Lab, ns: str, own_name: str, name: str) -> int:
    """The machine's side of a new device `name` in the namespace; `own_name` must be free outside of it."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", own_name.encode(), TAP_WITHOUT_HEADER))
    sh(f"ip link set {own_name} netns {lab.name}_{ns} name {name}")
    return fd


@contextlib.contextmanager
def far(lab: Lab, delays_s: dict[str, float]) -> Iterator[Cable]:
    """A host `far` with the addresses of `delays_s` (of 192.0.2.0/24), behind a cable that delays what goes to each."""
    sh(f"ip netns add {lab.name}_far")
    ends = [tap(lab, "gw", f"{lab.name}near"[:15], "vfar"), tap(lab, "far", f"{lab.name}far"[:15], "eth0")]
    lab.inside("gw", "ip addr add 192.0.2.1/24 dev vfar")
    lab.inside("gw", "ip link set vfar up")
    lab.inside("far", "ip link set lo up")
    for address in delays_s:
        lab.inside("far", f"ip addr add {address}/24 dev eth0")
    lab.inside("far", "ip link set eth0 up")
    lab.inside("far", "ip route add default via 192.0.2.1")
    cable = Cable(ends[0], ends[1], delays_s)
    thread = threading.Thread(target=cable.carry)
    thread.start()
    try:
        yield cable
    finally:
        cable.over.set()
        thread.join()
        for fd in ends:
            os.close(fd)
        sh(f"ip netns del {lab.name}_far", check=False)
