"""What clients may learn about the kinds, and what the server checks bodies against: shapes, discovery, OpenAPI."""
