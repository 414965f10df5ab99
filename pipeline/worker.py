"""Imported in the server process that workers are forked from, nowhere else.

Ctrl-C reaches every process of a terminal; the main one stops the run and its workers, so these have nothing to say about it.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
