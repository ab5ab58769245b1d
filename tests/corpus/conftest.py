"""Makes the generator's modules importable by their own names, as they are when it runs as a script."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
