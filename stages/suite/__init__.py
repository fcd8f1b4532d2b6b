"""A study of several data sets and networks: when to thaw, on each and by one rule."""
