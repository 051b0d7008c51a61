"""charon's protocol: encoding and decoding, and malformed answers, which are errors and never hang."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.flannel.backends.ipsec.vici import (
    CONFIRM,
    EVENT,
    LIMIT,
    RESPONSE,
    UNKNOWN,
    Value,
    ViciError,
    connect,
    decode,
    encode,
    section,
    text,
)

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(lambda name: len(name.encode()) < 256)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
MESSAGES = st.recursive(
    st.dictionaries(NAMES, TEXTS | st.lists(TEXTS, max_size=3), max_size=4),
    lambda inner: st.dictionaries(NAMES, inner | TEXTS, max_size=4),
    max_leaves=6,
)


@given(MESSAGES)
def test_messages_decode_to_what_was_encoded(message: dict[str, object]) -> None:
    assert decode(encode(message)) == message  # type: ignore[arg-type]  # hypothesis' type is wider


def test_a_message_byte_by_byte() -> None:
    """As in the example of the protocol's description: a section with a value, a list and a section in it."""
    message: dict[str, Value] = {"k": "v", "l": ["a", ""], "s": {"t": {}}}
    assert encode(message) == (
        b"\x03\x01k\x00\x01v" + b"\x04\x01l\x05\x00\x01a\x05\x00\x00\x06" + b"\x01\x01s\x01\x01t\x02\x02"
    )


@given(st.binary(max_size=300))
def test_garbage_is_a_message_or_an_error(data: bytes) -> None:
    try:
        decode(data)
    except ViciError:
        return


@given(MESSAGES, st.integers(0, 200))
def test_a_message_that_is_cut_is_a_message_or_an_error(message: dict[str, object], length: int) -> None:
    try:
        decode(encode(message)[:length])  # type: ignore[arg-type]
    except ViciError:
        return


@pytest.mark.parametrize(
    ("message", "says"),
    [({"": "x"}, "must have 1 to 255 bytes"), ({"x" * 256: "x"}, "found 256"), ({"k": "x" * 65536}, "k has 65536")],
)
def test_values_that_the_format_cannot_express(message: dict[str, str], says: str) -> None:
    with pytest.raises(ViciError, match=says):
        encode(message)


def test_reading_of_unexpected_values() -> None:
    assert section("text") == {} and section(None) == {} and text(["a"]) == "" and text({}) == ""


# -- over a socket ---------------------------------------------------------------------------------------
Answer = Callable[[bytes], bytes]


def packet(kind: int, body: bytes = b"") -> bytes:
    return (1 + len(body)).to_bytes(4, "big") + bytes((kind,)) + body


@asynccontextmanager
async def serving(path: Path, answer: Answer) -> AsyncIterator[None]:
    """A server that answers each packet, and closes the connection after an empty answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
                answered = answer(asked)
                if not answered:
                    return
                writer.write(answered)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async with await asyncio.start_unix_server(serve, str(path)):
        yield


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "socket closed while it was asked for version"),
        (packet(UNKNOWN), "does not know version: is it strongSwan 5.8 or later"),
        (packet(CONFIRM), "answered version with a packet of type 5"),
        (packet(99), "answered version with a packet of type 99"),
        (packet(RESPONSE, b"\x03\x05ab"), "ends in the middle"),
        (packet(RESPONSE, b"\x01\x01a"), "ends inside a section"),
        (packet(RESPONSE, b"\x02"), "element of type 2 that is not allowed there"),
        (packet(RESPONSE, b"\x04\x01a\x03"), "element of type 3 inside a list"),
        (packet(RESPONSE, encode({"success": "no", "errmsg": "not today"})), "refuses version: not today"),
        ((LIMIT + 1).to_bytes(4, "big"), "that is no VICI"),
        ((0).to_bytes(4, "big"), "announced a packet of 0 bytes"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "that is no VICI"),
        (packet(RESPONSE)[:4], r"did not answer version within 0\.2 s"),
        (packet(EVENT), r"did not answer version within 0\.2 s"),
    ],
)
async def test_bad_answers(tmp_path: Path, answer: bytes, says: str) -> None:
    async with serving(tmp_path / "s", lambda _: answer), connect(tmp_path / "s") as vici:
        with pytest.raises(ViciError, match=says):
            await vici.call("version", seconds=0.2)


async def test_events_before_the_answer(tmp_path: Path) -> None:
    def answer(asked: bytes) -> bytes:
        if asked[0] != 0:
            return packet(CONFIRM)
        events = [packet(EVENT, b"\x07list-sa" + encode({"n": str(n)})) for n in range(3)]
        return b"".join(events) + packet(RESPONSE)

    async with serving(tmp_path / "s", answer), connect(tmp_path / "s") as vici:
        assert await vici.stream("list-sas", "list-sa", {}) == [{"n": "0"}, {"n": "1"}, {"n": "2"}]


async def test_no_peer_answers(tmp_path: Path) -> None:
    with pytest.raises(ViciError, match=r"charon does not answer on .*none"):
        async with connect(tmp_path / "none"):
            pass
