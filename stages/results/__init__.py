"""What a training leaves on disk, and how it is read back: epochs, logits, seconds, the metrics of a variant."""
