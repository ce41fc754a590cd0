"""Training rows: gold or runs replayed, augmented, split, and written as a folder with a card."""
