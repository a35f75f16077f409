"""The table of faults played against a gateway: what its clients see of each fault, compared with what they should.

`caller` makes one call and looks closely; `verdict` says what a client was given; `case` plays one fault so many times
and holds the result against the table's expectation. Used by the tests here and by ``python -m benchmarks.faults``.
"""
