"""The report in the formats that people read: each is written from the document alone."""
