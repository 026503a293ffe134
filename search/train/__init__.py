"""Trains many small networks fast: compiled programs, batches, schedule, the loop itself."""

from search.train.fit import Diverged as Diverged
from search.train.fit import Fitted as Fitted
from search.train.fit import Trainer as Trainer
from search.train.state import State as State
from search.train.state import from_arrays as from_arrays
from search.train.state import to_arrays as to_arrays
from search.train.state import weights_of as weights_of
