"""The error that decoding a message raises."""

from google.protobuf.message import DecodeError

__all__ = ["DecodeError"]
