"""What the results say: intervals, comparisons, costs, the paper's claims, a recommendation."""
