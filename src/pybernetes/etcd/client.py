"""Calls to an etcd cluster over gRPC: the choice of a member, and the meaning of its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc

from pybernetes.etcd.errors import BadEndpoint, Compacted, EtcdError, LeaseGone, NoSpace, Unavailable
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from pybernetes.etcd.ops import end_of

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Detect a dead member or a silent network within 15 seconds, even on an idle watch: etcd allows a ping every
    # 5 seconds. `http2.ping_timeout_ms` applies to current gRPC, `keepalive_timeout_ms` to older releases. Without
    # `max_pings_without_data` gRPC would stop sending pings on an idle connection.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 3_000),  # gRPC uses it as the timeout of a connection attempt
]
_SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)

M = TypeVar("M", bound=Any)  # a message; the generated classes have no typed base


@dataclass(frozen=True, slots=True)
class EtcdTls:
    """The files of `--etcd-cafile`, `--etcd-certfile` and `--etcd-keyfile`."""

    ca: Path | None = None
    """None: the certificate authorities of the system"""
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """`--etcd-username` and `--etcd-password`."""

    name: str
    password: str = field(repr=False)


class EtcdClient:
    """The members of one cluster. Uses one of them, and switches to the next if it does not answer."""

    def __init__(
        self, endpoints: Sequence[str], tls: EtcdTls | None, timeout: float, credentials: Credentials | None = None
    ) -> None:
        if not endpoints:
            raise BadEndpoint("no etcd server was named; give at least one, such as http://127.0.0.1:2379")
        self.endpoints = tuple(endpoints)
        self._timeout = timeout
        self._channels = [_channel(endpoint, tls) for endpoint in endpoints]
        self._current = 0
        self._credentials = credentials
        self._token = ""

    # Keys

    async def range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        """Read; tries every member before it fails."""
        return await self._any("KV/Range", request, pb.RangeResponse)

    async def get(self, key: str) -> pb.KeyValue | None:
        """The current version of a key; None if it does not exist."""
        found = await self.range(pb.RangeRequest(key=key.encode()))
        return found.kvs[0] if found.kvs else None

    async def list(self, prefix: str) -> tuple[Sequence[pb.KeyValue], int]:
        """All keys that start with the prefix, in one response, and the revision of that state."""
        raw = prefix.encode()
        found = await self.range(pb.RangeRequest(key=raw, range_end=end_of(raw)))
        return found.kvs, found.header.revision

    async def txn(self, request: pb.TxnRequest) -> pb.TxnResponse:
        """Write. After Unavailable it is unknown whether the write happened, so it is never retried here."""
        return await self._call("KV/Txn", request, pb.TxnResponse)

    async def compact(self, revision: int) -> None:
        """Drop the history up to the revision; does nothing if it was dropped already."""
        try:
            await self._call("KV/Compact", pb.CompactionRequest(revision=revision), pb.CompactionResponse)
        except Compacted:
            return

    async def watch(self, request: pb.WatchCreateRequest) -> AsyncIterator[pb.WatchResponse]:
        """One watch on its own stream; ends with Unavailable.

        A member that is cut off from the others would keep silent for ever: it is asked to end the watch instead.
        """
        asked = self._current
        await self._log_in(asked)
        call = self._channels[asked].stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=pb.WatchRequest.SerializeToString,
            response_deserializer=pb.WatchResponse.FromString,
        )(metadata=(*self._metadata(), ("hasleader", "true")))
        try:
            await call.write(pb.WatchRequest(create_request=request))
            async for response in call:
                yield response
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            reason = error.details() if isinstance(error, grpc.aio.AioRpcError) else error
            raise Unavailable(f"watch at {self.endpoints[asked]} ended: {reason}") from error
        finally:
            call.cancel()
        raise Unavailable(f"watch at {self.endpoints[asked]} ended")

    # Leases

    async def grant(self, seconds: int) -> int:
        """Grant a lease of that many seconds; returns its id."""
        answer = await self._any("Lease/LeaseGrant", pb.LeaseGrantRequest(TTL=seconds), pb.LeaseGrantResponse)
        return answer.ID

    async def revoke(self, lease: int) -> None:
        """Revoke a lease and delete its keys. Raises LeaseGone if it has ended."""
        await self._call("Lease/LeaseRevoke", pb.LeaseRevokeRequest(ID=lease), pb.LeaseRevokeResponse)

    async def time_to_live(self, lease: int) -> int:
        """The remaining seconds. Raises LeaseGone if it has ended."""
        request = pb.LeaseTimeToLiveRequest(ID=lease)
        answer = await self._any("Lease/LeaseTimeToLive", request, pb.LeaseTimeToLiveResponse)
        if answer.TTL <= 0:
            raise LeaseGone(f"lease {lease:x} has run out")
        return answer.TTL

    async def keep_alive(self, lease: int) -> int:
        """Renew a lease; returns its remaining seconds. Raises LeaseGone if it has ended."""
        for _ in self._channels[1:]:
            try:
                return await self._keep_alive(lease)
            except Unavailable:
                continue
        return await self._keep_alive(lease)

    async def _keep_alive(self, lease: int) -> int:
        asked = self._current
        await self._log_in(asked)
        call = self._channels[asked].stream_stream(
            "/etcdserverpb.Lease/LeaseKeepAlive",
            request_serializer=pb.LeaseKeepAliveRequest.SerializeToString,
            response_deserializer=pb.LeaseKeepAliveResponse.FromString,
        )(metadata=self._metadata(), timeout=self._timeout)
        try:
            await call.write(pb.LeaseKeepAliveRequest(ID=lease))
            answer = await call.read()
        except grpc.aio.AioRpcError as error:
            raise self._failed(error, asked) from error
        except asyncio.InvalidStateError as error:
            raise Unavailable(f"etcd at {self.endpoints[asked]} ended the call") from error
        finally:
            call.cancel()
        if not isinstance(answer, pb.LeaseKeepAliveResponse):
            raise Unavailable(f"etcd at {self.endpoints[asked]} ended the call without an answer")
        if answer.TTL <= 0:
            raise LeaseGone(f"lease {lease:x} has run out")
        return answer.TTL

    # The cluster

    def turn(self) -> None:
        """Use the next member from now on."""
        self._current = (self._current + 1) % len(self._channels)

    async def close(self) -> None:
        """Close every connection."""
        for channel in self._channels:
            await channel.close()

    async def _any(self, method: str, request: Any, kind: type[M]) -> M:
        """An idempotent call: try every member before failing."""
        for _ in self._channels[1:]:
            try:
                return await self._call(method, request, kind)
            except Unavailable:
                continue
        return await self._call(method, request, kind)

    async def _call(self, method: str, request: Any, kind: type[M]) -> M:
        asked = self._current
        await self._log_in(asked)
        return await self._unary(asked, method, request, kind)

    async def _unary(self, asked: int, method: str, request: Any, kind: type[M]) -> M:
        call = self._channels[asked].unary_unary(
            f"/etcdserverpb.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=kind.FromString,
        )
        try:
            response: M = await call(request, timeout=self._timeout, metadata=self._metadata())
        except grpc.aio.AioRpcError as error:
            raise self._failed(error, asked) from error
        return response

    def _failed(self, error: grpc.aio.AioRpcError, asked: int) -> EtcdError:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            self._token = ""  # tokens expire after some minutes; the next call requests a new one
        meaning = _meaning(error, self.endpoints[asked])
        if isinstance(meaning, Unavailable) and self._current == asked:
            self.turn()
        return meaning

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("token", self._token),) if self._token else ()

    async def _log_in(self, asked: int) -> None:
        if self._credentials and not self._token:
            request = pb.AuthenticateRequest(name=self._credentials.name, password=self._credentials.password)
            self._token = (await self._unary(asked, "Auth/Authenticate", request, pb.AuthenticateResponse)).token


def _meaning(error: grpc.aio.AioRpcError, endpoint: str) -> EtcdError:
    code, details = error.code(), error.details() or ""
    if code in _SILENT:
        return Unavailable(f"etcd at {endpoint} did not answer ({details}); is it running and reachable?")
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return Unavailable(f"etcd at {endpoint} wants a new login: {details}")
    if code is grpc.StatusCode.OUT_OF_RANGE and "compacted" in details:
        return Compacted()
    if code is grpc.StatusCode.NOT_FOUND and "lease" in details:
        return LeaseGone(f"etcd at {endpoint}: {details}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "space" in details:
        return NoSpace(f"etcd at {endpoint} has reached its quota; compact and defragment it, disarm the alarm")
    return EtcdError(f"etcd at {endpoint} refused: {details}")


def _channel(endpoint: str, tls: EtcdTls | None) -> grpc.aio.Channel:
    scheme, found, address = endpoint.partition("://")
    address = address.rstrip("/")
    if not found or scheme not in ("http", "https") or not address:
        raise BadEndpoint(f"{endpoint!r} is not an etcd URL; expected something like https://10.0.0.1:2379")
    if scheme == "http":
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    files = (tls.ca, tls.key, tls.cert) if tls else (None, None, None)
    try:
        ca, key, cert = (path.read_bytes() if path else None for path in files)
    except OSError as error:
        raise BadEndpoint(f"cannot read {error.filename}: {error.strerror}") from error
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca, key, cert), options=_OPTIONS)
