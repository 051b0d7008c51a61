"""Calls to an etcd cluster over gRPC: which member to ask, and what its errors mean. Keeps no state of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from pybernetes.store.errors import Compacted, DiskFull, OpenFailed, StoreError, Unavailable, WriteFailed
from pybernetes.store.etcdpb import etcd_pb2 as pb

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 3_000),  # in truth the time that an attempt to connect may take
]
_SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)

M = TypeVar("M", pb.RangeResponse, pb.TxnResponse, pb.CompactionResponse)
Request = pb.RangeRequest | pb.TxnRequest | pb.CompactionRequest


@dataclass(frozen=True, slots=True)
class EtcdTls:
    """The files of `--etcd-cafile`, `--etcd-certfile` and `--etcd-keyfile`."""

    ca: Path
    cert: Path | None = None
    key: Path | None = None


class EtcdClient:
    """The members of one cluster. Asks one of them, and turns to the next when it does not answer."""

    def __init__(self, endpoints: Sequence[str], tls: EtcdTls | None, timeout: float) -> None:
        if not endpoints:
            raise OpenFailed("no etcd server was named; give at least one, such as http://127.0.0.1:2379")
        self.endpoints = tuple(endpoints)
        self._timeout = timeout
        self._channels = [_channel(endpoint, tls) for endpoint in endpoints]
        self._current = 0

    async def range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        """A read; asks every member before it gives up."""
        for _ in self._channels[1:]:
            try:
                return await self._call("KV/Range", request, pb.RangeResponse)
            except Unavailable:
                continue
        return await self._call("KV/Range", request, pb.RangeResponse)

    async def txn(self, request: pb.TxnRequest) -> pb.TxnResponse:
        """A write. Unavailable leaves open whether it happened, so it is never repeated here."""
        return await self._call("KV/Txn", request, pb.TxnResponse)

    async def compact(self, revision: int) -> None:
        try:
            await self._call("KV/Compact", pb.CompactionRequest(revision=revision), pb.CompactionResponse)
        except Compacted:
            return  # by somebody else, which is as good

    async def watch(self, request: pb.WatchCreateRequest) -> AsyncIterator[pb.WatchResponse]:
        """One watch on a stream of its own; ends with Unavailable."""
        path = "/etcdserverpb.Watch/Watch"
        call = self._channels[self._current].stream_stream(
            path,
            request_serializer=pb.WatchRequest.SerializeToString,
            response_deserializer=pb.WatchResponse.FromString,
        )()
        try:
            await call.write(pb.WatchRequest(create_request=request))
            async for response in call:
                yield response
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise Unavailable(f"watch at {self.endpoints[self._current]} ended: {error}") from error
        finally:
            call.cancel()
        raise Unavailable(f"watch at {self.endpoints[self._current]} ended")

    def turn(self) -> None:
        """Ask the next member from now on."""
        self._current = (self._current + 1) % len(self._channels)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()

    async def _call(self, method: str, request: Request, kind: type[M]) -> M:
        asked = self._current
        call = self._channels[asked].unary_unary(
            f"/etcdserverpb.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=kind.FromString,
        )
        try:
            response: M = await call(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            meaning = _meaning(error, self.endpoints[asked])
            if isinstance(meaning, Unavailable) and self._current == asked:
                self.turn()
            raise meaning from error
        return response


def _meaning(error: grpc.aio.AioRpcError, endpoint: str) -> StoreError:
    code, details = error.code(), error.details() or ""
    if code in _SILENT:
        return Unavailable(f"etcd at {endpoint} did not answer ({details}); is it running and reachable?")
    if code is grpc.StatusCode.OUT_OF_RANGE and "compacted" in details:
        return Compacted(0, 0)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "space" in details:
        return DiskFull(f"etcd at {endpoint} has reached its quota; compact and defragment it, disarm the alarm")
    return WriteFailed(f"etcd at {endpoint} refused: {details}")


def _channel(endpoint: str, tls: EtcdTls | None) -> grpc.aio.Channel:
    scheme, found, address = endpoint.partition("://")
    address = address.rstrip("/")
    if not found or scheme not in ("http", "https") or not address:
        raise OpenFailed(f"{endpoint!r} is not an etcd URL; expected something like https://10.0.0.1:2379")
    if scheme == "http":
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    try:
        ca = tls.ca.read_bytes() if tls else None
        cert = tls.cert.read_bytes() if tls and tls.cert else None
        key = tls.key.read_bytes() if tls and tls.key else None
    except OSError as error:
        raise OpenFailed(f"cannot read {error.filename}: {error.strerror}") from error
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca, key, cert), options=_OPTIONS)
