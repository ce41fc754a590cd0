"""kate-eval: evaluate tool-calling LLM agents, and the KATE method, on Inspect AI.

Import nothing heavy here: `inspect eval --help` pays for it.
"""

__version__ = "0.1.0"
