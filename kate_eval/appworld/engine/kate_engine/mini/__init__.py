"""A small AppWorld of our own, built at set-up by the real engine: `python -m kate_engine.mini ROOT`.

Every name, sentence and number in it is ours; nothing is taken from the engine's encrypted apps or data.
"""
