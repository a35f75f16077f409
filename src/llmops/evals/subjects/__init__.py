"""Ways to make a subject: a callable, a model of the pipeline, an endpoint over HTTP, recorded answers."""
