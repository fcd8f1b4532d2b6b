"""The graph on many machines: what must run, how Dask runs it, and what travels between clones.

The client is where `stages.distribute` runs; workers are processes of Dask, on this machine or others.
"""
