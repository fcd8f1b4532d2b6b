"""A trained model: its file, what it says of pictures and by which parts of them, and its other formats."""
