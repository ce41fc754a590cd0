"""Official result files: our logs written as such, and anybody's files scored by us."""
