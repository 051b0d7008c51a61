"""Request bodies in protobuf, which Go clients send for built-in kinds. Responses are JSON."""
