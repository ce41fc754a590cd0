"""Training on experience: rows from gold and logs, trainers, checkpoints that the harness scores again.

A row and its rendering know no trainer; rewards and rollouts know no engine; TRL, PEFT and torch are imported
inside the functions that train, which run in an environment of their own.
"""
