"""Collecting experience beside the learner: in its process or in others, which are started again when they die.

The schedule is the same everywhere. Iteration k is collected with the parameters from the moment of `start`; what the
learner does until `result` acts on iterations before k. So a run in one process and a run in two are bit-equal, and so
are two runs with the same seed: on the same machine, with the same library versions, and one torch thread in each
process (`torch.set_num_threads(1)`; several threads may sum in another order).
"""
