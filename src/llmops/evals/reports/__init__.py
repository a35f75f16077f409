"""Reports of runs: one model of what is shown, and one file for each form that it is written in."""
