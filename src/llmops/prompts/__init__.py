"""The prompt registry: named templates in immutable versions, labels that move, files beside them."""
