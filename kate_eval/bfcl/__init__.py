"""BFCL-V3: data, environment, scoring. Only `engine.py` imports the bfcl_eval package."""
