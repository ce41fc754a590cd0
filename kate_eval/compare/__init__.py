"""Two logs side by side: what the second run fixed and broke, by sample, cause and first different step."""
