"""What a training leaves on disk, and how it is read back: epochs, logits, seconds, the record of a variant."""
