"""Evidence that may be looked at after every request: e-processes and confidence sequences in constant memory.

Every state is a msgspec struct: ``msgspec.json.encode`` keeps it over a restart, ``decode`` carries on at the same
number. Standard library only, because this runs inside the gateway. ``evidence`` holds what a rollout uses.
"""
