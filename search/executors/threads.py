"""Threads that evaluate, and how one is stopped."""

import ctypes
import threading


def interrupt(thread: threading.Thread) -> None:
    """Raise `KeyboardInterrupt` in a thread that evaluates, as Ctrl-C does in the main one."""
    identity = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(KeyboardInterrupt))
