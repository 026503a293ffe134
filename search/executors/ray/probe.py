"""Whether a Ray cluster answers at an address, and whether it wants a token.

Ray's own client tries for minutes to reach a cluster that is not there, and for 20 s where a token
is wanted and not given; a cluster that knows no tokens cuts it off if it expects one. So the head
(Ray's GCS) is asked one harmless question first, in as much of gRPC over HTTP/2 as that takes (RFC
9113, RFC 7541, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
"""

import socket
import time
from collections.abc import Iterator

from search.errors import UserError, shown

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_METHOD = b"/ray.rpc.NodeInfoGcsService/GetClusterId"
# What gRPC says where a caller shows no token (UNAUTHENTICATED).
_NO_TOKEN = b"\x0bgrpc-status\x0216"


def wants_token(address: str, patience: float) -> bool:
    """Wait for the cluster at host:port to answer; return whether it wants a token.

    Raises `UserError` where none does within `patience` seconds.
    """
    host, _, port = address.rpartition(":")
    until, reason = time.monotonic() + patience, "it is silent"
    while (left := until - time.monotonic()) > 0:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=left) as opened:
                answer = _asked(opened)
        except (OSError, OverflowError) as error:
            # It may be about to start.
            reason = getattr(error, "strerror", None) or str(error)
            time.sleep(min(0.5, max(0.0, until - time.monotonic())))
            continue
        if answer is not None:
            return answer
        reason = "something else answers there"
        break
    raise UserError(
        f"executor.address={shown(address)}: no Ray cluster answers ({reason}); start one with"
        " `ray start --head`, or leave executor.address out"
    )


def _asked(opened: socket.socket) -> bool | None:
    """Ask for the cluster's id: whether a token is wanted, None where that is not Ray."""
    call = (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, _request())
        # An empty message, uncompressed.
        + _frame(_DATA, _END_STREAM, 1, bytes(5))
    )
    opened.sendall(call)
    for kind, stream, content in _frames(opened):
        if stream == 1 and kind == _DATA:
            return False
        if stream == 1 and kind == _HEADERS and b"grpc-status" in content:
            return True if _NO_TOKEN in content else None
    return None


def _request() -> bytes:
    # Indices of RFC 7541's table: POST, http, :path, :authority; then names in full.
    fields = b"\x83\x86" + b"\x04" + _text(_METHOD) + b"\x01" + _text(b"ray")
    for name, value in ((b"content-type", b"application/grpc"), (b"te", b"trailers")):
        fields += b"\x00" + _text(name) + _text(value)
    return fields


def _text(value: bytes) -> bytes:
    return bytes([len(value)]) + value


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return (
        len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content
    )


def _frames(opened: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """Yield kind, stream and content of each frame, until the connection ends or is not HTTP/2."""
    with opened.makefile("rb") as file:
        first = True
        while len(head := file.read(9)) == 9:
            size, kind = int.from_bytes(head[:3], "big"), head[3]
            if first and kind != _SETTINGS:
                return
            first = False
            yield kind, int.from_bytes(head[5:9], "big"), file.read(size)
