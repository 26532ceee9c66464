"""What the prediction log costs, and what it makes of a database that is away or slow."""
