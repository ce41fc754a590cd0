"""What an endpoint really does: `kate probe`, and the preflight that runs before an eval's first sample."""
