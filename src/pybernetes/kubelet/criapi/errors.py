"""What decoding a message may raise."""

from google.protobuf.message import DecodeError

__all__ = ["DecodeError"]
