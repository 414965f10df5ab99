"""From many mixes a day to the right weights: designs, proxies, fits and their report. ``make.py`` is the main path."""
