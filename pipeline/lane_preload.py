"""What the process that lanes are forked from imports: all they need, never to be looked through for garbage again.

Each lane would do so for itself, and by that write on memory that it shares with the others.
"""

import gc

import pipeline.launch  # noqa: F401 - for the lanes
from pipeline.stage import code_version

code_version()  # of the code that lanes run, were it edited while they do

gc.collect()
gc.freeze()
