"""Live calls scored beside the calls: by rule, sampled, within a budget, each once."""
