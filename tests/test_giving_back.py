import platform
import sys
from pathlib import Path

from combicam_widgets import memory

PAGE = 4096


def resident():
    """Bytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def test_free_memory_is_given_back():
    blocks = [bytearray(1000) for _ in range(100_000)]  # too small to be mapped one by one
    last = blocks[-1]  # lies above the others: nothing ends with them
    del blocks
    if platform.libc_ver()[0] == "glibc":
        before = resident()
        memory.give_back()
        assert resident() < before - 50e6
    else:
        memory.give_back()
    assert len(last) == 1000


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(memory.ctypes, "CDLL", None)
    memory.give_back()


def test_a_library_without_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _name: object())
    memory.give_back()
