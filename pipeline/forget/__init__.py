"""Forgetting: what people asked to be taken out leaves everything that was made, and does not come in again.

``tombstones`` says what is forgotten, in hashes only; ``texts`` recognises copies of a text; ``match`` holds documents against tombstones,
when they are ingested and when they lie in the store. ``apply`` takes what is forgotten out of a store (``carry`` rewrites what is
touched, ``lineage`` finds what was made of it), ``record`` makes new tombstones, ``outputs`` knows the folders that were written, and
``prove`` looks for traces in all of it (``pieces`` reads what there is). ``command`` with ``report`` is ``wellmix forget``.
"""
