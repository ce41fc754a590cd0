"""The report as a page: one file from the document alone, its charts as pictures, a server."""
