"""What judges outputs, one file each; `registry.build` makes one of its name and settings.

Beside the plain ones there are ``retrieval`` (rankings against relevance judgements), ``rag`` (answers against what was
looked up) and ``judges`` (a model's opinion). Libraries of the extra ``evals`` are imported where they are used, so
that naming a scorer costs nothing.
"""
