"""The analysis of the results: intervals, comparisons, costs, the thesis's claims, the recommendation."""
