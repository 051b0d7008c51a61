"""Who asks, and what they may do: authenticators, authorizers, the reviews that ask them, and the default roles."""
