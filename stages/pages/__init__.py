"""The report, the page of a recorded run, and the model card."""
