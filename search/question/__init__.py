"""Which kind of block is best at equal multiplies: from populations of trainings to the answer.

It may know studies, comparisons and the report's dress, and nothing that trains.
"""
