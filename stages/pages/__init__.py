"""The report and the recorded run's page."""
