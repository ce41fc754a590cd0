"""The mechanism check: the method's training on a model small enough for a CPU. `make mechanism`.

What is shown is that the parts do what they should, at the level of steps and turns. A model of less than a
million parameters, trained for minutes on a hundred conversations, says nothing about real ones.
"""
