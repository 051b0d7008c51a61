"""Authentication and authorization: authenticators, authorizers, reviews, and the default roles."""
