"""The leaderboard, from logs alone."""
