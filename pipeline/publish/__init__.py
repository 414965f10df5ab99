"""Publishing: an output becomes a folder that a data team can put on the Hugging Face hub the same day.

Start in :mod:`pipeline.publish.stage`. Rooms: ``folder`` (what is published), ``terms`` (under which licence), ``rewrite`` (rows),
``tally`` (counts), ``figures`` (the classifiers' measured errors), ``samples`` (rows safe to show), ``facts`` (all of it together),
``header``, ``card``, ``attribution``, ``statement``, ``croissant`` and ``citations`` (what is written), ``merge`` (pages people edit),
``hub`` (its lists and rules), ``push`` (to the hub).
"""

from pipeline.publish.stage import Staged, stage

__all__ = ["Staged", "stage"]
