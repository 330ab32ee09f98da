"""What belongs to one lesson, a folder each; its name is the notebook's without the number.

exercises.py   what is asked, and the usual mistakes
explorers.py   something to move
model.py       what notebook, experiment, explorers and tests share
experiment.py  the longer runs, and results/, what they wrote
"""
