"""Discovery, OpenAPI, and strict validation of fields."""
