"""What a Pod is: types, defaults, validation and table columns of every kind. No I/O."""
