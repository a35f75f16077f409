"""The tests, laid out as ``src`` is. A package only so that ``tests.fakes`` has one unmistakable name."""
