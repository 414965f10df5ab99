"""Publishing: an output becomes a folder that a data team can put on the Hugging Face hub the same day.

Start in :mod:`pipeline.publish.stage`. Rooms: ``folder`` (what is published), ``terms`` (under which licence), ``rewrite`` (rows),
``tally`` (counts), ``figures`` (the classifiers' measured errors), ``samples`` (rows safe to show), ``facts`` (all of it together),
``header``, ``card``, ``setcard`` (what only sets have), ``attribution``, ``statement``, ``croissant`` and ``citations`` (what is written),
``words`` (small pieces of it), ``merge`` (pages people edit), ``hub`` (its lists and rules). To the hub: ``outgoing`` (files by digest),
``pages`` (merged with those there), ``client`` (patience), ``push`` (the loop).
"""
