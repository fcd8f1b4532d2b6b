"""The graph on many machines: Dask, what is to run, what travels between clones."""
