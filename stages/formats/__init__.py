"""A trained model's formats: the file that Keras reads, and those for where there is no Keras."""
