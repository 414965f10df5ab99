"""From a swarm of runs to a proposed mix: what ``wellmix fit`` does, and ``wellmix ablate`` after its training.

A *swarm* is a table of mixes, one row a run, with what was measured on each. The path: :mod:`~pipeline.fit.tables` reads it,
:mod:`~pipeline.fit.models` holds regressions of a metric on the shares of domains, :mod:`~pipeline.fit.validate` chooses between them by
cross-validation, :mod:`~pipeline.fit.optimum` looks for the best mix under constraints and tells whether it can be told from the one you
have, :mod:`~pipeline.fit.pareto` does so for several metrics side by side. :mod:`~pipeline.fit.command` is the main path; read it first.
"""
