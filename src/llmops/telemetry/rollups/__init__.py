"""Figures of any window at the cost of its periods, not of its calls: sums and histograms by minute, hour and day."""
