"""Rankings against relevance judgements, with trec_eval's rules; `batch` for many queries, `scorer` for a case."""
