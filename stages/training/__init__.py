"""What learns: the head, the top of the network, epoch by epoch, resumable at each (epochs.py tells the story)."""
