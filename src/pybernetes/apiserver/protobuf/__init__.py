"""Request bodies in protobuf, which newer Go clients send for built-in kinds without asking. Answers are JSON."""
